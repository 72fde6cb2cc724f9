"""A run goes on from a checkpoint just as from the whole ledger, and from no other's words."""

import asyncio
import itertools
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from agentcli.core.decide import decide
from agentcli.core.event import (
    Checkpointed,
    Event,
    Outcome,
    Prepared,
    Recorded,
    Replied,
    Started,
    ToolEnded,
)
from agentcli.core.fold import fold, fold_all
from agentcli.core.state import RunState
from agentcli.core.step import AskModel, Call, Prepare
from agentcli.errors import LedgerDamagedError
from agentcli.ledger import file
from agentcli.ledger.checkpoint import CHECKPOINT, INDEX, Checkpoint
from agentcli.ledger.file import FileJournal
from agentcli.ledger.read import read_ledger
from agentcli.ledger.seal import Seal
from agentcli.ledger.vault import Vault
from tests.fake.world import FACTS, blocks_of, make_rules, make_start

CALLS = tuple(Call("look", {"at": str(i)}) for i in range(3))


class Reader:
    """Folds what it is given. begun: from what it was to begin, each time."""

    def __init__(self) -> None:
        self.state, self.begun, self.taken = RunState(), list[Checkpoint | None](), 0

    def begin(self, checkpoint: Checkpoint | None) -> None:
        self.begun.append(checkpoint)
        self.state = checkpoint.state if checkpoint else RunState()
        self.taken = msgspec.json.decode(checkpoint.views, type=int) if checkpoint else 0

    def take(self, rec: Recorded) -> None:
        self.state = fold(self.state, rec)
        self.taken += 1

    def encoded(self) -> bytes:
        return msgspec.json.encode(self.taken)


def opened(folder: Path, reader: Reader) -> FileJournal:
    clock = itertools.count(1)
    seal = Seal(folder.parent.parent, folder)
    vault = Vault(folder / "private")
    return FileJournal(folder / "ledger.jsonl", vault, lambda: next(clock), seal=seal, taker=reader)


def act(start: Started) -> Outcome:
    match start.act:
        case AskModel():
            return Replied(start.id, blocks_of("text " * 20, CALLS), "tool_use", CALLS)
        case Prepare(call=call):
            return Prepared(start.id, call, FACTS)
        case _:
            return ToolEnded(start.id, "done", "output " * 20)


def write_run(folder: Path, records: int) -> None:
    """Write a run of so many records, with a checkpoint whenever the journal wants one."""
    folder.mkdir(parents=True)
    rules, state = make_rules(), RunState()
    reader = Reader()
    queue: list[Event] = [replace(make_start(limit_uusd=10**12), limit_steps=10**9)]
    with opened(folder, reader) as journal:
        while state.seq < records:
            event: Event | None = queue.pop(0)
            while event is not None:
                rec = journal.seal(event)
                state = fold(state, rec)
                reader.taken += 1
                if isinstance(event, Started):
                    queue.append(act(event))
                event = decide(rules, state)
            asyncio.run(journal.sync())
            if (kept := journal.keep(state)) is not None:
                queue.insert(0, kept)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(file, "EVERY_BYTES", 20_000)
    made = tmp_path / "runs" / "r1"
    write_run(made, 300)
    return made


def whole(folder: Path) -> RunState:
    return fold_all(read_ledger(folder / "ledger.jsonl"))


def test_a_run_goes_on_from_its_checkpoint_as_from_the_whole(folder: Path) -> None:
    reader = Reader()
    with opened(folder, reader) as journal:
        [base] = reader.begun
        assert base is not None
        assert 0 < base.seq < reader.state.seq
        records = read_ledger(folder / "ledger.jsonl")
        assert reader.state == fold_all(records)
        assert reader.taken == len(records)
        for seq in (1, base.seq, base.seq + 1, len(records)):
            assert journal.record(seq) == records[seq - 1], "found by the kept index"


def test_what_is_written_after_a_checkpoint_goes_on_the_chain(folder: Path) -> None:
    with opened(folder, Reader()) as journal:
        journal.seal(Checkpointed(1, "a note"))
        asyncio.run(journal.sync())
    assert read_ledger(folder / "ledger.jsonl")[-1].event == Checkpointed(1, "a note")


def forge_state(folder: Path) -> None:
    path = folder / CHECKPOINT
    found = msgspec.json.decode(path.read_bytes(), type=Checkpoint)
    purse = replace(found.state.purse, limit_uusd=10**15)
    path.write_bytes(msgspec.json.encode(replace(found, state=replace(found.state, purse=purse))))


def drop_head(folder: Path) -> None:
    for path in folder.parent.parent.rglob("*.json"):
        if path.name == "head.json" or path.parent.name == "seals":
            path.unlink()


def other_key(folder: Path) -> None:
    (folder.parent.parent / "seal.key").write_bytes(b"x" * 32)


@pytest.mark.parametrize(
    "harm",
    [
        forge_state,
        lambda folder: (folder / CHECKPOINT).write_bytes(b"{"),
        lambda folder: (folder / CHECKPOINT).unlink(),
        lambda folder: (folder / INDEX).write_bytes(b"x" * 7),
        lambda folder: (folder / INDEX).write_bytes(b"x" * 8),
    ],
)
def test_a_checkpoint_that_cannot_be_trusted_is_passed_over(folder: Path, harm: object) -> None:
    assert callable(harm)
    harm(folder)
    reader = Reader()
    with opened(folder, reader):
        assert reader.begun[-1] is None
        assert reader.state == whole(folder)


@pytest.mark.parametrize("harm", [drop_head, other_key])
def test_a_checkpoint_without_a_seal_of_this_machine_is_no_way_in(
    folder: Path, harm: object
) -> None:
    assert callable(harm)
    harm(folder)
    with pytest.raises(LedgerDamagedError, match="not sealed by this machine"):
        opened(folder, Reader())


def test_a_damaged_line_after_a_checkpoint_is_told_as_ever(folder: Path) -> None:
    path = folder / "ledger.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-40] + b"~" + data[-39:])
    with pytest.raises(LedgerDamagedError, match="the line's hash does not fit"):
        opened(folder, Reader())


def test_an_index_that_lies_is_found_out(folder: Path) -> None:
    path = folder / INDEX
    data = path.read_bytes()
    path.write_bytes(data[8:16] + data[:8] + data[16:])
    with opened(folder, Reader()) as journal, pytest.raises(LedgerDamagedError, match="record 1"):
        journal.record(1)


def test_a_run_from_a_checkpoint_can_be_torn_and_go_on(folder: Path) -> None:
    path = folder / "ledger.jsonl"
    before = whole(folder)
    with path.open("ab") as out:
        out.write(b'{"hash":"torn')
    reader = Reader()
    with opened(folder, reader) as journal:
        assert reader.begun[0] is not None
        assert replace(reader.state, seq=0, epoch=0, now_us=0) == replace(
            before, seq=0, epoch=0, now_us=0
        )
        assert journal.chain.seq == before.seq + 1, "which says what was set aside"
