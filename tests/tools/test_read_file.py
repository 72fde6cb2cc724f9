import os
from pathlib import Path

import pytest

from tests.fake.script import run_script


def read(folder: Path, path: str, **args: object) -> str:
    return run_script(folder, "read_file", {"path": path, **args})


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"one\ntwo\n", "f: lines 1-2 of 2 (8 B)\n1\tone\n2\ttwo"),
        (b"one", "f: lines 1-1 of 1 (3 B, no newline at the end)\n1\tone"),
        (b"", "f: the file is empty"),
        (b"\n\n", "f: lines 1-2 of 2 (2 B)\n1\t\n2\t"),
        (
            b"\xef\xbb\xbfa\r\nb\r\n",
            "f: lines 1-2 of 2 (9 B, byte order mark, CRLF line ends)\n1\ta\n2\tb",
        ),
        (
            b"caf\xe9\n",
            "f: lines 1-1 of 1 (5 B, not all UTF-8: bad bytes are shown as \ufffd)\n1\tcaf\ufffd",
        ),
        (
            b"\x89PNG\r\n\x1a\n\0\1",
            "f: a PNG image, 10 B (10 bytes), not shown as text\n"
            "first bytes: 89 50 4e 47 0d 0a 1a 0a 00 01",
        ),
        (
            b"\xff\xfea\0",
            "f: UTF-16 text, 4 B (4 bytes), convert it with `iconv`\nfirst bytes: ff fe 61 00",
        ),
    ],
)
def test_a_file_is_shown_as_it_is(tmp_path: Path, content: bytes, answer: str) -> None:
    (tmp_path / "f").write_bytes(content)
    assert read(tmp_path, "f") == answer


def test_a_long_file_is_read_in_parts(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("".join(f"line {n}\n" for n in range(1, 1001)))
    assert read(tmp_path, "f", offset=99, limit=2) == (
        "f: lines 99-100 of 1,000 (8.9 kB)\n 99\tline 99\n100\tline 100\n[to go on: offset 101]"
    )
    last = "f: lines 1,000-1,000 of 1,000 (8.9 kB)\n1000\tline 1000"
    assert read(tmp_path, "f", offset=1000) == last
    assert read(tmp_path, "f", offset=1001) == (
        "ERROR: f: has 1,000 lines, so there is no line 1,001"
    )


def test_parts_join_to_the_whole_file_with_no_line_lost(tmp_path: Path) -> None:
    lines = [f"{n} {'x' * (n % 300)}" for n in range(1, 301)]
    (tmp_path / "f").write_text("\n".join(lines))
    found, offset = [], 1
    while True:
        answer = read(tmp_path, "f", offset=offset)
        assert len(answer) < 30_000  # what the gateway would clip in its middle
        body, _, last = answer.partition("\n")[2].partition("\n[to go on: offset ")
        found += [line.split("\t", 1)[1] for line in body.split("\n")]
        if not last:
            break
        offset = int(last.rstrip("]"))
    assert found == lines


def test_long_lines_are_clipped_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("ä" * 2000 + "\n" + "x" * 2001 + "\n" + "y" * 1_000_000)
    _, first, second, third = read(tmp_path, "f").split("\n")
    assert first == "1\t" + "ä" * 2000
    assert second == "2\t" + "x" * 2000 + " [... line clipped: 1 characters]"
    assert third == "3\t" + "y" * 2000 + " [... line clipped: 1.0 MB in all]"


def test_the_start_of_a_huge_file_is_read_without_reading_all_of_it(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.write(b"first\n")
        file.truncate(50_000_000_000)  # a hole: no disk is used
    assert read(tmp_path, "huge").startswith("huge: binary data, 50.0 GB")
    with (tmp_path / "huge").open("r+b") as file:
        file.write(b"a\n" * 10_000)
    assert read(tmp_path, "huge", limit=1) == (
        "huge: lines 1-1 of more than 10,000 (50.0 GB)\n1\ta\n[to go on: offset 2]"
    )


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "Readme.md").touch()
    assert read(tmp_path, "readme.txt").startswith("ERROR: readme.txt: there is no such file")
    assert "`Readme.md`" in read(tmp_path, "README.MD")
    assert read(tmp_path, "no/such") == "ERROR: no/such: there is no folder `no`"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert read(tmp_path, "pipe") == "ERROR: pipe: is a pipe, not a regular file"
    assert read(tmp_path, "folder") == "ERROR: folder: is a folder: use list_files"
    (tmp_path / "f").touch()
    assert read(tmp_path, "f/x") == "ERROR: f/x: `f` is not a folder"
