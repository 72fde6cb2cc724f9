"""No call runs without a decision that was made for exactly it."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agentcli.core.event import Answered, Event, Input, Judged, Started
from agentcli.core.policy import Allow, Ask, Policy, Rules
from agentcli.core.record import hash_of
from agentcli.core.rule import Limit, PolicyRule
from agentcli.core.step import AskPerson, Call, RunTool, bound_hash, idempotency_key
from agentcli.core.tool import Facts
from tests.fake.world import FACTS, FakeJournal, World, make_rules, make_start

TOOLS = ("look", "pay", "put", "shell", "flaky", "root", "gone")
CALLS = st.builds(Call, st.sampled_from(TOOLS), st.just({"at": "a"}))
RULES = st.builds(
    PolicyRule,
    name=st.sampled_from(["one", "two"]),
    effect=st.sampled_from(["allow", "ask", "deny"]),
    tools=st.sampled_from([(), ("pay",), ("p*", "look")]),
    unsafe=st.booleans(),
)
LIMITS = st.dictionaries(st.sampled_from(TOOLS), st.builds(Limit, st.integers(0, 2)), max_size=2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(CALLS, max_size=4), max_size=3),
    st.lists(RULES, max_size=3),
    LIMITS,
    st.integers(0, 1000),
)
def test_no_call_starts_without_a_yes_for_exactly_it(
    turns: list[list[Call]], rules: list[PolicyRule], limits: dict[str, Limit], seed: int
) -> None:
    script = tuple(("text", tuple(calls)) for calls in turns if calls)
    world, chance = World((*script, ("done", ())), seed), random.Random(seed)

    def whoever(step: str, act: AskPerson) -> Input:
        return Answered(step, act.question, act.bound, chance.random() < 0.5)

    world.person = whoever
    base = make_rules()
    policy = replace(base.policy, rules=tuple(rules), limits=limits)
    ruled = Rules(base.patterns, policy)
    world.go(ruled, make_start(), FakeJournal([], world.now_us), [])
    check(world.events, policy)


def check(events: list[Event], policy: Policy) -> None:
    allowed, asked = set[str](), set[str]()
    for event in events:
        match event:
            case Judged(bound=bound, verdict=Allow()):
                allowed.add(bound)
            case Judged(bound=bound, verdict=Ask()):
                asked.add(bound)
            case Answered(question="may_it_run", yes=True, bound=bound) if bound in asked:
                allowed.add(bound)
            case Started(id=(step, _), act=RunTool(call=call, facts=facts), bound=bound):
                key = idempotency_key("r1", step, call)
                assert bound in allowed
                assert bound == bound_hash(key, facts, hash_of(policy), 3)


def test_another_argument_tool_policy_or_sandbox_is_another_decision() -> None:
    def bound(call: Call, facts: Facts, policy: Policy) -> str:
        return bound_hash(idempotency_key("r1", "main/call", call), facts, hash_of(policy), 3)

    call, policy = Call("pay", {"eur": 3}), make_rules().policy
    rule = PolicyRule("one", "deny", at="a.yaml:1")
    others = [
        bound(replace(call, args={"eur": 4}), FACTS, policy),
        bound(replace(call, tool="put"), FACTS, policy),
        bound(call, replace(FACTS, tool="v2"), policy),
        bound(call, replace(FACTS, sandbox="s2"), policy),
        bound(call, replace(FACTS, sandboxed=False), policy),
        bound(call, replace(FACTS, files={"a": "another"}), policy),
        bound(call, FACTS, replace(policy, rules=(rule,))),
        bound(call, FACTS, replace(policy, role="boss")),
        bound(call, FACTS, replace(policy, protected=(".env",))),
        bound(call, FACTS, replace(policy, domains=(("a.example",),))),
        bound(call, FACTS, replace(policy, limits={"pay": Limit(1)})),
        bound(call, FACTS, replace(policy, injection=("plan",))),
    ]
    assert len({bound(call, FACTS, policy), *others}) == len(others) + 1
