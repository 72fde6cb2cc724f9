"""Files are put back just as they were, whatever became of them, and nothing else is touched."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.errors import InputError
from agentcli.tool.restore import after_changes, put_back, restoring
from agentcli.tool.snapshot import Kept, Snapshots

NAMES = ("a", "b", "d", "d/x", "d/e", "d/e/y")
# What a path can be: a file by its text, a link by its target, a folder, or nothing.
THINGS = st.one_of(
    st.tuples(st.just("file"), st.sampled_from(["", "one", "two"])),
    st.tuples(st.just("link"), st.sampled_from(["a", "nowhere", "/etc"])),
    st.just(("folder", "")),
    st.just(("", "")),
)
Tree = dict[str, tuple[str, str]]
TREES = st.fixed_dictionaries(dict.fromkeys(NAMES, THINGS))


def lay_out(root: Path, tree: Tree) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, (kind, text) in sorted(tree.items()):
        path = root / name
        if path.parent.is_symlink() or not path.parent.is_dir():
            continue
        match kind:
            case "file":
                path.write_text(text)
            case "link":
                path.symlink_to(text)
            case "folder":
                path.mkdir()


def undo(snapshots: Snapshots, before: str, after: str, *, force: bool = False) -> list[bytes]:
    """Put back, and return what was left alone."""
    now = snapshots.contents(snapshots.take())
    found = restoring(now, snapshots.contents(before), snapshots.contents(after), force=force)
    assert put_back(snapshots, found.changes) == []
    return found.left


@settings(max_examples=150, deadline=None)
@given(TREES, TREES)
def test_whatever_a_call_did_is_undone_and_that_can_be_undone_too(one: Tree, two: Tree) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "work")
        snapshots = Snapshots(root, Path(folder, "store"))
        lay_out(root, one)
        before = snapshots.take()
        lay_out(root, two)
        after = snapshots.take()
        assert undo(snapshots, before, after) == []
        assert snapshots.take() == before
        assert undo(snapshots, after, before) == []
        assert snapshots.take() == after


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    root = tmp_path / "work"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("one")
    (root / "sub" / "b.txt").write_text("two")
    return Snapshots(root, tmp_path / "store")


def test_what_was_changed_since_is_left_alone_unless_by_force(snapshots: Snapshots) -> None:
    root, before = snapshots.workspace, snapshots.take()
    (root / "a.txt").write_text("by the call")
    (root / "sub" / "b.txt").write_text("by the call")
    after = snapshots.take()
    (root / "a.txt").write_text("by a person")
    assert undo(snapshots, before, after) == [b"a.txt"]
    assert (root / "a.txt").read_text() == "by a person"
    assert (root / "sub" / "b.txt").read_text() == "two"
    assert undo(snapshots, before, after, force=True) == []
    assert (root / "a.txt").read_text() == "one"


def test_what_the_call_did_not_touch_is_not_touched(snapshots: Snapshots) -> None:
    root, before = snapshots.workspace, snapshots.take()
    (root / "new" / "deep").mkdir(parents=True)
    (root / "new" / "deep" / "made.txt").write_text("by the call")
    after = snapshots.take()
    (root / "new" / "mine.txt").write_text("by a person")
    (root / "sub" / "b.txt").write_text("by a person")
    stamp = (root / "a.txt").stat().st_mtime_ns
    now = snapshots.now()
    found = restoring(now, snapshots.contents(before), snapshots.contents(after))
    assert put_back(snapshots, found.changes) == [b"new"], "a folder that holds more stays"
    assert sorted(os.listdir(root / "new")) == ["mine.txt"]
    assert (root / "sub" / "b.txt").read_text() == "by a person"
    assert (root / "a.txt").stat().st_mtime_ns == stamp


def test_modes_come_back(snapshots: Snapshots) -> None:
    path = snapshots.workspace / "a.txt"
    path.chmod(0o750)
    (snapshots.workspace / "sub").chmod(0o711)
    before = snapshots.take()
    path.chmod(0o600)
    (snapshots.workspace / "sub").chmod(0o777)
    undo(snapshots, before, snapshots.take())
    assert [p.stat().st_mode & 0o7777 for p in (path, path.parent / "sub")] == [0o750, 0o711]


def test_a_folder_that_became_a_link_leads_nowhere(snapshots: Snapshots, tmp_path: Path) -> None:
    """Between the look and the writing a tool sets a trap: the file outside stays as it is."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.txt").write_text("of another")
    root, before = snapshots.workspace, snapshots.take()
    (root / "sub" / "b.txt").write_text("by the call")
    now, after = snapshots.now(), snapshots.take()
    found = restoring(now, snapshots.contents(before), snapshots.contents(after))
    shutil.rmtree(root / "sub")
    (root / "sub").symlink_to(outside)
    assert put_back(snapshots, found.changes) == [b"sub/b.txt"]
    assert (outside / "b.txt").read_text() == "of another"


@pytest.mark.parametrize("harm", [lambda p: p.unlink(), lambda p: p.write_bytes(b"other")])
def test_what_was_kept_and_is_not_what_it_was_is_not_put_back(
    snapshots: Snapshots, harm: Callable[[Path], None]
) -> None:
    before = snapshots.take()
    kept = snapshots.contents(before)[b"a.txt"].content
    (snapshots.workspace / "a.txt").write_text("by the call")
    after = snapshots.take()
    harm(snapshots.path_of(kept))
    with pytest.raises(InputError, match="what was kept is"):
        undo(snapshots, before, after)
    assert (snapshots.workspace / "a.txt").read_text() == "by the call"


@pytest.mark.parametrize("path", [b"../out", b"a/../../out", b"/out", b""])
def test_a_state_that_names_a_path_elsewhere_is_none(snapshots: Snapshots, path: bytes) -> None:
    forged = msgspec.json.encode([Kept(path, 0o600, "0" * 64)])
    (snapshots.workspace / "data.json").write_bytes(forged)
    snapshots.take()
    with pytest.raises(InputError, match="which is no path"):
        snapshots.contents(hashlib.sha256(forged).hexdigest())


def test_what_is_foretold_is_what_comes(snapshots: Snapshots) -> None:
    before = snapshots.take()
    (snapshots.workspace / "a.txt").unlink()
    (snapshots.workspace / "c.txt").write_text("new")
    now, after = snapshots.now(), snapshots.take()
    found = restoring(now, snapshots.contents(before), snapshots.contents(after))
    foretold = after_changes(now, found.changes)
    put_back(snapshots, found.changes)
    assert snapshots.now() == foretold


def test_what_a_killed_undo_left_half_written_goes_with_the_next_one(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = snapshots.workspace / "a.txt"
    before = snapshots.contents(snapshots.take())
    content = path.read_bytes()
    path.write_text("changed")

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    changes = restoring(snapshots.now(), before, snapshots.now()).changes
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            put_back(snapshots, changes)
    assert list(snapshots.workspace.glob(".agentcli-*"))
    assert put_back(snapshots, changes) == []
    assert (path.read_bytes(), list(snapshots.workspace.glob(".agentcli-*"))) == (content, [])
