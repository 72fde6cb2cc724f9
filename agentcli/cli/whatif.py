"""`agentcli replay --what-if`: which calls of a run another profile would let run."""

import sys
from typing import TYPE_CHECKING

from agentcli.cli.words import counted
from agentcli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentcli.compose.whatif import Ruling
    from agentcli.core.policy import AuthzDecision
    from agentcli.ledger.folder import RunFolder

NARROW = 90  # columns below which the rules are left out
WOULD = {"allow": "would be allowed", "ask": "would ask", "deny": "would be denied"}


def show_rulings(folder: "RunFolder", profile: str, *, as_json: bool) -> int:
    """Print what a profile would say of each call, and return 1 if a verdict would differ."""
    from agentcli.cli import options
    from agentcli.cli.document import print_json
    from agentcli.compose.whatif import judge_again, policy_now
    from agentcli.config.settings import load_config
    from agentcli.ledger.forged import told_as_damage
    from agentcli.ledger.read import each_record
    from agentcli.ledger.recording import restorer

    if not profile:
        raise InputError("--what-if: which profile? Give its name or its file")
    config = load_config(options.workspace_of(None))
    options.say_untrusted(config)
    who = config.profile(profile)
    records = each_record(folder.ledger)
    with told_as_damage(folder.ledger):
        rulings = judge_again(policy_now(config, who), records, restorer(folder))
    differ = [ruling for ruling in rulings if not ruling.same]
    if as_json:
        calls = [ruling.document() for ruling in rulings]
        same = len(rulings) - len(differ)
        counts = {"calls": calls, "same": same, "differ": len(differ)}
        print_json({"run": folder.id, "profile": who.name, **counts})
    else:
        print_rulings(rulings)
    return 1 if differ else 0


def print_rulings(rulings: "Sequence[Ruling]") -> None:
    from agentcli.cli.table import print_table
    from agentcli.shell import terminal
    from agentcli.shell.headless import call_line

    if rulings:
        brief = sys.stdout.isatty() and terminal.width() < NARROW
        rows = [
            (
                str(ruling.record),
                call_line(ruling.call, 60),
                in_words(ruling.then, brief=brief),
                in_words(ruling.now, brief=brief),
                "" if ruling.same else "differs",
            )
            for ruling in rulings
        ]
        print_table(("record", "call", "then", "now", ""), rows)
    print(summary(rulings))


def in_words(verdict: "AuthzDecision", *, brief: bool) -> str:
    """Return what a verdict says. brief: without the rule."""
    from agentcli.compose.whatif import word_of

    return word_of(verdict) if brief else f"{word_of(verdict)} · {verdict.rule}"


def summary(rulings: "Sequence[Ruling]") -> str:
    """Return, say, "12 calls: 9 the same, 2 would ask, 1 would be denied"."""
    from agentcli.compose.whatif import word_of

    if not rulings:
        return "no calls were judged in this run"
    words = [word_of(ruling.now) for ruling in rulings if not ruling.same]
    parts = [f"{words.count(word)} {would}" for word, would in WOULD.items() if word in words]
    same = len(rulings) - len(words)
    if same or not parts:
        parts.insert(0, f"{'all' if not parts else same} the same")
    return f"{counted(len(rulings), 'call')}: {', '.join(parts)}"
