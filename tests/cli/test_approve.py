"""A run that needs a yes gets it from another terminal, for exactly what was shown."""

import getpass
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from agentcli.compose.approve import signature_problems
from agentcli.core.event import Prepared
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.line import Chain
from agentcli.ledger.read import read_ledger
from tests.approval.keys import Keys
from tests.cli.conftest import SANDBOX, Played, Program, call
from tests.cli.test_chat import talking
from tests.cli.test_own_tool import add_tool

RAN = "import json, sys; open('ran', 'a').write(json.load(sys.stdin)['to'] + ' '); "
RAN += "print(json.dumps({'text': 'ran'}))"
FILES = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
ME = f"{getpass.getuser()}@{socket.gethostname()}"


def parked(program: Program, *turns: dict[str, Any], tier: str = "irreversible") -> Played:
    """Return a run that asks about a call, and parks."""
    words = add_tool(
        program, RAN, tier=tier, parameters=FILES, compensate={"restore": ["to"]}, idempotent=False
    )
    first = turns or (call("own", to="a.txt"), {"text": "all done"})
    played = program.play(*first, words=words)
    assert played.code == 77, played
    assert played.document["status"] == "parked"
    return played


def asked(program: Program, run: str = "last") -> list[dict[str, Any]]:
    shown = program.run("approve", run, "--show", "--json")
    assert shown.returncode == 0, shown.stderr
    questions: list[dict[str, Any]] = json.loads(shown.stdout)["questions"]
    return questions


def ran(program: Program) -> str:
    path = program.folder / "ran"
    return path.read_text().strip() if path.exists() else ""


def answers(played: Played) -> list[dict[str, Any]]:
    return [event for event in played.events if event["kind"] == "answered"]


def test_a_parked_run_goes_on_with_the_yes_of_a_script_to_what_it_looked_at(
    program: Program,
) -> None:
    played = parked(program)
    assert played.document["hint"].startswith("Answer it: agentcli approve")
    [question] = asked(program)
    assert question["tool"] == "own"
    assert question["arguments"] == {"to": "a.txt"}
    assert question["facts"]["files"] == {"a.txt": ""}
    head, _, rest = program.run("approve", "last", "--show").stdout.partition("\n")
    assert (
        head == f"{question['step']} · record {question['record']} · bound {question['bound'][:12]}"
    )
    assert rest.startswith("May this run?  irreversible\n  own\n")
    ended = program.run("approve", "last", "--bound", question["bound"][:12], "--json")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["status"], document["answer"]) == (0, "done", "all done")
    assert ran(program) == "a.txt"
    [answer] = answers(played)
    assert (answer["by"], answer["bound"], answer["signature"]) == (ME, question["bound"], "")
    assert played.events[0]["requester"] == ME
    assert program.run("replay", "last", "--verify").returncode == 0


def test_a_run_that_ended_or_asks_nothing_says_so(program: Program) -> None:
    parked(program)
    bound = asked(program)[0]["bound"]
    assert program.run("approve", "last", "--bound", bound).returncode == 0
    for words in (("--bound", bound), ("--show",), ()):
        again = program.run("approve", "last", *words)
        assert again.returncode == 65
        assert "has ended, so it asks nothing" in again.stderr
    program.play(call("own", to="b"), words=("--profile", "./p.yaml", "--steps", "1"))
    bound = asked(program)[0]["bound"]
    ended = program.run("approve", "last", "--bound", bound)
    assert ended.returncode == 76
    ended = program.run("approve", "last")
    assert ended.returncode == 65
    assert "asks nothing" in ended.stderr
    assert "agentcli resume" in ended.stderr
    assert ran(program) == "a.txt b"


