import os
from pathlib import Path

import pytest

from tests.fake.script import run_script


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in ("a.py", "src/b.py", "src/deep/er/c.py", "src/d.txt", ".git/config"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("12345")
    (tmp_path / "src/node_modules").mkdir()
    (tmp_path / "src/node_modules/e.py").touch()
    (tmp_path / "link").symlink_to("src")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def list_files(folder: Path, **args: object) -> str:
    return run_script(folder, "list_files", args)


def test_a_tree_is_listed_sorted_with_sizes_and_what_was_not_entered(tree: Path) -> None:
    assert (
        list_files(tree)
        == """\
.: 5 files, 3 folders to depth 3
a.py  5 B
link -> src
pipe  (a pipe)
src/
src/b.py  5 B
src/d.txt  5 B
src/deep/
src/deep/er/ ...
[not entered: .git, node_modules]"""
    )


def test_depth_limit_and_path(tree: Path) -> None:
    assert (
        list_files(tree, path="src", depth=1, limit=2)
        == """\
src: 2 files, 0 folders to depth 1
b.py  5 B
d.txt  5 B
[1 more not listed: name a folder as `path`, or narrow by `glob`]
[not entered: node_modules]"""
    )
    assert list_files(tree, path=".git") == ".git: 1 file, 0 folders to depth 3\nconfig  5 B"
    assert list_files(tree, path="link", depth=1).startswith("src: 2 files")


@pytest.mark.parametrize(
    ("glob", "paths"),
    [
        ("*.py", ["a.py", "src/b.py", "src/deep/er/c.py"]),
        ("src/*.py", ["src/b.py"]),
        ("src/**/*.py", ["src/b.py", "src/deep/er/c.py"]),
        ("**/*.{py,txt}", ["a.py", "src/b.py", "src/d.txt", "src/deep/er/c.py"]),
        ("[!a].py", ["src/b.py", "src/deep/er/c.py"]),
        ("?.txt", ["src/d.txt"]),
        ("A.py", []),
        ("[", []),
        ("../*", []),
    ],
)
def test_a_glob_chooses_paths(tree: Path, glob: str, paths: list[str]) -> None:
    _, *lines = list_files(tree, glob=glob).splitlines()
    assert [line.split("  ")[0] for line in lines if not line.startswith("[")] == paths


def test_a_glob_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    assert list_files(tmp_path, glob="{a").startswith("ERROR: glob: {a cannot be read")
    assert list_files(tmp_path, glob="*a" * 9).startswith("ERROR: glob: has more than 8 stars")


def test_odd_names_stay_on_their_line(tmp_path: Path) -> None:
    for name in (b"new\nline", b"esc\x1b[2J", b"not\xffutf8", "\u202eexe.txt".encode()):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    assert (
        list_files(tmp_path)
        == r""".: 4 files, 0 folders to depth 3
esc\x1b[2J  0 B
new\nline  0 B
not\udcffutf8  0 B
\u202eexe.txt  0 B"""
    )
