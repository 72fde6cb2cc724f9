"""What a ledger proves, told by the real program."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from agentcli.ledger.folder import RunFolder
from agentcli.ledger.proof import prove
from tests.cli.conftest import ROOT, SANDBOX, Program, call

OK = {"text": "ok"}


@pytest.fixture
def ledger(program: Program) -> Path:
    return Path(program.play(call("calculator", expression="1+1"), OK).document["ledger"])


def told(program: Program, *words: str) -> tuple[int, str]:
    ended = program.run("audit", "verify", *words)
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


def test_a_run_is_proved_to_be_what_was_written_and_allowed(program: Program, ledger: Path) -> None:
    count = len(ledger.read_bytes().splitlines())
    assert told(program) == (
        0,
        f"ok: {count} records, {ledger.stat().st_size:,} bytes, each bound to the one before\n"
        f"sealed by this machine: {count} records\n"
        "allowed before it ran, exactly so: 1 call\n",
    )
    document = json.loads(program.run("audit", "verify", str(ledger), "--json").stdout)
    assert (document["status"], document["records"], document["faults"]) == ("ok", count, [])


def test_a_change_is_told_by_its_place_and_what_to_do(program: Program, ledger: Path) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    at = sum(map(len, lines[:4]))
    lines[4] = lines[4].replace(b'"seq":5', b'"seq":6')
    ledger.write_bytes(b"".join(lines))
    code, text = told(program, "last")
    assert code == 73
    assert f"edited at 5 (line 5, byte {at:,}): it is not what was written\n" in text
    assert f"agentcli audit repair {ledger.parent.name}" in text
    document = json.loads(program.run("audit", "verify", "last", "--json").stdout)
    (fault,) = document["faults"]
    assert (fault["word"], fault["first"], fault["byte"]) == ("edited", 5, at)
    assert (document["status"], document["exit_code"]) == ("damaged", 73)


def test_a_folder_put_back_as_it_was_before_it_went_on_is_told(program: Program) -> None:
    turns = (call("calculator", expression="1+1"), OK)
    ledger = Path(program.play(*turns, words=("--steps", "1")).document["ledger"])
    older = program.folder / "backup"
    shutil.copytree(ledger.parent, older)
    assert program.run("resume", "last", "--steps", "9").returncode == 0
    assert told(program)[0] == 0
    shutil.rmtree(ledger.parent)
    shutil.copytree(older, ledger.parent)
    code, text = told(program)
    assert (code, "older copy after" in text) == (73, True)
    ended = program.run("resume", "last")
    assert (ended.returncode, "replaced by an older copy" in ended.stderr) == (73, True)


def test_a_bundle_is_proved_where_it_was_made_and_elsewhere_as_far_as_can_be(
    program: Program, ledger: Path
) -> None:
    bundle = str(program.folder / "x.agentrun")
    assert program.run("runs", "export", "last", "--bundle", bundle).returncode == 0
    assert "sealed by this machine" in told(program, bundle)[1]
    program.environ = {"AGENTCLI_HOME": str(program.folder / "other")}
    code, text = told(program, bundle)
    assert (code, "sealed elsewhere" in text) == (0, True)
    assert not (program.folder / "other").exists(), "nothing is made to look at something"
    assert program.run("runs", "import", bundle).returncode == 0
    assert told(program)[0] == 0


def test_a_ledger_of_an_older_program_is_proved_without_a_seal(program: Program) -> None:
    code, text = told(program, str(ROOT / "tests/data/median.agentrun"))
    assert (code, "no seal: an older program wrote it" in text) == (0, True)


def test_a_plan_that_was_changed_is_told(program: Program, ledger: Path) -> None:
    plan = ledger.with_name("plan.json")
    plan.write_text(plan.read_text().replace('"clip_chars"', '"clip_chars" ').replace("30000", "9"))
    code, text = told(program)
    assert (code, "plan.json" in text) == (73, True)


def repaired(program: Program, ledger: Path, data: bytes) -> str:
    ledger.write_bytes(data)
    assert told(program)[0] == 73
    asked = program.run("audit", "repair", "last")
    assert (asked.returncode, "--yes" in asked.stderr) == (64, True)
    assert ledger.read_bytes() == data, "nothing happens unasked"
    ended = program.run("audit", "repair", "last", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert told(program)[0] == 0
    assert program.run("replay", "last", "--verify").returncode == 0
    assert "nothing to repair" in program.run("audit", "repair", "last").stdout
    return ended.stdout


def test_a_damaged_ledger_is_cut_back_on_request_and_no_byte_is_lost(
    program: Program, ledger: Path
) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    for number, at in enumerate((8, 5), start=1):
        left = ledger.read_bytes().splitlines(keepends=True)
        left[at] = left[at][:100] + b"~" + left[at][101:]
        text = repaired(program, ledger, b"".join(left))
        assert f"Left: {at} records" in text
        assert f"from line {at + 1}, byte {sum(map(len, lines[:at])):,} on" in text
        kept = ledger.with_name(f"ledger.jsonl.damaged-{number}")
        assert kept.read_bytes() == b"".join(left[at:])
        assert kept.stat().st_mode & 0o777 == 0o600
        assert ledger.read_bytes().startswith(b"".join(lines[:at]))
    recovered = json.loads(ledger.read_bytes().splitlines()[-1])["event"]
    assert (recovered["why"], recovered["kept"]) == ("repair", "ledger.jsonl.damaged-2")
    assert program.run("resume", "last").returncode == 0
    assert told(program)[0] == 0


def test_a_cut_off_ledger_is_gone_on_with_only_on_request(program: Program, ledger: Path) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    text = repaired(program, ledger, b"".join(lines[:-3]) + lines[-3][:20])
    assert "Lost: 3 records that had been sealed." in text
    assert ledger.with_name("ledger.jsonl.damaged-1").read_bytes() == lines[-3][:20]


def test_what_was_added_or_lost_its_seal_is_mended(program: Program, ledger: Path) -> None:
    data = ledger.read_bytes()
    repaired(program, ledger, data + b"a note\n")
    assert ledger.with_name("ledger.jsonl.damaged-1").read_bytes() == b"a note\n"
    ledger.with_name("head.json").unlink()
    (program.home / "seals" / f"{ledger.parent.name}.json").unlink()
    repaired(program, ledger, ledger.read_bytes())


def test_what_cannot_be_repaired_is_said(program: Program, ledger: Path) -> None:
    data = ledger.read_bytes()
    ledger.write_bytes(data.replace(b"\n", b"\r\n"))
    ended = program.run("audit", "repair", "last", "--yes")
    assert (ended.returncode, "CR LF" in ended.stderr) == (73, True)
    ledger.write_bytes(b"{" + data)
    ended = program.run("audit", "repair", "last", "--yes")
    assert (ended.returncode, "first record" in ended.stderr) == (73, True)


SECRET = "sk-ant-api03-" + "aB3" * 9


@pytest.fixture
def told_secret(program: Program) -> Path:
    """Return the ledger of a run that was told a secret and has a long output."""
    turns = [call("shell", command=f"echo {SECRET}; seq 20000"), {"text": "ok"}]
    played = program.play(*turns, words=("--sandbox", SANDBOX))
    return Path(played.document["ledger"])


def test_private_values_are_listed_without_the_value_and_destroyed_for_good(
    program: Program, told_secret: Path
) -> None:
    private = told_secret.with_name("private")
    listed = program.run("audit", "redact", "last")
    mark, *_ = listed.stdout.split()
    assert mark.startswith("[REDACTED:anthropic_key:")
    assert SECRET not in listed.stdout
    (blob,) = private.iterdir()
    asked = program.run("audit", "redact", "last", mark)
    assert (asked.returncode, blob.exists()) == (64, True)
    wrong = program.run("audit", "redact", "last", "[REDACTED:jwt:0123456789abcdef]", "--yes")
    assert (wrong.returncode, blob.exists()) == (65, True)
    ended = program.run("audit", "redact", "last", mark, "--reason", f"it was {SECRET}", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert list(private.iterdir()) == []
    for path in program.home.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    code, text = told(program)
    assert (code, "redacted (1)" in text, text.startswith("ok")) == (0, True, True)
    assert program.run("replay", "last", "--verify").returncode == 0
    assert program.run("replay", "last").returncode == 0


def test_all_of_it_goes_at_once_with_whole_outputs(program: Program, told_secret: Path) -> None:
    (output,) = told_secret.with_name("outputs").iterdir()
    listed = json.loads(program.run("audit", "redact", "last", "--json").stdout)
    assert [o["handle"] for o in listed["outputs"]] == [output.name]
    assert program.run("audit", "redact", "last", "--all", "--yes").stdout.endswith(
        "redacted (2)\n"
    )
    assert not output.exists()
    assert "redacted (2)" in told(program)[1]
    assert "nothing to redact" in program.run("audit", "redact", "last", "--all").stdout


def test_other_runs_that_keep_what_is_destroyed_are_named(
    program: Program, told_secret: Path
) -> None:
    run = told_secret.parent.name
    assert "other runs" not in program.run("audit", "redact", run).stdout
    program.run("replay", run, "--model", "recorded")
    assert program.run("runs", "fork", run).returncode == 0
    program.play({"text": "ok"})
    fork, replay = sorted(path.name for path in (program.home / "runs").iterdir())[-2:0:-1]
    says = f"kept in other runs too, each to be redacted there: {fork}, {replay}\n"
    ended = program.run("audit", "redact", run, "--all", "--yes")
    assert says in ended.stdout
    listed = json.loads(program.run("audit", "redact", fork, "--json").stdout)
    assert listed["elsewhere"] == [replay]


def test_what_is_gone_or_changed_without_a_record_of_it_is_told(
    program: Program, told_secret: Path
) -> None:
    (output,) = told_secret.with_name("outputs").iterdir()
    (blob,) = told_secret.with_name("private").iterdir()
    whole, value = output.read_bytes(), blob.read_bytes()
    output.write_bytes(whole + b"x")
    blob.write_bytes(value + b"x")
    code, text = told(program)
    assert code == 73
    assert f"outputs/{output.name} is not what was written" in text
    assert f"private/{blob.name} is not what was written" in text
    output.unlink()
    blob.unlink()
    code, text = told(program)
    assert (code, text.count("gone, not redacted")) == (73, 2)


def test_a_run_under_way_is_not_redacted(program: Program, told_secret: Path) -> None:
    import fcntl

    with told_secret.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ended = program.run("audit", "redact", "last", "--all", "--yes")
    assert (ended.returncode, "another process is writing it" in ended.stderr) == (73, True)
    assert list(told_secret.with_name("private").iterdir())


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs OpenSSH")
def test_a_signature_says_who_and_how_far_here_and_elsewhere(program: Program) -> None:
    def keygen(*words: str) -> None:
        subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)

    for name in ("mine", "other"):
        keygen("-t", "ed25519", "-N", "", "-f", str(program.folder / name))
    public = (program.folder / "mine.pub").read_text()
    (program.folder / "signers").write_text(f"ann@example.com {public}")
    words = ("last", "--signers", "signers")
    turns = (call("calculator", expression="1+1"), OK)
    ledger = Path(program.play(*turns, words=("--steps", "1")).document["ledger"])
    assert "not signed: nobody has signed it" in told(program, *words)[1]
    assert program.run("audit", "sign", "last", "--key", "nope").returncode == 66
    assert program.run("audit", "sign", "last", "--key", "mine").returncode == 0
    code, text = told(program, *words)
    count = len(ledger.read_bytes().splitlines())
    assert (code, f"signed by ann@example.com: {count} records\n" in text) == (0, True)
    assert "signed; by whom" in told(program)[1]
    bundle = str(program.folder / "x.agentrun")
    program.run("runs", "export", "last", "--bundle", bundle)
    where = ["-f", str(program.folder / "signers"), "-s", f"{ledger.parent}/head.json.sig"]
    who = ["-I", "ann@example.com", "-n", "agentcli-ledger"]
    stock = subprocess.run(
        ["ssh-keygen", "-Y", "verify", *where, *who],
        input=ledger.with_name("head.json").read_bytes(),
        capture_output=True,
        check=False,
    )
    assert stock.returncode == 0, "stock OpenSSH takes it as it is"

    home = program.environ
    program.environ = {"AGENTCLI_HOME": str(program.folder / "elsewhere")}
    code, text = told(program, bundle, *words[1:])
    assert (code, "signed by ann@example.com" in text) == (0, True)
    program.environ = home

    assert program.run("resume", "last", "--steps", "9").returncode == 0
    code, text = told(program, *words)
    assert (code, "records written since" in text) == (0, True)
    program.run("runs", "export", "last", "--bundle", bundle, "--force")
    program.environ = {"AGENTCLI_HOME": str(program.folder / "elsewhere")}
    code, text = told(program, bundle, *words[1:])
    assert (code, f"not signed {count + 1}.." in text) == (73, True), "anyone may have added them"
    program.environ = home
    assert program.run("audit", "sign", "last", "--key", "other").returncode == 0
    code, text = told(program, *words)
    assert (code, "not signed: signed, but by nobody in signers" in text) == (73, True)
    assert program.run("audit", "sign", "last", "--key", "mine").returncode == 0
    signature = ledger.with_name("head.json.sig")
    data = signature.read_bytes()
    signature.write_bytes(data.replace(b'"open":false', b'"open":true '))
    code, text = told(program, *words)
    assert (code, "but not this" in text) == (73, True)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs OpenSSH")
def test_no_head_is_signed_for_more_than_it_seals(program: Program) -> None:
    key = program.folder / "mine"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(words, check=True, capture_output=True)
    turns = (call("calculator", expression="1+1"), OK)
    ledger = Path(program.play(*turns, words=("--steps", "1")).document["ledger"])
    head = ledger.with_name("head.json")
    older = head.read_bytes()
    assert program.run("resume", "last", "--steps", "9").returncode == 0
    for spoil in (lambda: head.write_bytes(older), head.unlink):
        spoil()
        assert told(program)[0] == 0
        ended = program.run("audit", "sign", "last", "--key", str(key))
        assert (ended.returncode, "does not seal all" in ended.stderr) == (65, True), ended.stderr
        assert not ledger.with_name("head.json.sig").exists()
    assert program.run("resume", "last").returncode == 0
    assert program.run("audit", "sign", "last", "--key", str(key)).returncode == 0


def test_nothing_is_signed_that_is_not_whole(program: Program, ledger: Path) -> None:
    (program.folder / "key").write_text("")
    ledger.write_bytes(ledger.read_bytes()[:-40])
    ended = program.run("audit", "sign", "last", "--key", "key")
    assert (ended.returncode, "not what was written" in ended.stderr) == (73, True)


@pytest.mark.slow
def test_fifty_that_start_at_once_have_a_whole_ledger_each(program: Program) -> None:
    model = program.script(call("calculator", expression="1+1"), OK)
    words = ("run", "--prompt", "Go.", "--model", model, "--sandbox", SANDBOX)
    started = [program.start(*words) for _ in range(50)]
    for process in started:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said.decode()
    runs = sorted(path.name for path in (program.home / "runs").iterdir())
    assert len(runs) == 50
    assert sorted(path.stem for path in (program.home / "seals").iterdir()) == runs
    for run in runs:
        proof = prove(program.home, RunFolder(program.home / "runs" / run))
        assert (proof.is_ok, proof.sealed) == (True, proof.records)
