import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentcli.core.event import LEDGER_VERSION
from agentcli.errors import InputError, LedgerDamagedError, LedgerError, MissingFileError
from agentcli.ledger.follow import Follower
from agentcli.ledger.read import read_ledger
from tests.fake.world import SIX_SCRIPT, FakeJournal, World, make_rules, make_start, read_all


def make_lines() -> list[bytes]:
    world, lines = World(SIX_SCRIPT), list[bytes]()
    world.go(make_rules(), make_start(), FakeJournal(lines, world.now_us), [])
    return lines


LINES = make_lines()
WHOLE = b"".join(LINES)


@pytest.mark.parametrize("step", [1, 997, 10_000])
def test_a_ledger_that_grows_by_any_pieces_is_read_once_and_whole(
    tmp_path: Path, step: int
) -> None:
    path, records = tmp_path / "ledger.jsonl", []
    sizes = range(0, len(WHOLE), step) if step > 1 else range(len(WHOLE) - 300, len(WHOLE))
    with path.open("ab") as file, Follower(path) as follower:
        fcntl.flock(file, fcntl.LOCK_EX)
        for end in [*sizes, len(WHOLE)]:
            file.write(WHOLE[file.tell() : end])
            file.flush()
            records += follower.news()
            assert follower.offset + follower.torn_bytes == end
            assert follower.news() == []
    assert records == read_all(LINES)


def test_only_what_was_appended_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read, pread = tmp_path / "ledger.jsonl", list[int](), os.pread

    def counted(file: int, size: int, at: int) -> bytes:
        data = pread(file, size, at)
        read.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counted)
    with path.open("ab") as file, Follower(path) as follower:
        for line in LINES:
            file.write(line)
            file.flush()
            follower.news()
            follower.news()
    assert read == [len(line) for line in LINES]


def test_a_torn_end_that_a_resume_cuts_off_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(LINES[:2]) + LINES[2][:-20])
    with Follower(path) as follower:
        assert len(follower.news()) == 2
        os.truncate(path, len(LINES[0]) + len(LINES[1]))
        assert (follower.news(), follower.torn_bytes) == ([], 0)
        path.write_bytes(WHOLE)
        assert len(follower.news()) == len(LINES) - 2


def test_a_changed_or_shortened_ledger_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(LINES[:2]))
    with Follower(path) as follower:
        follower.news()
        with path.open("ab") as file:
            file.write(LINES[2].replace(b'"seq":3', b'"seq":4'))
        with pytest.raises(LedgerDamagedError, match=f"line 3, byte {len(b''.join(LINES[:2]))}:"):
            follower.news()
        os.truncate(path, 10)
        with pytest.raises(LedgerDamagedError, match="shorter"):
            follower.news()


@pytest.mark.parametrize("content", [b"", b"no ledger"])
def test_what_holds_no_whole_record_is_no_ledger(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    with pytest.raises(MissingFileError):
        read_ledger(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a ledger"):
        read_ledger(path)
    with pytest.raises(InputError, match="not a file"):
        read_ledger(tmp_path)


def test_a_newer_ledger_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    now, newer = LEDGER_VERSION, LEDGER_VERSION + 1
    path.write_bytes(LINES[0].replace(b'"version":%d' % now, b'"version":%d' % newer))
    with pytest.raises(LedgerError, match=f"written as version {newer}"):
        read_ledger(path)


HOLD = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_living_writer_is_seen_and_its_lock_never_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(WHOLE)
    with Follower(path) as follower:
        assert not follower.is_written()
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout
            assert holder.stdin
            holder.stdout.readline()
            assert follower.is_written()
            holder.kill()
        assert not follower.is_written()
        with path.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
