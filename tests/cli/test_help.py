"""Help begins with examples that work, fits the terminal, and says what the code does."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from agentcli import errors
from agentcli.cli.app import app
from agentcli.cli.help import parts_of
from agentcli.cli.topic import TOPICS, page_of_topic
from tests.cli.conftest import ROOT, Program


def tree() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and group with the words that lead to it."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop(0)
        yield words, command
        below = getattr(command, "commands", {}).items()
        waiting += [((*words, name), inner) for name, inner in below]


TREE = dict(tree())
NAMES = {words: " ".join(words) or "agentcli" for words in TREE}
EVERY = pytest.mark.parametrize("words", TREE, ids=NAMES.values())


def context(words: tuple[str, ...]) -> Any:
    """Return the context in which a command shows its help."""
    ctx: Any = None
    for i in range(len(words) + 1):
        command = TREE[words[:i]]
        name = words[i - 1] if i else "agentcli"
        ctx = typer.Context(command, ctx, info_name=name, **({} if i else command.context_settings))
    return ctx


def page(words: tuple[str, ...]) -> str:
    return str(context(words).get_help())


def examples_in(text: str) -> list[str]:
    block = re.search(r"^Examples:\n((?:  .*\n)+)", text, re.MULTILINE)
    return [line.strip() for line in block[1].splitlines()] if block else []


def test_json_is_explained_in_the_same_words_everywhere() -> None:
    params = [param for command in TREE.values() for param in command.params]
    texts = [param.help for param in params if "--json" in param.opts]
    assert len(texts) > 5
    assert len(set(texts)) == 1


@EVERY
def test_examples_come_before_usage(words: tuple[str, ...]) -> None:
    text = page(words)
    assert 1 <= len(examples_in(text)) <= 3
    order = [text.find(title) for title in ("Examples:", "Usage: ", "Arguments:", "Options:")]
    found = [at for at in order if at >= 0]
    assert found == sorted(found)
    assert text.index("Examples:") < text.index("Usage: ")


@EVERY
@pytest.mark.parametrize("columns", [60, 200])
def test_no_line_is_wider_than_the_terminal(
    words: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    widest = max(map(len, page(words).splitlines()))
    assert widest <= min(columns, 100)


@EVERY
def test_every_example_is_a_command_line_that_is_understood(words: tuple[str, ...]) -> None:
    for line in examples_in(page(words)):
        lexer = shlex.shlex(re.split(r"(?:^|\| |\$\()agentcli ", line)[-1], punctuation_chars=True)
        lexer.whitespace_split = True
        typed: list[str] = []
        for word in lexer:
            if set(word) <= set("();<>|&"):
                break
            typed += shlex.split(word)
        place: tuple[str, ...] = ()
        while typed and (*place, typed[0]) in TREE:
            place = (*place, typed.pop(0))
        command = TREE[place]
        assert place, line
        assert not hasattr(command, "commands"), line
        command.make_context(place[-1], typed, parent=context(place[:-1]))  # or it raises


@EVERY
def test_a_first_sentence_says_what_a_command_does(words: tuple[str, ...]) -> None:
    about, _ = parts_of(TREE[words].help or "")
    assert about
    assert about[0].endswith(".")


def test_help_in_a_pipe_is_nothing_but_text(program: Program) -> None:
    program.environ = {"CLICOLOR_FORCE": "1", "TERM": "xterm-256color"}
    for words in (["--help"], ["run", "-h"], ["help"], ["help", "keys"]):
        ended = program.run(*words)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert re.fullmatch(r"[\n -~]+", ended.stdout)


def test_help_of_a_command_is_its_own_help(program: Program) -> None:
    for words in (("run",), ("runs", "list"), ("sandbox",)):
        assert program.run("help", *words).stdout == program.run(*words, "--help").stdout


def test_a_name_of_both_kinds_shows_both(program: Program) -> None:
    told = program.run("help", "tools").stdout
    assert told.startswith("tools: how tools are described")
    assert told.endswith("\n\n" + program.run("tools", "--help").stdout)


def test_help_alone_names_all_topics_and_commands(program: Program) -> None:
    told = program.run("help").stdout
    firsts = {line.split()[0] for line in told.splitlines() if line.startswith("  ")}
    assert firsts >= {*TOPICS, *(words[0] for words in TREE if words)}


@pytest.mark.parametrize(
    ("words", "says", "see"),
    [
        (("rum",), "there is no command `rum`; did you mean `run`?", "agentcli --help"),
        (("zzz",), "there is no command `zzz`", "agentcli --help"),
        (
            ("runs", "lst"),
            "there is no command `lst`; did you mean `list`?",
            "agentcli runs --help",
        ),
        (
            ("run", "--profle", "x"),
            "there is no option `--profle`; did you mean `--profile`?",
            "agentcli run --help",
        ),
        (("run", "--profle=x"), "option `--profle`; did you mean `--profile`?", "run --help"),
        (("run", "-z"), "there is no option `-z`", "agentcli run --help"),
        (("--versoin",), "option `--versoin`; did you mean `--version`?", "agentcli --help"),
        (("help", "exit-code"), "`exit-code`; did you mean `exit-codes`?", "agentcli help"),
        (("help", "rnu"), "there is no topic or command `rnu`; did you mean `run`", "help"),
        (("help", "runs", "lits"), "there is no command `lits`; did you mean `list`", "runs"),
        (("help", "run", "x"), "there is no command `x`", "agentcli run --help"),
        (("tools", "show"), "NAME is missing", "agentcli tools show --help"),
        (("runs", "export", "last", "--svg"), "requires an argument", "runs export --help"),
        (("doctor", "--json=x"), "does not take a value", "agentcli doctor --help"),
        (("r\x1b[2Jm",), "there is no command `rm`", "agentcli --help"),
    ],
)
def test_a_wrong_word_is_named_with_what_was_meant(
    program: Program, words: tuple[str, ...], says: str, see: str
) -> None:
    ended = program.run(*words)
    message, hint = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (64, "")
    assert message.startswith("agentcli: ")
    assert says in message.replace("\x1b[2J", "")
    assert hint.startswith("See: agentcli")
    assert see in hint


@pytest.mark.parametrize("group", ["runs", "tools", "sandbox", "completion"])
def test_a_group_alone_shows_its_help_as_an_error(program: Program, group: str) -> None:
    ended = program.run(group)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert ended.stderr == program.run(group, "--help").stdout


@pytest.mark.parametrize("redirect", [">&-", ">/dev/full"])
def test_help_with_nowhere_to_go_is_no_dump(program: Program, redirect: str) -> None:
    import subprocess

    for words in (("--help",), ("help", "env")):
        ended = subprocess.run(
            ["bash", "-c", f'exec "$@" {redirect}', "bash", *program.argv(*words)],
            env=program.env(),
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in ended.stderr
        assert ended.returncode == (73 if "full" in redirect else 0)


def test_topics_name_commands_that_exist() -> None:
    known = {words[0] for words in TREE if words}
    for topic in TOPICS.values():
        mentioned = set(re.findall(r"agentcli\s+([a-z]+)", topic.text))
        assert mentioned <= known
        for name, line in re.findall(r"^agentcli (\w+) (.*?)  ", topic.text, re.MULTILINE):
            below = [word for word in line.split() if word.islower() and word[0] != "-"]
            options = {option for param in TREE[(name, *below)].params for option in param.opts}
            assert {word for word in line.split() if word[0] == "-"} <= options


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_is_short_and_fits(name: str) -> None:
    assert len(page_of_topic(name, 80).splitlines()) <= 40
    for columns in (60, 100):
        lines = page_of_topic(name, columns).splitlines()
        paths = [line for line in lines if "/" in line and " " not in line.strip()]
        assert [line for line in lines if len(line) > columns and line not in paths] == []


def test_the_exit_codes_are_those_of_the_code() -> None:
    from agentcli.compose.outcome import EXIT_OF_FAILURE, EXIT_OF_PARKING

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    in_code = {kind.exit_code for kind in kinds if issubclass(kind, errors.AgentcliError)}
    in_code |= {*EXIT_OF_FAILURE.values(), *EXIT_OF_PARKING.values(), 0, 1, 130, 141}
    told = re.findall(r"^(\d+)  ", TOPICS["exit-codes"].text, re.MULTILINE)
    assert list(map(int, told)) == sorted(in_code)


def test_every_variable_that_the_code_reads_is_told() -> None:
    read = {
        name
        for path in Path(ROOT, "agentcli").rglob("*.py")
        for name in re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', path.read_text())
    }
    assert "NO_COLOR" in read
    untold = {"PATH"}
    assert read - untold <= set(re.findall(r"[A-Z][A-Z_]+", TOPICS["env"].text))


def test_the_keys_are_those_of_the_chat_and_of_the_card() -> None:
    from agentcli.shell.chat import HELP

    text = TOPICS["keys"].text
    for word in re.findall(r"(?<!\S)/[a-z]+|Ctrl\+\w|Alt\+Enter", HELP):
        assert word in text
    source = Path(ROOT, "agentcli/shell/ask.py").read_text()
    choices = re.search(r'f"(y yes, once.*?)"', source)
    assert choices is not None
    letters = re.findall(r"(?<!\S)([a-z]) [a-z]", choices[1])
    assert letters == ["y", "e", "n", "s"]
    for letter in letters:
        assert re.search(rf"^{letter}(,|  )", text, re.MULTILINE)


def test_the_policy_is_told_with_all_tiers_and_conditions() -> None:
    from typing import get_args

    from agentcli.core.tool import TIERS, Condition

    rows = re.findall(r"^(\w+)  ", TOPICS["policy"].text, re.MULTILINE)
    assert tuple(rows) == TIERS
    assert f"({', '.join(get_args(Condition))})" in TOPICS["policy"].text


def test_the_policy_that_is_told_as_an_example_holds_as_it_stands(program: Program) -> None:
    shown = program.run("help", "rules").stdout
    block = re.search(r"policy,\s\S+ours\.yaml:\n((?: {4}.*\n)+)", shown)
    assert block is not None
    (program.home / "policies").mkdir()
    (program.home / "policies" / "ours.yaml").write_text(block[1])
    (program.home / "settings.yaml").write_text("policies: [ours]\n")
    assert program.run("policy", "check").stdout.endswith(" 0 findings\n")
    asked = program.run("policy", "why", "shell git push origin").stdout
    assert "no-push (" in asked
    assert "): People push.\n" in asked


def test_the_fields_told_of_a_tool_are_those_of_its_manifest() -> None:
    from agentcli.tool.manifest import Manifest

    listed = TOPICS["tools"].text.partition("A script gets")[0]
    told = re.findall(r"^([a-z_, ]+?)  ", listed, re.MULTILINE)
    names = [name for row in told for name in row.split(", ")]
    assert set(names) <= set(Manifest.model_fields)
    assert {name for name, field in Manifest.model_fields.items() if field.is_required()} <= {
        *names
    }


def test_the_files_told_of_a_run_are_those_it_has(tmp_path: Path) -> None:
    from agentcli.ledger.folder import RunFolder
    from agentcli.ledger.seal import HEAD

    run = RunFolder(tmp_path)
    parts = [run.ledger, run.outputs, run.private, run.workspace, run.title]
    parts += [run.path / "plan.json", run.path / "fork.json", run.path / "checkpoint.json"]
    parts += [run.path / "head.json", run.path / "socket"]
    told = re.findall(r"^runs/ID/(\S+?)/?  ", TOPICS["files"].text, re.MULTILINE)
    assert set(told) == {HEAD, *(path.name for path in parts)}


def test_files_names_the_folders_of_this_machine(program: Program) -> None:
    assert str(program.home) in program.run("help", "files").stdout.replace("\n", "")
