"""The suites that ship, by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from agentcli import asset
from agentcli.document import did_you_mean
from agentcli.errors import UsageError
from agentcli.redteam.case import Case, Suite, read_recording
from agentcli.redteam.declared import loaded_tools, read_declared
from agentcli.redteam.injecagent import load_injecagent


def load_agentdojo(folder: Path, name: str) -> Suite:
    """Return a recorded suite, with what is said by hand of its tools."""
    head, cases = read_recording(folder / f"{name}.jsonl")
    declared = read_declared(home() / "agentdojo" / f"{name}.yaml", head.tools)
    return Suite(head.suite, loaded_tools(head.tools, declared, folder), cases)


def home() -> Path:
    return asset.shipped("configs", "redteam")


SUITES = ("injecagent", "workspace", "banking", "travel", "slack")
Thing = TypeVar("Thing")
VECTORS = "vectors"  # the project's own, which are no recordings


def load_suite(name: str, data: Path | None = None) -> Suite:
    """Return a suite. data: a folder to read it from in place of the one that ships.

    Raises UsageError, MissingFileError, InputError, ConfigError.
    """
    if name not in SUITES:
        near = did_you_mean(name, (*SUITES, VECTORS))
        hint = f"Suites: {', '.join((*SUITES, VECTORS))}"
        raise UsageError(f"there is no suite `{name}`{near}", hint=hint)
    if name == "injecagent":
        ours = home() / "injecagent"
        return load_injecagent(data or ours, ours)
    return load_agentdojo(data or home() / "agentdojo", name)


def spread(things: Sequence[Thing], limit: int | None) -> list[Thing]:
    """Return at most so many things, from all over them; None for all."""
    step = 1 if limit is None else max(1, len(things) // limit)
    return list(things[::step][:limit])


def some_of(cases: Sequence[Case], limit: int | None) -> list[Case]:
    """Return at most so many cases of each kind; None for all."""
    benign = [case for case in cases if case.kind == "benign"]
    attacks = [case for case in cases if case.kind == "attack"]
    return [*spread(benign, limit), *spread(attacks, limit)]
