"""Where calls may lead: by the name of a host, by its address, and in a judgement."""

from typing import Any

import pytest
from msgspec.structs import replace

from agentcli.core.host import is_at, may_resolve_to
from agentcli.core.policy import Allow, Ask, Deny, judge
from agentcli.core.step import Call
from agentcli.core.tool import Facts
from tests.core.test_rule import HERE, MAIL, POLICY, TOOLS


def test_a_network_that_a_policy_names_may_be_reached_by_name_and_by_number() -> None:
    near = ["*", "10.1.0.0/16"]
    assert may_resolve_to("wiki.example.com", "10.1.2.3", near)
    assert is_at("10.1.2.3", near)
    assert may_resolve_to("10.1.2.3", "10.1.2.3", near)
    assert not may_resolve_to("wiki.example.com", "10.2.0.1", near)
    assert not is_at("10.2.0.1", near)


def test_a_host_whose_name_says_that_it_is_near_may_be_named_for_that() -> None:
    for host in ("localhost", "127.0.0.1", "printer.lan"):
        assert may_resolve_to(host, "127.0.0.1", [host])
        assert not may_resolve_to(host, "127.0.0.1", ["*"])
    assert may_resolve_to("a.localhost", "127.0.0.1", ["localhost"])


def test_mail_to_somebody_unknown_leads_to_no_allowed_domain() -> None:
    bound = replace(POLICY, domains=(("example.com",),))
    assert judge(bound, HERE, Call("send", {"to": MAIL}), Facts()).rule == "other_domain"
    assert judge(POLICY, HERE, Call("send", {"to": MAIL}), Facts()).rule != "other_domain"


@pytest.mark.parametrize(
    ("args", "is_fine"),
    [
        ({"to": "a@example.com", "body": "See https://docs.example.com/x."}, True),
        ({"to": "a@EXAMPLE.com"}, True),
        ({"to": "a@evil.net"}, False),
        ({"body": "see https://evil.net/a"}, False),
        ({"body": ["x", {"y": "ftp://example.com.evil.net"}]}, False),
        ({"body": "http://127.0.0.1/"}, False),
        ({"url": "https://example.com@evil.net/"}, False),
        ({"url": "https://exаmple.com/"}, False),  # a Cyrillic letter
        ({"url": "evil.museum"}, False),
        ({"body": "no host at all"}, True),
    ],
)
def test_what_can_send_something_out_leads_only_to_the_allowed_domains(
    args: dict[str, Any], is_fine: bool
) -> None:
    bound = replace(POLICY, domains=(("example.com",),))
    verdict = judge(bound, HERE, Call("send", args), Facts())
    assert (verdict.rule != "other_domain") is is_fine
    assert isinstance(judge(bound, HERE, Call("look", args), Facts()), Allow)


def test_a_sentence_that_is_no_sink_may_tell_of_any_host() -> None:
    send = replace(TOOLS["send"], sinks=("to",))
    bound = replace(POLICY, tools={**TOOLS, "send": send}, domains=(("example.com",),))
    fine = {"to": "a@example.com", "body": "Done.Then see http://127.0.0.1/ or evil.net, he says."}
    assert isinstance(judge(bound, HERE, Call("send", fine), Facts()), Ask)
    for args in ({"to": "a@example.com, b@evil.net"}, {"to": "a", "via": "http://127.0.0.1/"}):
        assert judge(bound, HERE, Call("send", args), Facts()).rule == "other_domain"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[fe80::1]", "0"),
        *("2130706433", "0x7f.1", "127.1", "localhost", "a.localhost", "printer.local", "intern"),
        *("[::ffff:127.0.0.1]", "metadata.google.internal", "LOCALHOST.", "100.64.0.1"),
        *("224.0.0.1", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fec0::1]"),
    ],
)
def test_any_public_domain_is_none_of_this_network(host: str) -> None:
    public = replace(POLICY, domains=(("*",),))
    args = {"url": f"http://{host}/x"}
    assert judge(public, HERE, Call("send", args), Facts()).rule == "other_domain"
    there = {"url": "https://www.example.org/"}
    assert isinstance(judge(public, HERE, Call("send", there), Facts()), Ask)


@pytest.mark.parametrize(("host", "is_fine"), [("a.example.com", True), ("evil.net", False)])
def test_where_a_tool_leads_by_itself_counts_like_what_its_arguments_name(
    host: str, is_fine: bool
) -> None:
    send = replace(TOOLS["send"], host=host)
    for domains in ((("example.com",),), (("*",), ("example.com",))):
        bound = replace(POLICY, tools={**TOOLS, "send": send}, domains=domains)
        assert (judge(bound, HERE, Call("send"), Facts()).rule != "other_domain") is is_fine


def test_a_refusal_says_that_a_host_is_not_public() -> None:
    verdict = judge(
        replace(POLICY, domains=(("*", "wiki.lan"),)),
        HERE,
        Call("send", {"url": "http://127.0.0.1/x"}),
        Facts(),
    )
    assert isinstance(verdict, Deny)
    assert verdict.reason == (
        "url names `http://127.0.0.1/x`, and calls may only lead to any public host or wiki.lan "
        "(agentcli help network)."
    )


def test_a_network_of_a_policy_is_allowed_by_number() -> None:
    bound = replace(POLICY, domains=(("*", "10.1.0.0/16"),))
    for host, is_fine in (("10.1.2.3", True), ("10.2.0.1", False), ("127.0.0.1", False)):
        args = {"url": f"http://{host}/"}
        verdict = judge(bound, HERE, Call("send", args), Facts())
        assert (verdict.rule != "other_domain") is is_fine
