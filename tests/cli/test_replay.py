"""A recorded run, played again in a real terminal, and one that is still under way."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.cli.conftest import SANDBOX, Played, Program, call
from tests.cli.test_chat import Person, talking
from tests.cli.test_run import wait_for_text

SLOW = "One word after the other comes. " * 8


def record(program: Program) -> Played:
    """Run something that takes about three seconds to watch."""
    return program.play(
        {"text": "First I count.", "token_ms": 100, **call("calculator", expression="6*7")},
        {"text": SLOW, "token_ms": 40},
    )


def ends(person: Person) -> int:
    """Wait for the end and return the exit code; the terminal is as it was found."""
    sent = []
    while True:
        try:
            sent.append(person.child.read_nonblocking(1 << 16, 20))
        except pexpect.EOF:
            break
    person.stream.feed("".join(sent))
    person.child.close()
    assert not person.screen.cursor.hidden
    assert person.child.signalstatus is None
    return int(person.child.exitstatus)


def test_the_keys_of_the_player(program: Program) -> None:
    played = record(program)
    count = len(played.events)
    with talking(program, "replay", "last", "--step") as person:
        person.sees(f"record 0 of {count} · paused")
        person.types("n")
        person.sees(r"› Go\.(.|\n)*record 1 of")
        person.types("\x1b[C")
        person.sees("record 2 of")
        person.types("g")
        person.sees("go to record")
        person.types("12\r")
        person.sees("record 12 of")
        person.types("b")
        shown = person.sees("— record [0-9]+ —")
        assert shown.count("First I count.") == 2, "what was seen stays, and is repeated"
        person.types("++")
        person.sees("4x")
        person.types(" ")
        person.sees("playing")
        person.sees("· the end ·")
        person.types("b")  # it waits there, and one can go back
        person.sees("paused")
        person.types("q")
        assert ends(person) == 0
        assert "paused" not in person.text().splitlines()[-1]


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130), ("\x04", 0)])
def test_leaving_gives_the_terminal_back(program: Program, key: str, code: int) -> None:
    record(program)
    with talking(program, "replay", "last") as person:
        person.sees("playing")
        assert person.screen.cursor.hidden
        person.types(key)
        assert ends(person) == code
        assert "playing" not in person.text()


def test_a_terminated_replay_gives_the_terminal_back(program: Program) -> None:
    record(program)
    with talking(program, "replay", "last", "--step") as person:
        person.sees("paused")
        os.kill(person.child.pid, signal.SIGTERM)
        assert ends(person) == 143
    # Echo and lines are back as well: the very same terminal is used again.
    argv = program.argv("replay", "last", "--step")
    shell = f"stty -a > before; {' '.join(argv)}; echo left; stty -a > after; cmp before after"
    child = pexpect.spawn(
        "bash", ["-c", shell], cwd=str(program.folder), env=program.env(), encoding="utf-8"
    )
    child.expect("record 0 of|\\$")
    child.send("q")
    child.expect("left")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_resize_in_mid_play_loses_nothing(program: Program) -> None:
    record(program)
    with talking(program, "replay", "last", "--speed", "2") as person:
        person.sees("First I count")
        for columns in (60, 40, 100):
            person.child.setwinsize(40, columns)
            person.screen.resize(40, columns)
            person.look(0.2)
        person.sees("· the end ·")
        person.types("q")
        assert ends(person) == 0
        shown = " ".join(person.text().split())
    assert shown.count("First I count.") >= 1
    assert "✓ calculator 6*7" in shown
    assert "One word after the other comes." in shown


def test_to_begins_at_a_record_and_without_a_terminal_ends_there(program: Program) -> None:
    played = record(program)
    at = next(n for n, event in enumerate(played.events, 1) if event["kind"] == "tool_ended")
    with talking(program, "replay", "last", "--step", "--to", str(at)) as person:
        shown = person.sees(f"record {at} of")
        assert "calculator 6*7" in shown
        assert "One word" not in shown
        person.types("q")
        assert ends(person) == 0
    printed = program.run("replay", "last", "--to", str(at)).stdout
    assert "calculator 6*7" in printed
    assert "One word" not in printed


def test_without_a_terminal_it_waits_only_if_told_to(program: Program) -> None:
    record(program)
    begun = time.monotonic()
    plain = program.run("replay", "last")
    quick_s = time.monotonic() - begun
    begun = time.monotonic()
    paced = program.run("replay", "last", "--speed", "1")
    assert time.monotonic() - begun > quick_s + 1
    assert plain.stdout == paced.stdout
    assert plain.stderr == ""
    assert "\x1b" not in plain.stdout
    assert "record" not in plain.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--instant", "--speed", "2"), "does not go with"),
        (("--instant", "--step"), "does not go with"),
        (("--verify", "--speed", "2"), "--verify does not go with"),
        (("--verify", "--step"), "--verify does not go with"),
        (("--verify", "--to", "1"), "--verify does not go with"),
        (("--verify", "-f"), "--verify does not go with"),
        (("--step",), "needs a terminal"),
        (("--to", "9999"), "the run has"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    program: Program, words: tuple[str, ...], says: str
) -> None:
    program.play({"text": "ok"})
    ended = program.run("replay", "last", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (64, "")


def test_verify_is_instant_anyway(program: Program) -> None:
    program.play({"text": "ok"})
    both = program.run("replay", "last", "--instant", "--verify")
    assert (both.returncode, both.stderr) == (0, "")
    assert both.stdout == program.run("replay", "last", "--verify").stdout


def start_slowly(program: Program, *turns: dict[str, Any]) -> "subprocess.Popen[bytes]":
    words = ("run", "--prompt", "Go.", "--model", program.script(*turns), "--sandbox", SANDBOX)
    running = program.start(*words)
    wait_for_text(program.home, '"kind":"ask_model"')
    return running


def test_a_run_under_way_is_followed_to_its_end(program: Program) -> None:
    turns = (
        {"text": "Counting now.", **call("calculator", expression="6*7")},
        {"text": "It took its time.", "delay_ms": 2500},
    )
    with start_slowly(program, *turns) as running:
        wait_for_text(program.home, '"kind":"tool_ended"')
        followed = program.run("replay", "last", "-f")
        assert running.wait(timeout=20) == 0
    assert followed.returncode == 0
    assert "calculator 6*7" in followed.stdout
    assert "It took its time." in followed.stdout
    assert followed.stderr == "the run has ended: done\n"
    assert followed.stdout == program.run("replay", "last").stdout


def test_a_run_under_way_is_watched_in_a_terminal_without_its_lock(program: Program) -> None:
    turns = (
        {"text": "Counting now.", **call("calculator", expression="6*7")},
        {"text": "It took its time.", "delay_ms": 4000},
    )
    with start_slowly(program, *turns) as running:
        wait_for_text(program.home, '"kind":"tool_ended"')
        with talking(program, "replay", "last", "--follow") as person:
            person.sees(r"calculator 6\*7(.|\n)*so far · waiting for more")
            before = cpu_s(person.child.pid)
            person.look(1.0)
            assert cpu_s(person.child.pid) - before < 0.3
            person.sees(r"It took its time\.")
            person.sees("the run has ended: done")
            assert ends(person) == 0
        assert running.wait(timeout=20) == 0
    assert program.run("replay", "last", "--verify").returncode == 0


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_watching(program: Program) -> "subprocess.Popen[bytes]":
    """Start a replay without a terminal and return it once it has shown something."""
    watching = program.start("replay", "last")
    assert watching.stdout
    assert watching.stdout.readline() == "› Go.\n".encode()
    return watching


def test_a_writer_that_dies_and_one_that_parks_are_told_apart(program: Program) -> None:
    with start_slowly(program, {"text": "late", "delay_ms": 60_000}) as running:
        watching = start_watching(program)
        running.send_signal(signal.SIGKILL)
        _, err = watching.communicate(timeout=20)
    run = next(program.home.glob("runs/*")).name
    dead = f"its process is gone, without an end · resume: agentcli resume {run}\n"
    assert (watching.returncode, err.decode()) == (0, dead)
    resumed = program.start("resume", "last")
    wait_for_text(program.home, '"kind":"run_resumed"')
    watching = start_watching(program)
    resumed.send_signal(signal.SIGTERM)
    resumed.communicate(timeout=20)
    _, err = watching.communicate(timeout=20)
    assert err.decode() == f"the run is parked: terminated · resume: agentcli resume {run}\n"


def test_instant_shows_what_is_there_of_a_run_under_way_and_ends(program: Program) -> None:
    with start_slowly(program, {"text": "late", "delay_ms": 60_000}) as running:
        shown = program.run("replay", "last", "--instant")
        assert running.poll() is None
        running.kill()
    assert (shown.returncode, "› Go." in shown.stdout) == (0, True)
    assert shown.stderr.startswith("it goes on · follow it: agentcli replay ")
