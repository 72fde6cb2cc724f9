"""The narrowest rule that would let a call like this one run unasked."""

import re
from typing import Any

from agentcli.core.command import Command
from agentcli.core.host import host_of
from agentcli.core.injection import UNDONE
from agentcli.core.place import parts_of
from agentcli.core.record import hash_of
from agentcli.core.step import Args, Call
from agentcli.core.tool import Facts, RiskTier, ToolRule, tier_of

# By no rule, and not for what is in the call.
ASKED_ANYWAY = ("read_only_asks", "reversible_asks", "tool_asks")
SUB_COMMAND = re.compile(r"[a-z][a-z0-9-]*\Z")
PROGRAM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")


def is_offered(rule: ToolRule, facts: Facts, tier: RiskTier, asks: str, *, tainted: bool) -> bool:
    """Say whether a person may let such calls run from now on. asks: the rule that asks.

    Never what cannot be undone, and nothing that reaches out once untrusted text was read.
    """
    reaches_out = rule.egress or not facts.is_contained
    return tier in UNDONE and asks in ASKED_ANYWAY and not (tainted and reaches_out)


def narrow(rule: ToolRule, call: Call, facts: Facts) -> dict[str, Any] | None:
    """Return what a rule says, as people write it, None where no narrow one can be made.

    For a shell call its programs with their sub-commands, else the folder of its path, or its host.
    """
    found: dict[str, Any] | None
    if rule.shell:
        found = by_commands(facts)
    elif rule.paths:
        found = by_path(rule.paths, call.args, facts)
    else:
        found = by_host(call.args)
    if found is None:
        return None
    name = f"always-{call.tool.replace('_', '-')}"[:50].rstrip("-")
    what = {"effect": "allow", "tool": call.tool, "tier": tier_of(rule, facts), **found}
    return {"name": f"{name}-{hash_of(what)[:8]}", **what}


def by_commands(facts: Facts) -> dict[str, Any] | None:
    if facts.unparsed or not facts.commands:
        return None
    found = [first_words(command) for command in facts.commands]
    if not all(found):
        return None
    return {"command": list(dict.fromkeys(" ".join(words) for words in found))}


def first_words(command: Command) -> tuple[str, ...]:
    """Return the program and its sub-command; all words of what runs other code or is no program.

    Nothing where a word is not known before it runs, or has a blank in it.
    """
    words = command.words
    if not words or any(not word or re.search(r"[\s$`]", word) for word in words):
        return ()
    if command.power in ("runs", "unknown") or not PROGRAM.match(words[0]):
        return words
    return words[: 2 if len(words) > 1 and SUB_COMMAND.match(words[1]) else 1]


def by_path(names: tuple[str, ...], args: Args, facts: Facts) -> dict[str, Any] | None:
    """Return the folder of each path; at the top of the workspace, the file itself."""
    when = {}
    for name in names:
        value = args.get(name)
        if not isinstance(value, str) or value in facts.places:
            return None
        parts = parts_of(value)
        if not parts or parts[0] in ("/", ".."):
            return None
        when[name] = {"path": "/".join(parts[:-1] or parts)}
    return {"when": when}


def by_host(args: Args) -> dict[str, Any] | None:
    when = {}
    for name, value in args.items():
        if isinstance(value, str) and ("://" in value or re.match(r"[^\s@]+@[^\s@]+\Z", value)):
            try:
                when[name] = {"host": host_of(value)}
            except ValueError:
                return None
    return {"when": when} if when else None


def in_words(rule: dict[str, Any]) -> str:
    """Return what a rule lets run, for the person who is to keep it."""
    what = f"{rule['tool']} may run unasked"
    if "command" in rule:
        what += f" for nothing but: {', '.join(rule['command'])}"
    for name, clause in rule.get("when", {}).items():
        for how, value in clause.items():
            if how == "path":
                what += f", where {name} is in or below {value}"
            else:
                what += f", where {name} leads to {value} or below it, on any port"
    limits = f"{what}. Only in {rule['folder']}, until {rule['expires']}"
    if rule["tier"] == "reversible":
        return f"{limits}, and if it can be undone."
    if any("host" in clause for clause in rule.get("when", {}).values()):
        limits += ". Once untrusted text was read, what you have not named yourself still asks"
    return f"{limits}."
