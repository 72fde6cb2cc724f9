"""Where the API key comes from, as the real program against a server that speaks the protocol."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.fake.server import FakeClaude, sse_reply

KEY = "sk-ant-api03-0123456789abcdefghij"


def keep_key(program: Program, base_url: str = "") -> None:
    (program.home / "claude.key").write_text(KEY + "\n")
    (program.home / "claude.key").chmod(0o600)
    url = f", base_url: {base_url}" if base_url else ""
    (program.home / "settings.yaml").write_text(f"api: {{key_file: claude.key{url}}}\n")


@pytest.mark.parametrize(
    "words", [("run", "--prompt", "x"), ("run", "median"), ("chat",), ("run", "-", "--json")]
)
def test_without_a_key_there_are_six_lines_and_three_ways_on(
    program: Program, words: tuple[str, ...]
) -> None:
    ended = program.run(*words, stdin="hello\n")
    told = ended.stderr
    if "--json" in words:
        document = json.loads(ended.stdout)
        told = f"agentcli: {document['message']}\n{document['hint']}\n"
    else:
        assert ended.stdout == ""
    assert ended.returncode == 78
    assert told.count("\n") == 6
    ways = ("export ANTHROPIC_API_KEY", "key_file", "agentcli demo")
    assert all(way in told for way in ways)
    assert not (program.home / "runs").exists()


def test_a_key_of_the_settings_is_used_and_never_recorded(program: Program) -> None:
    with FakeClaude(sse_reply(f"Your key is {KEY}.")) as fake:
        keep_key(program, fake.base_url)
        ended = program.run("run", "--prompt", "x", "-p", "reader", "--sandbox", "local", "--json")
        (asked,) = fake.requests
    assert ended.returncode == 0, ended.stdout
    assert KEY in asked.headers.get("x-api-key", "") + asked.headers.get("authorization", "")
    assert KEY not in Path(json.loads(ended.stdout)["ledger"]).read_text()


def test_the_environment_goes_before_the_settings(program: Program) -> None:
    with FakeClaude(sse_reply("ok")) as fake:
        keep_key(program, "http://127.0.0.1:9")
        program.environ = fake.environ
        ended = program.run("run", "--prompt", "x", "-p", "reader", "--sandbox", "local")
        (asked,) = fake.requests
    assert ended.returncode == 0, ended.stderr
    sent = asked.headers.get("x-api-key", "") + asked.headers.get("authorization", "")
    assert fake.environ["ANTHROPIC_API_KEY"] in sent
    assert KEY not in sent


def test_a_key_that_others_can_read_is_refused(program: Program) -> None:
    keep_key(program)
    (program.home / "claude.key").chmod(0o644)
    ended = program.run("run", "--prompt", "x")
    assert (ended.returncode, "chmod 600" in ended.stderr) == (78, True)
    assert KEY not in ended.stderr


def test_a_key_of_an_untrusted_project_is_not_used(program: Program) -> None:
    folder = program.folder / ".agentcli"
    folder.mkdir()
    (folder / "settings.yaml").write_text("api: {base_url: 'http://127.0.0.1:9'}\n")
    with FakeClaude(sse_reply("ok")) as fake:
        keep_key(program, fake.base_url)
        ended = program.run("run", "--prompt", "x", "-p", "reader", "--sandbox", "local")
        assert len(fake.requests) == 1
    assert ended.returncode == 0, ended.stderr
