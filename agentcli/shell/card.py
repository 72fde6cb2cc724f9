"""The card that a person is asked on: the exact call, escaped, with what is known of it."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from agentcli.core.command import Command, worst_first
from agentcli.core.script import mixed_scripts
from agentcli.core.visible import escaped
from agentcli.shell.cells import cells, folded, folded_at_blanks, styled_cells
from agentcli.shell.console import style

COLOR_OF_TIER = {
    "read_only": "green",
    "reversible": "yellow",
    "irreversible": "red",
    "privileged": "red",
}
COLOR_OF_POWER = {"reads": "green", "writes": "yellow"}
# The card's own words for what it says beside the call.
OWN_WORDS = ("why", "reads", "where", "undo", "note", "signature")
PLAIN_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
COMMAND_CHARS = 200  # of each in the list; the whole text stands above it


@dataclass(frozen=True)
class Card:
    """What is asked. preview: a unified diff of what the call would change, "" for none.

    commands: what a shell command was found to run; they are listed with what they can do.
    offers_session: a yes may hold for the session. always: what a rule that can be kept would let
        run, in words, "" where none is offered. needs_typing: a yes is a typed word.
    is_past: the question is whether it happened.
    """

    title: str
    tier: str
    tool: str
    arguments: dict[str, Any]
    facts: list[tuple[str, str]] = field(default_factory=list)
    commands: tuple[Command, ...] = ()
    preview: str = ""
    reason: str = ""
    offers_session: bool = False
    always: str = ""
    needs_typing: bool = False
    is_past: bool = False


def card_lines(card: Card, width: int, color: bool) -> list[str]:
    """Return the whole card as lines that fit the width. Nothing is left out."""
    width = max(20, width)
    tier = style(card.tier, "bold", COLOR_OF_TIER.get(card.tier, "red"), color=color)
    # Reverse is for our own words alone: no text of a model or a tool gets it.
    title = [
        style(row, "bold", "reverse", color=color) for row in rows(escaped(card.title), width, "")
    ]
    is_short = len(title) == 1 and styled_cells(title[0]) + len(card.tier) + 2 < width
    lines = [f"{title[0]}  {tier}"] if is_short else [*title, tier]
    lines += rows(escaped(card.tool), width, "  ")
    for name, value in card.arguments.items():
        lines += argument_lines(name, value, width)
    if note := mixed_scripts(card.arguments):
        lines += fact_rows(escaped(f"! {note}"), width)
    if not card.arguments:
        lines.append("  (no arguments)")
    if card.commands:
        lines.append("  what it runs, the worst first:")
    for command in worst_first(card.commands):
        lines += command_rows(command, width, color)
    if is_shown(card):
        lines.append("  what would change: a new file of just this content")
    elif card.preview:
        lines.append("  what would change:")
        for line in escaped(card.preview).rstrip("\n").split("\n"):
            name = {"+": "green", "-": "red"}.get(line[:1], "dim")
            lines += [style(row, name, color=color) for row in rows(line, width, "  │ ")]
    if card.reason:
        lines += fact_rows(escaped(f"why: {card.reason}"), width)
    for name, value in card.facts:
        shown = fact_rows(escaped(f"{name}: {value}"), width)
        lines += [style(row, "dim", color=color) for row in shown]
    return lines


def is_shown(card: Card) -> bool:
    """Return whether the preview only adds, as a new file, what an argument shows already."""
    first, *rest = card.preview.rstrip("\n").split("\n")
    added = [line[1:] for line in rest[2:]]
    return (
        first == "--- /dev/null"
        and all(line.startswith("+") for line in rest[2:])
        and any(
            isinstance(value, str) and value.removesuffix("\n").split("\n") == added
            for value in card.arguments.values()
        )
    )


def command_rows(command: Command, width: int, color: bool) -> list[str]:
    """Return a command of a shell in rows: what it can do, its words, and why."""
    words = " ".join(word if word and " " not in word else f"'{word}'" for word in command.words)
    if len(words) > COMMAND_CHARS:
        words = f"{words[:COMMAND_CHARS]}..."
    shown = "  ".join(filter(None, (words, command.why and f"({command.why})")))
    text = escaped(f"{command.power:<8}{shown}").replace("\n", "\\x0a")
    name = COLOR_OF_POWER.get(command.power, "red")
    return [style(row, name, color=color) for row in rows(text, width, "  │ ")]


def argument_lines(name: str, value: Any, width: int) -> list[str]:
    """Return one argument: in a line if it is short, else as a block of its own."""
    text = escaped(value) if isinstance(value, str) else as_json(value, indent=1)
    name = name_of(name)
    if "\n" not in text and cells(text) <= width - cells(name) - 6:
        return rows(f"{name}: {text}", width, "  ")
    lines = rows(f"{name}:", width, "  ")
    for line in text.split("\n"):
        lines += rows(line, width, "  │ ")
    return lines


def name_of(argument: str) -> str:
    """Return the name of an argument; in quotes if it could be taken for words of the card."""
    if PLAIN_NAME.fullmatch(argument) and argument.lower() not in OWN_WORDS:
        return argument
    return escaped(json.dumps(argument, ensure_ascii=False))


def as_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON in which a person sees every character."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if (plain := text.replace("\\", "")) != escaped(plain):
        text = json.dumps(value, indent=indent).replace("\x7f", r"\u007f")
    return text


def fact_rows(text: str, width: int) -> list[str]:
    """Return a fact as rows that fit, broken between words. What goes on stands further in."""
    first, *more = folded_at_blanks(text.replace("\n", "\\x0a"), width - 5)
    return ["  " + first, *("    " + row for row in more)]


def rows(text: str, width: int, indent: str) -> list[str]:
    """Return escaped text as rows that fit, indented. A blank at its end is named.

    A row that goes on from the one before has another mark: it is no line of its own.
    """
    if text.endswith(" "):
        text = text[:-1] + r"\x20"
    first, *more = folded(text, width - len(indent) - 1)
    return [indent + first, *(indent.replace("│", "┊") + row for row in more)]