def test_a_no_is_told_to_the_model(program: Program) -> None:
    parked(program, call("own", to="a"), {"expect": "not on a Friday", "text": "I see."})
    ended = program.run("approve", "last", "--no", "--reason", "not on a Friday")
    assert (ended.returncode, ended.stdout) == (0, "I see.\n")
    assert ran(program) == ""


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 64, "without a terminal a yes needs --bound"),
        (("--bound", "abc"), 64, "at least 12"),
        (("--bound", "0" * 64), 77, "what is asked now is something else"),
        (("--bound", "*" * 12), 77, "what is asked now is something else"),
        (("--no", "--show"), 64, "do not go together"),
        (("--reason", "x"), 64, "--reason goes with --no"),
        (("--export",), 64, "needs no signature"),
        (("--signature", "p.yaml"), 64, "needs no signature"),
        (("nothing", "--show"), 65, "asks about no such call"),
    ],
)
def test_anything_else_is_no_yes(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    parked(program)
    ended = program.run("approve", "last", *words)
    assert (ended.returncode, ran(program)) == (code, ""), ended.stderr
    assert says in ended.stderr
    assert len(asked(program)) == 1


def test_a_file_that_changed_since_it_was_shown_is_asked_about_again(program: Program) -> None:
    (program.folder / "a.txt").write_text("one")
    played = parked(program)
    [old] = asked(program)
    (program.folder / "a.txt").write_text("two")
    ended = program.run("approve", "last", "--bound", old["bound"])
    assert ended.returncode == 77
    assert "changed: the content of a.txt. It is asked again." in ended.stderr
    assert (ran(program), answers(played)) == ("", [])
    [new] = asked(program)
    assert new["bound"] != old["bound"]
    assert program.run("approve", "last", "--bound", old["bound"]).returncode == 77
    assert program.run("approve", "last", "--bound", new["bound"]).returncode == 0
    assert ran(program) == "a.txt"


def test_a_changed_policy_or_tool_is_not_what_the_run_began_with(program: Program) -> None:
    played = parked(program)
    bound = asked(program)[0]["bound"]
    plan = Path(played.document["ledger"]).with_name("plan.json")
    text = plan.read_text()
    for old, new in (("print(", "print( "), ('"irreversible": "ask"', '"irreversible": "deny"')):
        assert old in text
        plan.write_text(text.replace(old, new))
        ended = program.run("approve", "last", "--bound", bound)
        assert (ended.returncode, ran(program)) == (73, "")
    plan.write_text(text)
    # The tool as it is now is of no concern: the run has its own copy.
    add_tool(program, "raise SystemExit", parameters=FILES)
    assert program.run("approve", "last", "--bound", bound).returncode == 0
    assert ran(program) == "a.txt"


def test_of_several_questions_one_has_to_be_named(program: Program) -> None:
    words = add_tool(program, RAN, parameters=FILES)
    (program.folder / "p.yaml").write_text("extends: default\ntools: [own]\nask: [own]\n")
    two = {"calls": [{"tool": "own", "args": {"to": name}} for name in "ab"]}
    assert program.play(two, {"text": "both"}, words=words).code == 77
    first, second = asked(program)
    assert (first["arguments"], second["arguments"]) == ({"to": "a"}, {"to": "b"})
    listed = program.run("approve", "last")
    assert listed.returncode == 64
    assert "asks about 2 calls: name one" in listed.stderr
    assert [row.split()[:2] for row in listed.stdout.splitlines()] == [
        [question["step"], str(question["record"])] for question in (first, second)
    ]
    ambiguous = program.run("approve", "last", "main/call.0.9", "--show")
    assert ambiguous.returncode == 65
    for name in (second["step"], second["step"].rpartition("/")[2], str(second["record"])):
        shown = program.run("approve", "last", name, "--show")
        assert second["bound"][:12] in shown.stdout
        assert first["bound"][:12] not in shown.stdout
    wrong = program.run("approve", "last", second["step"], "--bound", first["bound"])
    assert wrong.returncode == 77
    ended = program.run("approve", "last", second["step"], "--bound", second["bound"])
    assert (ended.returncode, ran(program)) == (77, "b")
    [left] = asked(program)
    assert left["bound"] == first["bound"]
    assert program.run("approve", "last", "--bound", left["bound"]).returncode == 0
    assert ran(program) == "b a"


def test_a_person_answers_a_parked_run_on_its_card(program: Program) -> None:
    parked(program)
    with talking(program, "approve", "last") as person:
        shown = person.sees("Type own to let it run")
        assert "to: a.txt" in shown
        person.presses("own\r")
        person.sees("all done")
        person.sees("replay: agentcli replay")
    assert ran(program) == "a.txt"


def test_a_person_who_stops_at_the_card_leaves_the_run_as_it_was(program: Program) -> None:
    played = parked(program)
    with talking(program, "approve", "last") as person:
        person.sees("Type own to let it run")
        person.presses("s\r")
        person.sees("it still waits")
    assert answers(played) == []
    assert len(asked(program)) == 1


def test_a_person_at_the_card_is_shown_the_new_one_if_something_changed(program: Program) -> None:
    (program.folder / "a.txt").write_text("one")
    parked(program)
    with talking(program, "approve", "last") as person:
        person.sees("Type own to let it run")
        (program.folder / "a.txt").write_text("two")
        person.presses("own\r")
        person.sees(r"the content of a\.txt\. It is asked again")
        person.sees(r"(?s)Type own.*Type own")
        assert ran(program) == ""
        person.presses("own\r")
        person.sees("all done")
    assert ran(program) == "a.txt"


def test_a_run_in_a_terminal_is_answered_from_another_one(program: Program) -> None:
    words = add_tool(program, RAN, tier="irreversible", parameters=FILES)
    model = program.script(call("own", to="a.txt"), {"text": "all done"})
    started = ("run", "--prompt", "Go.", "--model", model, "--sandbox", SANDBOX, *words)
    with talking(program, *started) as person:
        person.sees("Type own to let it run")
        [question] = asked(program)
        wrong = program.run("approve", "last", "--bound", "0" * 64)
        assert wrong.returncode == 77
        ended = program.run("approve", "last", "--bound", question["bound"])
        assert (ended.returncode, ended.stderr) == (0, "")
        assert re.fullmatch(r"answered: yes · own · main/\S+\n", ended.stdout)
        shown = person.sees("all done")
        assert "(no longer asked here)" in shown
        assert f"answered by {ME}: yes" in shown
        person.sees("replay: agentcli replay")
    assert ran(program) == "a.txt"
    assert program.run("replay", "last", "--verify").returncode == 0


def test_a_chat_is_answered_from_another_terminal_and_goes_on(program: Program) -> None:
    words = add_tool(program, RAN, tier="irreversible", parameters=FILES)
    model = program.script(call("own", to="a"), {"text": "Not done."}, {"text": "Still here."})
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX, *words) as person:
        person.sees("/help says more")
        person.types("Go\r")
        person.sees("Type own to let it run")
        ended = program.run("approve", "last", "--no", "--json")
        assert json.loads(ended.stdout)["answer"] == "no"
        shown = person.sees(r"Not done\.")
        assert f"answered by {ME}: no" in shown
        person.types("Well?\r")
        person.sees(r"Still here\.")
        assert person.leaves() == 0
    assert ran(program) == ""


