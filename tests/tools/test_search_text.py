import os
import time
from pathlib import Path

import pytest

from tests.fake.script import run_script


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("def main():\n    x = 1\n    return x\n\n\nmain()\n")
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfMain (a+b)\r\n")
    (tmp_path / "c.bin").write_bytes(b"main\0")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/d.js").write_text("main")
    (tmp_path / "outside").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def search(folder: Path, pattern: str, **args: object) -> str:
    return run_script(folder, "search_text", {"pattern": pattern, **args})


NOTES = "1 binary file passed over; not entered: node_modules"


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        (
            {"pattern": r"^ma\w+|def"},
            "src/a.py:1: def main():\nsrc/a.py:6: main()\n"
            f"[2 matching lines in 1 of 2 files; {NOTES}]",
        ),
        (
            {"pattern": "^main", "ignore_case": True, "glob": "*.txt"},
            "b.txt:1: Main (a+b)\n[1 matching line in 1 of 1 file; not entered: node_modules]",
        ),
        (
            {"pattern": "(A+B)", "fixed": True, "ignore_case": True},
            f"b.txt:1: Main (a+b)\n[1 matching line in 1 of 2 files; {NOTES}]",
        ),
        (
            {"pattern": "main(", "fixed": True, "path": "src/a.py", "context": 1},
            "src/a.py:1: def main():\nsrc/a.py-2-     x = 1\n--\nsrc/a.py-5- \n"
            "src/a.py:6: main()\n[2 matching lines in 1 of 1 file]",
        ),
        (
            {"pattern": "x", "path": "src", "limit": 1},
            "src/a.py:2:     x = 1\n[stopped at the limit of 1 matching lines; "
            "there may be more: narrow by `path`, `glob` or `pattern`]",
        ),
        ({"pattern": "nowhere"}, f"[no match in 2 files; {NOTES}]"),
        (
            {"pattern": "main", "path": "node_modules"},
            "node_modules/d.js:1: main\n[1 matching line in 1 of 1 file]",
        ),
        (
            {"pattern": "a("},
            "ERROR: pattern: a( is not a regular expression: missing ), unterminated subpattern at "
            "position 1; escape what is meant as it is, or set fixed to true",
        ),
        (
            {"pattern": "a\nb"},
            "ERROR: pattern: a search goes line by line, so it cannot hold a line break",
        ),
        ({"pattern": "a", "path": "srx"}, "ERROR: srx: there is no such file; near names in that "
         "folder: `src`"),
        ({"pattern": "a", "path": "pipe"}, "ERROR: pipe: is a pipe, not a regular file"),
    ],
)  # fmt: skip
def test_what_matches_is_returned(tree: Path, args: dict[str, object], answer: str) -> None:
    assert run_script(tree, "search_text", args) == answer


def test_overlapping_context_shows_each_line_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("1\nx\n3\nx\n5\n6\n7\n8\nx\n")
    assert search(tmp_path, "x", context=1) == (
        "f-1- 1\nf:2: x\nf-3- 3\nf:4: x\nf-5- 5\n--\nf-8- 8\nf:9: x\n"
        "[3 matching lines in 1 of 1 file]"
    )


def test_a_long_line_is_clipped_around_its_match(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a" * 5000 + "needle" + "b" * 5000)
    answer = search(tmp_path, "needle").splitlines()[0]
    assert answer == f"f:1: [... 4,940] {'a' * 60}needle{'b' * 234} [... 4,766 more]"


def test_an_answer_stays_below_what_would_be_clipped(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(f"{'x' * 290}\n" * 1000)
    answer = search(tmp_path, "x", limit=1000)
    assert len(answer) < 30_000
    assert "stopped: the answer is full" in answer


def test_a_slow_pattern_ends_in_time_with_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("aa\n" + "a" * 60 + "!\n")
    began = time.monotonic()
    answer = run_script(
        tmp_path, "search_text", {"pattern": "^(a+)+$"}, put=("SECONDS = 20.0", "SECONDS = 0.3")
    )
    assert answer == (
        "f:1: aa\n[stopped after 0.3 s: search fewer files, or a simpler pattern; "
        "there may be more: narrow by `path`, `glob` or `pattern`]"
    )
    assert time.monotonic() - began < 10
