"""Rules about calls: which calls they fit, and what they can and cannot change in a judgement."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentcli.core.command import Command
from agentcli.core.injection import LAYERS
from agentcli.core.label import Label
from agentcli.core.policy import Allow, Ask, AuthzDecision, Deny, Policy, Situation, judge
from agentcli.core.rule import Clause, Effect, How, Limit, PolicyRule, matches
from agentcli.core.step import Call
from agentcli.core.tool import Facts, RiskTier, ToolRule
from agentcli.core.trace import Trace

TOOLS = {
    "look": ToolRule(tier="read_only", egress=False),
    "edit": ToolRule(tier="reversible", egress=False),
    "send": ToolRule(tier="irreversible", egress=True),
    "root": ToolRule(tier="privileged"),
}
POLICY = Policy(
    tools=TOOLS,
    offered=tuple(TOOLS),
    tiers={"read_only": "allow", "reversible": "allow", "irreversible": "ask"},
    signers="somebody",
    injection=LAYERS,
)
HERE, NOTHING = Situation(), Facts()


def deny(**what: Any) -> PolicyRule:
    return PolicyRule("rule", "deny", **what)


def allow(**what: Any) -> PolicyRule:
    return PolicyRule("rule", "allow", **what)


def fits(rule: PolicyRule, args: dict[str, Any], facts: Facts = NOTHING) -> bool:
    return matches(rule, Call("send", args), "irreversible", facts, "")


@pytest.mark.parametrize(
    ("how", "wanted", "yes", "no", "doubtful"),
    [
        ("equals", "a", ["a"], ["A", "", None, 1], []),
        ("equals", 1, [1], [True, "1", 2], []),
        ("one_of", ["a", 2, None], ["a", 2, None], ["2", [], {}], []),
        ("prefix", "ab", ["ab", "abc"], ["a", "Ab", ""], [1, None, ["ab"]]),
        ("pattern", "^a+$", ["a", "aa", "a" * 60_000], ["ab", ""], [1, {}, "\ud800"]),
        ("max", 10, [10, 9.5, -1], [10.01, 11], ["9", True, None]),
        ("min", 10, [10, 11], [9.99], ["11", False]),
        (
            "host",
            ["example.com"],
            ["example.com", "https://EXAMPLE.com/a?b=c", "a.example.com", "x@example.com"],
            ["example.com.evil.net", "notexample.com", "https://evil.net/example.com", "a@evil.de"],
            [
                *("https://example.com@evil.net", "https:\\\\example.com", "", 5, "a b"),
                *("b@evil.net,a@example.com", "evil.net/@example.com", "a@evil.net@example.com"),
                *("mailto:a@evil.net?b@example.com", "https://a.net,https://example.com"),
            ],
        ),
        ("host", ["xn--bcher-kva.example"], ["https://Bücher.example/"], ["bucher.example"], []),
        (
            "path",
            ["src"],
            ["src", "src/a", "./src/a", "/workspace/src/a", "a/../src", "src//b"],
            ["a", "source", "../src", "src/../a", "/src", ""],
            ["src/\0", 7, "s" * 5000],
        ),
    ],
)
def test_what_an_argument_must_be(
    how: How, wanted: Any, yes: list[Any], no: list[Any], doubtful: list[Any]
) -> None:
    clause = Clause(("to",), how, wanted)
    for value, expected in [*((v, True) for v in yes), *((v, False) for v in no)]:
        assert fits(allow(when=(clause,)), {"to": value}) is expected, value
        assert fits(deny(when=(clause,)), {"to": value}) is expected, value
    for value in doubtful:
        assert not fits(allow(when=(clause,)), {"to": value}), value
        assert fits(deny(when=(clause,)), {"to": value}), value


def test_an_argument_that_is_not_there_is_a_doubt() -> None:
    clause = Clause(("to",), "equals", "a")
    assert not fits(allow(when=(clause,)), {})
    assert fits(deny(when=(clause,)), {})


def test_of_a_list_all_must_be_allowed_and_one_is_enough_to_be_denied() -> None:
    clause = Clause(("to", "*", "mail"), "host", ["example.com"])
    both = {"to": [{"mail": "a@example.com"}, {"mail": "b@evil.net"}]}
    assert not fits(allow(when=(clause,)), both)
    assert fits(deny(when=(clause,)), both)
    assert fits(allow(when=(clause,)), {"to": both["to"][:1]})
    assert not fits(deny(when=(clause,)), {"to": both["to"][1:]})
    assert not fits(allow(when=(clause,)), {"to": []})
    assert fits(deny(when=(clause,)), {"to": []})


MAIL = "[REDACTED:email:0123456789abcdef]"


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ("equals", "ann@example.com"),
        ("one_of", ["ann@example.com"]),
        ("prefix", "ann"),
        ("pattern", "@evil"),
        ("host", ["evil.net"]),
        ("path", ["ann"]),
    ],
)
def test_what_a_mark_stands_for_is_in_doubt_if_it_is_personal(how: How, wanted: object) -> None:
    clause = Clause(("to",), how, wanted)
    for to in (MAIL, [MAIL]):
        assert fits(deny(when=(clause,)), {"to": to})
        assert not fits(allow(when=(clause,)), {"to": to})


def test_a_path_that_is_a_link_is_where_it_leads() -> None:
    facts = Facts(places={"src/a": "/etc/passwd", "src/b": ""})
    inside = Clause(("at",), "path", ["src"])
    assert fits(allow(when=(inside,)), {"at": "src/c"}, facts)
    assert not fits(allow(when=(inside,)), {"at": "src/a"}, facts)
    assert not fits(allow(when=(inside,)), {"at": "src/b"}, facts)
    assert fits(deny(when=(Clause(("at",), "path", ["/etc"]),)), {"at": "src/a"}, facts)
    assert fits(deny(when=(Clause(("at",), "path", ["/home"]),)), {"at": "src/b"}, facts)


def test_a_denied_path_is_denied_however_it_is_spelled() -> None:
    for path in ("SRC/a", "ſrc", "s\u200brc", "src.", "x/../Src"):
        assert fits(deny(when=(Clause(("at",), "path", ["src"]),)), {"at": path}), path
        assert not fits(allow(when=(Clause(("at",), "path", ["src"]),)), {"at": path}), path


def commands(*words: str, unparsed: str = "") -> Facts:
    found = tuple(Command(tuple(text.split()), "runs") for text in words)
    return Facts(commands=found, unparsed=unparsed)


@pytest.mark.parametrize(
    ("facts", "allowed", "denied"),
    [
        (commands("git push origin"), True, True),
        (commands("git push", "ls"), False, True),
        (commands("git -C there push"), False, True),
        (commands("/usr/bin/git push"), False, True),
        (commands("git status"), False, False),
        (commands("$X push"), False, True),
        (commands("env -i git push"), False, True),
        (commands("bash -c $X"), False, True),
        (commands("echo push"), False, False),
        (commands("ls", unparsed="a loop"), False, True),
        (commands("git push", unparsed="a loop"), False, True),
        (Facts(), False, False),  # no shell call
    ],
)
def test_a_command_is_known_by_its_words(facts: Facts, allowed: bool, denied: bool) -> None:
    words = (("git", "push"),)
    assert fits(allow(commands=words), {}, facts) is allowed
    assert fits(deny(commands=words), {}, facts) is denied


def test_a_rule_is_for_its_tools_tiers_roles_and_origins() -> None:
    call = Call("send", origin="task")
    assert matches(deny(tools=("se*",)), call, "irreversible", Facts(), "")
    assert not matches(deny(tools=("s",)), call, "irreversible", Facts(), "")
    assert not matches(deny(tiers=("read_only",)), call, "irreversible", Facts(), "")
    assert not matches(deny(origins=("model",)), call, "irreversible", Facts(), "")
    assert matches(deny(roles=("a", "b")), call, "irreversible", Facts(), "b")
    assert not matches(allow(roles=("a",)), call, "irreversible", Facts(), "")


def test_a_rule_ends_when_it_expires() -> None:
    ends = PolicyRule("rule", "deny", expires_us=100)
    assert matches(ends, Call("send"), "irreversible", Facts(), "", 99)
    assert not matches(ends, Call("send"), "irreversible", Facts(), "", 100)
    unknown = replace(ends, effect="allow")
    assert not matches(unknown, Call("send"), "irreversible", Facts(), "", 0)


@pytest.mark.parametrize("tool", ["look", "edit", "send"])
def test_the_strictest_rule_wins_and_names_itself(tool: str) -> None:
    rules = (
        PolicyRule("lets", "allow", at="a.yaml:1"),
        PolicyRule("asks", "ask", reason="Look at it", at="a.yaml:2"),
        PolicyRule("denies", "deny", reason="Not here.", at="a.yaml:3"),
    )
    call = Call(tool)
    verdict = judge(replace(POLICY, rules=rules), HERE, call, Facts())
    assert verdict == Deny("denies", "Not here.", "a.yaml:3")
    verdict = judge(replace(POLICY, rules=rules[:2]), HERE, call, Facts())
    assert verdict == Ask("asks", TOOLS[tool].tier, "Look at it", "a.yaml:2")


def test_a_rule_lets_run_what_its_tier_would_ask_only_if_that_can_be_undone() -> None:
    careful = replace(
        POLICY, tiers={**POLICY.tiers, "reversible": "ask"}, rules=(PolicyRule("lets", "allow"),)
    )
    assert judge(careful, HERE, Call("edit"), Facts()) == Allow("lets", "reversible")
    assert isinstance(judge(careful, HERE, Call("send"), Facts()), Ask)
    unsafe = replace(careful, rules=(PolicyRule("lets", "allow", unsafe=True),))
    assert judge(unsafe, HERE, Call("send"), Facts()) == Allow("lets", "irreversible")
    root = judge(unsafe, HERE, Call("root"), Facts())
    assert root == judge(POLICY, HERE, Call("root"), Facts())


def test_no_rule_lets_run_what_the_profile_denies() -> None:
    denied = replace(
        POLICY, tiers={"read_only": "deny"}, rules=(PolicyRule("lets", "allow", unsafe=True),)
    )
    for tool in ("look", "edit", "send"):
        assert isinstance(judge(denied, HERE, Call(tool), Facts()), Deny)


def test_no_rule_switches_the_injection_rule_off() -> None:
    lets = replace(POLICY, rules=(PolicyRule("lets", "allow", unsafe=True),))
    tainted = Situation(label=Label("untrusted", "public"), plan=("send",))
    facts = Facts(traces=(Trace("to", "argument", "untrusted", "x"),))
    verdict = judge(lets, tainted, Call("send", {"to": "x"}), facts)
    assert (type(verdict), verdict.rule) == (Ask, "untrusted_argument")


def test_only_what_is_traced_runs_by_a_rule_that_says_so() -> None:
    lets = replace(POLICY, rules=(PolicyRule("traced", "allow", traced=True, unsafe=True),))
    mine = Trace("to", "argument", "user", "x")
    token = Trace("text", "token", "unknown", "http://x.example")
    for traces, runs in [((), False), ((mine,), True), ((mine, token), False)]:
        verdict = judge(lets, HERE, Call("send"), Facts(traces=traces))
        assert isinstance(verdict, Allow) is runs


def test_a_grant_for_the_session_does_not_answer_what_a_rule_asks() -> None:
    asks = replace(POLICY, rules=(PolicyRule("asks", "ask", at="a:1"),))
    granted = Situation(grants=("edit",))
    assert judge(asks, granted, Call("edit"), Facts()).rule == "asks"


def test_calls_are_counted_and_limited() -> None:
    limited = replace(POLICY, limits={"look": Limit(calls=3), "edit": Limit(per_minute=2)})
    call = Call("look")
    assert isinstance(judge(limited, Situation(calls=2), call, Facts()), Allow)
    assert judge(limited, Situation(calls=3), call, Facts()).rule == "call_limit"
    minute, call = 60_000_000, Call("edit")
    busy = Situation(now_us=2 * minute, recent=(1, minute + 5, minute + 6))
    assert judge(limited, busy, call, Facts()).rule == "rate_limit"
    assert isinstance(judge(limited, replace(busy, now_us=3 * minute), call, Facts()), Allow)


def test_what_a_rule_allows_the_profile_does_not_ask_about() -> None:
    """Whatever else asks about the call: what the profile would ask is not why."""
    rule = PolicyRule("ours", "allow", tools=("look",))
    asks = replace(POLICY, asks=("look",), rules=(rule,))
    assert isinstance(judge(asks, HERE, Call("look"), Facts()), Allow)
    protected = replace(
        asks, protected=(".ssh",), tools={**TOOLS, "look": ToolRule(tier="read_only")}
    )
    verdict = judge(protected, HERE, Call("look", {"path": ".ssh/id"}), Facts())
    assert isinstance(verdict, Ask)
    assert "the profile asks" not in verdict.reason


@pytest.mark.parametrize(
    ("tool", "offline", "sends"),
    [
        ("send", True, True),
        ("look", False, False),
        ("edit", True, False),
        ("edit", False, True),  # whatever it is for, it could
    ],
)
def test_a_rule_may_be_about_what_can_send_something_out(
    tool: str, offline: bool, sends: bool
) -> None:
    facts = Facts(sandboxed=True, offline=offline, restorable=True)
    for egress in (True, False):
        rule = PolicyRule("no-sending", "deny", egress=egress)
        verdict = judge(replace(POLICY, rules=(rule,)), HERE, Call(tool), facts)
        assert (verdict.rule == "no-sending") is (egress is sends)


EFFECTS = st.sampled_from(["allow", "ask", "deny"])
CLAUSES = st.builds(
    Clause,
    st.sampled_from([("a",), ("b", "*"), ("c", "0")]),
    st.sampled_from(["equals", "prefix", "pattern"]),
    st.sampled_from(["x", "xy", "z"]),
)
RULES = st.builds(
    PolicyRule,
    name=st.sampled_from(["one", "two", "three"]),
    effect=EFFECTS,
    tools=st.sampled_from([(), ("look",), ("e*", "send")]),
    tiers=st.lists(st.sampled_from(["read_only", "reversible", "irreversible"]), max_size=2).map(
        tuple
    ),
    roles=st.sampled_from([(), ("ops",)]),
    when=st.lists(CLAUSES, max_size=2).map(tuple),
    commands=st.sampled_from([(), (("git",),)]),
    expires_us=st.sampled_from([0, 5]),
    unsafe=st.booleans(),
)
VALUES = st.sampled_from(["x", "xy", "z", 1, None, ["x"], []])
CALLS = st.builds(
    Call, st.sampled_from(list(TOOLS)), st.dictionaries(st.sampled_from("abc"), VALUES)
)
PLACES = st.builds(
    Situation,
    grants=st.sampled_from([(), ("edit",)]),
    label=st.sampled_from([Label(), Label("user", "public")]),
    plan=st.sampled_from([(), ("send", "edit")]),
    now_us=st.sampled_from([0, 1, 9]),
)
FACTS = st.sampled_from([Facts(), commands("git push"), commands("ls", unparsed="x")])
MANY = st.lists(RULES, max_size=6)


def rank(verdict: AuthzDecision) -> int:
    return [Allow, Ask, Deny].index(type(verdict))


def judged(rules: list[PolicyRule], call: Call, here: Situation, facts: Facts) -> AuthzDecision:
    return judge(replace(POLICY, rules=tuple(rules), role="ops"), here, call, facts)


@given(MANY, RULES, CALLS, PLACES, FACTS)
def test_one_more_rule_that_refuses_never_lets_more_run(
    rules: list[PolicyRule], more: PolicyRule, call: Call, here: Situation, facts: Facts
) -> None:
    effects: list[Effect] = ["ask", "deny"]
    for effect in effects:
        stricter = [*rules, replace(more, effect=effect)]
        before, after = judged(rules, call, here, facts), judged(stricter, call, here, facts)
        assert rank(after) >= rank(before)


@given(MANY, CALLS, PLACES, FACTS, st.randoms())
def test_the_order_of_rules_does_not_matter(
    rules: list[PolicyRule], call: Call, here: Situation, facts: Facts, chance: Any
) -> None:
    shuffled = list(rules)
    chance.shuffle(shuffled)
    assert judged(rules, call, here, facts) == judged(shuffled, call, here, facts)


@given(MANY, CALLS, PLACES, FACTS)
def test_nothing_that_cannot_be_undone_runs_without_a_rule_whose_file_says_unsafe(
    rules: list[PolicyRule], call: Call, here: Situation, facts: Facts
) -> None:
    tiers: tuple[RiskTier, ...] = ("irreversible", "privileged")
    verdict = judged([replace(rule, unsafe=False) for rule in rules], call, here, facts)
    assert not (isinstance(verdict, Allow) and verdict.tier in tiers)
    unsafe = judged(rules, call, here, facts)
    assert not (isinstance(unsafe, Allow) and unsafe.tier == "privileged")
