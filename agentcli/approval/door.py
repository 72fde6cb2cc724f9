"""The private way into a run that another process holds: a Unix socket, one line in, one out.

Whoever knocks brings one fact for the run's inbox. Only the run's own user and root may, and
what they bring is held against what is asked now, so that a wrong knock changes nothing.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from agentcli.approval.guard import Guard
from agentcli.approval.who import local_name
from agentcli.core.event import (
    Answered,
    BudgetRaised,
    Edited,
    Input,
    Interrupted,
    Recorded,
    Settled,
    Started,
    UserSaid,
)
from agentcli.core.step import AskPerson, StepId
from agentcli.errors import AgentcliError, InputError, NotPermittedError

VERSION = 1
MOST_BYTES = 1_000_000
MOST_CHARS = 100_000
MOST_UUSD, MOST_STEPS = 10**12, 1_000_000
AT_ONCE = 8
LINE_S, RECORDED_S, ACCEPT_S = 5.0, 10.0, 1.0
PATH_BYTES = 100  # a socket's address has room for 104 on macOS, 108 on Linux
Fact = Answered | Edited | UserSaid | BudgetRaised | Interrupted


class Speaks(msgspec.Struct, frozen=True):
    """As much of a knock as every version has."""

    version: int


class Knock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """run: the one that is meant. fact: what it is told; who says so is found out, not told."""

    version: int
    run: str
    fact: Fact


class Told(msgspec.Struct, frozen=True):
    """What came of it. code: the exit code of a no."""

    version: int
    ok: bool
    message: str = ""
    hint: str = ""
    code: int = 0


def socket_path(folder: Path) -> Path:
    """Return where the socket of a run is: in its folder, or elsewhere if that path is too long.

    Both sides compute it, from nothing but the folder.
    """
    real = folder.resolve()
    path = real / "socket"
    if len(os.fsencode(path)) <= PATH_BYTES:
        return path
    uid = real.stat().st_uid
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:32]
    system = Path(f"/run/user/{uid}")
    base = system if system.is_dir() and system.stat().st_uid == uid else Path("/tmp")
    return base / f"agentcli-{uid}" / name


def refuse_foreign(folder: Path, uid: int) -> None:
    """Raise OSError unless a folder is that user's alone."""
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != uid or info.st_mode & 0o077:
        raise PermissionError(13, "not a folder of this user alone", str(folder))


def peer_uid(connection: socket.socket) -> int | None:
    """Return who is at the other end of a Unix socket, None where that cannot be told."""
    try:
        if sys.platform == "linux":
            size = struct.calcsize("3i")
            found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            return int(struct.unpack("3i", found)[1])
        # LOCAL_PEERCRED of macOS and the BSDs: the version of a struct xucred, then the uid.
        found = connection.getsockopt(0, 1, 76)
        return int(struct.unpack_from("=II", found)[1])
    except (OSError, struct.error):
        return None


