"""Types at a question on a terminal of its own: what may count as a yes, and what may not."""

import asyncio
import io
import os
import pty
import threading
import time

from agentcli.redteam.ground import Found
from agentcli.redteam.vector import Typed
from agentcli.shell.ask import ask_card
from agentcli.shell.card import Card

ARMING_S = 0.1
GAP_S = 0.1  # between two keys of a person
INTERRUPT = b"\x03"


async def answered(typed: Typed) -> tuple[Found, str]:
    """Return allow if the call would run after these keys, and ask if it still waits."""
    kind, screen = await asyncio.to_thread(put_and_typed, typed)
    return ("allow" if kind in ("yes", "session", "always") else "ask"), screen


def put_and_typed(typed: Typed) -> tuple[str, str]:
    """Put a question and type; return what was chosen, and the screen."""
    text = "\n".join(["x"] * typed.lines)
    is_typed = typed.tier in ("irreversible", "privileged")
    card = Card("May this run?", typed.tier, "pay", {"to": text}, needs_typing=is_typed)
    person, program = pty.openpty()
    out = io.StringIO()
    typist = threading.Thread(target=type_keys, args=(person, typed))
    try:
        if typed.when == "before":
            os.write(person, typed.typed.encode())
        typist.start()
        size = (typed.columns, typed.rows)
        choice = ask_card(card, program, out, lambda: size, False, arming_s=ARMING_S)
    finally:
        typist.join()
        os.close(person)
        os.close(program)
    return choice.kind, out.getvalue()


def type_keys(person: int, typed: Typed) -> None:
    """Type, and then Ctrl+C, which ends a question that still waits."""
    match typed.when:
        case "while":
            os.write(person, typed.typed.encode())
        case "at_once":
            time.sleep(3 * ARMING_S)
            os.write(person, typed.typed.encode())
        case "one_by_one":
            time.sleep(3 * ARMING_S)
            for key in typed.typed:
                os.write(person, key.encode())
                time.sleep(GAP_S + ARMING_S if key in " \r" else GAP_S)
    time.sleep(3 * ARMING_S)
    os.write(person, INTERRUPT)
