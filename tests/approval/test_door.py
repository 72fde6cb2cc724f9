"""The socket of a run: it takes what fits from its own user, and nothing else does anything."""

import asyncio
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from agentcli.approval.door import AT_ONCE, Door, Fact, Knock, peer_uid, socket_path
from agentcli.approval.guard import Guard
from agentcli.approval.knock import knock
from agentcli.approval.who import local_name
from agentcli.core.approval import approval_text
from agentcli.core.event import (
    Answered,
    BudgetRaised,
    Edited,
    Event,
    Input,
    Interrupted,
    Prepared,
    Recorded,
    RunStarted,
    Settled,
    Started,
    UserSaid,
)
from agentcli.core.policy import Policy
from agentcli.core.step import Agent, AskPerson, Call
from agentcli.core.tool import Facts, ToolRule
from agentcli.errors import AgentcliError
from tests.approval.keys import Keys

CALL = Call("pay", {"eur": 3})
ASKED = Started(("s", 2), AskPerson("may_it_run", CALL, "b1", 2))
YES = Answered("s", "may_it_run", "b1", True)
ROOT = ToolRule("v1", tier="privileged")


class Run:
    """A run with a door, in which what is put is recorded at once."""

    def __init__(self, folder: Path, policy: Policy | None = None) -> None:
        self.folder = folder
        self.taken: list[Input] = []
        self.guard = Guard(policy or Policy())
        self.door = Door(folder, "r1", self.guard, self.put, line_s=0.5)
        self.records = True
        self.seq = 0

    def put(self, fact: Input) -> None:
        self.taken.append(fact)
        if self.records:
            asyncio.get_running_loop().call_soon(self.record, fact)

    def record(self, event: Event) -> None:
        self.seq += 1
        rec = Recorded(self.seq, 1, 1, event)
        self.guard.note(rec)
        self.door.note(rec)

    def go(self, work: Callable[[], object], *events: Event) -> list[Input]:
        """Open the door, let a client do its work in a thread, and close it again."""

        async def main() -> None:
            await self.door.open()
            for event in (RunStarted("r1", Agent("react")), *events):
                self.record(event)
            try:
                await asyncio.to_thread(work)
            finally:
                await self.door.close()

        asyncio.run(asyncio.wait_for(main(), 30))
        return self.taken

    def knock(self, fact: Fact) -> str:
        """Return what the run says to it, "" if it takes it."""
        try:
            knock(self.folder, "r1", fact)
        except AgentcliError as error:
            return str(error)
        return ""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    yield Run(tmp_path)
    assert not (tmp_path / "socket").exists()


def prepared(tool: str = "pay") -> Prepared:
    return Prepared(("s", 1), replace(CALL, tool=tool), Facts(tool="v1"))


def test_an_answer_to_what_is_asked_is_taken_with_the_name_of_who_gave_it(run: Run) -> None:
    said: list[str] = []
    forged = replace(YES, by="somebody@else", signature="x")
    taken = run.go(lambda: said.append(run.knock(forged)), prepared(), ASKED)
    assert said == [""]
    assert taken == [replace(YES, by=local_name())]


@pytest.mark.parametrize(
    ("fact", "events"),
    [
        (YES, []),
        (replace(YES, bound="b0"), [prepared(), ASKED]),
        (replace(YES, step="t"), [prepared(), ASKED]),
        (replace(YES, question="did_it_happen"), [prepared(), ASKED]),
        (Edited("s", "b0", {}), [prepared(), ASKED]),
        (YES, [prepared(), ASKED, replace(YES, yes=False)]),
        (YES, [prepared(), ASKED, Settled("s", "stopped", 1)]),
        (UserSaid(""), []),
        (UserSaid("x" * 200_000), []),
        (BudgetRaised(-1), []),
        (BudgetRaised(limit_steps=10**9), []),
    ],
)
def test_what_does_not_fit_what_is_asked_now_never_reaches_the_run(
    run: Run, fact: Fact, events: list[Event]
) -> None:
    said: list[str] = []
    assert run.go(lambda: said.append(run.knock(fact)), *events) == []
    assert said[0]


@pytest.mark.parametrize("fact", [UserSaid("hi"), BudgetRaised(5, 6), Interrupted()])
def test_other_facts_are_taken_at_once(run: Run, fact: Fact) -> None:
    assert run.go(lambda: run.knock(fact)) == [fact]


def test_the_second_answer_to_a_question_is_told_that_it_came_too_late(run: Run) -> None:
    said: list[str] = []

    def twice() -> None:
        said.extend((run.knock(YES), run.knock(YES)))

    assert len(run.go(twice, prepared(), ASKED)) == 1
    assert said == ["", "It is not asked, or was answered already."]


