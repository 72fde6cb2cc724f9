"""Help that begins with examples, and `agentcli help`.

The docstring of a command is its help: a first paragraph that says what it does, paragraphs of
command lines, which are its examples, and prose, if there is more to say.
"""

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from agentcli.cli import page
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

EXAMPLE = re.compile(r"^agentcli |\| agentcli |\$\(agentcli ")
SHOWN = 3  # examples of a group, which are those of its commands


# Any: Typer hides the Click inside it, so its contexts and parameters have no public types.
class Command(TyperCommand):
    """A command whose help begins with its examples."""

    def get_help(self, ctx: Any) -> str:
        return page_of(self, ctx)

    def get_help_option(self, ctx: Any) -> Any:
        return without_conversion(super().get_help_option(ctx))


class Group(TyperGroup):
    """A group of commands, whose examples are the first ones of its commands."""

    def get_help(self, ctx: Any) -> str:
        return page_of(self, ctx)

    def get_help_option(self, ctx: Any) -> Any:
        return without_conversion(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and self.no_args_is_help:
            print(self.get_help(ctx), file=sys.stderr)
            raise typer.Exit(UsageError.exit_code)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            raise unknown("command", args[0], shown(self), f"{ctx.command_path} --help")
        return super().resolve_command(ctx, args)


def explain(app: typer.Typer) -> None:
    """Let all commands and groups of an app show their help in this way."""
    app.info.cls = Group
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        group.cls = Group
        if group.typer_instance is not None:
            explain(group.typer_instance)


def without_conversion(option: Any) -> Any:
    """Make `--help` false where it is not given. Typer would load pydantic to convert None."""
    if option is not None:
        option.default = False
    return option


def page_of(command: Any, ctx: Any) -> str:
    """Return the whole help of a command: what it does, examples, usage, what it takes."""
    columns = page.width()
    about, examples = parts_of(command.help or "")
    examples = examples or list(examples_below(command))[:SHOWN]
    params = [param for param in command.get_params(ctx) if not getattr(param, "hidden", False)]
    arguments = [param for param in params if param.param_type_name == "argument"]
    options = [param for param in params if param.param_type_name == "option"]
    # An example is never broken: where a terminal wraps it, it can still be copied whole.
    shown_examples = "\n".join(["Examples:", *(f"  {line}" for line in examples)])
    return page.joined(
        [
            page.filled(about[0], columns) if about else "",
            shown_examples if examples else "",
            usage_of(command, ctx, arguments, columns),
            *(page.filled(text, columns) for text in about[1:]),
            page.section("Arguments", [(name_of(p), about_of(p)) for p in arguments], columns),
            page.section("Options", [(option_of(p), about_of(p)) for p in options], columns),
            page.section("Commands", commands_of(command), columns),
        ]
    )


def parts_of(text: str) -> tuple[list[str], list[str]]:
    """Return the paragraphs of prose in a docstring, and the command lines in it."""
    about: list[str] = []
    examples: list[str] = []
    for paragraph in text.split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        if lines and all(map(EXAMPLE.search, lines)):
            examples += lines
        elif lines:
            about.append(" ".join(lines))
    return about, examples


def examples_below(command: Any) -> Iterator[str]:
    """Yield the first example of each command of a group."""
    for below in shown(command).values():
        yield from (parts_of(below.help or "")[1] or list(examples_below(below)))[:1]


def shown(command: Any) -> dict[str, Any]:
    """Return the commands of a group that are not hidden, none for a plain command."""
    commands = getattr(command, "commands", {})
    return {name: below for name, below in commands.items() if not below.hidden}


def commands_of(command: Any) -> list[tuple[str, str]]:
    return [(name, summary_of(below)) for name, below in shown(command).items()]


def summary_of(command: Any) -> str:
    return next(iter(parts_of(command.help or "")[0]), "")


def usage_of(command: Any, ctx: Any, arguments: list[Any], columns: int) -> str:
    words = [ctx.command_path, command.options_metavar or ""]
    words += [name_of(param) if param.required else f"[{name_of(param)}]" for param in arguments]
    if isinstance(command, TyperGroup):
        words.append("COMMAND ...")
    return page.filled(f"Usage: {' '.join(filter(None, words))}", columns, "", " " * 9)


def name_of(param: Any) -> str:
    """Return what stands for the value: a number is N, anything else has its own name."""
    name = param.metavar or ("N" if param.min is not None else param.name.upper())
    return f"{name} ..." if param.nargs == -1 else str(name)


def option_of(param: Any) -> str:
    names = ", ".join(sorted([*param.opts, *param.secondary_opts], key=len))
    return names if param.is_flag or param.count else f"{names} {name_of(param)}"


def about_of(param: Any) -> str:
    """Return what a parameter is, its bounds and its default."""
    notes = []
    if param.min is not None:
        notes.append(f"at least {param.min}")
    if param.max is not None:
        notes.append(f"at most {param.max}")
    if param.show_default and type(param.default) in (str, int, float) and param.default != "":
        notes.append(f"default: {param.default}")
    return " ".join([param.help or "", *([f"[{'; '.join(notes)}]"] if notes else [])]).strip()


def unknown(kind: str, word: str, known: "Iterable[str]", see: str) -> UsageError:
    """Return the error for a word that names nothing, with what was probably meant."""
    from agentcli.document import did_you_mean

    return UsageError(f"there is no {kind} `{word}`{did_you_mean(word, known)}", hint=f"See: {see}")


def in_our_words(error: Any) -> str:
    """Return the message of one of Typer's usage errors, as this program would say it."""
    kind = type(error).__name__
    if kind == "MissingParameter" and error.param is not None:
        return f"{name_of(error.param)} is missing"
    if kind != "NoSuchOption" or error.ctx is None:
        return str(error.format_message())
    known = [
        name
        for param in error.ctx.command.get_params(error.ctx)
        if param.param_type_name == "option" and not param.hidden
        for name in (*param.opts, *param.secondary_opts)
    ]
    return str(unknown("option", error.option_name, known, ""))


def command_in(words: list[str], app: typer.Typer) -> str:
    """Return the command that a line begins with, for an error that does not know its own."""
    command: Any = typer.main.get_command(app)
    path = "agentcli"
    for word in words:
        if word not in shown(command):
            break
        command, path = shown(command)[word], f"{path} {word}"
    return path


def show_help(ctx: typer.Context) -> None:
    """Explain a command or a topic.

    agentcli help run
    agentcli help exit-codes
    """
    from agentcli.cli.topic import TOPICS, page_of_topic

    root = ctx.find_root()
    if not ctx.args:
        print(contents(root))
        return
    name = ctx.args[0]
    is_topic = ctx.args == [name] and name in TOPICS
    parts = [page_of_topic(name, page.width())] if is_topic else []
    if name in shown(root.command):
        parts.append(page_below(root, ctx.args))
    elif not is_topic:
        known = [*TOPICS, *shown(root.command)]
        raise unknown("topic or command", name, known, "agentcli help")
    print("\n\n".join(parts))


def contents(root: Any) -> str:
    """Return what `agentcli help` can explain."""
    from agentcli.cli.topic import TOPICS

    columns = page.width()
    topics = [(name, topic.title) for name, topic in TOPICS.items()]
    return page.joined(
        [
            "Usage: agentcli help [TOPIC | COMMAND]",
            page.section("Topics", topics, columns),
            page.section("Commands", commands_of(root.command), columns),
        ]
    )


def page_below(ctx: Any, words: list[str]) -> str:
    """Return the help of the command that the words lead to."""
    for word in words:
        known = shown(ctx.command)
        if word not in known:
            raise unknown("command", word, known, f"{ctx.command_path} --help")
        ctx = typer.Context(known[word], info_name=word, parent=ctx)
    return str(ctx.get_help())
