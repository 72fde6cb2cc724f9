"""Old runs go whole, with what only they have kept; nothing that anyone needs goes with them."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agentcli.compose import prune as module
from agentcli.compose.prune import half_deleted, handles_in, old_runs, prune, would_free
from agentcli.core.event import (
    Dropped,
    Ended,
    Event,
    Parked,
    Prepared,
    RunResumed,
    Settled,
    ToolEnded,
)
from agentcli.core.step import Call
from agentcli.core.tool import Facts, Undo
from agentcli.errors import LedgerBusyError, LedgerError
from agentcli.ledger.find import all_runs
from agentcli.ledger.folder import RunFolder
from agentcli.tool import store as store_module
from agentcli.tool.snapshot import Snapshots
from agentcli.tool.store import ASIDE
from tests.fake.kept import AT, keep_run

LATE = AT + 10**12


def snapshot(state: Path, **files: str) -> str:
    """Keep a workspace with these files and return its handle."""
    workspace = state / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir()
    for name, text in files.items():
        (workspace / name).write_text(text)
    return Snapshots(workspace, state / "store").take()


def kept(state: Path) -> set[str]:
    """Return the contents that are kept, as texts; snapshots left out."""
    files = (path for path in (state / "store").rglob("*") if path.is_file())
    return {text for path in files if not (text := path.read_text()).startswith("[[")}


def prepared(handle: str) -> Event:
    return Prepared(("main/call.1.0", 1), Call("shell"), Facts(snapshot=handle))


def run_of(state: Path, run: str, *events: Event) -> RunFolder:
    return keep_run(state, *events, Ended("done"), run=run)


@pytest.fixture
def two(tmp_path: Path) -> list[RunFolder]:
    """Return two runs with a content in common and one each of their own."""
    first = run_of(tmp_path, "a", prepared(snapshot(tmp_path, x="both", y="first")))
    after = ToolEnded(("main/call.1.0", 2), "done", after=snapshot(tmp_path, x="both", z="second"))
    return [first, run_of(tmp_path, "b", after)]


def test_what_only_a_deleted_run_has_kept_goes_with_it(
    tmp_path: Path, two: list[RunFolder]
) -> None:
    (tmp_path / "seals").mkdir()
    for run in two:
        (tmp_path / "seals" / f"{run.id}.json").touch()
    freed = would_free(tmp_path, two[:1])
    assert prune(tmp_path, two[:1]) == (two[:1], freed)
    assert freed.contents == 2  # the content and the snapshot that named it
    assert list(all_runs(tmp_path)) == two[1:]
    assert [path.name for path in (tmp_path / "seals").iterdir()] == ["b.json"]
    assert kept(tmp_path) == {"both", "second"}
    prune(tmp_path, two[1:])
    assert kept(tmp_path) == set()


@pytest.mark.parametrize("part", ["snapshot", "after", "undo"])
def test_a_handle_is_found_in_any_field_and_at_any_place(tmp_path: Path, part: str) -> None:
    handle = "ab" * 32
    for pad in range(0, 200, 7):
        path = tmp_path / f"{part}-{pad}"
        path.write_bytes(b"x" * pad + f'{{"{part}":"{handle}"}}junk\n'.encode() * 2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "PIECE", 41)
            assert handles_in(path) == {handle}


def test_only_what_has_ended_and_is_old_may_go(tmp_path: Path) -> None:
    done = run_of(tmp_path, "a")
    parked = keep_run(tmp_path, Parked("approval"), run="b")
    cut = keep_run(tmp_path, RunResumed(2), run="c")
    damaged = keep_run(tmp_path, run="d")
    damaged.ledger.write_bytes(b"junk\n")
    os.utime(damaged.ledger, (1, 1))

    def ids(before_us: int, *, unfinished: bool) -> set[str]:
        return {old.folder.id for old in old_runs(tmp_path, before_us, unfinished=unfinished)}

    assert ids(LATE, unfinished=False) == {done.id}
    assert ids(LATE, unfinished=True) == {done.id, parked.id, cut.id, damaged.id}
    assert ids(AT, unfinished=True) == {damaged.id}
    file = os.open(parked.ledger, os.O_RDONLY)
    fcntl.flock(file, fcntl.LOCK_EX)
    assert parked.id not in ids(LATE, unfinished=True)
    os.close(file)
    old = old_runs(tmp_path, LATE, unfinished=True)
    assert [run.last_us for run in old] == sorted(run.last_us for run in old)


def test_a_run_that_someone_goes_on_with_meanwhile_stays(
    tmp_path: Path, two: list[RunFolder]
) -> None:
    file = os.open(two[0].ledger, os.O_RDONLY)
    fcntl.flock(file, fcntl.LOCK_EX)
    assert prune(tmp_path, two) == (two[1:], None)
    assert kept(tmp_path) == {"both", "first", "second"}
    os.close(file)
    gone, freed = prune(tmp_path, two[:1])
    assert (gone, freed is not None, kept(tmp_path)) == (two[:1], True, set())


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (module, "hide"),
        (module, "finish"),
        (module, "sync_folder"),
        (shutil, "rmtree"),
        (module, "collect_store"),
        (store_module, "contents_of"),
        (os, "walk"),
    ],
)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_deletion_that_was_cut_off_is_finished_the_next_time(
    tmp_path: Path, two: list[RunFolder], where: object, name: str, after: int
) -> None:
    real, times = getattr(where, name), iter(range(after))

    def cut(*args: object, **more: object) -> object:
        if next(times, None) is None:
            raise KeyboardInterrupt
        return real(*args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, cut)
        try:
            prune(tmp_path, two[:1])
        except KeyboardInterrupt:
            assert two[1] in list(all_runs(tmp_path))
    rest = [run for run in all_runs(tmp_path) if run == two[0]]
    prune(tmp_path, rest)
    assert (list(all_runs(tmp_path)), half_deleted(tmp_path)) == (two[1:], [])
    assert kept(tmp_path) == {"both", "second"}
    assert not (tmp_path / "store" / ASIDE).exists()


def test_a_run_that_begins_while_the_store_is_looked_through_loses_nothing(
    tmp_path: Path, two: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[Path], object] = store_module.kept_files

    def begin_meanwhile(store: Path) -> object:
        # It reuses what stands there, and its record comes a moment later.
        run_of(tmp_path, "c", prepared(snapshot(tmp_path, y="first")))
        return real(store)

    monkeypatch.setattr(store_module, "kept_files", begin_meanwhile)
    assert prune(tmp_path, two[:1]) == (two[:1], None)
    assert kept(tmp_path) == {"both", "first", "second"}


def test_a_folder_that_a_tool_has_closed_goes_too(tmp_path: Path) -> None:
    run = run_of(tmp_path, "a")
    closed, outside = run.workspace / "closed" / "inner", tmp_path / "outside"
    closed.mkdir(parents=True)
    outside.mkdir(mode=0o500)
    (closed / "file").touch()
    (closed / "link").symlink_to(outside)
    closed.chmod(0)
    closed.parent.chmod(0o500)
    assert prune(tmp_path, [run])[0] == [run]
    assert not run.path.exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_two_do_not_delete_at_once(tmp_path: Path, two: list[RunFolder]) -> None:
    file = os.open(tmp_path / "runs", os.O_RDONLY)
    fcntl.flock(file, fcntl.LOCK_EX)
    with pytest.raises(LedgerBusyError, match="another process is deleting runs"):
        prune(tmp_path, two)
    assert list(all_runs(tmp_path)) == two[::-1]
    os.close(file)


def test_what_cannot_be_deleted_is_a_sentence(
    tmp_path: Path, two: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(shutil, "rmtree", fail)
    with pytest.raises(LedgerError, match=r"\.pruned-a: cannot be deleted: Operation not"):
        prune(tmp_path, two)


def test_a_run_of_which_something_is_still_to_be_undone_stays(tmp_path: Path) -> None:
    booked = ("main/call.1.0", 1)
    undoing = ("undo.1/call.3", 1)
    events = (
        Prepared(booked, Call("book"), Facts()),
        ToolEnded(booked, "done", undo=Undo("cancel", {})),
        Prepared(undoing, Call("cancel", origin="undo"), Facts()),
        Settled(undoing[0], "failed", 4),
    )
    keep_run(tmp_path, *events, Ended("failed"), run="dead")
    keep_run(tmp_path, *events, Dropped(3, "ada", "by hand"), Ended("failed"), run="given-up")
    assert [old.folder.id for old in old_runs(tmp_path, LATE, unfinished=False)] == ["given-up"]
    assert len(old_runs(tmp_path, LATE, unfinished=True)) == 2


@pytest.mark.parametrize("by_path", [False, True])
def test_a_run_stays_that_one_which_could_go_on_is_played_from(
    tmp_path: Path, by_path: bool
) -> None:
    source = run_of(tmp_path, "source")
    model = f"recorded:{source.path if by_path else source.id}"
    keep_run(tmp_path, Parked("budget"), run="waits", model=model)
    assert old_runs(tmp_path, LATE, unfinished=False) == []
    keep_run(tmp_path, Ended("done"), run="over", model=f"recorded:{run_of(tmp_path, 'b').path}")
    assert {old.folder.id for old in old_runs(tmp_path, LATE, unfinished=False)} == {"b", "over"}
    assert len(old_runs(tmp_path, LATE, unfinished=True)) == 4
