"""What a shell command was found to do: its simple commands, each with its power."""

from collections.abc import Iterable
from typing import Literal, get_args

from agentcli.core.record import Record

Power = Literal["reads", "writes", "network", "runs", "unknown"]
POWERS: tuple[Power, ...] = get_args(Power)  # the worst last


class Command(Record, frozen=True):
    """One simple command, redirection or assignment, and the most that it can do.

    words: as the program would get them; what is known only while it runs, as it is written.
    power: `runs` runs other code, which can do anything that the sandbox lets it. `unknown`:
        nobody can tell.
    why: in words for a person, "" for what only reads.
    """

    words: tuple[str, ...]
    power: Power
    why: str = ""


class Parsed(Record, frozen=True):
    """A whole shell command, flat. What is nested stands after what holds it.

    paths: all words that may name a file, those behind a `cd` with its folder before them too.
    problem: why it could not be parsed, "" if it was. Then the commands may be incomplete.
    """

    commands: tuple[Command, ...] = ()
    paths: tuple[str, ...] = ()
    problem: str = ""


def worst_first(commands: Iterable[Command]) -> list[Command]:
    """Return the commands by their power, in their own order where it is the same."""
    return sorted(commands, key=lambda command: -POWERS.index(command.power))


def only_reads(commands: tuple[Command, ...]) -> bool:
    """Return whether there are commands and each of them does no more than read."""
    return bool(commands) and all(command.power == "reads" for command in commands)
