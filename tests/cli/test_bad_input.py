"""What a file, a flag or a user gets wrong has a sentence and an exit code, never a traceback."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import NEWER, Program, call, of_newer_program

OK = {"text": "ok"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("rum",), 64, "rum"),
        (("run", "--nope"), 64, "--nope"),
        (("run", "--prompt", "x", "--usd", "many"), 64, "expected a number"),
        (("run", "--prompt", "x", "--json", "--stream-json"), 64, "do not go together"),
        (("run", "--prompt", "x", "--profile", "readr"), 66, "did you mean `reader`"),
        (("run", "--prompt", "x", "--model", "claude-nope-9"), 78, "price is not known"),
        (("run", "--prompt", "x", "--model", "scripted:nope.yaml"), 66, "nope.yaml"),
        (("run", "--prompt", "x", "-C", "/nowhere"), 66, "/nowhere"),
        (("run", "nope.yaml"), 66, "nope.yaml"),
        (("run", "nope"), 66, "there is no task `nope`\nTasks: "),
        (("run", "orders", "--var", "mont=x"), 64, "did you mean `month`"),
        (("run", "orders", "--var", "month"), 64, "name=value"),
        (("resume", "nope"), 66, "no such run"),
        (("resume", ""), 65, "which run?"),
        (("run", "--prompt", "x", "--sandbox", "dockr"), 64, "did you mean `docker`"),
        (("replay", "last"), 66, "no runs"),
        (("tools", "show", "shel"), 66, "did you mean `shell`"),
        (("tools", "call", "calculator", "{"), 65, "not JSON"),
        (("tools", "call", "calculator", "[]"), 65, "must be a JSON object"),
        (("chat",), 64, "needs a terminal"),
    ],
)
def test_it_is_said_what_is_wrong(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    program.environ = {"ANTHROPIC_API_KEY": "k"}
    ended = program.run(*words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (code, "")


def test_a_file_without_its_path_is_pointed_to(program: Program) -> None:
    (program.folder / "nope").write_text("goal: x\n")
    for words in (("run", "nope"), ("run", "--prompt", "x", "--profile", "nope")):
        ended = program.run(*words)
        assert ended.returncode == 66
        assert ended.stderr.endswith("`nope`\nThe file is named by its path: ./nope\n")


@pytest.mark.parametrize(
    "words",
    [
        ("run", "median", "--model", "scripted:nix"),
        ("run", "median", "--model", "scripted:median", "--sandbox", "local", "--mount", "/etc"),
        ("run", "--prompt", "x", "--model", "scripted:./nix.yaml"),
        ("chat", "--model", "scripted:nix"),
    ],
)
def test_a_start_that_fails_leaves_nothing_behind(program: Program, words: tuple[str, ...]) -> None:
    assert program.run(*words, stdin="x\n").returncode in (64, 66)
    runs = program.home / "runs"
    assert not runs.exists() or list(runs.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"tolls: [read_file]\n", "p.yaml:1:1: tolls: unknown key; did you mean `tools`?"),
        (b"tools: [read_fil]\n", "did you mean `read_file`"),
        (b"tools: []\ntools: []\n", "p.yaml:2"),
        (b"budget: {usd: -1}\n", "p.yaml:1:15: budget.usd"),
        (b"tiers: {irreversible: allow}\n", "tiers.irreversible"),
        (b"extends: p.yaml\n", "circle"),
        (b"\xff\xfe", "UTF-8"),
        (b"a: [", "p.yaml:2:1: is not YAML"),
        (b"- 1\n", "mapping"),
    ],
)
def test_a_wrong_profile_names_the_place(program: Program, content: bytes, says: str) -> None:
    (program.folder / "p.yaml").write_bytes(content)
    words = ("--profile", "./p.yaml", "--model", program.script(OK))
    ended = program.run("run", "--prompt", "x", *words)
    assert says in ended.stderr
    assert ended.returncode == 78


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("goal: x\ngaol: y\n", "t.yaml:2:1: gaol"),
        ("title: x\n", "needs either `goal` or `steps`"),
        ("goal: ${who}\n", "there is no variable `who`"),
        ("goal: x\nanswer: {pattern: '('}\n", "not a pattern"),
        ("goal: x\nanswer: {schema: {type: 7}}\n", "not a schema"),
        ("goal: x\nfiles: [../etc]\nworkspace: copy\n", "not a file beside the task"),
    ],
)
def test_a_wrong_task_names_the_place(program: Program, content: str, says: str) -> None:
    (program.folder / "t.yaml").write_text(content)
    ended = program.run("run", "t.yaml", "--model", program.script(OK))
    assert says in ended.stderr
    assert ended.returncode == 65


def test_a_missing_key_is_said_with_what_works_without_one(program: Program) -> None:
    ended = program.run("run", "--prompt", "x", "--profile", "reader")
    assert "ANTHROPIC_API_KEY" in ended.stderr
    assert "scripted" in ended.stderr
    assert ended.returncode == 78


def test_a_missing_backend_names_what_mends_it(program: Program) -> None:
    program.environ = {"DOCKER_HOST": "unix:///nowhere.sock"}
    played = program.play(call("calculator", expression="1"), OK, words=("--sandbox", "docker"))
    assert (played.code, played.document["status"]) == (69, "error")
    assert played.document["hint"]
    assert not (program.home / "runs").exists() or not list((program.home / "runs").iterdir())


def test_a_ledger_held_by_another_process_is_refused(program: Program) -> None:
    import fcntl

    played = program.play(call("shell", command="true"), OK, words=("--sandbox", "local"))
    with open(played.document["ledger"], "rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ended = program.run("resume", "last")
    assert "another process" in ended.stderr
    assert ended.returncode == 73


@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"a":1}\n', b"\x00\xff\n"])
def test_what_is_no_ledger_is_said_to_be_none(program: Program, content: bytes) -> None:
    path = program.folder / "ledger.jsonl"
    path.write_bytes(content)
    ended = program.run("replay", str(path))
    assert str(path) in ended.stderr
    assert ended.returncode in (65, 73)


def test_a_ledger_of_a_newer_program_is_refused_as_such(program: Program) -> None:
    played = program.play(OK)
    ledger = Path(played.document["ledger"])
    ledger.write_bytes(of_newer_program(ledger.read_bytes()))
    for words in (("resume", "last"), ("replay", "last")):
        ended = program.run(*words)
        assert f"written as version {NEWER}" in ended.stderr
        assert ended.returncode == 73


def test_a_damaged_run_is_listed_as_such(program: Program) -> None:
    played = program.play(OK)
    Path(played.document["ledger"]).write_bytes(b"junk\n")
    listed = program.run("runs", "list")
    assert "damaged" in listed.stdout
    assert listed.returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs to mount a small file system")
def test_a_full_disk_stops_the_run_and_loses_nothing(program: Program) -> None:
    import subprocess

    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(program.home)], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        big = {"text": "word " * 40_000}
        ended = program.run(
            "run", "--prompt", "x", "--profile", "reader", "--model", program.script(big)
        )
        assert ended.returncode == 73, ended.stderr
        assert "No space left" in ended.stderr
        assert program.run("replay", "last", "--verify").returncode == 0
    finally:
        subprocess.run(["umount", str(program.home)], check=True)


@pytest.mark.parametrize("redirect", ["<&-", ">&-", "2>&-", ">/dev/full"])
def test_closed_and_full_streams_make_no_dump(program: Program, redirect: str) -> None:
    import subprocess

    words = program.argv("run", "--prompt", "x", "--model", program.script(OK))
    ended = subprocess.run(
        ["bash", "-c", f'exec "$@" {redirect}', "bash", *words],
        cwd=program.folder,
        env=program.env(),
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in ended.stderr
    assert b"Exception" not in ended.stderr
    assert ended.returncode == (73 if "full" in redirect else 0)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "--prompt", "x", "--model", "scripted:/nope"), 66),
        (("run", "--prompt", "x", "--profile", "nope"), 66),
        (("resume", "last"), 66),
    ],
)
def test_what_keeps_a_run_from_starting_is_a_document_too(
    program: Program, words: tuple[str, ...], code: int
) -> None:
    ended = program.run(*words, "--json")
    document = json.loads(ended.stdout)
    assert (document["status"], document["exit_code"]) == ("error", code)
    assert ended.returncode == code


def test_words_and_folders_that_are_not_utf_8_are_a_sentence(program: Program) -> None:
    ended = program.run("run", "--prompt", "bad\udcff", "--model", program.script(OK))
    assert ended.returncode == 64
    ended = program.run("run", "--prompt", "x", "-C", "~nobody-of-this-name/x")
    assert ended.returncode == 66


def test_a_workspace_that_holds_the_program_s_own_files_is_refused(program: Program) -> None:
    above = str(program.folder.parent)
    ended = program.run("run", "--prompt", "x", "--model", program.script(OK), "-C", above)
    assert ended.returncode == 78
    assert "no tool may reach" in ended.stderr
    (program.home / "runs").mkdir()
    words = ("--model", program.script(OK), "-C", str(program.home / "runs"))
    assert program.run("run", "--prompt", "x", *words).returncode == 78


def test_a_run_folder_that_is_odd_does_not_hide_the_others(program: Program) -> None:
    played = program.play(OK)
    odd = program.home / "runs" / "zz"
    odd.mkdir()
    os.mkfifo(odd / "ledger.jsonl")
    deep = Path(played.document["ledger"]).parent / "plan.json"
    deep.write_text("[" * 100_000)
    listed = program.run("runs", "list")
    assert (listed.returncode, "damaged" in listed.stdout) == (0, True)
    assert program.run("replay", str(odd)).returncode == 65
    assert program.run("resume", played.document["run"]).returncode == 73


def test_a_changed_last_line_is_damage_and_not_a_torn_one(program: Program) -> None:
    ledger = Path(program.play(OK).document["ledger"])
    data = ledger.read_bytes()
    ledger.write_bytes(
        data.replace(b'"kind":"ended","status":"done"', b'"kind":"ended","status":"gone"')
    )
    for words in (("resume", "last"), ("replay", "last", "--verify")):
        assert program.run(*words).returncode == 73
    ledger.write_bytes(data + data[-50:-1])
    assert program.run("resume", "last").returncode == 0
    assert ledger.with_name("ledger.jsonl.torn").read_bytes() == data[-50:-1]
    assert program.run("replay", "last", "--verify").returncode == 0


def test_a_ledger_that_lost_what_was_sealed_is_not_gone_on_with(program: Program) -> None:
    ledger = Path(program.play(OK).document["ledger"])
    data = ledger.read_bytes()
    for cut in (data[:-1], data[: data[:-1].rindex(b"\n") + 1]):
        ledger.write_bytes(cut)
        ended = program.run("resume", "last")
        assert ended.returncode == 73
        assert "truncated" in ended.stderr
        assert f"agentcli audit repair {ledger.parent.name}" in ended.stderr
        assert ledger.read_bytes() == cut


def test_a_deleted_working_directory_is_a_sentence(program: Program) -> None:
    import subprocess

    shell = (
        f"mkdir gone && cd gone && rmdir ../gone && exec {' '.join(program.argv())} run --prompt x"
    )
    ended = subprocess.run(
        ["bash", "-c", shell],
        cwd=program.folder,
        env=program.env(),
        capture_output=True,
        check=False,
    )
    assert b"does not exist any more" in ended.stderr
    assert ended.returncode == 66


def test_a_home_that_cannot_be_written_is_a_sentence(program: Program) -> None:
    program.environ = {"AGENTCLI_HOME": "/proc/nowhere"}
    ended = program.run("run", "--prompt", "x", "--model", program.script(OK))
    assert "cannot be made" in ended.stderr
    assert ended.returncode == 73
