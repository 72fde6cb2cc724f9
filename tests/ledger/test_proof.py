"""Whatever is done to a ledger is told by its right name; what is clean raises no alarm."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from agentcli.core.event import (
    Answered,
    Ended,
    Event,
    Judged,
    Recovered,
    Redacted,
    RunResumed,
    RunStarted,
    Started,
    ToolEnded,
    UserSaid,
)
from agentcli.core.policy import Allow, Ask
from agentcli.core.step import Agent, Call, RunTool, bound_hash, idempotency_key
from agentcli.core.tool import Facts
from agentcli.errors import InputError, LedgerError
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.line import MOST_LINE_BYTES, START, Chain, decode_line
from agentcli.ledger.proof import Proof, prove
from agentcli.ledger.seal import HEAD_BYTES, Head, make_key

RUN = "20260101-000000-000abc"
TEXTS = ("said", "x" * 300, 'quotes "seq":7, \\ and {"hash":"', "ünï\u2028cöde", "")


@dataclass
class Made:
    """A ledger in memory. heads: after how many records it was sealed, oldest first."""

    lines: list[bytes]
    heads: list[Head]
    key: bytes

    @property
    def data(self) -> bytes:
        return b"".join(self.lines)


class Place:
    """The folder of a run among the runs of a home, filled anew for each ledger."""

    def __init__(self, state: Path) -> None:
        self.state, self.folder = state, RunFolder(state / "runs" / RUN)
        self.folder.path.mkdir(parents=True)
        (state / "seals").mkdir()
        self.key = make_key(state)
        self.places = (self.folder.path / "head.json", state / "seals" / f"{RUN}.json")

    def make(self, chance: random.Random, *, epochs: int = 3) -> Made:
        chain, lines, heads = Chain(), list[bytes](), list[Head]()
        for epoch in range(1, epochs + 1):
            chain.epoch = epoch
            events: list[Event] = [UserSaid(chance.choice(TEXTS)) for _ in range(8)]
            events = events[: chance.randrange(2, 8)]
            begun = RunStarted(RUN, Agent("react")) if epoch == 1 else RunResumed(epoch)
            for event in (begun, *events):
                # A clock may go backwards: nothing rests on it.
                lines.append(chain.write(event, chance.randrange(1 << 50))[1])
            heads.append(self.head(chain, lines))
        return Made(lines, heads, self.key)

    def head(self, chain: Chain, lines: list[bytes]) -> Head:
        size = sum(map(len, lines))
        return Head(RUN, chain.seq, chain.hash, chain.epoch, size).sealed(self.key)

    def put(self, data: bytes, beside: Head | None, witness: Head | None) -> None:
        self.folder.ledger.write_bytes(data)
        for path, head in zip(self.places, (beside, witness), strict=True):
            path.unlink(missing_ok=True)
            if head is not None:
                path.write_bytes(msgspec.json.encode(head).ljust(HEAD_BYTES - 1) + b"\n")

    def prove(self, data: bytes, beside: Head | None, witness: Head | None) -> Proof:
        self.put(data, beside, witness)
        return prove(self.state, self.folder)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def words(proof: Proof) -> set[str]:
    return {fault.word for fault in proof.faults}


def where(proof: Proof) -> list[tuple[str, int, int]]:
    return [(fault.word, fault.first, fault.last) for fault in proof.faults]


Change = Callable[[Made, random.Random], tuple[bytes, list[tuple[str, int, int]]]]


def flip(made: Made, chance: random.Random) -> tuple[bytes, list[tuple[str, int, int]]]:
    data = bytearray(made.data)
    at = chance.randrange(len(data) - 1)
    data[at] ^= 1 << chance.randrange(8)
    record = made.data[:at].count(b"\n") + 1
    return bytes(data), [("edited", record, record)]


def drop(made: Made, chance: random.Random) -> tuple[bytes, list[tuple[str, int, int]]]:
    first = chance.randrange(len(made.lines) - 1)
    last = min(first + chance.randrange(1, 4), len(made.lines) - 1)
    left = made.lines[:first] + made.lines[last:]
    return b"".join(left), [("missing", first + 1, last)]


def double(made: Made, chance: random.Random) -> tuple[bytes, list[tuple[str, int, int]]]:
    at = chance.randrange(len(made.lines))
    to = chance.randrange(at + 1, len(made.lines) + 1)
    lines = [*made.lines[:to], made.lines[at], *made.lines[to:]]
    return b"".join(lines), [("duplicate", at + 1, at + 1)]


def swap(made: Made, chance: random.Random) -> tuple[bytes, list[tuple[str, int, int]]]:
    lines, at = list(made.lines), chance.randrange(len(made.lines) - 1)
    lines[at : at + 2] = reversed(lines[at : at + 2])
    return b"".join(lines), [("out of order", at + 1, at + 1)]


def cut_anywhere(made: Made, chance: random.Random) -> tuple[bytes, list[tuple[str, int, int]]]:
    last = made.heads[-2].size_bytes  # in the last epoch, or it is also an older copy
    data = made.data[
        : chance.randrange(last + len(made.lines[made.heads[-2].count]), len(made.data))
    ]
    return data, [("truncated", data.count(b"\n"), len(made.lines))]


def cut_lines(made: Made, chance: random.Random) -> tuple[bytes, list[tuple[str, int, int]]]:
    left = chance.randrange(made.heads[-2].count + 1, len(made.lines))
    return b"".join(made.lines[:left]), [("truncated", left, len(made.lines))]


def chain_anew(made: Made, chance: random.Random) -> tuple[bytes, list[tuple[str, int, int]]]:
    at, chain, lines = chance.randrange(1, len(made.lines)), Chain(), list[bytes]()
    for number, line in enumerate(made.lines):
        rec = decode_line(line)
        chain.epoch = rec.epoch
        event = UserSaid("another thing") if number == at else rec.event
        lines.append(chain.write(event, rec.at_us)[1])
    return b"".join(lines), [("head mismatch", len(lines), len(lines))]


@pytest.mark.parametrize("change", [flip, drop, double, swap, cut_anywhere, cut_lines, chain_anew])
def test_one_change_is_one_fault_by_its_right_name(place: Place, change: Change) -> None:
    chance = random.Random(change.__name__)
    for _ in range(400 if change is flip else 110):
        made = place.make(chance)
        data, due = change(made, chance)
        proof = place.prove(data, made.heads[-1], made.heads[-1])
        assert where(proof) == due, data


@pytest.mark.parametrize("beside", ["its own", "none", "kept"])
def test_an_older_copy_is_told_with_and_without_its_head(place: Place, beside: str) -> None:
    chance = random.Random(beside)
    for _ in range(40):
        made = place.make(chance)
        old = chance.choice(made.heads[:-1])
        head = {"its own": old, "none": None, "kept": made.heads[-1]}[beside]
        proof = place.prove(made.data[: old.size_bytes], head, made.heads[-1])
        assert where(proof) == [("older copy", old.count, made.heads[-1].count)]


def test_what_is_clean_torn_or_redacted_raises_no_alarm(place: Place) -> None:
    chance = random.Random(1)
    for number in range(1_000):
        made = place.make(chance, epochs=chance.randrange(1, 4))
        chain = Chain()
        for line in made.lines:
            chain.read(line)
        chain.epoch += 1
        head, torn = made.heads[-1], b""
        more = {0: [], 1: [Redacted(("[REDACTED:jwt:0123456789abcdef]",))]}.get(number % 4, [])
        for event in more:
            made.lines.append(chain.write(event, 1)[1])
            head = place.head(chain, made.lines)
        if number % 4 == 2:
            torn = chain.write(UserSaid("x" * 50), 1)[1][: chance.randrange(1, 200)]
        elif number % 4 == 3:  # died before it could seal what it had written
            made.lines.append(chain.write(UserSaid("last"), 1)[1])
            head = replace(head, open=True).sealed(place.key)
        older = chance.choice([head, replace(made.heads[0], open=True).sealed(place.key)])
        proof = place.prove(made.data + torn, older, head)
        assert proof.faults == []
        assert (proof.torn_bytes, proof.redacted) == (len(torn), len(more))
        assert proof.records == len(made.lines)


def test_lines_that_were_added_are_told_from_those_that_a_crash_left_unsealed(
    place: Place,
) -> None:
    made = place.make(random.Random(2))
    chain = Chain()
    for line in made.lines:
        chain.read(line)
    data = made.data + chain.write(UserSaid("forged"), 1)[1]
    head = made.heads[-1]
    assert words(place.prove(data, head, head)) == {"added"}
    head = replace(head, open=True).sealed(place.key)
    proof = place.prove(data, head, head)
    assert proof.is_ok
    assert "1 record stands after the last seal" in " ".join(proof.notes)
    inside = [*made.lines[:3], b"# a note\n", *made.lines[3:]]
    assert where(place.prove(b"".join(inside), head, head)) == [("added", 4, 4)]


def test_several_faults_are_all_told(place: Place) -> None:
    made = place.make(random.Random(3))
    lines = [*made.lines]
    lines[2] = lines[2].replace(b"user_said", b"user_sayd")
    lines[5] = lines[5][:12] + b"z" + lines[5][13:]
    del lines[8]
    proof = place.prove(b"".join(lines), made.heads[-1], made.heads[-1])
    assert where(proof) == [("edited", 3, 3), ("edited", 6, 6), ("missing", 9, 9)]


def test_a_forged_head_and_one_of_another_machine_are_told_apart(place: Place) -> None:
    made = place.make(random.Random(4))
    head = made.heads[-1]
    forged, other = replace(head, count=head.count - 1), head.sealed(bytes(32))
    assert words(place.prove(made.data, forged, head)) == {"head mismatch"}
    assert words(place.prove(made.data, other, head)) == {"head mismatch"}
    assert words(place.prove(made.data, head, forged)) == {"head mismatch"}
    proof = place.prove(made.data, other, None)
    assert (proof.is_ok, proof.sealed) == (True, None)
    assert "sealed elsewhere" in " ".join(proof.notes)
    assert words(place.prove(made.data, None, None)) == {"unsealed"}
    place.folder.imported.touch()
    assert place.prove(made.data, None, None).is_ok


def test_a_head_that_is_no_head_is_a_fault_and_no_crash(place: Place) -> None:
    made = place.make(random.Random(5))
    for content in (b"{}", b"\xff\xfe", b"[" * 5000, b"x" * 600):
        place.put(made.data, None, made.heads[-1])
        place.places[0].write_bytes(content)
        assert words(prove(place.state, place.folder)) == {"head mismatch"}


def test_line_ends_that_were_converted_are_one_fault(place: Place) -> None:
    made = place.make(random.Random(6))
    data = made.data.replace(b"\n", b"\r\n")
    assert words(place.prove(data, made.heads[-1], made.heads[-1])) == {"foreign line ends"}


def test_a_huge_line_is_passed_over_with_little_memory(place: Place) -> None:
    import tracemalloc

    made = place.make(random.Random(7))
    place.put(b"", made.heads[-1], made.heads[-1])
    with place.folder.ledger.open("wb") as file:
        file.write(b"".join(made.lines[:3]))
        for _ in range(2 * MOST_LINE_BYTES >> 20):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + b"".join(made.lines[4:]))
    tracemalloc.start()
    try:
        proof = prove(place.state, place.folder)
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST_LINE_BYTES
    finally:
        tracemalloc.stop()
    assert ("edited", 4, 4) in where(proof)
    assert len(proof.faults) == 2  # of what follows it, the first cannot be checked


@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"a":1}\n' * 9, b"\x00\xff\n", b"\n\n"])
def test_what_is_no_ledger_is_said_to_be_none(place: Place, content: bytes) -> None:
    with pytest.raises(InputError, match="not a ledger"):
        place.prove(content, None, None)


FACTS = Facts(tool="v1")


def calls(*, run: str = RUN) -> list[Event]:
    """Return a run of one call that was allowed, with everything that belongs to it."""
    call, step = Call("pay", {"eur": 3}), "main/turn.1/call.0"
    key = idempotency_key(run, step, call)
    bound = bound_hash(key, FACTS, "rules", 2)
    return [
        RunStarted(RUN, Agent("react")),
        Judged(step, bound, Allow("tiers", "irreversible")),
        Started((step, 2), RunTool(call, FACTS, 1), key, bound),
        ToolEnded((step, 2), "done"),
        Ended("done"),
    ]


def faults_of(events: list[Event]) -> list[str]:
    from agentcli.core.event import Recorded
    from agentcli.ledger.allowed import Allowed

    allowed = Allowed("rules")
    looked = (allowed.look(Recorded(n, 1, 1, event)) for n, event in enumerate(events, start=1))
    return [fault.text for fault in looked if fault is not None]


def test_a_call_that_was_allowed_just_so_is_no_fault() -> None:
    assert faults_of(calls()) == []


def test_a_call_that_nothing_allowed_or_another_than_was_allowed_is_told() -> None:
    begun, judged, started, ended, _ = calls()
    assert isinstance(started, Started)
    assert isinstance(started.act, RunTool)
    other = replace(started, act=replace(started.act, call=Call("pay", {"eur": 3_000})))
    assert "that no rule" in faults_of([begun, started, ended])[0]
    assert "another one than was allowed" in faults_of([begun, judged, other, ended])[0]
    assert "not started" in faults_of([begun, judged, ended])[0]
    assert "ended twice" in faults_of([begun, judged, started, ended, ended])[0]
    assert "once more" in faults_of([begun, judged, started, started, ended])[0]
    assert "another one than was allowed" in faults_of(calls(run="another"))[0]


@pytest.mark.parametrize(("signature", "faults"), [("", 1), ("SIG", 0)])
def test_a_privileged_call_is_allowed_only_by_a_signed_yes(signature: str, faults: int) -> None:
    begun, judged, started, ended, _ = calls()
    assert isinstance(judged, Judged)
    asks = replace(judged, verdict=Ask("privileged_needs_signature", "privileged"))
    yes = Answered(judged.step, "may_it_run", judged.bound, True, by="ada", signature=signature)
    assert len(faults_of([begun, asks, yes, started, ended])) == faults


def test_of_many_faults_of_a_sort_the_rest_are_counted(place: Place) -> None:
    chain = Chain()
    ends = [ToolEnded(("main/call.1", n), "done") for n in range(1, 26)]
    events: list[Event] = [RunStarted(RUN, Agent("react")), *ends]
    lines = [chain.write(event, 1)[1] for event in events]
    head = place.head(chain, lines)
    proof = place.prove(b"".join(lines), head, head)
    assert words(proof) == {"not allowed"}
    assert (len(proof.faults), proof.more_faults) == (20, 5)


def test_a_newer_ledger_is_refused_as_such(place: Place) -> None:
    data = Chain().write(RunStarted(RUN, Agent("react"), version=99), 1)[1]
    with pytest.raises(LedgerError, match="version 99"):
        place.prove(data, None, None)


def test_a_recovered_ledger_is_clean(place: Place) -> None:
    made = place.make(random.Random(8))
    chain = Chain()
    for line in made.lines:
        chain.read(line)
    chain.epoch += 1
    made.lines.append(chain.write(Recovered(chain.epoch, "torn", 9, "00", "x.torn"), 1)[1])
    head = place.head(chain, made.lines)
    assert place.prove(made.data, head, head).is_ok
    assert len(made.lines[-1]) > START
