"""A run driven anew: with a model and recorded tools, or with tools that run again."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_chat import talking

SECRET = "sk-ant-api03-" + "aB3" * 9
CHANGES = (
    {"text": "First.", **call("calculator", expression="6*7")},
    call("write_file", path="a.txt", content="hello\n"),
    call("shell", command="cat a.txt; echo more >> a.txt"),
    call("shel", command="x"),
    {"text": "It is 42."},
)
NOWHERE_TO_RUN = {"PATH": "/nonexistent", "DOCKER_HOST": "unix:///nonexistent"}


def runs_of(program: Program) -> list[str]:
    return sorted(path.name for path in (program.home / "runs").iterdir())


def test_the_recorded_model_takes_the_same_steps_and_nothing_runs(program: Program) -> None:
    run = program.play(*CHANGES).document["run"]
    shutil.rmtree(program.folder)
    program.folder.mkdir()
    program.environ = NOWHERE_TO_RUN
    ended = program.run("replay", run, "--model", "recorded")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "It is 42.\nthe same in 10 steps\n"
    assert list(program.folder.iterdir()) == []
    anew = runs_of(program)[-1]
    assert f"replay of {run}" in program.run("runs", "list").stdout
    assert program.run("replay", anew, "--verify").returncode == 0
    assert program.run("replay", run, "--against", anew).returncode == 0


def test_what_was_undone_afterwards_is_no_difference(program: Program) -> None:
    run = program.play(*CHANGES).document["run"]
    assert program.run("undo", run, "--yes").returncode == 0
    ended = program.run("replay", run, "--model", "recorded")
    assert (ended.returncode, ended.stdout) == (0, "It is 42.\nthe same in 10 steps\n")
    ended = program.run("replay", run, "--tools", "live")
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.endswith("4 calls: all the same\n")
    made = program.run("runs", "case", run, "--to", "cases")
    assert made.returncode == 0, made.stderr


def test_a_replay_is_no_run_to_go_on_with(program: Program) -> None:
    run = program.play(*CHANGES[:2]).document["run"]
    program.run("replay", run, "--model", "recorded")
    anew = runs_of(program)[-1]
    assert anew != run
    resumed = program.run("resume", anew)
    assert (resumed.returncode, "made by a replay" in resumed.stderr) == (65, True)
    again = program.run("replay", anew, "--tools", "live")
    assert (again.returncode, "made by a replay" in again.stderr) == (65, True)
    shown = json.loads(program.run("runs", "show", "last", "--json").stdout)
    assert shown["run"] == run, "`last` stays one's own last work"
    assert "resume" not in program.run("runs", "show", anew).stdout


def test_another_model_gets_recorded_results_and_is_told_what_was_never_recorded(
    program: Program,
) -> None:
    run = program.play(*CHANGES).document["run"]
    before = (program.folder / "a.txt").read_text()
    other = program.script(
        CHANGES[0],
        {"expect": "42", **call("shell", command="rm a.txt")},
        {"expect": "Not in the recording: this call of shell", "text": "Then not."},
    )
    ended = program.run("replay", run, "--model", other)
    assert ended.returncode == 1, ended.stderr
    answer, told, mine, theirs = ended.stdout.splitlines()
    assert answer == "Then not."
    assert told == "they part at main/ask.2: the calls it proposed"
    assert 'write_file {"content":"hello' in mine
    assert 'shell {"command":"rm a.txt"}' in theirs
    assert (program.folder / "a.txt").read_text() == before
    document = json.loads(program.run("replay", run, "--model", other, "--json").stdout)
    assert (document["status"], document["same"]) == ("done", False)
    assert document["replay_of"] == run != document["run"]
    assert document["difference"]["step"] == "main/ask.2"
    assert document["resume"] is None


def test_live_is_the_models_own_and_limits_hold(program: Program) -> None:
    run = program.play(*CHANGES).document["run"]
    same = program.run("replay", run, "--model", "live")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "the same in 10 steps")
    cut = program.run("replay", run, "--model", "live", "--steps", "2")
    assert cut.returncode == 76
    assert "The limit of steps is reached." in cut.stderr
    assert "they part at main/ask.3" in cut.stdout
    poor = program.run("replay", run, "--model", "live", "--usd", "0.0001")
    assert poor.returncode == 76
    keyless = program.run("replay", run, "--model", "claude-opus-4-5")
    assert (keyless.returncode, "no API key" in keyless.stderr) == (78, True)


def test_a_call_that_occurs_twice_gives_what_it_gave_each_time(program: Program) -> None:
    read = call("read_file", path="a.txt")
    program.play(
        call("write_file", path="a.txt", content="one\n"),
        read,
        call("edit_file", path="a.txt", old="one", new="two"),
        read,
        {"text": "ok"},
    )
    other = program.script(read, {"expect": "one", **read}, {"expect": "two", **read}, {"text": ""})
    ended = program.run("replay", "last", "--model", other, "--json")
    assert ended.returncode == 1
    ledger = json.loads(ended.stdout)["ledger"]
    told = [json.loads(line)["event"] for line in Path(ledger).read_text().splitlines()]
    outputs = [event["output"] for event in told if event["kind"] == "tool_ended"]
    failures = [event["message"] for event in told if event["kind"] == "failed"]
    assert [("one" in text, "two" in text) for text in outputs] == [(True, False), (False, True)]
    assert [text[:20] for text in failures] == ["Not in the recording"]


def test_a_chat_hears_the_same_again_and_secrets_stay_what_they_are(program: Program) -> None:
    model = program.script(
        {"text": f"Hello, {SECRET}.", **call("calculator", expression="1+1")},
        {"text": "Two."},
        {"expect": "again", "text": "Two, again."},
    )
    words = ("chat", "--sandbox", SANDBOX, "--model", model)
    program.run(*words, stdin=f"Use {SECRET}.\nagain\n")
    ended = program.run("replay", "last", "--model", "recorded")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("the same in ")
    everything = "".join(path.read_text() for path in program.home.rglob("ledger.jsonl"))
    assert SECRET not in everything + ended.stdout + ended.stderr
    assert len(runs_of(program)) == 2
    assert program.run("replay", runs_of(program)[-1], "--verify").returncode == 0


def test_a_reply_that_was_stopped_is_stopped_again(program: Program) -> None:
    model = program.script(
        {"text": "A slow answer, word by word, that nobody waits for.", "token_ms": 200},
        {"text": "I am still here."},
    )
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as person:
        person.sees("/help says more")
        person.types("Go on.\r")
        person.sees("A slow answer")
        person.types("\x03")
        person.sees("stopped")
        person.types("Still there?\r")
        person.sees(r"I am still here\.")
        person.leaves()
    program.environ = {}
    ended = program.run("replay", "last", "--model", "recorded")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def approved(program: Program, sandbox: str) -> str:
    """Run a call that asks, say yes in a terminal, and return the run's id."""
    model = program.script(
        call("write_file", path="a.txt", content="hello\n"),
        call("write_file", path="b.txt", content="hello\n"),
        {"text": "Done."},
    )
    words = ("run", "--prompt", "Go.", "--profile", "careful", "--sandbox", sandbox)
    with talking(program, *words, "--model", model) as person:
        person.sees(r"a\.txt(.|\n)*\[no\]")
        person.types("y")
        person.sees(r"b\.txt(.|\n)*\[no\]")
        person.types("n")
        person.sees("Why")
        person.types("Not that one.\r")
        person.sees("ledger: /")
        person.child.expect(".*")
    program.environ = {}
    (program.folder / "a.txt").unlink()
    return runs_of(program)[-1]


