"""A chat whose words come through a pipe, as the real program."""

import os
import signal
import subprocess

from tests.cli.conftest import SANDBOX, Program, call

WORDS = ("chat", "--sandbox", SANDBOX, "--model")


def test_each_line_is_said_and_only_answers_go_to_stdout(program: Program) -> None:
    model = program.script(
        {"expect": "I am Ann.", "text": "Hello Ann."},
        call("calculator", expression="6*7"),
        {"expect": "42", "text": "Ann, and 42."},
    )
    ended = program.run(*WORDS, model, stdin="I am Ann.\n\n  \nWho am I?")
    assert (ended.returncode, ended.stdout) == (0, "Hello Ann.\nAnn, and 42.\n")
    assert "· calculator 6*7" in ended.stderr
    assert "agentcli resume" in ended.stderr.splitlines()[-1]
    assert program.run("replay", "last", "--verify").returncode == 0


def test_it_goes_on_with_more_lines(program: Program) -> None:
    model = program.script({"text": "One."}, {"expect": "b", "text": "Two."})
    program.run(*WORDS, model, stdin="a\n")
    ended = program.run("resume", "last", stdin="b\n")
    assert (ended.returncode, ended.stdout) == (0, "Two.\n")


def test_a_line_that_fails_ends_it_with_the_code_of_the_failure(program: Program) -> None:
    model = program.script({"fault": {"auth": "The key is wrong."}})
    ended = program.run(*WORDS, model, stdin="a\nb\n")
    assert (ended.returncode, ended.stdout) == (77, "")
    assert ended.stderr.count("The key is wrong.") == 1


def test_nobody_can_be_asked_so_it_is_parked(program: Program) -> None:
    model = program.script(call("write_file", path="a", content="x"), {"text": "done"})
    ended = program.run(*WORDS, model, "-p", "careful", stdin="write\n")
    assert (ended.returncode, ended.stdout) == (77, "")
    assert not (program.folder / "a").exists()


def test_the_limits_of_the_command_line_hold(program: Program) -> None:
    model = program.script({"text": "never"})
    assert program.run(*WORDS, model, "--usd", "0.0001", stdin="a\n").returncode == 76
    slow = program.script({"text": "slow", "delay_ms": 30_000})
    assert program.run(*WORDS, slow, "--time", "1", stdin="a\n").returncode == 124


def test_an_answer_comes_before_the_next_line_is_needed(program: Program) -> None:
    model = program.script({"text": "One."}, {"text": "Two."})
    with subprocess.Popen(
        program.argv(*WORDS, model),
        cwd=program.folder,
        env=program.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdin
        assert child.stdout
        for line, answer in ((b"a\n", b"One.\n"), (b"b\n", b"Two.\n")):
            child.stdin.write(line)
            child.stdin.flush()
            assert child.stdout.readline() == answer
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(20) == 143


def test_text_that_is_not_utf_8_ends_it_like_an_end(program: Program) -> None:
    ended = program.run(*WORDS, program.script({"text": "One."}), stdin=b"\xff\xfe\n")
    assert (ended.returncode, ended.stdout) == (65, "")
