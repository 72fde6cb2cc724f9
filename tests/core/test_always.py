"""An answer with always becomes the narrowest rule that fits the call."""

from typing import Any

import pytest
from msgspec.structs import replace

from agentcli.core.always import in_words, is_offered, narrow
from agentcli.core.command import Command, Power
from agentcli.core.step import Call
from agentcli.core.tool import Facts, ToolRule

CONTAINED = Facts(sandboxed=True, offline=True, restorable=True)
SHELL = ToolRule(tier="reversible", egress=False, shell=True)
WRITE = ToolRule(tier="reversible", egress=False, paths=("path",))
POST = ToolRule(tier="reversible", egress=True, paths=())


def commands(*found: tuple[str, Power], unparsed: str = "") -> Facts:
    many = tuple(Command(tuple(text.split()), power) for text, power in found)
    return replace(CONTAINED, commands=many, unparsed=unparsed)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (commands(("git add a.txt", "writes")), ["git add"]),
        (commands(("rm -f b.txt", "writes")), ["rm"]),
        (commands(("mkdir d", "writes"), ("ls", "reads"), ("ls", "reads")), ["mkdir d", "ls"]),
        (commands(("python3 -m pytest", "runs")), ["python3 -m pytest"]),
        (commands(("> out.txt", "writes")), ["> out.txt"]),
        (commands(("$X add", "unknown")), None),
        (commands(("git add", "writes"), unparsed="a loop"), None),
        (commands(), None),
    ],
)
def test_of_a_shell_call_its_programs_and_sub_commands(
    facts: Facts, expected: list[str] | None
) -> None:
    found = narrow(SHELL, Call("shell"), facts)
    assert (found and found["command"]) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/a/b.py", "src/a"),
        ("./src/b.py", "src"),
        ("notes.md", "notes.md"),
        ("/etc/passwd", None),
        ("../a", None),
        (".", None),
        (7, None),
    ],
)
def test_of_a_path_its_folder_and_at_the_top_the_file(path: Any, expected: str | None) -> None:
    found = narrow(WRITE, Call("write_file", {"path": path}), CONTAINED)
    assert (found and found["when"]) == (expected and {"path": {"path": expected}})


def test_a_path_that_is_a_link_gets_no_rule() -> None:
    facts = replace(CONTAINED, places={"a/link": "b"})
    assert narrow(WRITE, Call("write_file", {"path": "a/link"}), facts) is None


def test_of_what_names_a_host_that_host_and_of_nothing_no_rule() -> None:
    found = narrow(POST, Call("post", {"url": "https://A.example/x?y", "text": "hi"}), Facts())
    assert found is not None
    assert found["when"] == {"url": {"host": "a.example"}}
    assert narrow(POST, Call("post", {"text": "hi"}), Facts()) is None


def test_of_a_page_the_host_and_that_it_only_reads() -> None:
    get = ToolRule(tier="read_only", egress=True, sinks=("url",), paths=())
    found = narrow(get, Call("fetch", {"url": "https://a.example/x"}), CONTAINED)
    assert found is not None
    assert (found["tier"], found["when"]) == ("read_only", {"url": {"host": "a.example"}})
    words = in_words({**found, "folder": "/w", "expires": "2026-12-31"})
    assert words == (
        "fetch may run unasked, where url leads to a.example or below it, on any port. Only in /w, "
        "until 2026-12-31. Once untrusted text was read, what you have not named yourself still "
        "asks."
    )


def test_it_is_offered_only_where_a_tier_asks_and_all_can_be_undone() -> None:
    def offered(rule: ToolRule = SHELL, facts: Facts = CONTAINED, **what: Any) -> bool:
        asked = {"tier": "reversible", "asks": "reversible_asks", "tainted": False, **what}
        tainted = asked.pop("tainted")
        return is_offered(rule, facts, asked["tier"], asked["asks"], tainted=tainted)

    assert offered()
    assert offered(asks="tool_asks")
    for asks in ("read_only_asks", "tool_asks"):
        assert offered(POST, tier="read_only", asks=asks)
    assert not offered(POST, tier="read_only", asks="tool_asks", tainted=True)
    assert offered(tainted=True)  # it reaches nothing but what can be undone here
    assert not offered(POST, tainted=True)
    assert not offered(facts=Facts(), tainted=True)
    assert not offered(tier="irreversible", asks="irreversible_asks")
    assert not offered(tier="privileged")
    for asks in ("untrusted_token", "protected_path", "unparsed_asks", "a-rule"):
        assert not offered(asks=asks)
