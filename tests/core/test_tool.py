"""Tiers of shell commands, and what the policy says to them."""

from typing import Any

import pytest

from agentcli.core.command import Command
from agentcli.core.policy import Allow, Ask, Deny, Policy, Situation, judge
from agentcli.core.rule import Effect
from agentcli.core.step import Call
from agentcli.core.tool import Facts, RiskTier, ToolRule, tier_of

LS = Command(("ls",), "reads")
RM = Command(("rm", "a"), "writes", "rm changes files")
SHELL = ToolRule("v1", tier="reversible", reversible_when=("restorable",), shell=True)
CALL = Call("shell", {"command": "..."})


def facts(*commands: Command, **more: Any) -> Facts:
    known = {"sandboxed": True, "offline": True, "restorable": True}
    return Facts(**{**known, "commands": commands, **more})


@pytest.mark.parametrize(
    ("found", "tier"),
    [
        (facts(LS, LS), "read_only"),
        (facts(LS, restorable=False), "read_only"),
        (facts(LS, RM), "reversible"),
        (facts(LS, RM, restorable=False), "irreversible"),
        (facts(), "reversible"),
        (facts(LS, unparsed="a quote"), "reversible"),
        (facts(LS, sandboxed=False), "reversible"),
        (facts(LS, sandboxed=False, restorable=False), "irreversible"),
    ],
)
def test_a_shell_command_is_read_only_when_all_of_it_is_known_to_read(
    found: Facts, tier: RiskTier
) -> None:
    assert tier_of(SHELL, found) == tier


@pytest.mark.parametrize("tier", ["irreversible", "privileged", "read_only"])
def test_no_other_tier_is_lowered_by_a_command(tier: RiskTier) -> None:
    assert tier_of(ToolRule(tier=tier, shell=True), facts(LS)) == tier


def test_a_tool_without_a_shell_is_judged_by_its_manifest_alone() -> None:
    assert tier_of(ToolRule(tier="reversible"), facts(LS)) == "reversible"


def policy(reversible: Effect, *asks: str) -> Policy:
    tiers: dict[RiskTier, Effect] = {
        "read_only": "allow",
        "reversible": reversible,
        "irreversible": "ask",
    }
    return Policy({"shell": SHELL}, ("shell",), tiers, asks=asks)


def test_what_cannot_be_parsed_asks_whatever_was_granted() -> None:
    unparsed = facts(LS, unparsed="a quote does not end")
    asks = Ask("unparsed_asks", "reversible", "what it does cannot be told: a quote does not end")
    assert judge(policy("allow"), Situation(), CALL, unparsed) == asks
    assert judge(policy("allow"), Situation(("shell",)), CALL, unparsed) == asks
    assert judge(policy("ask"), Situation(("shell",)), CALL, unparsed) == asks
    assert isinstance(judge(policy("deny"), Situation(("shell",)), CALL, unparsed), Deny)


def test_what_only_reads_runs_where_changes_ask() -> None:
    assert judge(policy("ask"), Situation(), CALL, facts(LS)) == Allow(
        "read_only_runs", "read_only"
    )
    assert judge(policy("ask"), Situation(), CALL, facts(LS, RM)) == Ask(
        "reversible_asks", "reversible"
    )


def test_a_tool_that_always_asks_does_so_without_a_wrong_reason() -> None:
    why = "the profile asks before each call of shell"
    found = judge(policy("allow", "shell"), Situation(), CALL, facts(LS, restorable=False))
    assert found == Ask("tool_asks", "read_only", why)


def test_facts_of_older_ledgers_are_judged_as_they_were() -> None:
    found = judge(policy("allow"), Situation(), CALL, facts())
    assert found == Allow("reversible_runs", "reversible")
