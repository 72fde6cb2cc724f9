"""What is written for a user is whole, or not there, and over nothing."""

import errno
import os
from pathlib import Path

import pytest

from agentcli.errors import InputError, LedgerError
from agentcli.ledger.export import PRIVATE, SHARED, exported


def no_link(_source: Path, _name: Path) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_comes_meanwhile_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:
        monkeypatch.setattr(os, "link", no_link)
    path = tmp_path / "x"

    def lose() -> None:
        with exported(path, PRIVATE, force=False) as file:
            file.write(b"new")
            path.write_text("mine")

    with pytest.raises(InputError, match="is there already"):
        lose()
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"x": "mine"}


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("mode", [PRIVATE, SHARED])
def test_a_new_file_has_its_content_and_the_mode_that_the_umask_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool, mode: int
) -> None:
    if not has_links:
        monkeypatch.setattr(os, "link", no_link)
    path = tmp_path / "x"
    mask = os.umask(0o027)
    try:
        with exported(path, mode, force=False) as file:
            file.write(b"new")
            assert not path.exists()
    finally:
        os.umask(mask)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", mode & ~0o027)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_nowhere_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.symlink_to("nowhere")
    with pytest.raises(InputError), exported(path, SHARED, force=False):
        pass
    assert list(tmp_path.iterdir()) == [path]


def test_force_replaces_a_file_and_nothing_else(tmp_path: Path) -> None:
    path, folder, pipe = tmp_path / "x", tmp_path / "folder", tmp_path / "pipe"
    path.write_text("old")
    folder.mkdir()
    os.mkfifo(pipe)
    with exported(path, SHARED, force=True) as file:
        file.write(b"new")
    for other in (folder, pipe):
        with pytest.raises(InputError), exported(other, SHARED, force=True):
            pass
    assert path.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [folder, pipe, path]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exported(tmp_path / "x", SHARED, force=False):
        raise ZeroDivisionError
    with (
        pytest.raises(LedgerError, match="x: cannot be written: No space left"),
        exported(tmp_path / "x", SHARED, force=False),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    (tmp_path / "text").touch()
    with (
        pytest.raises(LedgerError, match="text/x: cannot be written: Not a directory"),
        exported(tmp_path / "text" / "x", SHARED, force=False),
    ):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["text"]
