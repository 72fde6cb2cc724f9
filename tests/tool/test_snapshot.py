import os
import time
from pathlib import Path

import pytest

from agentcli.tool import snapshot
from agentcli.tool.snapshot import Snapshots


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    workspace = tmp_path / "work"
    (workspace / "sub").mkdir(parents=True)
    (workspace / "a.txt").write_text("one")
    (workspace / "sub" / "b.txt").write_text("two")
    (workspace / "link").symlink_to("a.txt")
    return Snapshots(workspace, tmp_path / "store")


def test_an_unchanged_workspace_has_the_same_handle(snapshots: Snapshots) -> None:
    assert snapshots.take() == snapshots.take() != ""


@pytest.mark.parametrize("name", ["a.txt", "sub/b.txt", "new.txt", "link", "sub"])
def test_every_kind_of_change_is_seen(snapshots: Snapshots, name: str) -> None:
    handle = snapshots.take()
    path = snapshots.workspace / name
    match name:
        case "link":
            path.unlink()
            path.symlink_to("sub")
        case "sub":
            path.chmod(0o700)
        case _:
            path.write_text("three")
    assert snapshots.changes(handle) == [name]


def test_the_old_content_is_kept_even_of_a_change_within_one_tick(snapshots: Snapshots) -> None:
    path = snapshots.workspace / "a.txt"
    stamp = path.stat().st_mtime_ns
    first = snapshots.take()
    path.write_text("eno")
    os.utime(path, ns=(stamp, stamp))
    assert snapshots.take() != first
    contents = {p.read_bytes() for p in snapshots.store.rglob("*") if p.is_file()}
    assert {b"one", b"eno", b"two"} <= contents


def test_a_clock_that_was_set_back_hides_no_change(snapshots: Snapshots) -> None:
    path = snapshots.workspace / "a.txt"
    os.utime(path, ns=(10**18, 10**18))
    time.sleep(0.05)
    first = snapshots.take()
    path.write_text("eno")
    os.utime(path, ns=(10**18, 10**18))
    assert snapshots.take() != first


def test_a_workspace_that_is_too_big_has_no_handle(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "BYTES_AT_MOST", 5)
    assert snapshots.take() == ""


def test_names_and_links_that_are_not_utf_8_are_kept(snapshots: Snapshots) -> None:
    odd = os.fsencode(snapshots.workspace) + b"/b\xffd"
    handle = snapshots.take()
    with open(odd, "wb") as file:
        file.write(b"x")
    os.symlink(b"to\xfe", odd + b"link")
    assert snapshots.changes(handle) == [os.fsdecode(b"b\xffd"), os.fsdecode(b"b\xffdlink")]


def test_a_pipe_or_an_unreadable_file_does_not_hang_it(snapshots: Snapshots) -> None:
    os.mkfifo(snapshots.workspace / "pipe")
    assert snapshots.take() != ""


def test_hidden_files_are_neither_kept_nor_called_changed_under_any_name(
    snapshots: Snapshots,
) -> None:
    work, secret = snapshots.workspace, "hunter2"
    snapshots.hidden = (".env", ".env.*", "!*.example")
    (work / ".env").write_text(secret)
    os.link(work / ".env", work / "twin")
    (work / "sub" / "real").write_text(f"{secret} too")
    (work / "sub" / ".env.local").symlink_to("real")
    (work / ".env.example").write_text("TOKEN=")
    handle = snapshots.take()
    contents = b"".join(p.read_bytes() for p in snapshots.store.rglob("*") if p.is_file())
    assert secret.encode() not in contents
    assert b"TOKEN=" in contents
    for name in (".env", "twin", "sub/real", ".env.new"):
        with (work / name).open("a") as file:
            file.write("more")
    assert snapshots.changes(handle) == []
    (work / "sub" / ".env.local").unlink()
    assert snapshots.changes(handle) == ["sub/.env.local", "sub/real"]


def test_many_folders_count_as_much_as_many_files(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "FILES_AT_MOST", 8)
    assert snapshots.take() != ""
    for number in range(8):
        (snapshots.workspace / f"{number}").mkdir()
    assert snapshots.take() == ""


@pytest.mark.parametrize("harm", ["link", "pipe", "link above"])
def test_what_is_swapped_after_it_was_listed_leads_nowhere(
    snapshots: Snapshots, tmp_path: Path, harm: str
) -> None:
    """A process in the sandbox can swap a file for a link while the host looks at it."""
    theirs, path = tmp_path / "theirs", snapshots.workspace / "sub" / "b.txt"
    theirs.mkdir()
    (theirs / "b.txt").write_text("theirs")
    snapshots.take()
    (listed,) = snapshots.entries("sub")
    path.unlink()
    match harm:
        case "link":
            path.symlink_to(theirs / "b.txt")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.parent.rmdir()
            path.parent.symlink_to(theirs)
            assert snapshots.entries("sub") == []
    assert Snapshots(snapshots.workspace, snapshots.store).content(*listed, 0, []) is None
    assert b"theirs" not in [p.read_bytes() for p in snapshots.store.rglob("*") if p.is_file()]
