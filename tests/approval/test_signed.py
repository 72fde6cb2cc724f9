"""A privileged call takes a signature over exactly it, of one who may give it."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentcli.approval.guard import Guard, signature_problems
from agentcli.approval.signed import Signers, sign
from agentcli.core.approval import NAMESPACE, approval_text, changes
from agentcli.core.event import (
    Answered,
    Event,
    Judged,
    Prepared,
    Recorded,
    RunStarted,
    Started,
)
from agentcli.core.policy import Ask, Policy
from agentcli.core.step import Agent, AskPerson, Call, RunTool
from agentcli.core.tool import Facts, ToolRule
from agentcli.errors import NotPermittedError, UnavailableError
from tests.approval.keys import Keys

CALL, FACTS = Call("root", {"do": "it\u202e"}), Facts(tool="v1", preview="-a\n+b")
TEXT = approval_text("r1", "main/call.1.0", CALL, "b1", FACTS)
ROOT = ToolRule("v1", tier="privileged")


def test_a_signature_of_an_allowed_signer_is_known_by_its_name(keys: Keys) -> None:
    signers = Signers(keys.allowed)
    assert signers.check(TEXT, keys.sign("alice", TEXT)) == "alice@example.com"
    assert signers.check(TEXT, keys.sign("bob", TEXT)) == "bob@example.com"


@pytest.mark.parametrize(
    "other",
    [
        approval_text("r2", "main/call.1.0", CALL, "b1", FACTS),
        approval_text("r1", "main/call.1.1", CALL, "b1", FACTS),
        approval_text("r1", "main/call.1.0", Call("root", {"do": "more"}), "b1", FACTS),
        approval_text("r1", "main/call.1.0", Call("toor", CALL.args), "b1", FACTS),
        approval_text("r1", "main/call.1.0", CALL, "b2", FACTS),
        approval_text("r1", "main/call.1.0", CALL, "b1", replace(FACTS, files={"a": "1"})),
        TEXT + "\n",
        "",
    ],
    ids=["run", "step", "arguments", "tool", "bound", "files", "more", "nothing"],
)
def test_a_signature_for_anything_else_counts_for_nothing(keys: Keys, other: str) -> None:
    with pytest.raises(NotPermittedError, match="not for this very call"):
        Signers(keys.allowed).check(TEXT, keys.sign("alice", other))


def test_an_unknown_key_garbage_and_nothing_are_no_signatures(keys: Keys) -> None:
    signers = Signers(keys.allowed)
    good = keys.sign("alice", TEXT)
    for bad in (keys.sign("mallory", TEXT), "x", "", good[:-60], good * 100, "\udc80"):
        with pytest.raises(NotPermittedError):
            signers.check(TEXT, bad)
    with pytest.raises(NotPermittedError):
        Signers("").check(TEXT, good)


def test_a_signature_for_another_purpose_counts_for_nothing(keys: Keys) -> None:
    words = ["ssh-keygen", "-Y", "sign", "-n", "file", "-f", str(keys.folder / "alice")]
    made = subprocess.run(words, input=TEXT.encode(), capture_output=True, check=True).stdout
    with pytest.raises(NotPermittedError):
        Signers(keys.allowed).check(TEXT, made.decode())


@pytest.mark.parametrize(
    "requester",
    ["alice@example.com", "alice@laptop", "Alice@laptop", ""],
)
def test_who_asked_cannot_say_yes_where_it_has_to_be_another(keys: Keys, requester: str) -> None:
    signers = Signers(keys.allowed, separate=True, requester=requester)
    with pytest.raises(NotPermittedError, match="another person"):
        signers.check(TEXT, keys.sign("alice", TEXT))
    if requester:
        assert signers.check(TEXT, keys.sign("bob", TEXT)) == "bob@example.com"


def test_a_name_that_may_be_anybodys_may_be_the_requesters(keys: Keys) -> None:
    anybody = keys.allowed.replace("alice@example.com", "*@example.com")
    signed = keys.sign("alice", TEXT)
    assert Signers(anybody).check(TEXT, signed)
    with pytest.raises(NotPermittedError, match="another person"):
        Signers(anybody, separate=True, requester="carol@laptop").check(TEXT, signed)


def test_a_key_of_two_people_may_be_the_requesters(keys: Keys) -> None:
    shared = keys.allowed.replace("alice@example.com", "alice@example.com,carol@example.com")
    signed = keys.sign("alice", TEXT)
    assert Signers(shared, separate=True, requester="bob@laptop").check(TEXT, signed)
    with pytest.raises(NotPermittedError, match=r"carol@.* began this run"):
        Signers(shared, separate=True, requester="carol@laptop").check(TEXT, signed)


def test_a_key_counts_only_for_its_time(keys: Keys) -> None:
    name, kind, key = keys.allowed.splitlines()[0].split()
    signers = Signers(f'{name} valid-before="20300101" {kind} {key}\n')
    signed = keys.sign("alice", TEXT)
    assert signers.check(TEXT, signed, at_us=1_700_000_000_000_000) == name
    with pytest.raises(NotPermittedError):
        signers.check(TEXT, signed, at_us=1_900_000_000_000_000)


def test_without_openssh_nothing_is_a_yes(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = keys.sign("alice", TEXT)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match="ssh-keygen is not there"):
        Signers(keys.allowed).check(TEXT, signed)
    with pytest.raises(UnavailableError):
        keys.sign("alice", TEXT)


def test_a_key_that_is_not_there_signs_nothing(tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(NotPermittedError, match="nothing was signed"):
        asyncio.run(sign(tmp_path / "none", TEXT))


def test_what_is_signed_is_plain_text_that_stock_openssh_verifies(keys: Keys) -> None:
    assert TEXT.isascii()
    assert '"do": "it\\u202e"' in TEXT
    (keys.folder / "allowed").write_text(keys.allowed)
    (keys.folder / "sig").write_text(keys.sign("alice", TEXT))
    words = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", "alice@example.com"]
    words += ["-f", str(keys.folder / "allowed"), "-s", str(keys.folder / "sig")]
    assert subprocess.run(words, input=TEXT.encode(), capture_output=True).returncode == 0


def history(keys: Keys, signature: str, by: str = "alice@example.com") -> list[Event]:
    act = RunTool(CALL, FACTS, prepared=2)
    return [
        RunStarted("r1", Agent("react"), requester="carol@laptop"),
        Prepared(("main/call.1.0", 1), CALL, FACTS),
        Judged("main/call.1.0", "b1", Ask("r", "privileged")),
        Started(("main/call.1.0", 2), AskPerson("may_it_run", CALL, "b1", 2)),
        Answered("main/call.1.0", "may_it_run", "b1", True, by=by, signature=signature),
        Started(("main/call.1.0", 3), act, "key", "b1"),
    ]


def problems(keys: Keys, events: list[Event], *, separate: bool = False) -> list[str]:
    policy = Policy({"root": ROOT}, signers=keys.allowed, separate=separate)
    records = [Recorded(n, 1, 1_700_000_000_000_000, event) for n, event in enumerate(events, 1)]
    guard = Guard(policy)
    for rec in records:
        guard.note(rec)
    start = records[-1].event
    assert isinstance(start, Started)
    found = list(signature_problems(records, policy))
    # The process that runs the call says the same as whoever looks later.
    assert bool(asyncio.run(guard(start))) == bool(found)
    return found


def test_a_ledger_with_good_signatures_has_no_problems(keys: Keys) -> None:
    assert problems(keys, history(keys, keys.sign("alice", TEXT))) == []


def test_a_ledger_tells_each_privileged_call_that_nobody_rightly_said_yes_to(keys: Keys) -> None:
    good = keys.sign("alice", TEXT)
    other = approval_text("r2", "main/call.1.0", CALL, "b1", FACTS)
    [said, ran] = problems(keys, history(keys, keys.sign("mallory", TEXT)))
    assert said.startswith("record 5: ")
    assert ran.startswith("record 6: ")
    assert len(problems(keys, history(keys, keys.sign("alice", other)))) == 2
    assert len(problems(keys, history(keys, good, by="bob@example.com"))) == 2
    [none] = problems(keys, history(keys, ""))
    assert none == "record 6: A privileged call without a signed yes."


def test_without_openssh_a_ledger_is_not_called_bad(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = history(keys, keys.sign("alice", TEXT))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError):
        problems(keys, events)


def test_who_must_be_another_is_checked_before_it_runs_and_later(keys: Keys) -> None:
    events = history(keys, keys.sign("alice", TEXT))
    assert problems(keys, events, separate=True) == []
    events[0] = RunStarted("r1", Agent("react"), requester="alice@laptop")
    assert len(problems(keys, events, separate=True)) == 2


def test_what_changed_is_said_in_words() -> None:
    seen = Prepared(("s", 1), CALL, FACTS)
    now = replace(seen, facts=replace(FACTS, files={"a": "1"}, image="2", tool="v2"))
    assert changes(seen, now) == ["the content of a", "the tool", "what the sandbox runs on"]
    assert changes(seen, replace(seen, call=Call("root", {}))) == ["the arguments"]
    assert changes(seen, seen) == ["the rules of the run"]
