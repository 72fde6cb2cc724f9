"""Tasks: what is wanted, and how one can tell that it was done. Read from YAML."""

import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from agentcli.asset import hint_of_names, is_path
from agentcli.config.profile import Budget
from agentcli.config.settings import Config
from agentcli.core.step import Agent, Checks
from agentcli.document import Document, Source, did_you_mean, read_source
from agentcli.errors import InputError, MissingFileError, UsageError

Words = Annotated[str, Field(min_length=1)]
# Lower case, so that no variable takes the place of one that the shell itself heeds.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Plain = str | int | float | bool
BRACED = re.compile(r"\$\{(\w+)\}")
PLAIN_NAMES = re.compile(r"\$\{?(\w+)")
PLACE = re.compile(r"\$\{(\w+)\}|\$\$")


class Variable(Document):
    """A variable of a task. Without a default it must be given."""

    type: Literal["text", "integer", "number", "boolean"] = "text"
    description: str = ""
    default: Plain | None = None
    choices: tuple[Plain, ...] = ()


class Answer(Document):
    """What the final text must be."""

    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    pattern: Words | None = None


class FileCheck(Document):
    file: Words


class CommandCheck(Document):
    command: Words


class TaskFile(Document):
    """One task. `${name}` in goal, steps, output and checks stands for a variable.

    In a command it is a variable of the shell.

    steps: the goal in parts, each a prompt of its own in one conversation.
    profile: who does it, by default whom the settings name.
    workspace: `here` is where the user stands, `copy` a fresh folder with only `files` in it.
    files: paths beside the task's file. output: the file that takes the answer.
    saga: if it fails, what its calls have done is undone.
    """

    title: str = ""
    goal: str = ""
    steps: tuple[Words, ...] = ()
    profile: Words | None = None
    variables: dict[Name, Variable] = {}
    limits: Budget = Budget()
    workspace: Literal["here", "copy"] = "here"
    files: tuple[Words, ...] = ()
    output: str = ""
    answer: Answer = Answer()
    checks: tuple[FileCheck | CommandCheck, ...] = ()
    saga: bool = False


class Task(Document):
    """A task with its variables filled in."""

    name: str
    file: TaskFile
    folder: Path
    agent: Agent
    output: str

    model_config = {"arbitrary_types_allowed": True}

    def files(self) -> list[Path]:
        """Return the files that the task brings along. Raises InputError."""
        paths = [self.folder / name for name in self.file.files]
        for path in paths:
            if not path.is_file() or not path.resolve().is_relative_to(self.folder.resolve()):
                raise InputError(f"files: {path} is not a file beside the task")
        return paths


def make_workspace(task: Task, here: Path, fresh: Path) -> Path:
    """Return the folder that a task works in: the user's, or a fresh one with its files."""
    if task.file.workspace == "here":
        return here
    fresh.mkdir(mode=0o700)
    for path in task.files():
        target = fresh / path.relative_to(task.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return fresh


def load_task(name: str, given: Mapping[str, str], config: Config) -> Task:
    """Return the task of a file, or by its name: a trusted project's, the user's, a shipped one.

    given: variables as typed on the command line.
    Raises InputError naming file, line, field and what was expected; MissingFileError, UsageError.
    """
    path = find_task(name, config)
    source = read_source(path, InputError)
    file = source.read(TaskFile, InputError)
    if bool(file.goal) == bool(file.steps):
        raise source.error_at("", "needs either `goal` or `steps`", error=InputError)
    values = fill_in(source, file, given)
    if file.profile is not None and is_path(file.profile):
        file = file.model_copy(update={"profile": beside(source, file.profile, config)})

    def filled(text: str, field: str) -> str:
        return substitute(source, field, text, values)

    agent = Agent(
        "saga" if file.saga else "task",
        filled(file.goal, "goal"),
        tuple(filled(step, f"steps.{i}") for i, step in enumerate(file.steps)),
        work="chain" if file.steps else "react",
        checks=checks_of(source, file, values),
    )
    output = filled(file.output, "output")
    return Task(name=path.stem, file=file, folder=path.parent, agent=agent, output=output)


def beside(source: Source, profile: str, config: Config) -> str:
    """Return the path of a profile that is named beside a task. Raises InputError."""
    path = (source.path.parent / profile).resolve()
    own = config.own_folder
    if (
        own is not None
        and source.path.is_relative_to(own)
        and not path.is_relative_to(own.resolve())
    ):
        text = "leads out of what was accepted with the project"
        raise source.error_at("profile", text, error=InputError)
    return str(path)


def find_task(name: str, config: Config) -> Path:
    if is_path(name):  # never a bare name: a file of a foreign folder must not go before ours
        return Path(name)
    known = config.named_files("tasks")
    if name not in known:
        message = f"there is no task `{name}`{did_you_mean(name, known)}"
        raise MissingFileError(message, hint=hint_of_names("Tasks", name, known))
    return known[name]


def fill_in(source: Source, file: TaskFile, given: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each variable, checked against its type."""
    values: dict[str, str] = {}
    for name in given.keys() - file.variables.keys():
        near = did_you_mean(name, file.variables)
        known = ", ".join(file.variables) or "none"
        message = f"--var {name}: the task has no such variable{near}"
        raise UsageError(message, hint=f"Its variables: {known}")
    for name, variable in file.variables.items():
        typed = given.get(name)
        if typed is None:
            if variable.default is None:
                about = f" ({variable.description})" if variable.description else ""
                raise UsageError(f"the task needs --var {name}=...{about}")
            typed = str(variable.default)
        check_type(name, variable, typed)
        values[name] = typed
    return values


def check_type(name: str, variable: Variable, typed: str) -> None:
    shapes = {"integer": r"[+-]?\d+", "number": r"[+-]?\d+(\.\d+)?", "boolean": "(?i:true|false)"}
    shape = shapes.get(variable.type)
    if shape is not None and not re.fullmatch(shape, typed):
        raise UsageError(f"--var {name}: expected {variable.type}, got `{typed}`")
    choices = [str(choice) for choice in variable.choices]
    if choices and typed not in choices:
        near = did_you_mean(typed, choices)
        raise UsageError(f"--var {name}: must be one of {', '.join(choices)}, got `{typed}`{near}")


def substitute(source: Source, field: str, text: str, values: Mapping[str, str]) -> str:
    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "$"
        if name not in values:
            message = f"there is no variable `{name}`{did_you_mean(name, values)}"
            raise source.error_at(field, message, error=InputError)
        return values[name]

    return PLACE.sub(put, text)


def refuse_unknown(source: Source, field: str, text: str, values: Mapping[str, str]) -> None:
    for name in BRACED.findall(text):
        if name not in values:
            message = f"there is no variable `{name}`{did_you_mean(name, values)}"
            raise source.error_at(field, message, error=InputError)


def with_variables(command: str, values: Mapping[str, str]) -> str:
    """Return the command after assignments of the variables: a value is never code."""
    used = [name for name in values if name in PLAIN_NAMES.findall(command)]
    return "".join(f"{name}={shlex.quote(values[name])}; " for name in used) + command


def checks_of(source: Source, file: TaskFile, values: Mapping[str, str]) -> Checks:
    files: list[str] = []
    commands: list[str] = []
    for i, check in enumerate(file.checks):
        match check:
            case FileCheck(file=path):
                files.append(substitute(source, f"checks.{i}.file", path, values))
            case CommandCheck(command=command):
                refuse_unknown(source, f"checks.{i}.command", command, values)
                commands.append(with_variables(command, values))
    pattern = file.answer.pattern or ""
    return Checks(file.answer.schema_, pattern, tuple(files), tuple(commands))
