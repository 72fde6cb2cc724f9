import os
from pathlib import Path

import pytest

from tests.fake.script import run_script


def write(folder: Path, path: str, content: str, *, preview: bool = False) -> str:
    return run_script(folder, "write_file", {"path": path, "content": content}, preview=preview)


def test_a_file_is_created_with_its_folders_then_replaced(tmp_path: Path) -> None:
    assert write(tmp_path, "a/b/c.txt", "one\ntwo\n") == "created a/b/c.txt: 2 lines, 8 B"
    assert write(tmp_path, "./a/../a/b/c.txt", "ä") == (
        "replaced a/b/c.txt: 1 line, 2 B (before: 2 lines, 8 B)"
    )
    assert (tmp_path / "a/b/c.txt").read_bytes() == "ä".encode()
    assert write(tmp_path, "a/b/c.txt", "ä") == (
        "a/b/c.txt holds exactly this already; nothing was changed"
    )
    assert os.listdir(tmp_path / "a/b") == ["c.txt"]


def test_permissions_are_kept(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("old")
    (tmp_path / "run.sh").chmod(0o750)
    write(tmp_path, "run.sh", "new")
    assert (tmp_path / "run.sh").stat().st_mode & 0o7777 == 0o750
    (tmp_path / "run.sh").chmod(0o444)
    assert write(tmp_path, "run.sh", "newer") == (
        "ERROR: run.sh: is read-only: make it writable first if that is meant"
    )


def test_a_preview_is_a_diff_and_changes_nothing(tmp_path: Path) -> None:
    new = "--- /dev/null\n+++ b/a/f\n@@ -0,0 +1 @@\n+x\n"
    assert write(tmp_path, "a/f", "x\n", preview=True) == new
    assert os.listdir(tmp_path) == []
    (tmp_path / "f").write_text("a\nb\n")
    assert write(tmp_path, "f", "a\nc", preview=True) == (
        "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n"
    )
    assert (tmp_path / "f").read_text() == "a\nb\n"
    (tmp_path / "f").write_bytes(b"\0\xff")
    assert write(tmp_path, "f", "x", preview=True) == (
        "f: all of it is replaced; what it holds now is no text (1 line, 2 B)"
    )


def test_a_link_inside_the_workspace_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").symlink_to("link/f")
    assert write(tmp_path, "file", "x") == "created real/f: 1 line, 1 B"
    assert (tmp_path / "file").is_symlink()
    assert (tmp_path / "real/f").read_text() == "x"


def test_another_name_of_the_same_file_keeps_its_content(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("old")
    (tmp_path / "ws").mkdir()
    os.link(tmp_path / "outside", tmp_path / "ws/f")
    write(tmp_path / "ws", "f", "new")
    assert (tmp_path / "outside").read_text() == "old"


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit",
        ".GIT/config",
        "sub/.git/hooks/x",
        ".git",
        ".git./x",
        ".g\u200cit/hooks/x",
        "\uff0egit/hooks/x",
        "git~1/hooks/x",
        ".agentcli/profile.yaml",
        ".AgentCLI",
        "home/.bashrc",
        ".Zshenv",
        "hidden/pre-commit",
    ],
)
def test_what_others_execute_is_protected(tmp_path: Path, path: str) -> None:
    (tmp_path / ".git/hooks").mkdir(parents=True)
    (tmp_path / "hidden").symlink_to(".git/hooks")
    before = sorted(tmp_path.rglob("*"))
    answer = write(tmp_path, path, "evil")
    assert answer.startswith("ERROR: ")
    assert "is protected and never written" in answer
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert write(tmp_path, "pipe", "x") == "ERROR: pipe: is a pipe, not a regular file"
    assert write(tmp_path, "folder", "x") == "ERROR: folder: is a folder, name a file in it"
    assert write(tmp_path, "new/", "x") == "ERROR: new/: ends in a slash, name a file"
    assert write(tmp_path, ".", "x") == "ERROR: .: is a folder, name a file in it"
    assert write(tmp_path, "x" * 300, "x").startswith("ERROR: ")
    assert write(tmp_path, "/outputs/x", "x") == "ERROR: /outputs/x: /outputs can only be read"
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]
