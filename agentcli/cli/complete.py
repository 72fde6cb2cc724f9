"""What could come next on a command line. Fast: names come from file names alone."""

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentcli import asset

# The shell itself completes these.
FILES, FOLDERS = ":files", ":folders"
MOST_RUNS = 100
# What no shell reads in its own way. A name with anything else is not offered.
PLAIN = re.compile(r"\w[\w.@%+,:/-]*")


def answer(words: list[str]) -> int:
    """Print what could come next, a value a line, a tab and what it is after some.

    words: the shell's name, then for bash its line up to the cursor and its word breaks; for others
    the words after the program's name up to the cursor.
    """
    shell, *typed = words or [""]
    cut = 0
    if shell == "bash":
        line, breaks = (*typed, "", "")[:2]
        typed = split(line)
        # To bash a word begins after the last of these; only that is replaced.
        cut = max((typed[-1].rfind(char) + 1 for char in breaks), default=0)
    for value, about in next_words(typed or [""]):
        if value in (FILES, FOLDERS):
            print(value)
        else:
            print(f"{value[cut:]}\t{about}" if about else value[cut:])
    return 0


def split(line: str) -> list[str]:
    """Return the words after the first of an unfinished line of bash, the last one as it is."""
    for end in ("", "\\", '"', "'"):
        try:
            words = shlex.split(line + end)
        except ValueError:
            continue
        is_new = line[-1:].isspace() and not end
        return [*words[1:], *([""] if is_new or len(words) < 2 else [])]
    return [""]


@dataclass
class Spot:
    """Where on the command line one is: in which command, after how many of its arguments.

    option: the one whose value comes next.
    """

    command: Any  # a command of the Click that Typer hides
    path: tuple[str, ...] = ()
    arguments: int = 0
    option: Any = None
    options_are_over: bool = False
    words: list[str] = field(default_factory=list)

    def take(self, word: str) -> None:
        commands = getattr(self.command, "commands", None)
        if self.option is not None:
            self.option = None
        elif self.options_are_over or not word.startswith("-") or word == "-":
            if commands is not None and word in commands:
                self.command, self.path = commands[word], (*self.path, word)
            else:
                self.arguments += 1
                self.words.append(word)
        elif word == "--":
            self.options_are_over = True
        elif word.startswith("--"):
            option = self.named(word.partition("=")[0])
            self.option = option if "=" not in word and takes_value(option) else None
        else:
            for i, letter in enumerate(word[1:], 1):
                if takes_value(option := self.named(f"-{letter}")):
                    self.option = option if i == len(word) - 1 else None
                    break

    def options(self) -> list[Any]:
        params = [param for param in self.command.params if param.param_type_name == "option"]
        return [param for param in params if not param.hidden]

    def named(self, name: str) -> Any:
        return next((option for option in self.options() if name in option.opts), None)

    def argument(self) -> Any:
        """Return the argument that comes next, None where there is none."""
        params = [param for param in self.command.params if param.param_type_name == "argument"]
        if params and self.arguments >= len(params):
            return params[-1] if params[-1].nargs == -1 else None
        return params[self.arguments] if params else None


def takes_value(option: Any) -> bool:
    return option is not None and not option.is_flag and not option.count


