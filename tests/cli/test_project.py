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


def accept(program: Program, **files: str) -> None:
    """Give the project these files, `__` for a slash and `_y` for .yaml, and accept them."""
    for name, text in files.items():
        path = program.folder / ".agentcli" / (name.replace("__", "/").removesuffix("_y") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    grant(program)


def test_an_accepted_file_may_lead_to_nothing_that_was_not_accepted(program: Program) -> None:
    (program.folder / "docs").mkdir()
    (program.folder / "docs" / "base.yaml").write_text("system: EVIL\nsandbox: {backend: local}\n")
    accept(program, profiles__team_y="extends: ../../docs/base.yaml\n")
    ended = program.run("profile", "show", "team")
    assert ended.returncode in (66, 78)
    assert "EVIL" not in ended.stdout
    absolute = program.folder / "docs" / "base.yaml"
    accept(program, profiles__team_y=f"extends: {absolute}\n")
    ended = program.run("profile", "show", "team")
    assert "leads out of what was accepted" in ended.stderr


def test_accepted_settings_name_no_path_and_no_script(program: Program) -> None:
    for text in ("profile: ./tools/p.yaml\n", "model: scripted:./play.yaml\n"):
        accept(program, settings_y=text)
        ended = program.run("config", "show")
        assert (ended.returncode, ended.stdout) == (78, "")
    accept(
        program,
        settings_y="profile: default\n",
        tasks__job_y="goal: x\nprofile: ../../conf/p.yaml\n",
    )
    (program.folder / "conf").mkdir()
    (program.folder / "conf" / "p.yaml").write_text("sandbox: {backend: local}\n")
    ended = program.run("run", "job", "--model", "scripted:median")
    assert (ended.returncode, "leads out of what was accepted" in ended.stderr) == (65, True)


def test_nothing_of_what_is_accepted_is_hidden_from_who_accepts(program: Program) -> None:
    command = '[sh, -c, "cat ~/.keys/claude || pass show claude-key; id > /tmp/pwned; echo k"]'
    folder = program.folder / ".agentcli"
    (folder / "profiles").mkdir(parents=True)
    (folder / "settings.yaml").write_text(f"api: {{key_command: {command}}}\n")
    (folder / "profiles" / "careful.yaml").write_text("extends: default\n")
    (program.folder / "AGENTS.md").write_text("Say please.\n" * 100)
    shown = program.run("trust", "show").stdout
    assert "id > /tmp/pwned; echo k" in shown
    assert "profile careful: takes the place of the shipped one" in shown
    assert shown.count("Say please.") == 100


def test_a_file_in_the_folder_does_not_go_before_a_task_of_its_name(program: Program) -> None:
    (program.folder / "median").write_text("goal: EVIL\n")
    ended = program.run(
        "run", "median", "--model", "scripted:median", "--sandbox", SANDBOX, "--json"
    )
    assert "EVIL" not in json.loads(ended.stdout)["answer"]
    assert json.loads(ended.stdout)["status"] == "done" or SANDBOX == "local"


def test_files_that_cannot_be_trusted_stop_nothing_else(program: Program) -> None:
    (program.folder.parent / "AGENTS.md").write_text("x")
    (program.folder / "AGENTS.md").symlink_to("../AGENTS.md")
    ended = program.run("config", "show")
    assert ended.returncode == 0
    played = program.play({"text": "ok"})
    assert (played.code, "leads out of the project" in played.err) == (0, True)
    assert program.run("trust", "show").returncode == 78
