"""Brings a fact to a run that another process holds."""

import os
import socket
import time
from pathlib import Path

import msgspec

from agentcli.approval.door import (
    LINE_S,
    MOST_BYTES,
    RECORDED_S,
    VERSION,
    Fact,
    Knock,
    Told,
    peer_uid,
    socket_path,
)
from agentcli.errors import AgentcliError, UnavailableError

WAITS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 3.0)


def knock(folder: Path, run: str, fact: Fact) -> None:
    """Return once the run has taken the fact; an answer is then in its ledger.

    Raises UnavailableError where nobody opens, and what the run said where it said no.
    """
    line = msgspec.json.encode(Knock(VERSION, run, fact)) + b"\n"
    answer = b""
    for wait_s in WAITS_S:
        time.sleep(wait_s)
        try:
            if answer := said_to(folder, line):
                break
        except (FileNotFoundError, ConnectionRefusedError):
            break
        except OSError:  # too many at the door
            continue
    try:
        told = msgspec.json.decode(answer, type=Told)
    except msgspec.MsgspecError:
        message = f"{run}: its process does not answer"
        raise UnavailableError(message, hint="Answer where it runs, or stop it there.") from None
    if not told.ok:
        error = AgentcliError(told.message, hint=told.hint)
        error.exit_code = told.code if told.code in (65, 69, 77) else error.exit_code
        raise error


def said_to(folder: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(LINE_S + RECORDED_S + 5)
        connection.connect(str(socket_path(folder)))
        if peer_uid(connection) not in (folder.stat().st_uid, os.getuid(), 0):
            raise UnavailableError(f"{socket_path(folder)}: it is another user's")
        connection.sendall(line)
        answer = b""
        while not answer.endswith(b"\n") and len(answer) < MOST_BYTES:
            part = connection.recv(1 << 16)
            if not part:
                break
            answer += part
        return answer
