"""What is protected: never written, and read only after a yes."""

from typing import Any

import pytest
from msgspec.structs import replace

from agentcli.core.command import Command
from agentcli.core.policy import Allow, Ask, AuthzDecision, Deny, judge
from agentcli.core.rule import PolicyRule
from agentcli.core.step import Call
from agentcli.core.tool import Facts
from tests.core.test_rule import HERE, MAIL, POLICY, TOOLS

PROTECTED = (".env", ".env.*", "!*.example", ".git/hooks", ".git/config", "/home/me/.ssh")


@pytest.mark.parametrize(
    ("path", "is_protected"),
    [
        (".env", True),
        ("a/.env.local", True),
        (".env.example", False),
        (".ENV", True),
        (".e\u200bnv", True),
        (".env.", True),
        ("a/../.env", True),
        ("/workspace/.env", True),
        ("\uff0eenv", True),
        (".git/hooks/pre-commit", True),
        ("sub/.git/config", True),
        (".git", True),  # with all that is in it
        (".git/HEAD", False),
        ("git/hooks", False),
        ("/home/me/.ssh/id_ed25519", True),
        ("/home/me", True),
        ("/home/you/.ssh", False),
        ("src/main.py", False),
    ],
)
def test_what_is_protected_is_never_written(path: str, is_protected: bool) -> None:
    guarded = replace(POLICY, protected=PROTECTED, rules=(PolicyRule("lets", "allow"),))
    verdict = judge(guarded, HERE, Call("edit", {"path": path}), Facts())
    assert isinstance(verdict, Deny) is is_protected
    linked = Facts(places={"link": path})
    verdict = judge(guarded, HERE, Call("edit", {"path": "link"}), linked)
    assert isinstance(verdict, Deny) is is_protected


@pytest.mark.parametrize("pattern", ["caf\u00e9", "cafe\u0301", "CAFE\u0301", "\u00c9/caf\u00e9"])
@pytest.mark.parametrize("name", ["caf\u00e9", "cafe\u0301", "CAF\u00c9", "Cafe\u0301."])
def test_a_name_is_protected_however_its_letters_are_put_together(pattern: str, name: str) -> None:
    guarded = replace(POLICY, protected=(pattern,))
    for path, kind in ((f"e\u0301/{name}", Deny), ("e\u0301/cafe", Allow)):
        verdict = judge(guarded, HERE, Call("edit", {"path": path}), Facts())
        assert isinstance(verdict, kind), path
    sharp = replace(POLICY, protected=("stra\u00dfe",))
    assert isinstance(judge(sharp, HERE, Call("edit", {"path": "STRASSE"}), Facts()), Deny)


def test_what_is_protected_is_read_only_after_a_yes() -> None:
    guarded = replace(POLICY, protected=PROTECTED)
    verdict = judge(guarded, HERE, Call("look", {"path": ".env"}), Facts())
    assert verdict == Ask("protected_path", "read_only", "`.env` is protected from being read")
    assert isinstance(judge(guarded, HERE, Call("look", {"path": ".git"}), Facts()), Allow)
    unknown = Facts(places={"link": ""})
    assert isinstance(judge(guarded, HERE, Call("edit", {"path": "link"}), unknown), Deny)


def test_only_the_arguments_that_name_files_are_paths() -> None:
    tools = {"edit": replace(TOOLS["edit"], paths=("path",))}
    guarded = replace(POLICY, tools=tools, protected=PROTECTED)
    call = Call("edit", {"path": "a", "text": ".env"})
    assert isinstance(judge(guarded, HERE, call, Facts()), Allow)


@pytest.mark.parametrize(
    ("words", "power", "places", "kind"),
    [
        ("cat .env", "reads", {}, Ask),
        ("> .env", "writes", {}, Deny),
        ("python3 .env", "runs", {}, Ask),
        ("cat --file=.env", "reads", {}, Ask),
        ("rm hooks/x", "writes", {".git/hooks/x": ".git/hooks/x"}, Deny),  # behind a cd
        ("cat link", "reads", {"link": ".env"}, Ask),
        ("rm -rf .git", "writes", {}, Deny),
        ("rm .e*", "writes", {}, Deny),
        ("rm .{env,x}", "writes", {}, Deny),
        ("> .e?v", "unknown", {}, Deny),
        ("cat $HOME/.[e]nv", "reads", {}, Ask),
        ("rm *", "writes", {}, Allow),
        ("rm .cache*", "writes", {}, Allow),
        ("ls .git", "reads", {}, Allow),
    ],
)
def test_a_shell_command_is_judged_by_the_paths_in_it(
    words: str, power: Any, places: dict[str, str], kind: type[AuthzDecision]
) -> None:
    guarded = replace(POLICY, protected=PROTECTED)
    facts = Facts(commands=(Command(tuple(words.split()), power),), places=places)
    assert type(judge(guarded, HERE, Call("edit", {"command": words}), facts)) is kind


def test_a_path_with_a_folder_that_is_not_known_counts_as_protected() -> None:
    guarded = replace(POLICY, protected=PROTECTED, rules=(PolicyRule("lets", "allow"),))
    path = f"/srv/{MAIL}/.config/x"
    assert isinstance(judge(guarded, HERE, Call("edit", {"path": path}), Facts()), Deny)
    assert isinstance(judge(guarded, HERE, Call("edit", {"path": MAIL}), Facts()), Allow)
