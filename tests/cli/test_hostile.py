"""An odd machine, a full disk, a lying server, a forged ledger: a sentence, never a traceback."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import SANDBOX, Program
from tests.fake.server import FakeClaude, error

KEY = "plainOpaqueKeyValue0099"


@pytest.mark.parametrize("word", ["attended", "request_id", "provider_id"])
def test_a_secret_that_is_a_name_of_ours_is_no_end(program: Program, word: str) -> None:
    program.environ = {"FOO_TOKEN": word}
    played = program.play({"text": f"It is {word}."})
    assert played.code == 0
    assert program.run("replay", "last", "--verify").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_output_ends_a_chat_in_a_sentence(program: Program) -> None:
    words = ("chat", "--model", program.script({"text": "Hello."}), "--sandbox", SANDBOX)
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            program.argv(*words),
            cwd=program.folder,
            env=program.env(),
            input=b"hi\n",
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert b"Traceback" not in ended.stderr
    assert (ended.returncode, b"No space left" in ended.stderr) == (73, True)


def test_a_line_without_an_end_is_refused(program: Program) -> None:
    words = ("chat", "--model", program.script({"text": "x"}), "--sandbox", SANDBOX)
    ended = program.run(*words, stdin=b"x" * 3_000_000)
    assert (ended.returncode, "at most" in ended.stderr) == (65, True)


@pytest.mark.parametrize(
    "words", [("doctor",), ("replay", "{}"), ("runs", "show", "{}"), ("replay", "{}", "--verify")]
)
def test_a_ledger_of_brackets_is_no_ledger(program: Program, words: tuple[str, ...]) -> None:
    run = program.home / "runs" / "20260101-000000-000abc"
    run.mkdir(parents=True)
    (run / "ledger.jsonl").write_text("[" * 200_000 + "\n")
    (run / "plan.json").write_text("[" * 200_000)
    program.environ = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    ended = program.run(*(word.format(run.name) for word in words))
    assert ended.returncode != 0


def test_a_server_that_echoes_the_key_does_not_get_it_onto_the_screen(program: Program) -> None:
    with FakeClaude(error(401, "authentication_error", f"bad key {KEY}")) as fake:
        program.environ = {"ANTHROPIC_BASE_URL": fake.base_url, "ANTHROPIC_API_KEY": KEY}
        ended = program.run("doctor")
    assert ended.returncode == 77
    assert KEY not in ended.stdout + ended.stderr


def test_an_address_with_a_password_is_not_taken(program: Program) -> None:
    (program.home / "settings.yaml").write_text("api: {base_url: 'http://me:pw@host.example'}\n")
    ended = program.run("run", "--prompt", "x")
    assert (ended.returncode, "settings.yaml:1:17" in ended.stderr) == (78, True)


def test_a_key_of_the_settings_is_kept_out_of_what_a_script_plays(program: Program) -> None:
    (program.home / "k").write_text(KEY)
    (program.home / "k").chmod(0o600)
    (program.home / "settings.yaml").write_text("api: {key_file: k}\n")
    model = program.script({"text": f"The key is {KEY}."})
    ended = program.run("run", "--prompt", f"{KEY}?", "--model", model, "--sandbox", SANDBOX)
    assert ended.returncode == 0
    (run,) = (program.home / "runs").iterdir()
    assert KEY not in (run / "ledger.jsonl").read_text() + (run / "plan.json").read_text()
