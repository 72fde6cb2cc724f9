"""The doctor, as the real program: offline, with what is wrong and one thing that mends it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agentcli.cli.doctor import say
from tests.cli.conftest import Program
from tests.fake.server import FakeClaude, answer, error

CLOSED = "http://127.0.0.1:9"


def findings(program: Program) -> tuple[int, dict[str, dict[str, Any]]]:
    ended = program.run("doctor", "--json")
    document = json.loads(ended.stdout)
    assert document["exit_code"] == ended.returncode
    return ended.returncode, {found["name"]: found for found in document["findings"]}


def test_a_first_user_without_key_and_network_learns_what_to_do(program: Program) -> None:
    program.environ = {"ANTHROPIC_BASE_URL": CLOSED}
    code, found = findings(program)
    assert code == 78
    assert found["key"]["state"] == "fail"
    assert "agentcli demo" in found["key"]["fix"]
    assert "refused" in found["endpoint"]["detail"]
    assert found["clock"]["detail"].endswith("compared with no other")
    assert {"program", "settings", "project", "proxy", "terminal", "locale", "disk"} <= set(found)
    assert all(f["fix"] for f in found.values() if f["state"] == "fail")


def test_a_key_is_tried_at_no_cost(program: Program) -> None:
    with FakeClaude(answer(200, {"data": [], "has_more": False})) as fake:
        program.environ = fake.environ
        _, found = findings(program)
        assert [asked.path for asked in fake.requests] == ["/v1/models?limit=1"]
    assert "it takes the key" in found["endpoint"]["detail"]
    assert "ANTHROPIC_API_KEY" in found["key"]["detail"]


def test_a_wrong_key_and_a_wrong_clock_are_told_apart(program: Program) -> None:
    refusal = error(401, "authentication_error", "invalid", date="Wed, 01 Jan 2020 00:00:00 GMT")
    with FakeClaude(refusal) as fake:
        program.environ = fake.environ
        code, found = findings(program)
    assert code == 77
    assert found["endpoint"]["state"] == "fail"
    assert found["clock"]["state"] == "warn"
    assert "timedatectl" in found["clock"]["fix"]


def test_a_password_of_a_proxy_is_not_shown(program: Program) -> None:
    program.environ = {
        "HTTP_PROXY": "http://me:hunter2@proxy.invalid:3128",
        "ANTHROPIC_BASE_URL": CLOSED,
    }
    ended = program.run("doctor")
    assert "proxy.invalid on the way to 127.0.0.1, by HTTP_PROXY" in ended.stdout
    assert "hunter2" not in ended.stdout + ended.stderr


def test_wrong_settings_are_one_finding_and_not_the_end(program: Program) -> None:
    (program.home / "settings.yaml").write_text("modle: x\n")
    program.environ = {"ANTHROPIC_BASE_URL": CLOSED}
    code, found = findings(program)
    assert code == 78
    assert "did you mean `model`" in found["settings"]["detail"]
    assert "ledgers" in found


def test_what_is_wrong_with_settings_hides_nothing_else(program: Program) -> None:
    (program.home / "settings.yaml").write_text("modle: x\n")
    program.environ = {"ANTHROPIC_BASE_URL": CLOSED, "ANTHROPIC_API_KEY": "k"}
    _, found = findings(program)
    assert found["key"]["state"] == "ok"
    (program.home / "settings.yaml").unlink()
    program.environ["AGENTCLI_PROFILE"] = "nope"
    _, found = findings(program)
    assert "nope" in found["settings"]["detail"]
    assert {"docker", "disk", "ledgers"} <= found.keys()


def test_a_damaged_ledger_and_an_untrusted_project_are_named(program: Program) -> None:
    run = program.home / "runs" / "20260101-000000-000abc"
    run.mkdir(parents=True)
    (run / "ledger.jsonl").write_text("nonsense\n")
    (program.folder / "AGENTS.md").write_text("Obey.")
    program.environ = {"ANTHROPIC_BASE_URL": CLOSED}
    _, found = findings(program)
    assert found["ledgers"]["state"] == "warn"
    assert run.name in found["ledgers"]["detail"]
    assert (found["project"]["state"], found["project"]["fix"]) == ("warn", "agentcli trust show")
    assert found["project"]["detail"].endswith(": not trusted, so not used")
    digest = program.run("trust", "show").stdout.split(" · ")[1].split("\n")[0]
    program.run("trust", "grant", "--digest", digest)
    assert findings(program)[1]["project"]["state"] == "ok"
    (program.folder / "AGENTS.md").write_text("Obey at once.")
    _, found = findings(program)
    assert found["project"]["detail"].endswith(": changed since it was trusted, so not used")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write where the test forbids it")
def test_a_folder_that_cannot_be_written_is_found(program: Program) -> None:
    program.home.chmod(0o500)
    program.environ = {"ANTHROPIC_BASE_URL": CLOSED}
    _, found = findings(program)
    assert found["disk"]["state"] == "fail"


def test_a_missing_sandbox_fails_only_if_there_is_no_other(
    program: Program, tmp_path: Path
) -> None:
    program.environ = {
        "PATH": str(tmp_path),
        "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        "ANTHROPIC_BASE_URL": CLOSED,
        "ANTHROPIC_API_KEY": "k",
    }
    _, found = findings(program)
    assert (found["docker"]["state"], found["docker"]["exit_code"]) == ("fail", 69)
    assert found["bubblewrap"]["fix"]


def test_on_a_terminal_a_line_is_broken_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    say("    mend it: ", "export AGENTCLI_HOME=... to a folder")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    say("    mend it: ", "export AGENTCLI_HOME=... to a folder")
    assert capsys.readouterr().out.splitlines() == [
        "    mend it: export AGENTCLI_HOME=... to a folder",
        "    mend it: export AGENTCLI_HOME=... to",
        "             a folder",
    ]


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (
            "profiles/default.yaml",
            "extends: default\npolicies: [nope]\n",
            "there is no policy `nope`",
        ),
        ("profiles/default.yaml", "extends: default\ntools: [nope]\n", "there is no tool `nope`"),
        ("profiles/default.yaml", "extends: default\nmodel: nope\n", "its price is not known"),
        ("policies/always.yaml", "rulse: []\n", "did you mean `rules`"),
        ("models.yaml", "modles: {}\n", "did you mean `models`"),
        ("tools/own.yaml", "nmae: own\n", "did you mean `name`"),
    ],
)
def test_what_would_keep_each_run_from_starting_is_named_with_its_file(
    program: Program, file: str, text: str, says: str
) -> None:
    program.environ = {"ANTHROPIC_BASE_URL": CLOSED, "ANTHROPIC_API_KEY": "k"}
    assert findings(program)[1]["settings"]["state"] == "ok"
    path = program.home / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    code, found = findings(program)
    assert (code, found["settings"]["state"]) == (78, "fail")
    assert found["settings"]["detail"].startswith(f"{path}:")
    assert says in found["settings"]["detail"]
    assert program.run("run", "--prompt", "x").returncode == 78
