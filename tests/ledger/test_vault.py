import stat
from pathlib import Path

import pytest

from agentcli.core.event import Answered, Replied, RunStarted, Started, ToolEnded, UserSaid
from agentcli.core.fold import fold_all
from agentcli.core.redact import Redactor, name_in
from agentcli.core.step import Agent, AskModel, Call, Context, Prompt
from agentcli.core.tool import Undo
from agentcli.ledger.file import FileJournal
from agentcli.ledger.vault import Outputs, Vault
from tests.fake.world import World, make_start

SECRET = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWx"


def test_a_secret_never_reaches_the_ledger_and_comes_back_to_its_owner(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "private")
    with FileJournal(tmp_path / "ledger", vault, World(()).now_us) as journal:
        journal.seal(make_start())
        sealed = journal.seal(UserSaid(f"use {SECRET}"))
        assert SECRET not in str(sealed)
        journal.write(journal.pending)
        assert journal.read(2) == UserSaid(f"use {SECRET}")
    assert SECRET.encode() not in (tmp_path / "ledger").read_bytes()
    again = Vault(tmp_path / "private")
    with FileJournal(tmp_path / "ledger", again, World(()).now_us) as journal:
        assert journal.read(2) == UserSaid(f"use {SECRET}")
        assert fold_all(journal.records).seq == 2


def test_a_secret_is_found_however_deep_it_stands(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "private")
    call = Call("shell", {"list": [{"deep": f"x {SECRET}"}]})
    blocks = ({"type": "text", "text": SECRET}, {"type": "tool_use", "input": call.args})
    replied = Replied(("s", 1), blocks, "tool_use", (call,))
    cleaned = vault.clean(replied)
    assert isinstance(cleaned, Replied)
    assert SECRET not in str(cleaned)
    assert vault.restore(cleaned) == replied
    context = Context(0, (Prompt(str(cleaned.blocks[0]["text"])),))
    started = vault.restore(Started(("s", 1), AskModel(context)))
    assert SECRET in str(started)


def test_a_decision_is_stored_as_it_is_so_that_it_can_be_computed_again(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "private")
    mark = "[REDACTED:jwt:0123456789abcdef]"
    started = Started(("s", 1), AskModel(Context(0, (Prompt(mark),))))
    assert vault.clean(started) == started
    said = vault.clean(UserSaid(mark))
    assert said != UserSaid(mark)
    assert vault.restore(said) == UserSaid(mark)


def test_what_a_tool_says_is_cleaned_for_good(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "private")
    ended = vault.clean(ToolEnded(("s", 1), "done", f"key {SECRET}"))
    assert isinstance(ended, ToolEnded)
    assert SECRET not in ended.output
    assert vault.restore(ended) == ended


def test_private_files_are_for_the_owner_only(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "private")
    vault.clean(UserSaid(SECRET))
    Outputs(tmp_path / "outputs").put("x")
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for folder in ("private", "outputs")
        for path in (tmp_path / folder).iterdir()
    }
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700


def test_the_same_output_is_stored_once_under_its_hash(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "outputs")
    assert outputs.put("same") == outputs.put("same") != outputs.put("other")
    assert len(list((tmp_path / "outputs").iterdir())) == 2


def test_equal_values_of_a_run_have_one_mark_and_each_value_a_salt_of_its_own(
    tmp_path: Path,
) -> None:
    other = SECRET.replace("Ab", "Cd")
    first = Vault(tmp_path / "private").clean(UserSaid(f"{SECRET} {other}"))
    again = Vault(tmp_path / "private")
    assert again.clean(UserSaid(f"{SECRET} {other}")) == first
    assert Vault(tmp_path / "another").clean(UserSaid(f"{SECRET} {other}")) != first
    salts = [path.read_bytes()[:32] for path in (tmp_path / "private").iterdir()]
    assert len(set(salts)) == 2
    assert not (tmp_path / "private" / "key").exists(), "one salt for all would outlive a value"


def test_what_a_tool_says_has_the_mark_of_what_is_kept_or_one_that_nobody_can_make_again(
    tmp_path: Path,
) -> None:
    vault = Vault(tmp_path / "private")
    ended = ToolEnded(("s", 1), "done", SECRET)
    first = vault.clean(ended)
    assert first == vault.clean(ended)
    assert first != Vault(tmp_path / "private").clean(ended)
    said = vault.clean(UserSaid(SECRET))
    later = Vault(tmp_path / "private").clean(ended)
    assert isinstance(said, UserSaid)
    assert isinstance(later, ToolEnded)
    assert said.text == later.output


def test_the_values_of_an_older_run_come_back(tmp_path: Path) -> None:
    private, key = tmp_path / "private", bytes(range(32))
    private.mkdir()
    mark = Redactor(key).mark("anthropic_key", SECRET)
    (private / "key").write_bytes(key)
    (private / name_in(mark)).write_text(SECRET)
    vault = Vault(private)
    assert vault.restore(UserSaid(f"use {mark}")) == UserSaid(f"use {SECRET}")
    assert vault.clean(UserSaid(f"use {SECRET}")) == UserSaid(f"use {mark}")


def test_a_private_file_that_was_changed_to_rubbish_is_gone_and_no_crash(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "private")
    said = vault.clean(UserSaid(SECRET))
    (blob,) = (tmp_path / "private").iterdir()
    blob.write_bytes(b"\xff" * 50)
    assert Vault(tmp_path / "private").restore(said) == said


@pytest.mark.parametrize("content", ["bare", "salted"])
def test_what_was_put_in_the_place_of_a_secret_is_not_used(tmp_path: Path, content: str) -> None:
    vault = Vault(tmp_path / "private")
    mark = vault.clean_text(SECRET)
    (blob,) = (tmp_path / "private").iterdir()
    salt = blob.read_bytes()[:32] if content == "salted" else b""
    blob.write_bytes(salt + b"x; rm -r *")
    assert Vault(tmp_path / "private").restore_text(mark) == mark


MAIL = "ann@example.com"


def test_personal_data_goes_the_way_of_secrets_if_that_is_wanted(tmp_path: Path) -> None:
    said = UserSaid(f"write to {MAIL}")
    assert Vault(tmp_path / "private").clean(said) == said
    vault = Vault(tmp_path / "private", pii="redact")
    cleaned = vault.clean(said)
    assert MAIL not in str(cleaned)
    assert Vault(tmp_path / "private").restore(cleaned) == said
    ended = vault.clean(ToolEnded(("s", 1), "done", f"from {MAIL}"))
    assert vault.restore(ended) == ended, "what a tool says is cleaned for good"


def test_who_began_and_who_said_yes_stays_readable(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "private", pii="redact")
    for event in (
        RunStarted("r", Agent("react", "x"), requester=MAIL),
        Answered("s", "may_it_run", "b", True, by=MAIL),
    ):
        assert vault.clean(event) == event
        assert vault.restore(event) == event


@pytest.mark.parametrize("value", [SECRET, MAIL])
def test_what_undoes_a_call_comes_back_exactly(tmp_path: Path, value: str) -> None:
    vault = Vault(tmp_path / "private", pii="redact")
    mark = "[REDACTED:jwt:0123456789abcdef]"
    undo = Undo("cancel", {"to": value, "typed": mark})
    ended = ToolEnded(("s", 1), "done", f"booked for {value}", undo=undo)
    cleaned = vault.clean(ended)
    assert isinstance(cleaned, ToolEnded)
    assert value not in str(cleaned)
    again = Vault(tmp_path / "private").restore(cleaned)
    assert isinstance(again, ToolEnded)
    assert again.undo == undo
    assert again.output == cleaned.output
