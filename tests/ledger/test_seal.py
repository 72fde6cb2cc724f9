import asyncio
import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentcli.core.event import Ended, Recovered, RunResumed, UserSaid
from agentcli.core.step import Call
from agentcli.errors import LedgerBusyError, LedgerDamagedError, LedgerError
from agentcli.ledger.file import FileJournal
from agentcli.ledger.line import Chain
from agentcli.ledger.read import read_ledger
from agentcli.ledger.seal import HEAD_BYTES, Seal, make_key, read_head
from agentcli.ledger.vault import Vault
from agentcli.ledger.verify import verify
from tests.fake.world import Script, World, make_rules, make_start

RUN = "20260101-000000-000abc"


def skip_sync(file: int) -> None:
    """Nothing here cuts the power."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / RUN
    folder.mkdir(parents=True)
    return folder


def opened(folder: Path, sync_file: Callable[[int], None] = skip_sync) -> FileJournal:
    vault = Vault(folder / "private", sync_file=skip_sync)
    seal = Seal(folder.parents[1], folder)
    return FileJournal(folder / "ledger.jsonl", vault, World(()).now_us, sync_file, seal)


def say(folder: Path, *texts: str) -> None:
    with opened(folder) as journal:
        if not journal.records:
            journal.seal(make_start())
            asyncio.run(journal.sync())
        for text in texts:
            journal.seal(UserSaid(text))
            asyncio.run(journal.sync())


def places(folder: Path) -> list[Path]:
    return [folder / "head.json", folder.parents[1] / "seals" / f"{RUN}.json"]


def test_the_head_names_the_last_record_in_both_places_and_only_for_the_owner(
    folder: Path,
) -> None:
    say(folder, "one", "two")
    lines = (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    key = make_key(folder.parents[1])
    for path in (*places(folder), folder.parents[1] / "seal.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in places(folder):
        head = read_head(path)
        assert head is not None
        assert head.is_sealed_by(key)
        assert not head.is_sealed_by(bytes(32))
        assert (head.run, head.count, head.epoch, head.open) == (RUN, 3, 1, False)
        assert head.size_bytes == sum(map(len, lines))
        assert f'"hash":"{head.hash}"'.encode() in lines[-1]
        assert path.stat().st_size == HEAD_BYTES


def test_a_writer_that_was_killed_leaves_what_it_had_synced_sealed(folder: Path) -> None:
    journal = opened(folder)
    journal.seal(make_start())
    asyncio.run(journal.sync())
    journal.seal(UserSaid("never synced"))
    for path in places(folder):
        head = read_head(path)
        assert head is not None
        assert (head.count, head.open) == (1, True)
    journal.close()


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("cut", ["line", "mid", "all"])
def test_a_ledger_shorter_than_either_head_says_is_refused_as_it_stands(
    folder: Path, place: int, cut: str
) -> None:
    say(folder, "one", "two")
    path = folder / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    left = {"line": b"".join(lines[:2]), "mid": b"".join(lines)[:-9], "all": b""}[cut]
    path.write_bytes(left)
    places(folder)[place].unlink()
    with pytest.raises(LedgerDamagedError, match="truncated: 3 records were sealed") as caught:
        opened(folder)
    assert f"agentcli audit repair {RUN}" in caught.value.hint
    assert path.read_bytes() == left
    assert not path.with_name("ledger.jsonl.torn").exists()


def test_a_folder_put_back_from_an_older_copy_is_told_from_one_cut_off(folder: Path) -> None:
    say(folder, "one")
    shutil.copytree(folder, folder.parents[1] / "backup")
    with opened(folder) as journal:
        journal.seal(RunResumed(journal.epoch))
        asyncio.run(journal.sync())
    shutil.rmtree(folder)
    shutil.copytree(folder.parents[1] / "backup", folder)
    with pytest.raises(LedgerDamagedError, match="older copy: 3 records were sealed, 2 are here"):
        opened(folder)
    (folder / "head.json").unlink()
    with pytest.raises(LedgerDamagedError, match="older copy"):
        opened(folder)


def test_a_ledger_written_anew_without_the_key_is_refused(folder: Path) -> None:
    say(folder, "one", "two")
    (folder / "ledger.jsonl").unlink()
    vault = Vault(folder / "private", sync_file=skip_sync)
    with FileJournal(folder / "ledger.jsonl", vault, World(()).now_us, skip_sync) as journal:
        for event in (make_start(), UserSaid("one"), UserSaid("other"), UserSaid("more")):
            journal.seal(event)
        asyncio.run(journal.sync())
    with pytest.raises(LedgerDamagedError, match="record 3 is not the one that was sealed"):
        opened(folder)


def test_without_a_head_of_this_machine_nothing_is_gone_on_with_but_what_had_none(
    folder: Path,
) -> None:
    say(folder, "one")
    (folder.parents[1] / "seal.key").unlink()
    with pytest.raises(LedgerDamagedError, match="not sealed by this machine"):
        say(folder, "two")
    for path in places(folder):
        path.unlink()
    with pytest.raises(LedgerDamagedError, match="not sealed by this machine"):
        say(folder, "two")
    chain = Chain()
    old = replace(make_start(), version=1)
    (folder / "ledger.jsonl").write_bytes(chain.write(old, 1)[1])
    say(folder, "two")
    assert len(read_ledger(folder / "ledger.jsonl")) == 2


def test_a_ledger_that_grew_after_its_writer_had_closed_it_is_refused(folder: Path) -> None:
    say(folder, "one")
    path, chain = folder / "ledger.jsonl", Chain()
    for line in path.read_bytes().splitlines(keepends=True):
        chain.read(line)
    with path.open("ab") as out:
        out.write(chain.write(UserSaid("forged"), 1)[1])
    with pytest.raises(
        LedgerDamagedError, match="added to: 3 records are here, its writer ended it at 2"
    ):
        opened(folder)


@pytest.mark.parametrize("name", ["head.json", "ledger.jsonl.torn", "ledger.jsonl"])
def test_no_link_leads_the_writer_to_another_file(folder: Path, name: str) -> None:
    say(folder, "one")
    if name == "ledger.jsonl.torn":
        with (folder / "ledger.jsonl").open("ab") as out:
            out.write(b"no end")
    theirs, link = folder.parents[1] / "theirs", folder / name
    theirs.write_bytes(link.read_bytes() if link.exists() else b"")
    before = theirs.read_bytes()
    link.unlink(missing_ok=True)
    link.symlink_to(theirs)
    with pytest.raises(LedgerError):
        opened(folder)
    assert theirs.read_bytes() == before


def test_a_torn_end_is_set_aside_and_the_ledger_says_so(folder: Path) -> None:
    say(folder, "one")
    path = folder / "ledger.jsonl"
    with path.open("ab") as file:
        file.write(b'{"hash":"torn')
    with opened(folder) as journal:
        journal.seal(RunResumed(journal.epoch))
        asyncio.run(journal.sync())
        assert journal.records[-1].event == read_ledger(path)[2].event
    *_, recovered, resumed = read_ledger(path)
    digest = hashlib.sha256(b'{"hash":"torn').hexdigest()
    assert recovered.event == Recovered(2, "torn", 13, digest, "ledger.jsonl.torn")
    assert (recovered.epoch, resumed.event) == (2, RunResumed(2))
    assert path.with_name("ledger.jsonl.torn").read_bytes() == b'{"hash":"torn'
    assert verify(make_rules(), read_ledger(path)[:1]) is None


@pytest.mark.parametrize("how", ["grown", "cut", "removed"])
def test_a_file_that_somebody_else_touched_is_not_written_to(folder: Path, how: str) -> None:
    say(folder, "one")
    path = folder / "ledger.jsonl"
    with opened(folder) as journal:
        whole = path.read_bytes()
        if how == "grown":
            path.write_bytes(whole + b"x")
        elif how == "cut":
            os.truncate(path, 10)
        else:
            path.rename(folder / "moved")
            (folder / "moved").unlink()
        journal.seal(UserSaid("two"))
        with pytest.raises(LedgerError, match="under way"):
            asyncio.run(journal.sync())
        with pytest.raises(LedgerError, match="earlier write failed"):
            asyncio.run(journal.sync())
    left = {"grown": whole + b"x", "cut": whole[:10], "removed": None}[how]
    assert (path.read_bytes() if path.exists() else None) == left


def test_a_busy_ledger_can_be_watched_or_copied(folder: Path) -> None:
    with opened(folder), pytest.raises(LedgerBusyError) as caught:
        opened(folder)
    assert f"agentcli replay {RUN} --follow" in caught.value.hint
    assert f"agentcli runs fork {RUN}" in caught.value.hint


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("at", range(4))
def test_a_sync_that_fails_anywhere_loses_nothing_acknowledged(
    folder: Path, code: int, at: int
) -> None:
    say(folder)
    with opened(folder) as journal:
        synced = 0
        for number in range(4):
            journal.seal(UserSaid(str(number)))
            if number == at:

                def fail(file: int) -> None:
                    raise OSError(code, os.strerror(code))

                journal.sync_file = fail
                with pytest.raises(LedgerError, match="cannot be written") as caught:
                    asyncio.run(journal.sync())
                assert caught.value.exit_code == 73
                break
            asyncio.run(journal.sync())
            synced += 1
    for path in places(folder):
        head = read_head(path)
        assert head is not None
        assert (head.count, head.open) == (1 + synced, True)
    with opened(folder) as journal:
        assert len(journal.records) >= 1 + synced


PAY: Script = (("", (Call("pay", {"eur": 3}), Call("look", {"at": "a"}))), ("ok", ()))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
def test_a_disk_that_fails_at_any_sync_of_a_run_costs_nothing_but_a_resume(
    folder: Path, code: int, lost: bool
) -> None:
    """What a failed sync left is there or not: in both cases nothing is paid twice."""
    at = 0
    while True:
        shutil.rmtree(folder.parents[1])
        folder.mkdir(parents=True)
        path, synced, world = folder / "ledger.jsonl", 0, World(PAY)

        def fail(file: int, at: int = at) -> None:
            nonlocal synced
            if not os.path.samestat(os.fstat(file), (folder / "ledger.jsonl").stat()):
                return
            synced += 1
            if synced > at:
                raise OSError(code, os.strerror(code))

        failed = False
        with opened(folder, fail) as journal:
            try:
                world.go(make_rules(), make_start(), journal, [])
            except* LedgerError:
                failed = True
        if not failed:
            break
        head = read_head(folder / "head.json")
        assert head is not None
        if lost:
            os.truncate(path, head.size_bytes)
        effects = world.effects
        world = World(PAY)
        world.effects = effects
        with opened(folder) as journal:
            world.go(make_rules(), make_start(), journal, journal.records)
        assert Ended("done") in world.events
        assert [n for (tool, _), n in world.effects.items() if tool == "pay"] == [1]
        with opened(folder) as journal:
            assert verify(make_rules(), journal.records) is None
        at += 1
    assert at > 8


MAKE = """
import asyncio, sys
from pathlib import Path
from agentcli.core.event import UserSaid
from agentcli.ledger.file import FileJournal
from agentcli.ledger.seal import Seal
from agentcli.ledger.vault import Vault
state, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
folder = state / "runs" / name
folder.mkdir(parents=True)
seal = Seal(state, folder)
with FileJournal(folder / "ledger.jsonl", Vault(folder / "private"), lambda: 1, seal=seal) as made:
    for n in range(5):
        made.seal(UserSaid(f"{name} {n}"))
        asyncio.run(made.sync())
print(seal.key.hex())
"""


def test_fifty_that_start_at_once_have_one_key_and_a_ledger_each(tmp_path: Path) -> None:
    state = tmp_path / "home"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, str(state), f"run{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        for n in range(50)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=60)[0].strip().decode() for process in started}
    assert {process.returncode for process in started} == {0}
    assert keys == {make_key(state).hex()}
    for n in range(50):
        folder = state / "runs" / f"run{n}"
        records = read_ledger(folder / "ledger.jsonl")
        assert [rec.event for rec in records] == [UserSaid(f"run{n} {i}") for i in range(5)]
        head = read_head(folder / "head.json")
        assert head is not None
        assert head.is_sealed_by(make_key(state))
        assert head == read_head(state / "seals" / f"run{n}.json")
