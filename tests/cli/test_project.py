"""A project's own files, from the first `init` to a run that heeds them, as the real program."""

import json
import re

from agentcli.cli.init import PROFILE
from tests.cli.conftest import SANDBOX, Program, call


def grant(program: Program) -> None:
    refused = program.run("trust", "grant")
    assert refused.returncode == 64
    found = re.search(r"--digest (\w+)", refused.stderr)
    assert found
    assert program.run("trust", "grant", "--digest", found[1]).returncode == 0


def prompt_of(program: Program) -> str:
    return str(json.loads(program.run("profile", "show", "--json").stdout)["system"])


def test_init_writes_what_counts_once_it_is_trusted(program: Program) -> None:
    assert program.run("init").returncode == 0
    asked = program.run("config", "explain", "profile")
    assert "profile: default" in asked.stdout
    grant(program)
    asked = program.run("config", "explain", "profile")
    assert "set by project: project" in asked.stdout
    assert program.run("init").returncode == 65


def test_every_commented_key_of_the_first_profile_can_be_switched_on(program: Program) -> None:
    program.run("init")
    text = re.sub(r"^# (?=[ a-z_]+:|  )", "", PROFILE, flags=re.MULTILINE)
    assert "\nbudget:\n  usd: 2\n" in text
    (program.folder / ".agentcli" / "profiles" / "project.yaml").write_text(text)
    shown = program.run("profile", "show", "./.agentcli/profiles/project.yaml", "--json")
    assert json.loads(shown.stdout)["sandbox"]["memory_mb"] == 1024, shown.stderr


def test_instructions_of_a_project_reach_the_model_once_trusted(program: Program) -> None:
    (program.folder / "AGENTS.md").write_text("Always say please.\n")
    before = prompt_of(program)
    assert "Always say please." not in before
    assert "AGENTS.md in the user's folder did not come from the user" in before
    grant(program)
    assert "The project's own instructions, from AGENTS.md:\n\nAlways say please." in prompt_of(
        program
    )
    (program.folder / "AGENTS.md").write_text("Always say no.\n")
    assert "Always say" not in prompt_of(program)


def test_an_untrusted_project_brings_no_tool_and_says_so(program: Program) -> None:
    tools = program.folder / ".agentcli" / "tools"
    tools.mkdir(parents=True)
    (tools / "hello.yaml").write_text(
        "name: hello\nversion: 1\ndescription: Says hello.\ntier: read_only\negress: false\n"
        "idempotent: true\nparameters: {type: object}\nrun: {command: [echo, hello]}\n"
    )
    played = program.play(call("hello"), {"text": "ok"})
    assert ".agentcli" in played.err
    assert "is not trusted, so it is not used" in played.err
    assert "hello" not in program.run("tools", "list").stdout
    assert "hello" in program.run("trust", "show").stdout
    grant(program)
    assert "hello" in program.run("tools", "list").stdout
    called = program.run("tools", "call", "hello", "--sandbox", SANDBOX)
    assert called.stdout == "hello\n"
    elsewhere = program.folder.parent / "elsewhere"
    elsewhere.mkdir()
    there, program.folder = program.folder, elsewhere
    words = ("tools", "call", "hello", "--sandbox", SANDBOX, "-C", str(there))
    assert program.run(*words).stdout == "hello\n"


def test_what_is_wrong_with_untrusted_files_is_shown_before_they_count(program: Program) -> None:
    folder = program.folder / ".agentcli"
    folder.mkdir()
    (folder / "settings.yaml").write_text("modle: x\n")
    assert "did you mean `model`" in program.run("trust", "show").stdout
    assert program.run("tools", "list").returncode == 0
    grant(program)
    assert program.run("tools", "list").returncode == 78


def test_no_trust_is_given_for_something_else(program: Program) -> None:
    program.run("init")
    ended = program.run("trust", "grant", "--digest", "0" * 16)
    assert (ended.returncode, "the files are" in ended.stderr) == (64, True)
    assert "not trusted" in program.run("trust", "show").stdout


def test_a_project_without_files_of_its_own_is_told_how_to_begin(program: Program) -> None:
    ended = program.run("trust", "show")
    assert (ended.returncode, "agentcli init" in ended.stderr) == (66, True)
    assert program.run("trust", "revoke").stdout == "It was not trusted.\n"


def test_a_tool_that_the_profile_wants_asked_waits_for_a_person(program: Program) -> None:
    (program.folder / "p.yaml").write_text("extends: default\nask: [calculator]\n")
    played = program.play(call("calculator", expression="1"), words=("-p", "./p.yaml"))
    assert (played.code, played.document["status"]) == (77, "parked")
    (program.folder / "p.yaml").write_text("extends: default\nask: [calculater]\n")
    ended = program.run("run", "--prompt", "x", "-p", "./p.yaml", "--model", "scripted:median")
    assert "p.yaml:2:7: ask.0: there is no tool `calculater`" in ended.stderr