@pytest.fixture
def keys(program: Program, tmp_path: Path) -> Keys:
    """Alice may sign, mallory may not; nothing is signed by itself."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen")
    folder = tmp_path / "keys"
    folder.mkdir()
    made = Keys(folder)
    made.make("alice@example.com")
    made.make("mallory@example.com")
    settle(program, made)
    return made


def settle(program: Program, keys: Keys, **more: object) -> None:
    (program.home / "signers").write_text(keys.allowed)
    (program.home / "signers").chmod(0o600)
    approval = {"allowed_signers": "signers", **more}
    (program.home / "settings.yaml").write_text(yaml.safe_dump({"approval": approval}))


def test_a_privileged_call_runs_on_a_signature_made_elsewhere_and_checked_by_anyone(
    program: Program, keys: Keys
) -> None:
    played = parked(program, tier="privileged")
    [question] = asked(program)
    assert question["needs_signature"]
    unsigned = program.run("approve", "last", "--bound", question["bound"])
    assert unsigned.returncode == 77
    assert "no key here to sign with" in unsigned.stderr
    text = program.run("approve", "last", "--export").stdout
    assert '"to": "a.txt"' in text
    for name, signed in (("mallory", text), ("alice", text.replace("a.txt", "b.txt"))):
        path = keys.folder / "bad.sig"
        path.write_text(keys.sign(name, signed))
        refused = program.run("approve", "last", "--signature", str(path))
        assert (refused.returncode, ran(program)) == (77, ""), refused.stderr
    (keys.folder / "text").write_text(text)
    words = ["ssh-keygen", "-q", "-Y", "sign", "-n", "agentcli-approval"]
    words += ["-f", str(keys.folder / "alice"), str(keys.folder / "text")]
    subprocess.run(words, check=True, capture_output=True)
    ended = program.run("approve", "last", "--signature", str(keys.folder / "text.sig"))
    assert (ended.returncode, ran(program)) == (0, "a.txt"), ended.stderr
    [answer] = answers(played)
    assert answer["by"] == "alice@example.com"
    # Later, from the ledger alone, with stock OpenSSH.
    again = program.run("approve", "last", str(question["record"]), "--export").stdout
    assert again == text
    (keys.folder / "later.sig").write_text(answer["signature"])
    words = ["ssh-keygen", "-Y", "verify", "-n", "agentcli-approval", "-I", answer["by"]]
    words += ["-f", str(program.home / "signers"), "-s", str(keys.folder / "later.sig")]
    assert subprocess.run(words, input=again.encode(), capture_output=True).returncode == 0
    folder = RunFolder(Path(played.document["ledger"]).parent)
    assert signature_problems(folder) == []
    assert "signed, by who may: 1 answer" in program.run("audit", "verify", "last").stdout
    assert program.run("replay", "last", "--verify").returncode == 0


def test_a_signature_for_another_run_counts_for_nothing(program: Program, keys: Keys) -> None:
    first = parked(program, tier="privileged").document["run"]
    parked(program, tier="privileged")
    path = keys.folder / "old.sig"
    path.write_text(keys.sign("alice", program.run("approve", first, "--export").stdout))
    refused = program.run("approve", "last", "--signature", str(path))
    assert refused.returncode == 77
    assert "not for this very call" in refused.stderr
    assert ran(program) == ""


def test_who_began_a_run_cannot_sign_for_it_where_it_has_to_be_another(
    program: Program, keys: Keys
) -> None:
    mine = f"{getpass.getuser()}@example.com"
    keys.make(mine)
    settle(program, keys, key=str(keys.folder / getpass.getuser()), separate=True)
    parked(program, tier="privileged")
    bound = asked(program)[0]["bound"]
    refused = program.run("approve", "last", "--bound", bound)
    assert refused.returncode == 77
    assert "must be another person's" in refused.stderr
    assert ran(program) == ""
    settle(program, keys, key=str(keys.folder / "alice"), separate=False)  # of later runs alone
    assert program.run("approve", "last", "--bound", bound).returncode == 0
    assert ran(program) == "a.txt"


def test_a_privileged_card_is_signed_where_it_is_shown(program: Program, keys: Keys) -> None:
    settle(program, keys, key=str(keys.folder / "mallory"))
    words = add_tool(program, RAN, tier="privileged", parameters=FILES)
    model = program.script(call("own", to="a.txt"), {"text": "all done"})
    started = ("run", "--prompt", "Go.", "--model", model, "--sandbox", SANDBOX, *words)
    with talking(program, *started) as person:
        shown = person.sees("Type own to let it run")
        assert "a yes is signed with" in shown
        person.presses("own\r")
        person.sees("none of the allowed signers")
        person.sees(r"(?s)Type own.*Type own")
        assert ran(program) == ""
        settle(program, keys, key=str(keys.folder / "alice"))
        bound = asked(program)[0]["bound"]
        assert program.run("approve", "last", "--bound", bound).returncode == 0
        shown = person.sees("all done")
        assert "answered by alice@example.com: yes" in shown
    assert ran(program) == "a.txt"


def test_without_signers_or_ssh_keygen_a_privileged_call_never_runs(
    program: Program, keys: Keys
) -> None:
    settle(program, keys, key=str(keys.folder / "alice"))
    parked(program, tier="privileged")
    bound = asked(program)[0]["bound"]
    empty = program.folder.parent / "empty"
    empty.mkdir()
    program.environ = {"PATH": str(empty)}
    ended = program.run("approve", "last", "--bound", bound)
    assert (ended.returncode, ran(program)) == (69, "")
    assert "ssh-keygen is not there" in ended.stderr
    program.environ = {}
    (program.home / "settings.yaml").unlink()
    played = program.play(call("own", to="b"), {"text": "ok"}, words=("--profile", "./p.yaml"))
    assert (played.code, ran(program)) == (0, "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--model", "recorded"), "is for the call of that run alone"),
        (("--tools", "live"), "denied"),
    ],
)
def test_a_replay_has_no_signature_for_a_privileged_call_and_goes_on_without(
    program: Program, keys: Keys, words: tuple[str, ...], says: str
) -> None:
    settle(program, keys, key=str(keys.folder / "alice"))
    parked(program, tier="privileged")
    bound = asked(program)[0]["bound"]
    assert program.run("approve", "last", "--bound", bound).returncode == 0
    (program.folder / "ran").unlink()
    ended = program.run("replay", "last", *words)
    assert ended.returncode == 1, ended.stderr
    assert says in ended.stdout
    assert ran(program) == ""


def test_a_call_that_was_changed_in_the_ledger_is_not_shown_as_what_is_asked(
    program: Program,
) -> None:
    """The run itself, in another terminal, would take a yes for the call that it has."""
    program.play(call("shell", command="rm b"), {"text": "ok"}, words=("--sandbox", "local"))
    (ledger,) = program.home.glob("runs/*/ledger.jsonl")
    chain, lines = Chain(), list[bytes]()
    for rec in read_ledger(ledger):
        event = rec.event
        if isinstance(event, Prepared):
            event = replace(event, call=replace(event.call, args={"command": "ls b"}))
        chain.epoch = rec.epoch
        lines.append(chain.write(event, rec.at_us)[1])
    ledger.write_bytes(b"".join(lines))
    ended = program.run("approve", "last", "--show")
    assert (ended.returncode, "is not the call that" in ended.stderr) == (73, True), ended.stdout
    assert "ls b" not in ended.stdout
