"""Policies as people write them: what is read, what is refused, and nothing allowed by accident."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcli.config.policy import LoadedPolicy, load_policy
from agentcli.core.policy import Allow, Policy, Situation, judge
from agentcli.core.rule import Clause, Limit
from agentcli.core.step import Call
from agentcli.core.tool import Facts, ToolRule
from agentcli.errors import AgentcliError, ConfigError

TOOLS = {
    "edit": ToolRule(tier="reversible", egress=False),
    "send": ToolRule(tier="irreversible"),
    "root": ToolRule(tier="privileged"),
}
KEYS = [
    *("name", "effect", "tool", "tier", "role", "origin", "when", "command", "traced", "folder"),
    "egress",
    *("reason", "expires", "examples", "rules", "unsafe", "protected", "domains", "limits"),
    *("calls", "per_minute", "equals", "one_of", "prefix", "pattern", "host", "path", "min", "max"),
    *("match", "no_match", "allow", "ask", "deny", "edit", "send", "irreversible", "true", "*"),
]


def write(folder: Path, text: str) -> Path:
    path = folder / "ours.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return path


def load(folder: Path, **content: Any) -> LoadedPolicy:
    return load_policy(write(folder, yaml.safe_dump(content)))


def test_a_rule_is_read_with_its_line_and_in_the_form_in_which_it_is_judged(tmp_path: Path) -> None:
    text = """\
description: Ours.
domains: [Example.COM, "*.bücher.example", 10.1.0.0/16, "FD00::/8"]
limits: {send: {calls: 20, per_minute: 5}}
rules:
  - name: first
    effect: deny
    tool: send
    tier: [irreversible]
    when:
      $.to.0: {host: Evil.Example, pattern: "^a"}
    command: git  push
    expires: 2026-12-31
"""
    loaded = load_policy(write(tmp_path, text), "ours.yaml")
    assert loaded.domains == (
        "example.com",
        "xn--bcher-kva.example",
        "10.1.0.0/16",
        "fd00::/8",
    )
    assert loaded.limits == {"send": Limit(20, 5)}
    (rule,) = loaded.rules
    assert (rule.at, rule.tools, rule.tiers) == ("ours.yaml:5", ("send",), ("irreversible",))
    assert set(map(repr, rule.when)) == {
        repr(Clause(("to", "0"), "host", ["evil.example"])),
        repr(Clause(("to", "0"), "pattern", "^a")),
    }
    assert rule.commands == (("git", "push"),)
    assert rule.expires_us == 1_798_675_200_000_000


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ({"effect": "alow"}, "must be `allow`, `ask` or `deny`, got the text `alow`; did you mean"),
        ({"tol": "send"}, "unknown key; did you mean `tool`?"),
        ({"when": {"to": {}}}, "rules.0.when.to: needs one of"),
        ({"when": {"to": {"patern": "x"}}}, "unknown key; did you mean `pattern`?"),
        ({"when": {"to": {"pattern": "(?=a)"}}}, "without look-around"),
        ({"when": {"to": {"host": "a b"}}}, "must be a host"),
        ({"when": {"a..b": {"equals": 1}}}, "must be the path of an argument"),
        ({"when": {"to": {"prefix": None}}}, "must not be empty"),
        ({"expires": "2026-02-31"}, "must be a day"),
        ({"traced": True, "effect": "deny"}, "goes only with `effect: allow`"),
        ({"command": " "}, "has no word"),
        ({"folder": "here"}, "must begin with / or ~/"),
        ({"name": "Not_A_Name"}, "must match"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    rule: dict[str, Any], wrong: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, rules=[{"name": "one", "effect": "allow", **rule}])
    assert wrong in str(caught.value)
    assert f"{tmp_path}/ours.yaml:" in str(caught.value)


@pytest.mark.parametrize("domain", ["10.0.0.1/8", "a b", "https://example.com", "fd00::g"])
def test_a_domain_that_is_no_name_and_no_network_is_refused(domain: str, tmp_path: Path) -> None:
    told = r"ours\.yaml:\d+:\d+: domains\.1: must be a domain, .* a network, such as 10\.1\.0\.0/16"
    with pytest.raises(ConfigError, match=told):
        load(tmp_path, domains=["example.com", domain])


@pytest.mark.parametrize("host", ["[fd00::1]", "fd00::1", "WIKI.lan", "localhost", "10.0.0.0/8"])
def test_a_host_of_ones_own_network_is_named_as_such(host: str, tmp_path: Path) -> None:
    [found] = load(tmp_path, private_hosts=[host]).private_hosts
    assert found == host.lower().strip("[]")
    [also] = load(tmp_path, domains=[host]).domains
    assert also == found


@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", "*", "a b", "10.0.0.1/8"])
def test_a_public_host_is_none_of_ones_own_network(host: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"ours\.yaml:\d+:\d+: private_hosts\.1: (is public|must be)"
    ):
        load(tmp_path, private_hosts=["wiki.lan", host])


def test_no_project_lets_tools_into_the_network_around(tmp_path: Path) -> None:
    path = write(tmp_path, yaml.safe_dump({"private_hosts": ["wiki.lan"]}))
    with pytest.raises(ConfigError, match="private_hosts: is not a project's to say"):
        load_policy(path, of_project=True)


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two rules are named one"):
        load(tmp_path, rules=[{"name": "one", "effect": "ask"}, {"name": "one", "effect": "deny"}])


SCALARS = st.one_of(st.sampled_from(KEYS), st.integers(), st.booleans(), st.none(), st.text())
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)
RULE = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"]), "effect": st.sampled_from(["allow", "ask", "deny", "x"])},
    optional=dict.fromkeys(("tool", "tier", "when", "command", "traced", "expires"), TREES),
)
FILES = st.one_of(
    st.fixed_dictionaries({"rules": st.lists(RULE, max_size=3)}).map(yaml.safe_dump),
    TREES.map(yaml.safe_dump),
    st.text(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(FILES, st.dictionaries(st.sampled_from(["to", "a"]), SCALARS))
def test_no_text_as_a_policy_crashes_or_lets_run_what_cannot_be_undone(
    tmp_path: Path, text: str, args: dict[str, Any]
) -> None:
    try:
        loaded = load_policy(write(tmp_path, text))
    except AgentcliError:
        return
    policy = Policy(
        tools=TOOLS,
        offered=tuple(TOOLS),
        tiers={"read_only": "allow", "reversible": "ask", "irreversible": "ask"},
        rules=loaded.rules,
        protected=loaded.protected,
        domains=(loaded.domains,) if loaded.domains else (),
        limits=loaded.limits,
    )
    for tool in TOOLS:
        verdict = judge(policy, Situation(now_us=1), Call(tool, args), Facts())
        if isinstance(verdict, Allow):
            assert any(rule.effect == "allow" and rule.at == verdict.at for rule in loaded.rules)
            assert tool == "edit" or (tool == "send" and loaded.file.unsafe)


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("unsafe: true\n", "1:9: unsafe", "is not a project's to say"),
        ("unsafe: false\n", "1:9: unsafe", "is not a project's to say"),
        ('protected: [x, "!.ssh"]\n', "1:16: protected.1", "an exception is not a project's"),
    ],
)
def test_a_projects_policy_takes_back_nothing_of_what_protects(
    tmp_path: Path, text: str, place: str, told: str
) -> None:
    path = write(tmp_path, text)
    load_policy(path)  # one's own may
    with pytest.raises(ConfigError, match=re.escape(f"{path}:{place}: {told}")):
        load_policy(path, of_project=True)