@pytest.mark.skipif(SANDBOX == "local", reason="needs a sandbox")
def test_the_answers_of_a_person_are_those_of_the_recording(program: Program) -> None:
    run = approved(program, SANDBOX)
    ended = program.run("replay", run, "--model", "recorded")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lives = program.run("replay", run, "--tools", "live")
    assert lives.returncode == 0, lives.stdout + lives.stderr
    assert (program.home / "runs" / runs_of(program)[-1] / "workspace" / "a.txt").exists()
    assert not (program.folder / "a.txt").exists()
    never = program.script(
        call("write_file", path="b.txt", content="hello\n"),
        {"expect": "Not that one.", **call("write_file", path="c.txt", content="x")},
        {"expect": "Not in the recording", "text": "So be it."},
    )
    assert "So be it." in program.run("replay", run, "--model", never).stdout


@pytest.mark.skipif(SANDBOX == "local", reason="needs a sandbox")
def test_a_recorded_yes_does_not_hold_for_what_reaches_beyond_the_copy(program: Program) -> None:
    run = approved(program, SANDBOX)
    ended = program.run("replay", run, "--tools", "live", "--sandbox", "local")
    assert ended.returncode == 1
    assert "2 calls: 1 the same, 1 differ" in ended.stdout
    assert not list(program.home.rglob("a.txt"))
    assert not (program.folder / "a.txt").exists()


