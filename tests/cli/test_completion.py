"""Tab completes commands, options and names, in real shells, and runs nothing that a name says."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from agentcli.cli.complete import backends, models_in, next_words, split
from tests.cli.conftest import Program

ODD = (
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "a b",
    "a\nb",
    "-x",
    "a'b",
    'a"b',
    "~",
    "*",
)


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with some profiles, tools, models and runs, odd names among them."""
    home = tmp_path / "home"
    for folder in ("profiles", "tasks", "tools", "scripts", "runs"):
        (home / folder).mkdir(parents=True)
    for kind in ("profiles", "tasks", "tools", "scripts"):
        for name in ("mine", *ODD):
            (home / kind / f"{name}.yaml").touch()
    for name in ("20260101-100000-000aaa", "20260102-100000-000bbb", *ODD):
        (home / "runs" / name).mkdir()
        (home / "runs" / name / "ledger.jsonl").touch()
    (home / "runs" / "20260103-100000-000ccc").mkdir()  # without a ledger yet
    (home / "models.yaml").write_text(
        'models:\n  # mine\n  "local-1":\n    aliases: [tiny, "$(touch pwned)"]\n    prices: []\n'
    )
    monkeypatch.setenv("AGENTCLI_HOME", str(home))
    return home


def values(*words: str) -> list[str]:
    return [value for value, _ in next_words(words)]


PROFILES = ["analyst", "careful", "coder", "default", "mine", "quarantine", "reader", "reviewer"]
RUNS = ["last", "20260102-100000-000bbb", "20260101-100000-000aaa"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ru",), ["run", "runs"]),
        (("run", "--pro"), ["--prompt", "--profile"]),
        (("run", "--json", "--st"), ["--steps", "--stream-json"]),
        (("runs", "s"), ["show", "search"]),
        (("config", "explain", "sandbox.m"), ["sandbox.memory_mb", "sandbox.mounts"]),
        (("config", "explain", "m"), ["model", "max_tokens"]),
        (("runs", "list", "--l"), ["--limit"]),
        (("run", "-p", ""), PROFILES),
        (("run", "--profile", "c"), ["careful", "coder"]),
        (("run", "--profile=c"), ["--profile=careful", "--profile=coder"]),
        (("run", "-p", "./c"), [":files"]),
        (("run", "m"), ["median", "mine", "minutes", ":files"]),
        (("run", "--", "m"), ["median", "mine", "minutes", ":files"]),
        (("run", "median", ""), []),
        (("run", "--var", "a=b", "o"), ["orders", ":files"]),
        (("run", "--prompt", ""), []),
        (("run", "-C", ""), [":folders"]),
        (("run", "-o", "x"), [":files"]),
        (("chat", "--sandbox", ""), ["bubblewrap", "docker", "local"]),
        (("chat", "-m", "son"), ["sonnet"]),
        (("chat", "-m", "local"), ["local-1"]),
        (("chat", "-m", "scripted:m"), ["scripted:median", "scripted:mine", "scripted:minutes"]),
        (("chat", "--model=scripted:o"), ["--model=scripted:orders"]),
        (("chat", "-m", "recorded:"), [f"recorded:{run}" for run in RUNS]),
        (("resume", ""), RUNS),
        (("replay", "--verify", ""), RUNS),
        (("replay", "--speed", "4", "20260101"), ["20260101-100000-000aaa"]),
        (("replay", "./x"), [":files"]),
        (("tools", "show", "s"), ["search_text", "shell"]),
        (("tools", "check", "mi"), ["mine"]),
        (("tools", "call", "shell", ""), []),
        (("help", "e"), ["exit-codes", "env", "exceptions"]),
        (("help", "too"), ["tools"]),
        (("help", "runs", "l"), ["list"]),
        (("help", "nope", ""), []),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("nope", ""), []),
        (("--versi",), ["--version"]),
        (("-",), ["--version", "-V", "-h", "--help"]),
    ],
)
def test_what_could_come_next(home: Path, words: tuple[str, ...], expected: list[str]) -> None:
    assert values(*words) == expected


