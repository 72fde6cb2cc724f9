"""What a person sees of a project's own files before these count, and the question whether to."""

import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentcli.core.visible import escaped

if TYPE_CHECKING:
    from agentcli.cli.brought import Change
    from agentcli.config.project import Project
    from agentcli.config.settings import Config

DIFF_LINES = 2_000  # of either side: comparing takes its square
# What is shown before a run; what is longer is for a pager.
ASKED_LINES, ASKED_CHARS = 300, 60_000
PLAIN_CHARS = 300


def config_of_run(here: Path, *, machine: bool = False) -> "Config":
    """Return what holds in a folder, once a person was asked about the project's own files.

    Asked is only at a terminal, and about what is new or changed since it was trusted or refused.
    machine: whether the output is for one; then nothing is asked. Raises ConfigError, LedgerError.
    """
    from agentcli.cli.options import say_project
    from agentcli.config.settings import load_config

    config = load_config(here)
    project = config.project
    can_ask = sys.stdin.isatty() and sys.stderr.isatty() and not machine
    is_open = project is not None and not project.is_trusted and not project.is_refused
    if project is not None and is_open and can_ask and ask(project):
        config = load_config(here)
    say_project(config)
    return config


def ask(project: "Project") -> bool:
    """Show what would count and what changed, and ask. Returns whether it counts from now on."""
    from agentcli.config.project import grant, refuse

    lines = list(report(project))
    size_chars = sum(map(len, lines))
    if len(lines) > ASKED_LINES or size_chars > ASKED_CHARS:
        much = f"{len(lines):,} lines, {size_chars:,} characters"
        say(f"The project's own files are too long to be asked about here: {much}.")
        say("See them: agentcli trust show; let them count: agentcli trust grant")
        return False
    say("The project brings files of its own, which do not count yet:\n")
    if says_yes(lines):
        grant(project)
        return True
    refuse(project)
    say("They do not count. Asked again only once they change; else: agentcli trust grant")
    return False


def says_yes(lines: Sequence[str]) -> bool:
    """Show a project's files a screen at a time, and ask whether they count from now on."""
    from agentcli.shell.ask import ask_yes
    from agentcli.shell.terminal import is_color, true_size

    words = "\nLet these files of the project count, exactly as they are?"
    color = is_color(sys.stderr)
    choice = ask_yes(words, sys.stdin.fileno(), sys.stderr, true_size, color, lines=lines)
    return choice.kind == "yes"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def report(project: "Project", *, whole: bool = False) -> Iterator[str]:
    """Yield, in harmless lines, what a project's files would do, and what became of each.

    Of one that has changed since it was trusted, that is the difference. whole: all of it.
    """
    from agentcli.cli.brought import changes_of

    before = project.before() if project.doubt == "changed" and not whole else {}
    yield one_line(str(project.root))
    yield f"{state_of(project)} · {project.digest}"
    if project.strangers:
        names = one_line(" and ".join(project.strangers))
        yield f"Not only yours: {names} can change them; then they do not count any more."
    if project.doubt == "changed" and not before and not whole:
        yield "What was accepted is not kept any more, so all of it is shown."
    changes = changes_of(before, project.contents, project.root)
    yield from listed("What may let more happen:", changes, "widens", before)
    yield from listed("What else they do:", changes, "rest", before)
    yield from listed("What keeps them from being used:", changes, "wrong", {})
    same = []
    for name, change in project.changes():
        if before and not change:
            same.append(name)
            continue
        yield ""
        yield f"{escaped(name)}{f'  ({change})' if project.record.files and change else ''}"
        for line in part(name, before if change else {}, project.contents, is_diff=bool(before)):
            yield f"  │ {line}"
    if same:
        yield ""
        yield f"The same as before: {escaped(', '.join(same))}"


def state_of(project: "Project") -> str:
    match project.doubt:
        case "":
            return f"trusted since {project.record.at}"
        case "changed":
            return f"not trusted any more: changed since {project.record.at}"
        case "lost":
            return "not trusted any more: the program's own copy is not what was accepted"
        case "new":
            return "not trusted, and refused" if project.is_refused else "not trusted"


def listed(
    title: str, changes: list["Change"], kind: str, before: Mapping[str, bytes]
) -> Iterator[str]:
    """Yield the changes of a kind under a title, with signs if there was something before."""
    found = [change for change in changes if change.kind == kind]
    if not found:
        return
    yield ""
    yield title
    for change in found:
        text = change.text
        if kind == "rest" and len(text) > PLAIN_CHARS:
            text = f"{text[:PLAIN_CHARS]}..."
        yield f"  {change.sign + ' ' if before else ''}{one_line(text)}"


def one_line(text: str) -> str:
    return escaped(text).replace("\n", r"\n")


def part(
    name: str, before: Mapping[str, bytes], now: Mapping[str, bytes], *, is_diff: bool
) -> Iterator[str]:
    """Yield the lines of a file, or the difference to what it was."""
    from agentcli.cli.brought import is_binary
    from agentcli.config.project import INSTRUCTIONS

    data, old = now.get(name, b""), before.get(name, b"")
    # The model reads instructions whatever bytes are in them, so a person must see them too.
    if name not in INSTRUCTIONS and (is_binary(data) or is_binary(old)):
        yield f"no text, and not shown: {len(data):,} bytes now"
        return
    new_lines, old_lines = lines_of(data), lines_of(old)
    if not is_diff:
        yield from new_lines
    elif max(len(new_lines), len(old_lines)) > DIFF_LINES:
        yield f"too long to compare, so all of it, in the place of {len(old_lines):,} lines:"
        yield from new_lines
    else:
        yield from list(difflib.unified_diff(old_lines, new_lines, lineterm=""))[2:]


def lines_of(data: bytes) -> list[str]:
    r"""Return the lines of a file, each odd character named: a CR as \x0d, a byte as \udcff."""
    # Escaped: `visible` would leave out what a terminal takes for a command, and a model reads.
    text = escaped(data.decode("utf-8", "surrogateescape"))
    lines = text.split("\n")
    return lines[:-1] if not lines[-1] else [*lines[:-1], f"{lines[-1]}  [no line end]"]
