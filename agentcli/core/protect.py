"""What no call may write, and none read unasked: the files that govern the program or hold keys."""

from collections.abc import Iterable, Iterator

from agentcli.core.command import Command
from agentcli.core.personal import is_marked
from agentcli.core.place import KINDS, MOST, Guard, Kind, could_name, forms_of, guard_of
from agentcli.core.record import Record
from agentcli.core.step import Args, Call
from agentcli.core.tool import Facts, RiskTier, ToolRule
from agentcli.core.trace import clip, leaves_of


class Protection(Record, frozen=True):
    """A protected path that a call names. writes: it would, or could, be changed."""

    writes: bool
    told: str


def protection(
    patterns: tuple[str, ...], rule: ToolRule, call: Call, facts: Facts, tier: RiskTier
) -> Protection | None:
    """Return what a call would do to a protected path, None if it names none."""
    if not patterns:
        return None
    guard, found = guard_of(patterns), None
    for path, writes in named(rule, call, facts, tier):
        kind = kind_of(path, guard, facts)
        if facts.commands and could_name(path, patterns):
            kind = "in"
        if not kind or (kind == "holds" and not writes):
            continue
        verb = "written" if writes else "read"
        found = Protection(writes, f"`{clip(path)}` is protected from being {verb}")
        if writes:
            return found
    return found


def kind_of(path: str, guard: Guard, facts: Facts) -> Kind:
    """Return whether a path is protected, as it is written or where it leads."""
    if len(path) > MOST or "\0" in path:
        return ""  # no path
    if path.startswith("/") and is_marked(path):
        return "in"  # where it leads is not known
    try:
        return max((guard(form) for form in forms_of(path, facts.places)), key=KINDS.index)
    except ValueError:
        return "in"  # where it leads is not known


def named(rule: ToolRule, call: Call, facts: Facts, tier: RiskTier) -> Iterator[tuple[str, bool]]:
    """Yield what of a call could name a file, and whether the call could write that."""
    writes = tier != "read_only"
    if facts.commands:
        changes = any(command.power != "reads" for command in facts.commands)
        words = set[str]()
        for command in facts.commands:
            for word in words_of(command):
                words.add(word)
                yield word, command.power == "writes" or command.words[0].startswith(">")
        for path in facts.places.keys() - words:  # behind a `cd`
            yield path, changes
        return
    for path in paths_in(rule, call.args):
        yield path, writes


def paths_in(rule: ToolRule, args: Args) -> list[str]:
    """Return what of the arguments of a call could be paths."""
    return [
        value
        for path, value in leaves_of(args)
        if (rule.paths is None or path.partition(".")[0] in rule.paths)
        and len(value) <= MOST
        and "\n" not in value
    ]


def all_words(commands: Iterable[Command]) -> list[str]:
    return [word for command in commands for word in words_of(command)]


def words_of(command: Command) -> Iterator[str]:
    for word in command.words:
        yield word.partition("=")[2] if word.startswith("--") and "=" in word else word