def test_a_run_is_offered_with_what_a_person_called_it(home: Path) -> None:
    run = "20260101-100000-000aaa"
    (home / "runs" / run / "title").write_text("My\trun \x1b[31m")
    found = dict(next_words(["audit", "trail", ""]))
    assert (found[run], found["last"]) == ("My run ", "")
    assert dict(next_words(["audit", "export", run, ""])) == found


def test_all_commands_are_offered_with_what_they_do(home: Path) -> None:
    found = dict(next_words([""]))
    assert {"chat", "run", "resume", "replay", "runs", "tools", "sandbox", "help"} <= found.keys()
    assert found["run"] == "Run one task to its end."


@pytest.mark.parametrize(
    "words",
    [("run", "-p", ""), ("run", ""), ("resume", ""), ("tools", "show", ""), ("chat", "-m", "")],
)
def test_a_name_that_a_shell_reads_in_its_own_way_is_not_offered(
    home: Path, words: tuple[str, ...]
) -> None:
    found = values(*words)
    assert found
    assert all(re.fullmatch(r":files|\w[\w.:-]*", value) for value in found)


def test_without_any_run_none_is_offered(home: Path) -> None:
    shutil.rmtree(home / "runs")
    assert values("resume", "") == []


def test_the_names_are_those_that_the_program_itself_knows() -> None:
    from agentcli import asset
    from agentcli.compose.plan import backends as openable
    from agentcli.model.catalog import load_catalog

    assert list(backends("")) == openable()
    shipped = asset.shipped("configs", "models.yaml")
    models = load_catalog([shipped]).models
    known = {*models, *(alias for entry in models.values() for alias in entry.aliases)}
    assert set(models_in(shipped)) == known


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("agentcli ", [""]),
        ("agentcli", [""]),
        ("agentcli run", ["run"]),
        ("agentcli run ", ["run", ""]),
        ("agentcli run --prompt 'a b' -p ", ["run", "--prompt", "a b", "-p", ""]),
        ('agentcli run --prompt "a b', ["run", "--prompt", "a b"]),
        ("agentcli run --prompt 'a b ", ["run", "--prompt", "a b "]),
        ("agentcli run a\\ b", ["run", "a b"]),
        ("agentcli run a\\", ["run", "a\\"]),
        ("agentcli run \"it's", ["run", "it's"]),
    ],
)
def test_an_unfinished_line_is_split_as_bash_would(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.fixture
def shells(program: Program, home: Path) -> Iterator[dict[str, str]]:
    """Return an environment in which the program is a command, in a folder with odd files."""
    folder = program.home.parent / "bin"
    folder.mkdir()
    script = folder / "agentcli"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(program.argv())} "$@"\n')
    script.chmod(0o755)
    for name in ("zz$(touch pwned).yaml", "yy y.yaml"):
        (program.folder / name).touch()
    path = f"{folder}:{os.environ['PATH']}"
    yield {**program.env(), "PATH": path, "TERM": "dumb", "HOME": str(program.folder)}
    assert not (program.folder / "pwned").exists()


def run_shell(argv: list[str], env: dict[str, str], folder: Path) -> list[str]:
    ended = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


BASH_CASES = [
    ("agentcli ru", ["run", "runs"]),
    ("agentcli run -p c", ["careful", "coder"]),
    ("agentcli chat -m scripted:m", ["median", "mine", "minutes"]),  # a colon begins a word of bash
    ("agentcli chat --model=son", ["sonnet"]),
    ("agentcli resume ", RUNS),
    ("agentcli run zz", ["zz$(touch pwned).yaml"]),
    ("agentcli run $(touch pwned)", []),
    ("agentcli run -p $(touch pwned)/", []),
    ("agentcli run --prompt 'a b' -p read", ["reader"]),
    ("agentcli nope ", []),
]