def test_tools_run_again_on_the_workspace_as_it_was(program: Program) -> None:
    (program.folder / "a.txt").write_text("as it was\n")
    (program.folder / "there").symlink_to("a.txt")
    (program.folder / "run.sh").write_text("echo ran\n")
    (program.folder / "run.sh").chmod(0o755)
    program.play(
        call("shell", command="cat there; ./run.sh; echo changed > a.txt"),
        call("shell", command="cat a.txt; date +%s%N"),
        {"text": "ok"},
        words=() if SANDBOX != "local" else ("--sandbox", "local"),
    )
    (program.folder / "a.txt").write_text("as it is now\n")
    ended = program.run("replay", "last", "--tools", "live")
    lines = ended.stdout.splitlines()
    assert ended.returncode == 1
    assert lines[0].startswith("same     shell")
    assert lines[1].startswith("differs  shell")
    assert lines[2].startswith("  then  record ")
    assert ", line 2: 1" in lines[2]
    assert lines[-1] == "2 calls: 1 the same, 1 differ"
    assert (program.folder / "a.txt").read_text() == "as it is now\n"
    document = json.loads(program.run("replay", "last", "--tools", "live", "--json").stdout)
    assert [one["same"] for one in document["calls"]] == [True, False]
    assert document["calls"][1]["line"] == 2


def test_a_run_that_only_reads_reads_the_present(program: Program) -> None:
    (program.folder / "a.txt").write_text("one\n")
    program.play(call("read_file", path="a.txt"), {"text": "ok"})
    same = program.run("replay", "last", "--tools", "live")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "1 call: all the same")
    (program.folder / "a.txt").write_text("two\n")
    drifted = program.run("replay", "last", "--tools", "live")
    assert drifted.returncode == 1
    assert "two" in drifted.stdout


def test_without_a_state_that_was_kept_nothing_that_changes_runs(program: Program) -> None:
    program.play(call("write_file", path="a.txt", content="x"), {"text": "ok"})
    shutil.rmtree(program.home / "store")
    gone = program.run("replay", "last", "--tools", "live")
    assert (gone.returncode, "is not kept here" in gone.stderr) == (66, True)
    big = program.folder / "big"
    with big.open("wb") as file:
        file.truncate(300 << 20)
    program.play(call("shell", command="true"), {"text": "ok"})
    refused = program.run("replay", "last", "--tools", "live")
    assert refused.returncode == 65
    assert "no state of its workspace was kept, and shell can change it" in refused.stderr
    assert len(runs_of(program)) == 2, "no folder is left behind"


def test_what_came_from_elsewhere_is_driven_with_recorded_tools_alone(program: Program) -> None:
    program.play(*CHANGES[:3], CHANGES[4])
    path = str(program.folder / "x.agentrun")
    program.run("runs", "export", "last", "--bundle", path)
    shutil.rmtree(program.home)
    program.home.mkdir()
    program.environ = NOWHERE_TO_RUN
    same = program.run("replay", path, "--model", "recorded")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "the same in 8 steps")
    program.run("runs", "import", path)
    run = runs_of(program)[0]
    refused = program.run("replay", run, "--tools", "live")
    assert (refused.returncode, "imported" in refused.stderr) == (65, True)
    costly = program.run("replay", run, "--model", "claude-opus-4-5")
    assert (costly.returncode, "--usd" in costly.stderr) == (65, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--tools", "dead"), "--tools: expected live"),
        (("--model", ""), "--model: expected live, recorded"),
        (("--tools", "live", "--model", "live"), "do not go together"),
        (("--model", "live", "--step"), "--model does not go with --step"),
        (("--sandbox", "local"), "--sandbox goes with --tools live"),
        (("--usd", "1"), "--usd and --steps go with --model"),
        (("--tools", "live", "--sandbox", "dokcer"), "did you mean `docker`?"),
    ],
)
def test_words_that_do_not_fit_are_refused(
    program: Program, words: tuple[str, ...], says: str
) -> None:
    program.play({"text": "ok"})
    before: Any = runs_of(program)
    ended = program.run("replay", "last", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (64, "")
    assert runs_of(program) == before
