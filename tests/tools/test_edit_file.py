import os
from pathlib import Path

import pytest

from tests.fake.script import run_script


def edit(folder: Path, old: str, new: str, *, preview: bool = False, **args: object) -> str:
    args = {"path": "f", "old": old, "new": new, **args}
    return run_script(folder, "edit_file", args, preview=preview)


@pytest.mark.parametrize(
    ("content", "old", "new", "after"),
    [
        (b"a\nb\nc\n", "b", "B", b"a\nB\nc\n"),
        (b"a\nb\nc", "c", "C", b"a\nb\nC"),
        (b"a\nb\nc\n", "b\n", "", b"a\nc\n"),
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz", b"x\r\ny\r\nz\r\nc\r\n"),
        (b"a\r\nb\r\n", "a\r\nb", "x", b"x\r\n"),
        (b"a\r\nb\nc\r\n", "b\nc", "x\ny", b"a\r\nx\ny\r\n"),
        (b"a\r\nb\nc\r\nd", "c\nd", "x\ny", b"a\r\nb\nx\r\ny"),
        (b"\xef\xbb\xbfa\r\n", "a", "b", b"\xef\xbb\xbfb\r\n"),
        (b"1\x0c2\n", "2", "3", b"1\x0c3\n"),
        ("täst $1 \\1".encode(), "$1", "\\1", "täst \\1 \\1".encode()),
    ],
)
def test_one_piece_changes_and_nothing_else(
    tmp_path: Path, content: bytes, old: str, new: str, after: bytes
) -> None:
    (tmp_path / "f").write_bytes(content)
    assert edit(tmp_path, old, new).startswith("f: replaced 1 place, line ")
    assert (tmp_path / "f").read_bytes() == after
    assert os.listdir(tmp_path) == ["f"]


def test_the_answer_and_the_preview_show_the_diff(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a\nb\n")
    (tmp_path / "f").chmod(0o755)
    change = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c"
    assert edit(tmp_path, "b", "c", preview=True) == f"{change}\n"
    assert (tmp_path / "f").read_text() == "a\nb\n"
    assert edit(tmp_path, "b", "c") == f"f: replaced 1 place, line 2\n{change}"
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o755


def test_all_replaces_every_occurrence(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x\ny\nx x\n")
    assert edit(tmp_path, "x", "z", all=True).startswith("f: replaced 3 places, lines 1, 3\n")
    assert (tmp_path / "f").read_text() == "z\ny\nz z\n"


@pytest.mark.parametrize(
    ("content", "old", "error"),
    [
        (
            b"x\ny\nx\n",
            "x",
            "old: occurs 2 times in f, lines 1, 3: take in a line before or after so that it "
            "occurs once, or set all to true",
        ),
        (
            b"aaa",
            "aa",
            "old: occurs 2 times in f, line 1: take in a line before or after so that it "
            "occurs once, or set all to true",
        ),
        (
            b"def f():\n    return 1\n",
            "def f():\n  return 1",
            "old: does not occur in f; only white space differs from this, copy it exactly:\n"
            "1\tdef f():\n2\t    return 1",
        ),
        (
            b"def f():\n    return total\n",
            "    return totals",
            "old: does not occur in f; the nearest lines are:\n2\t    return total",
        ),
        (
            b"one\ntwo\n",
            "1\tone\n2\ttwo",
            "old: does not occur in f; leave out the line numbers and tabs that read_file puts "
            "before the lines",
        ),
        (b"one\n", "quite else", "old: does not occur in f; nothing in it is near: read the file"
         " again"),
        (b"", "x", "old: does not occur in f; nothing in it is near: read the file again"),
        (b"a\0b", "a", "f: is binary and not edited as text: use a program"),
        (
            b"a\ncaf\xe9",
            "a",
            "f: is not UTF-8 (line 2): use a program that knows its encoding",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why_and_changes_nothing(
    tmp_path: Path, content: bytes, old: str, error: str
) -> None:
    (tmp_path / "f").write_bytes(content)
    assert edit(tmp_path, old, "new") == f"ERROR: {error}"
    assert (tmp_path / "f").read_bytes() == content


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert edit(tmp_path, "a", "b", path="no/f") == "ERROR: no/f: there is no folder `no`"
    assert edit(tmp_path, "a", "b") == "ERROR: f: there is no such file"
    (tmp_path / "f").write_text("a")
    assert edit(tmp_path, "a", "a") == (
        "ERROR: new: is the same as old, so there is nothing to change"
    )
    os.mkfifo(tmp_path / "pipe")
    assert edit(tmp_path, "a", "b", path="pipe") == "ERROR: pipe: is a pipe, not a regular file"
    (tmp_path / ".git/hooks").mkdir(parents=True)
    (tmp_path / ".git/hooks/x").write_text("a")
    assert "is protected" in edit(tmp_path, "a", "b", path=".git/hooks/x")
