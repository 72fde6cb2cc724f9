"""Rules about calls, as data: which calls one is about, and what it says of them.

Doubt is a refusal: where it cannot be told whether a call is meant, a rule that allows does not
match, and one that asks or denies does.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Literal, get_args

from agentcli.core.command import Command
from agentcli.core.host import host_of, is_at
from agentcli.core.linear import TooMuchError, linear
from agentcli.core.personal import is_marked
from agentcli.core.place import folded, forms_of, is_below, parts_of
from agentcli.core.record import Record, encode
from agentcli.core.sandbox import hidden_names
from agentcli.core.step import Call
from agentcli.core.tool import Facts, RiskTier

Effect = Literal["allow", "ask", "deny"]
How = Literal["equals", "one_of", "prefix", "pattern", "host", "path", "min", "max"]
HOWS: tuple[How, ...] = get_args(How)
STRICTEST: tuple[Effect, ...] = ("deny", "ask", "allow")
Origin = Literal["model", "task", "undo"]


class Clause(Record, frozen=True):
    """What must hold of one argument.

    path: its name, and of what is in it, the names and places; `*` stands for all of them.
    value: of `one_of`, `host` and `path` a list; checked once, when it was read.
    """

    path: tuple[str, ...]
    how: How
    value: Any = None


class PolicyRule(Record, frozen=True):
    """What holds for the calls that fit all it says; what it leaves out, any call fits.

    tools: names with `*`, `?`, `[...]`. roles: of whoever runs it. when: of the arguments.
    commands: the first words of commands: for one that allows, of all that a shell call runs.
    traced: of one that allows: every value comes from the user or a trusted tool.
    egress: whether the call may send something out, None for either.
    expires_us: from then on it fits nothing, 0 for never. at: file and line.
    unsafe: its file says so: it may let irreversible calls run unasked.
    """

    name: str
    effect: Effect
    tools: tuple[str, ...] = ()
    tiers: tuple[RiskTier, ...] = ()
    roles: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    when: tuple[Clause, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    traced: bool = False
    reason: str = ""
    expires_us: int = 0
    at: str = ""
    unsafe: bool = False
    egress: bool | None = None


class Limit(Record, frozen=True):
    """How often a tool may be called in a run, and in any minute of it. None: no limit."""

    calls: int | None = None
    per_minute: int | None = None


def ruling(
    rules: Iterable[PolicyRule],
    call: Call,
    tier: RiskTier,
    facts: Facts,
    role: str,
    now_us: int = 0,
    *,
    sends: bool = True,
) -> PolicyRule | None:
    """Return the strictest of the rules that a call fits, whatever their order."""
    found = [rule for rule in rules if matches(rule, call, tier, facts, role, now_us, sends=sends)]
    return min(found, key=strictness, default=None)


def strictness(rule: PolicyRule) -> tuple[int, bool, str, str]:
    return STRICTEST.index(rule.effect), not rule.unsafe, rule.name, rule.at


def matches(
    rule: PolicyRule,
    call: Call,
    tier: RiskTier,
    facts: Facts,
    role: str,
    now_us: int = 0,
    *,
    sends: bool = True,
) -> bool:
    """Say whether a call is one that a rule is about.

    now_us: when. An unknown one, 0, is before no end. sends: whether it may send something out.
    """
    if rule.tools and not names(rule.tools, call.tool):
        return False
    if rule.tiers and tier not in rule.tiers:
        return False
    if rule.egress is not None and rule.egress != sends:
        return False
    if rule.roles and role not in rule.roles:
        return False
    if rule.origins and call.origin not in rule.origins:
        return False
    allows = rule.effect == "allow"
    if rule.expires_us and (now_us >= rule.expires_us or (allows and not now_us)):
        return False
    if rule.traced and not is_traced(facts):
        return False
    if rule.commands and not runs(rule.commands, facts, every=allows):
        return False
    return all(fits(clause, call, facts, every=allows) for clause in rule.when)


@lru_cache(maxsize=10_000)
def names(patterns: tuple[str, ...], tool: str) -> bool:
    return hidden_names(patterns)(tool)


def is_traced(facts: Facts) -> bool:
    """Say whether all that a call could do comes from the user or a trusted tool.

    A number of a digit or two stands in many a text by chance.
    """
    named = [trace for trace in facts.traces if trace.what == "argument"]
    return bool(named) and all(
        trace.what == "argument"
        and trace.origin in ("user", "tool")
        and not (trace.text.isdecimal() and len(trace.text) < 3)
        for trace in facts.traces
    )


def runs(commands: tuple[tuple[str, ...], ...], facts: Facts, *, every: bool) -> bool:
    """Say whether a shell call runs one of these commands; every: and nothing else."""
    if every:
        known = bool(facts.commands) and not facts.unparsed
        return known and all(
            any(one.words[: len(words)] == words for words in commands) for one in facts.commands
        )
    return bool(facts.unparsed) or any(
        may_be(one, words) for one in facts.commands for words in commands
    )


def may_be(command: Command, wanted: tuple[str, ...]) -> bool:
    """Say whether a command could be the wanted one, with options between its words.

    Also behind a wrapper such as `env`, or by words that are known only while it runs.
    """
    words = command.words
    if not words or any(char in words[0] for char in "$`*?[{~"):
        return True
    if command.power == "reads":
        return is_called(words, wanted)
    if command.power in ("runs", "unknown") and any("$" in word or "`" in word for word in words):
        return True
    return any(is_called(words[start:], wanted) for start in range(len(words)))


def is_called(words: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    if words[0].rpartition("/")[2].casefold() != wanted[0].casefold():
        return False
    rest = iter(words[1:])
    return all(any(word == one or "$" in one for one in rest) for word in wanted[1:])


def fits(clause: Clause, call: Call, facts: Facts, *, every: bool) -> bool:
    """Say whether an argument is as wanted; in doubt, what refuses.

    every: all that the path leads to must be; else one is enough, or none to be found.
    """
    found: list[bool | None]
    if len(clause.path) == 1 and clause.path[0] in call.args:  # most are so
        found = [holds(clause, call.args[clause.path[0]], facts, every=every)]
    else:
        values = values_at(call.args, clause.path)
        found = [holds(clause, value, facts, every=every) for value in values]
    if every:
        return bool(found) and all(found)
    return not found or any(is_so is not False for is_so in found)


def values_at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield all that a path leads to. A branch that it does not fit gives MISSING."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    match value:
        case dict() if step == "*":
            for item in value.values():
                yield from values_at(item, rest)
        case list() | tuple() if step == "*":
            for item in value:
                yield from values_at(item, rest)
        case dict() if step in value:
            yield from values_at(value[step], rest)
        case list() | tuple() if step.isdecimal() and int(step[:9]) < len(value):
            yield from values_at(value[int(step)], rest)
        case _:
            yield MISSING


class Missing:
    """Stands for an argument that is not there."""


MISSING = Missing()


def holds(clause: Clause, value: Any, facts: Facts, *, every: bool) -> bool | None:
    """Say whether a value is as wanted, None where that cannot be told. every: as in `fits`.

    What marks stand for cannot be told of personal data.
    """
    if isinstance(value, Missing):
        return None
    wanted = clause.value
    if isinstance(value, list | tuple | dict) and is_marked(encode(value).decode()):
        return None
    if isinstance(value, str) and is_marked(value):
        return None
    match clause.how:
        case "equals":
            return encode(value) == encode(wanted)
        case "one_of":
            return encode(value) in [encode(one) for one in wanted]
        case "min" | "max":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            return bool(value >= wanted) if clause.how == "min" else bool(value <= wanted)
        case _ if not isinstance(value, str):
            return None
        case "prefix":
            return bool(value.startswith(wanted))
        case "pattern":
            try:
                return linear(wanted).found_in(value)
            except TooMuchError:
                return None
        case "host":
            host = known_host(value)
            return is_at(host, wanted) if host else None
        case "path":
            return is_in(value, wanted, facts, every=every)


@lru_cache(maxsize=1_000)
def known_host(value: str) -> str:
    """Return the host that a value names, "" if that cannot be told."""
    try:
        return host_of(value)
    except ValueError:
        return ""


def is_in(value: str, folders: Iterable[str], facts: Facts, *, every: bool) -> bool | None:
    """Say whether a path is at or below one of these; every: by all of its forms, exactly so."""
    try:
        forms = forms_of(value, facts.places)
    except ValueError:
        return None
    wanted = [parts_of(folder) for folder in folders]
    if every:
        return all(any(is_below(form, folder) for folder in wanted) for form in forms)
    plain = [tuple(map(folded, folder)) for folder in wanted]
    return any(is_below(tuple(map(folded, form)), folder) for form in forms for folder in plain)
