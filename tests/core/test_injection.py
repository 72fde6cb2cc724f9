"""Once untrusted text was read, what reaches out runs only where the user stands behind it."""

import pytest
from msgspec.structs import replace

from agentcli.core.injection import LAYERS
from agentcli.core.label import CLEAN, Label
from agentcli.core.policy import Allow, Ask, Policy, Situation, judge
from agentcli.core.step import Call
from agentcli.core.tool import Facts, ToolRule
from agentcli.core.trace import Origin, Trace, What

SEND = ToolRule(tier="reversible", egress=True, label=Label("tool", "public"))
EDIT = ToolRule(tier="reversible", egress=False)
FETCH = ToolRule(tier="read_only", egress=True)
LOOK = ToolRule(tier="read_only", egress=False)
TOOLS = {"send": SEND, "edit": EDIT, "fetch": FETCH, "look": LOOK}
POLICY = Policy(
    tools=TOOLS,
    offered=tuple(TOOLS),
    tiers={"read_only": "allow", "reversible": "allow", "irreversible": "ask"},
    injection=LAYERS,
)
TAINTED = Situation(label=Label("untrusted", "public"), plan=("send", "fetch"))
CONTAINED = Facts(sandboxed=True, offline=True, restorable=True)


def traced(what: What, origin: Origin) -> Facts:
    return Facts(traces=(Trace("to", what, origin, "x@evil.example", 7, "read_file bill.txt"),))


def ruled(here: Situation, tool: str, facts: Facts, policy: Policy = POLICY) -> str:
    return judge(policy, here, Call(tool), facts).rule


@pytest.mark.parametrize("tool", TOOLS)
def test_before_anything_untrusted_was_read_the_tier_alone_decides(tool: str) -> None:
    facts = traced("token", "unknown")
    assert isinstance(judge(POLICY, Situation(), Call(tool), facts), Allow)


@pytest.mark.parametrize("what", ["argument", "token", "private"])
def test_what_comes_by_reference_from_text_that_nobody_saw_asks(what: What) -> None:
    for tool, asks in (("send", True), ("look", False)):
        verdict = judge(POLICY, Situation(), Call(tool), traced(what, "untrusted"))
        assert isinstance(verdict, Ask) == asks


@pytest.mark.parametrize(
    ("tool", "facts", "rule"),
    [
        ("look", Facts(), "read_only_runs"),
        ("edit", CONTAINED, "reversible_runs"),  # whoever wants it, it can be undone here
        ("edit", Facts(), "untrusted_unplanned"),
        ("send", Facts(), "reversible_runs"),
        ("fetch", Facts(), "read_only_runs"),
        ("send", traced("argument", "user"), "reversible_runs"),
        ("send", traced("argument", "tool"), "reversible_runs"),
        ("send", traced("argument", "untrusted"), "untrusted_argument"),
        ("send", traced("argument", "unknown"), "untrusted_argument"),
        ("fetch", traced("token", "untrusted"), "untrusted_token"),
        ("fetch", traced("token", "unknown"), "untrusted_token"),
        ("send", traced("private", "tool"), "untrusted_private"),
    ],
)
def test_afterwards_it_asks_by_the_part_that_a_call_fails(
    tool: str, facts: Facts, rule: str
) -> None:
    assert ruled(TAINTED, tool, facts) == rule


def test_a_tool_that_was_not_planned_asks_whatever_its_arguments(  # also one without any
) -> None:
    assert ruled(replace(TAINTED, plan=()), "send", traced("argument", "user")) == (
        "untrusted_unplanned"
    )


def test_a_question_names_the_argument_and_where_it_came_from() -> None:
    verdict = judge(POLICY, TAINTED, Call("send"), traced("token", "untrusted"))
    assert isinstance(verdict, Ask)
    assert verdict.reason == (
        "to `x@evil.example` is not from the user, first seen in record 7: read_file bill.txt"
    )


def test_a_persons_yes_for_the_session_is_for_what_it_was_given_for() -> None:
    granted = replace(TAINTED, grants=("send",))
    assert ruled(granted, "send", traced("token", "untrusted")) == "untrusted_token"


def test_what_asks_anyway_says_the_suspicion_first() -> None:
    pay = replace(POLICY, tools={"pay": ToolRule()}, offered=("pay",))
    verdict = judge(pay, TAINTED, Call("pay"), Facts())
    assert isinstance(verdict, Ask)
    assert (verdict.rule, verdict.tier) == ("untrusted_unplanned", "irreversible")


@pytest.mark.parametrize("layer", LAYERS)
def test_each_part_can_be_left_out_to_see_what_it_adds(layer: str) -> None:
    weaker = replace(POLICY, injection=tuple(name for name in LAYERS if name != layer))
    failing = {
        "plan": (replace(TAINTED, plan=()), Facts()),
        "argument": (TAINTED, traced("argument", "unknown")),
        "token": (TAINTED, traced("token", "unknown")),
        "private": (TAINTED, traced("private", "untrusted")),
    }
    here, facts = failing[layer]
    assert ruled(here, "send", facts).startswith("untrusted_")
    assert ruled(here, "send", facts, weaker) == "reversible_runs"


def test_a_clean_session_needs_no_plan() -> None:
    assert ruled(Situation(label=CLEAN), "send", Facts()) == "reversible_runs"