def next_words(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield values that could stand where the last word is, each with what it is or "".

    words: those after the program's name; the last one is still being typed.
    """
    import typer

    from agentcli.cli.app import app

    *before, current = words
    spot = Spot(typer.main.get_command(app))
    for word in before:
        spot.take(word)
    if spot.option is not None:
        found = values_of(spot, spot.option, current)
    elif current.startswith("--") and "=" in current:
        name, _, rest = current.partition("=")
        values = values_of(spot, spot.named(name), rest)
        found = [(f"{name}={value}", about) for value, about in values if value[0] != ":"]
    elif current.startswith("-") and not spot.options_are_over:
        found = option_names(spot)
    elif spot.path == ("help",):
        found = explained(spot)
    elif hasattr(spot.command, "commands"):
        found = [] if spot.arguments else command_names(spot.command)
    else:
        found = values_of(spot, spot.argument(), current)
    yield from (pair for pair in found if pair[0].startswith((current, FILES, FOLDERS)))


def option_names(spot: Spot) -> list[tuple[str, str]]:
    found = [(name, option.help or "") for option in spot.options() for name in option.opts]
    return [*found, ("-h", ""), ("--help", "Show this message and exit.")]


def command_names(group: Any) -> list[tuple[str, str]]:
    from agentcli.cli.help import commands_of

    return commands_of(group)


def explained(spot: Spot) -> list[tuple[str, str]]:
    """Return what may follow `help`: topics and commands, then commands below the one named."""
    import typer

    from agentcli.cli.app import app
    from agentcli.cli.help import shown
    from agentcli.cli.topic import TOPICS

    command: Any = typer.main.get_command(app)
    for word in spot.words:
        command = shown(command).get(word)
    topics = [(name, topic.title) for name, topic in TOPICS.items()] if not spot.words else []
    known = {name for name, _ in topics}
    return [*topics, *(pair for pair in command_names(command) if pair[0] not in known)]


def values_of(spot: Spot, param: Any, current: str) -> list[tuple[str, str]]:
    """Return the values of an option or an argument, found by its name, such as `profile`."""
    if param is None:
        return []
    group = spot.path[0] if spot.path else ""
    find = VALUES.get(f"{group} {param.name}") or VALUES.get(param.name)
    if find is not None:
        values: Iterable[str] = find(current)
    else:
        items = param.shell_complete(None, current)  # the choices of a closed set
        values = [str(item.value) for item in items if item.type == "plain"]
    fitting = (value for value in values if value in (FILES, FOLDERS) or PLAIN.fullmatch(value))
    return [(value, label_of(value) if find is runs else "") for value in fitting]


def names(kind: str) -> Callable[[str], Iterable[str]]:
    """Return what finds YAML files of a kind by name; with a slash, it is a file."""

    def find(current: str) -> Iterable[str]:
        return [FILES] if "/" in current else sorted(asset.named_files(kind))

    return find


def tasks(current: str) -> Iterable[str]:
    return [*sorted(asset.named_files("tasks")), FILES]


def tools(current: str) -> Iterable[str]:
    return sorted({path.stem for folder in asset.tool_folders() for path in folder.glob("*.yaml")})


def settings(current: str) -> Iterable[str]:
    """Return the keys that the shipped settings name, found line by line: YAML loads slowly."""
    above, found = "", []
    for line in asset.shipped("configs", "settings.yaml").read_text().splitlines():
        if match := re.match(r"(  )?([a-z_]+):(.*)", line):
            inner, name, value = match.groups()
            above = above if inner else name
            if value.strip():
                found.append(f"{above}.{name}" if inner else name)
    return found


def runs(current: str) -> Iterable[str]:
    """Return `last` and the ids of the newest runs in that order; with a slash, it is a file."""
    if "/" in current:
        return [FILES]
    folder = asset.state_home() / "runs"
    try:
        ids = sorted(os.listdir(folder), reverse=True)
    except OSError:
        return []
    fitting = (name for name in ids if name.startswith(current) and PLAIN.fullmatch(name))
    found = [name for name, _ in zip(fitting, range(MOST_RUNS), strict=False)]
    have_ledger = [name for name in found if (folder / name / "ledger.jsonl").is_file()]
    return ["last", *have_ledger] if ids else []


def label_of(run: str) -> str:
    """Return what a person called a run later, "" for nothing, which is found without a look."""
    if not (asset.state_home() / "runs" / run / "title").is_file():
        return ""
    from agentcli.core.visible import visible_line
    from agentcli.ledger.folder import RunFolder

    return visible_line(RunFolder(asset.state_home() / "runs" / run).label).replace("\t", " ")


def models(current: str) -> Iterable[str]:
    if current.startswith("recorded:"):
        return [f"recorded:{run}" for run in runs(current.partition(":")[2]) if run != FILES]
    known = dict.fromkeys(
        name
        for path in (asset.shipped("configs", "models.yaml"), asset.config_home() / "models.yaml")
        for name in models_in(path)
    )
    return [*known, *(f"scripted:{name}" for name in sorted(asset.named_files("scripts")))]


def models_in(path: "os.PathLike[str]") -> Iterator[str]:
    """Yield the ids and aliases in a models.yaml, by a look at its lines: YAML takes too long."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(1_000_000)
    except OSError:
        return
    block = re.search(r"^models:[^\n]*\n((?:[ \t#][^\n]*\n|\n)*)", text + "\n", re.MULTILINE)
    indent = re.search(r"^( +)[^\s#]", block[1], re.MULTILINE) if block else None
    if block is None or indent is None:
        return
    for line in block[1].splitlines():
        if found := re.match(rf"{indent[1]}[\"']?([^\s\"'#:][^\"'#:]*)[\"']?:", line):
            yield found[1]
        elif found := re.match(r" +aliases: *\[([^\]]*)\]", line):
            yield from (alias.strip(" \"'") for alias in found[1].split(","))


def backends(current: str) -> Iterable[str]:
    """Return the sandbox backends: the files that can open one."""
    for path in sorted((asset.PACKAGE / "sandbox").glob("*.py")):
        if re.search(r"^(async )?def open_sandbox\(", path.read_text("utf-8"), re.MULTILINE):
            yield path.stem


# By the name of an option or an argument, or by the group's name and it.
VALUES: dict[str, Callable[[str], Iterable[str]]] = {
    "profile": names("profiles"),
    "what_if": names("profiles"),
    "model": models,
    "sandbox": backends,
    "task": tasks,
    "run": runs,
    "runs": runs,
    "signature": lambda current: [FILES],
    "ledger": runs,
    "against": runs,
    "workspace": lambda current: [FOLDERS],
    "output": lambda current: [FILES],
    "mount": lambda current: [FOLDERS],
    "bundle": lambda current: [FILES],
    "svg": lambda current: [FILES],
    "md": lambda current: [FILES],
    "html": lambda current: [FILES],
    "jsonl": lambda current: [FILES],
    "sqlite": lambda current: [FILES],
    "file": lambda current: [FILES],
    "key": lambda current: [FILES],
    "signers": lambda current: [FILES],
    "runs to": lambda current: [FOLDERS],
    "replay model": lambda current: ["live", "recorded", *models(current)],
    "replay tools": lambda current: ["live"],
    "config key": settings,
    "tools name": tools,
    "runs name": runs,
    "profile name": names("profiles"),
    "policy name": names("policies"),
    "files": lambda current: [FILES],
}