@pytest.mark.parametrize(("line", "expected"), BASH_CASES)
def test_bash(program: Program, shells: dict[str, str], line: str, expected: list[str]) -> None:
    drive = (
        'eval "$(agentcli completion bash)"\n'
        "complete -p agentcli >/dev/null || exit 9\n"
        "COMP_LINE=$1 COMP_POINT=${#1}\n"
        '_agentcli agentcli "${1##* }" ""\n'
        "(( ${#COMPREPLY[@]} == 0 )) || printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    argv = ["bash", "--norc", "--noprofile", "-c", drive, "bash", line]
    assert run_shell(argv, shells, program.folder) == expected


@needs("fish")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("agentcli ru", ["run", "runs"]),
        ("agentcli run -p c", ["careful", "coder"]),
        ("agentcli chat -m scripted:m", ["scripted:median", "scripted:mine", "scripted:minutes"]),
        ("agentcli chat --model=son", ["--model=sonnet"]),
        ("agentcli resume ", RUNS),
        ("agentcli run zz", ["zz$(touch pwned).yaml"]),
        ("agentcli nope ", []),
    ],
)
def test_fish(program: Program, shells: dict[str, str], line: str, expected: list[str]) -> None:
    drive = 'agentcli completion fish | source; complete -C "$argv[1]"; true'
    shown = run_shell(["fish", "--no-config", "-c", drive, line], shells, program.folder)
    assert [entry.partition("\t")[0] for entry in shown] == expected


def press_tab(argv: list[str], setup: str, line: str, env: dict[str, str], folder: Path) -> str:
    """Return the words that a line has after Tab, as the shell itself takes them apart."""
    child = pexpect.spawn(
        argv[0], argv[1:], env=env, cwd=str(folder), encoding="utf-8", dimensions=(40, 200)
    )
    child.sendline(f"{setup}; echo RE''ADY")
    child.expect("READY\r?\n", timeout=30)
    # Ctrl+A: before the whole line goes what shows its words.
    child.send(f"{line}\t\x01printf '<%s>' \r")
    child.expect(r"(<agentcli>(<[^\r\n]*>)*)", timeout=30)
    assert isinstance(child.match, re.Match)
    shown = str(child.match[1])
    child.sendcontrol("d")
    child.close(force=True)
    return shown


TAB_CASES = [
    ("agentcli res", "<agentcli><resume>"),
    ("agentcli chat -m scripted:med", "<agentcli><chat><-m><scripted:median>"),
    ("agentcli run --profile=read", "<agentcli><run><--profile=reader>"),
    ("agentcli run zz", "<agentcli><run><zz$(touch pwned).yaml>"),
    ("agentcli run yy", "<agentcli><run><yy y.yaml>"),
]


@pytest.mark.parametrize(("line", "words"), TAB_CASES)
def test_tab_in_a_real_bash(
    program: Program, shells: dict[str, str], line: str, words: str
) -> None:
    setup = 'PS1=; bind "set bell-style none"; eval "$(agentcli completion bash)"'
    argv = ["bash", "--norc", "--noprofile", "-i"]
    assert press_tab(argv, setup, line, shells, program.folder) == words


@needs("zsh")
@pytest.mark.parametrize(("line", "words"), TAB_CASES)
def test_tab_in_a_real_zsh(program: Program, shells: dict[str, str], line: str, words: str) -> None:
    setup = (
        "PS1=; bindkey -e; setopt no_beep; autoload -Uz compinit; compinit -u -D; "
        'eval "$(agentcli completion zsh)"'
    )
    assert press_tab(["zsh", "-f", "-i"], setup, line, shells, program.folder) == words


@needs("zsh")
def test_zsh_finds_the_script_as_a_file_too(program: Program, shells: dict[str, str]) -> None:
    folder = program.folder / "functions"
    folder.mkdir()
    (folder / "_agentcli").write_text(program.run("completion", "zsh").stdout)
    setup = f"PS1=; bindkey -e; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D"
    shown = press_tab(["zsh", "-f", "-i"], setup, "agentcli res", shells, program.folder)
    assert shown == "<agentcli><resume>"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_says_how_to_install_it(program: Program, shell: str) -> None:
    script = program.run("completion", shell).stdout
    comments = [line for line in script.splitlines() if line.startswith("# ")]
    assert len(comments) == 1
    assert f"agentcli completion {shell}" in comments[0]


def test_a_completion_that_goes_wrong_is_silent_for_the_person(
    program: Program, shells: dict[str, str]
) -> None:
    for words in (("__complete",), ("__complete", "bash"), ("__complete", "fish", "\udcff")):
        ended = program.run(*words)
        assert ended.returncode in (0, 64)