@dataclass
class Door:
    """Opened by the one process that writes the run; whatever socket is there is a dead one's.

    put: the inbox. peer: says who is at the other end of a connection. line_s: how long a guest may
    take for its line.
    """

    folder: Path
    run: str
    guard: Guard
    put: Callable[[Input], None]
    peer: Callable[[socket.socket], int | None] = peer_uid
    line_s: float = LINE_S
    asked: dict[StepId, AskPerson] = field(default_factory=dict)
    waiting: dict[StepId, list[asyncio.Future[Recorded | None]]] = field(default_factory=dict)
    guests: set[asyncio.Task[None]] = field(default_factory=set)
    listening: socket.socket | None = None
    own: tuple[int, int] = (0, 0)

    async def open(self) -> None:
        """Begin to listen. Where that cannot be, the run goes on without a door."""
        with contextlib.suppress(OSError):
            self.listening = self.listen()
            self.attend(self.listening)

    def listen(self) -> socket.socket:
        self.path = socket_path(self.folder)
        if self.path.parent != self.folder.resolve():
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            refuse_foreign(self.path.parent, os.getuid())
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(self.path.lstat().st_mode):
                self.path.unlink()
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.bind(str(self.path))
            self.own = identity(self.path)
            self.path.chmod(0o600)  # nobody is heard before it listens
            made.listen()
            made.setblocking(False)
        except BaseException:
            made.close()
            raise
        return made

    async def close(self) -> None:
        listening, self.listening = self.listening, None
        if listening is None:
            return
        asyncio.get_running_loop().remove_reader(listening)
        listening.close()
        for task in self.guests:
            task.cancel()
        await asyncio.gather(*self.guests, return_exceptions=True)
        with contextlib.suppress(OSError):
            if identity(self.path) == self.own:
                self.path.unlink()

    def note(self, rec: Recorded) -> None:
        """Take in a record that is safe in the ledger."""
        match rec.event:
            case Started(id=(step, _), act=AskPerson() as asked):
                self.asked[step] = asked
            case Answered(step=step) | Edited(step=step):
                self.asked.pop(step, None)
                self.settle(step, rec)
            case Settled(step=step):
                self.asked.pop(step, None)
                self.settle(step, None)

    def settle(self, step: StepId, rec: Recorded | None) -> None:
        for future in self.waiting.pop(step, ()):
            if not future.done():
                future.set_result(rec)

    def attend(self, listening: socket.socket) -> None:
        if listening is self.listening:
            asyncio.get_running_loop().add_reader(listening, self.welcome, listening)

    def welcome(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            guest, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # no descriptor is free
            loop.remove_reader(listening)
            loop.call_later(ACCEPT_S, self.attend, listening)
            return
        if len(self.guests) >= AT_ONCE:
            guest.close()  # it will knock again
            return
        guest.setblocking(False)
        task = loop.create_task(self.serve(guest))
        self.guests.add(task)
        task.add_done_callback(partial(self.part, guest))

    def part(self, guest: socket.socket, task: asyncio.Task[None]) -> None:
        self.guests.discard(task)
        guest.close()

    async def serve(self, guest: socket.socket) -> None:
        """Take one line and give one. Nothing that comes in here can end the run."""
        with contextlib.suppress(Exception):  # whatever a guest brings is theirs alone
            async with asyncio.timeout(self.line_s + 2 * RECORDED_S):
                told = msgspec.json.encode(await self.hear(guest)) + b"\n"
                await asyncio.get_running_loop().sock_sendall(guest, told)

    async def hear(self, guest: socket.socket) -> Told:
        uid = self.peer(guest)
        if uid is None or uid not in (os.getuid(), 0):
            return no(NotPermittedError("Only the user of the run may speak to it."))
        try:
            async with asyncio.timeout(self.line_s):
                line = await line_of(guest)
            await self.take(read_knock(line, self.run), uid)
        except AgentcliError as error:
            return no(error)
        except TimeoutError:
            return no(InputError("Not understood: no line came in time."))
        return Told(VERSION, True)

    async def take(self, fact: Fact, uid: int) -> None:
        """Give the run a fact, if it fits, and wait until an answer is in the ledger.

        Raises InputError, NotPermittedError where it does not.
        """
        match fact:
            case Answered() | Edited():
                fact = await self.checked(fact, uid)
                recorded = asyncio.get_running_loop().create_future()
                self.waiting.setdefault(fact.step, []).append(recorded)
                self.put(fact)
                try:
                    async with asyncio.timeout(RECORDED_S):
                        rec = await recorded
                except TimeoutError:
                    raise InputError("The run is ending: it did not take the answer.") from None
                if rec is None or not is_same(rec.event, fact):
                    raise InputError("Somebody else has answered it first.")
            case UserSaid(text=text) if not 0 < len(text) <= MOST_CHARS:
                raise InputError(f"What is said must have 1 to {MOST_CHARS} characters.")
            case BudgetRaised(limit_uusd=uusd, limit_steps=steps) if not (
                0 <= uusd <= MOST_UUSD and 0 <= steps <= MOST_STEPS
            ):
                raise InputError("The limit is out of range.")
            case _:
                self.put(fact)

    async def checked(self, fact: Answered | Edited, uid: int) -> Answered | Edited:
        """Return an answer with who gave it. Raises for one to anything but what is asked now."""
        text = self.guard.text_of(fact.step, self.question(fact))
        if isinstance(fact, Edited):
            return fact
        if not (text and fact.yes):
            return replace(fact, by=local_name(uid), signature="")
        who = await asyncio.to_thread(self.guard.signers.check, text, fact.signature)
        self.question(fact)  # still
        return replace(fact, by=who)

    def question(self, fact: Answered | Edited) -> AskPerson:
        asked = self.asked.get(fact.step)
        if asked is None:
            raise InputError("It is not asked, or was answered already.")
        kind = fact.question if isinstance(fact, Answered) else "may_it_run"
        if (asked.question, asked.bound) != (kind, fact.bound):
            message = "What is asked now is not what was answered."
            raise NotPermittedError(message, hint="Look at it again: agentcli approve")
        return asked


async def line_of(guest: socket.socket) -> bytes:
    """Return what comes up to the end of a line, at most a little more than a knock may be."""
    loop, line = asyncio.get_running_loop(), bytearray()
    while b"\n" not in line and len(line) <= MOST_BYTES:
        part = await loop.sock_recv(guest, 1 << 16)
        if not part:
            break
        line += part
    if len(line) > MOST_BYTES:
        raise InputError("Not understood: more than a knock may be.")
    return bytes(line)


def read_knock(line: bytes, run: str) -> Fact:
    """Return what a line brings. Raises InputError."""
    try:
        if (version := msgspec.json.decode(line, type=Speaks).version) != VERSION:
            raise InputError(f"This run speaks version {VERSION}, not {version}.")
        knock = msgspec.json.decode(line, type=Knock)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InputError(f"Not understood: {error}") from None
    if knock.run != run:
        raise InputError(f"This is the run {run}.")
    return knock.fact


def is_same(event: object, fact: Answered | Edited) -> bool:
    """Say whether a stored answer is the one that was given; its words may have been redacted."""
    if isinstance(event, Answered) and isinstance(fact, Answered):
        one, other = (replace(answer, reason="") for answer in (event, fact))
        return one == other
    return isinstance(event, Edited) and isinstance(fact, Edited)


def no(error: AgentcliError) -> Told:
    return Told(VERSION, False, str(error), error.hint, error.exit_code)


def identity(path: Path) -> tuple[int, int]:
    info = path.lstat()
    return info.st_dev, info.st_ino