def test_an_answer_that_the_run_took_from_somebody_else_is_not_ours(run: Run) -> None:
    said: list[str] = []
    run.records = False
    other = replace(YES, yes=False, by="other@host")
    real = run.put

    def put(fact: Input) -> None:
        real(fact)
        asyncio.get_running_loop().call_soon(run.record, other)

    run.door.put = put
    run.go(lambda: said.append(run.knock(YES)), prepared(), ASKED)
    assert said == ["Somebody else has answered it first."]


def test_another_users_client_is_refused(run: Run) -> None:
    run.door.peer = lambda connection: os.getuid() + 1
    said: list[str] = []
    assert run.go(lambda: said.append(run.knock(YES)), prepared(), ASKED) == []
    assert said == ["Only the user of the run may speak to it."]


def test_a_client_that_cannot_be_told_is_refused(run: Run) -> None:
    run.door.peer = lambda connection: None
    assert run.go(lambda: run.knock(YES), prepared(), ASKED) == []


def test_who_is_at_the_other_end_is_told_by_the_system() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert peer_uid(one) == os.getuid()


def send(folder: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(socket_path(folder)))
        try:
            connection.sendall(data)
            return connection.recv(1 << 16)
        except OSError:
            return b""


GOOD = msgspec.json.encode(Knock(1, "r1", YES)) + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"version":2,"later":1}\n',
        GOOD.replace(b'"r1"', b'"r2"'),
        GOOD.replace(b'"version":1', b'"version":1,"more":1'),
        GOOD.replace(b"answered", b"tool_ended"),
        b"x" * 3_000_000,
        b"slow",
    ],
)
def test_garbage_is_answered_and_does_nothing(run: Run, data: bytes) -> None:
    told: list[bytes] = []

    def rude() -> None:
        told.append(send(run.folder, data))
        assert run.knock(UserSaid("still there")) == ""

    assert run.go(rude, prepared(), ASKED) == [UserSaid("still there")]
    assert b'"ok":true' not in told[0]


def test_a_crowd_at_the_door_neither_stops_the_run_nor_keeps_others_out(run: Run) -> None:
    def crowd() -> None:
        silent = [socket.socket(socket.AF_UNIX) for _ in range(AT_ONCE * 5)]
        for guest in silent:
            guest.connect(str(socket_path(run.folder)))
        assert run.knock(YES) == ""
        for guest in silent:
            guest.close()

    assert len(run.go(crowd, prepared(), ASKED)) == 1


def test_a_run_that_ends_waits_for_no_guest(run: Run) -> None:
    guests: list[socket.socket] = []
    run.door.line_s = 1000

    def come() -> None:
        guests.append(socket.socket(socket.AF_UNIX))
        guests[0].connect(str(socket_path(run.folder)))
        guests[0].sendall(b"{")

    assert run.go(come) == []
    guests[0].close()


def test_the_socket_of_a_dead_process_is_replaced_and_only_the_owner_can_open_it(run: Run) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(run.folder / "socket"))
    dead.close()

    def look() -> None:
        assert stat.S_IMODE((run.folder / "socket").stat().st_mode) == 0o600
        assert run.knock(UserSaid("x")) == ""

    assert run.go(look) == [UserSaid("x")]


def test_a_file_in_the_place_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "socket").write_text("mine")
    run = Run(tmp_path)
    said: list[str] = []
    assert run.go(lambda: said.append(run.knock(YES)), prepared(), ASKED) == []
    assert "does not answer" in said[0]
    assert (tmp_path / "socket").read_text() == "mine"


def test_nobody_is_there(tmp_path: Path) -> None:
    assert "does not answer" in Run(tmp_path).knock(YES)


def test_a_long_path_has_its_socket_in_a_folder_of_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    run = Run(folder)
    path = socket_path(folder)
    assert len(os.fsencode(path)) <= 100

    def look() -> None:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert run.knock(YES) == ""

    assert len(run.go(look, prepared(), ASKED)) == 1
    assert not path.exists()


def test_a_privileged_call_is_answered_only_by_a_good_signature(tmp_path: Path, keys: Keys) -> None:
    run = Run(tmp_path, Policy({"root": ROOT}, signers=keys.allowed))
    call = prepared("root")
    text = approval_text("r1", "s", call.call, "b1", call.facts)
    wrong = approval_text("r0", "s", call.call, "b1", call.facts)
    good = keys.sign("alice", text)
    said: list[str] = []

    def try_all() -> None:
        for signature in ("", keys.sign("mallory", text), keys.sign("alice", wrong), good):
            said.append(run.knock(replace(YES, signature=signature, by="bob@example.com")))

    taken = run.go(try_all, call, ASKED)
    assert [bool(words) for words in said] == [True, True, True, False]
    assert taken == [replace(YES, signature=good, by="alice@example.com")]


def test_a_no_to_a_privileged_call_needs_no_signature(tmp_path: Path, keys: Keys) -> None:
    run = Run(tmp_path, Policy({"root": ROOT}, signers=keys.allowed))
    no = replace(YES, yes=False)
    assert run.go(lambda: run.knock(no), prepared("root"), ASKED) == [replace(no, by=local_name())]
