"""What is no ledger, or no whole one, is told as just that by every command that is given it."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentcli.core.event import Grown, Settled
from agentcli.ledger.line import Chain, decode_line
from agentcli.ledger.seal import Head, Seal
from tests.cli.conftest import NEWER, Program, of_newer_program

COMMANDS = (("replay",), ("audit", "verify"), ("resume",), ("runs", "show"))


def newer(path: Path) -> None:
    path.write_bytes(of_newer_program(path.read_bytes()))


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def foreign_ends(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def long_line(path: Path) -> None:
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n" + b"x" * 100_000_000 + b"\n" + rest)


def long_first_line(path: Path) -> None:
    path.write_bytes(b'{"hash":"' + b"x" * 100_000_000)


BAD: dict[str, tuple[Callable[[Path], object], tuple[int, ...], str]] = {
    "newer": (newer, (73,), f"written as version {NEWER}; this program knows {NEWER - 1}"),
    "another program's": (
        lambda path: path.write_bytes(b'{"type":"message","text":"hi"}\n' * 9),
        (65,),
        "not a ledger of this program",
    ),
    "empty": (lambda path: path.write_bytes(b""), (65,), "an empty file, not a ledger"),
    "a folder": (directory, (65,), "not a file"),
    "binary": (lambda path: path.write_bytes(bytes(range(256)) * 99), (65,), "not a ledger"),
    "other line ends": (foreign_ends, (73,), "CR LF"),
    "a long line": (long_line, (73,), "longer than any record"),
    "a long first line": (long_first_line, (65, 73), "ledger.jsonl|longer than any record"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("bad")
    program = Program(folder / "work", folder / "home")
    program.folder.mkdir()
    program.home.mkdir()
    program.play({"text": "ok"})
    return program


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_kind_of_bad_ledger_has_its_own_error(
    made: Program, tmp_path: Path, what: str, words: tuple[str, ...]
) -> None:
    spoil, codes, says = BAD[what]
    (run,) = (made.home / "runs").iterdir()
    home = tmp_path / "home"
    shutil.copytree(made.home, home)
    spoil(home / "runs" / run.name / "ledger.jsonl")
    program = Program(tmp_path, home)
    # Not `last`: what holds no ledger is in no list.
    began = time.monotonic()
    process = subprocess.Popen(
        program.argv(*words, str(home / "runs" / run.name)),
        cwd=tmp_path,
        env=program.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout
    told = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    assert re.search(says, told)
    assert "Traceback" not in told
    assert process.returncode in codes
    assert len(told) < 4_000, "what a file holds is not poured out"
    assert time.monotonic() - began < 20
    assert used.ru_maxrss * 1024 < 600 << 20


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_one_that_cannot_be_read_is_told_as_such(program: Program, words: tuple[str, ...]) -> None:
    ledger = Path(program.play({"text": "ok"}).document["ledger"])
    ledger.chmod(0)
    ended = program.run(*words, str(ledger.parent))
    assert "Permission denied" in ended.stderr
    assert ended.returncode in (66, 73)


def no_step(grown: Grown) -> Grown:
    return replace(grown, step=f"{grown.step}/none")


def no_notes(grown: Grown) -> Grown:
    return replace(grown, memo={name: {"x": 1} for name in grown.memo})


@pytest.mark.parametrize(
    ("words", "forge"),
    [
        (("resume",), no_step),
        (("approve", "--show"), no_step),
        (("replay", "--what-if", "default"), no_step),
        (("runs", "fork"), no_step),
        (("runs", "fork"), no_notes),  # it alone decides by what it was given
    ],
)
def test_records_that_do_not_follow_from_each_other_are_damage(
    program: Program, words: tuple[str, ...], forge: Callable[[Grown], Grown]
) -> None:
    played = program.play({"text": "ok"})
    chain, lines = Chain(), list[bytes]()
    ledger = Path(played.document["ledger"])
    for line in ledger.read_bytes().splitlines(keepends=True):
        rec = decode_line(line)
        if isinstance(rec.event, Settled):
            break
        event = forge(rec.event) if isinstance(rec.event, Grown) else rec.event
        chain.epoch = rec.epoch
        lines.append(chain.write(event, rec.at_us)[1])
    ledger.write_bytes(b"".join(lines))
    size = ledger.stat().st_size  # by one who has the key: any other forgery is told before
    head = Head(ledger.parent.name, chain.seq, chain.hash, chain.epoch, size)
    Seal(program.home, ledger.parent).hold(head)
    ended = program.run(*words, played.document["run"])
    told = "its records do not follow from each other" in ended.stderr
    assert (ended.returncode, told) == (73, True), ended.stderr
