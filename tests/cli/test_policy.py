"""`agentcli policy`, and policies at work in whole runs, as the real program."""

import getpass
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import ROOT, SANDBOX, Program, call
from tests.cli.test_project import grant
from tests.sandbox.box import IMAGE, why_not


def own(program: Program, name: str, **content: Any) -> Path:
    folder = program.home / "policies"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def settings(program: Program, **content: Any) -> None:
    (program.home / "settings.yaml").write_text(yaml.safe_dump(content))


def why(program: Program, *words: str) -> dict[str, Any]:
    asked = program.run("policy", "why", *words, "--json")
    assert asked.returncode == 0, asked.stderr
    document: dict[str, Any] = json.loads(asked.stdout)
    return document


def rule(name: str, effect: str, **what: Any) -> dict[str, Any]:
    return {"name": name, "effect": effect, **what}


def test_the_shipped_policies_do_what_they_say(program: Program) -> None:
    checked = program.run("policy", "check")
    assert (checked.returncode, checked.stdout) == (0, "3 files, 4 rules, 0 findings\n")
    listed = program.run("policy", "list").stdout
    assert "default *" in listed
    assert "strict *" not in listed
    assert ".ssh" in program.run("policy", "show", "default").stdout


@pytest.mark.parametrize(
    ("asked", "verdict", "by"),
    [
        ("read_file a.txt", "allow", "read_only_runs"),
        ("read_file .npmrc", "ask", "protected_path"),
        ("shell cat .npmrc", "ask", "protected_path"),
        ('write_file {"path": ".git/hooks/pre-commit", "content": ""}', "deny", "protected_path"),
        ("shell echo x > ~/.bashrc", "deny", "protected_path"),
        ("shell rm -rf /", "deny", "no-wiping"),
        ("shell pytest -q", "allow", "reversible_runs"),
    ],
)
def test_why_says_what_would_become_of_a_call(
    program: Program, asked: str, verdict: str, by: str
) -> None:
    clean = why(program, asked)["clean"]
    assert (clean["verdict"], clean["rule"]) == (verdict, by)


def test_why_names_the_file_and_line_of_a_rule_and_what_it_assumes(program: Program) -> None:
    path = own(program, "ours", rules=[rule("no-push", "deny", command="git push", reason="No.")])
    settings(program, policies=["ours"])
    asked = program.run("policy", "why", "shell cd a && git push")
    assert f"deny    no-push ({path}:2): No." in asked.stdout
    assert "assumed: a sandbox" in asked.stdout
    assert "assumed: `cd a` is in it: that only reads\n" in asked.stdout
    assert "assumed: `git push` is in it: git push uses the network\n" in asked.stdout
    built_in = program.run("policy", "why", "read_file a").stdout
    assert "allow   read_only_runs (built in)\n" in built_in
    assert why(program, "shell ls")["clean"]["verdict"] == "allow"


def test_why_of_a_call_whose_page_cannot_be_read_says_so(program: Program) -> None:
    asked = program.run("policy", "why", "fetch ftp://example.com/")
    assert (asked.returncode, asked.stdout) == (65, "")
    assert "ftp://example.com/: is no URL of a page" in asked.stderr


def test_why_of_no_call_says_what_one_is(program: Program) -> None:
    for text, wrong in [
        ("shel ls", "did you mean `shell`?"),
        ("write_file a", "takes more than one argument"),
        ("shell {", "are not JSON"),
        ("shel", "there is no tool `shel`; did you mean `shell`?"),
        ('send_mail {"to": "x"}', "there is no tool `send_mail`"),
    ]:
        asked = program.run("policy", "why", text)
        assert asked.returncode == 65
        assert wrong in asked.stderr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("shell", '$: the key "command" is missing'),
        ('write_file {"path": 5, "content": ""}', "$.path: got the number 5 (expected string"),
        ('write_file {"path": "a", "content": "", "pat": 1}', '$: unknown key "pat"'),
    ],
)
def test_why_of_a_call_that_its_tool_does_not_take_says_what_the_model_would_be_told(
    program: Program, text: str, problem: str
) -> None:
    asked = program.run("policy", "why", text, "--json")
    assert (asked.returncode, asked.stdout) == (65, "")
    told = asked.stderr.removeprefix("agentcli: ").rstrip()
    assert told.startswith(f"Invalid arguments for {text.split()[0]}:\n{problem}")
    name, _, args = text.partition(" ")
    played = program.play(call(name, **json.loads(args or "{}")), {"text": "ok"})
    assert told in [event["message"] for event in played.events if event["kind"] == "failed"]


@pytest.mark.parametrize(
    ("text", "sandbox", "note"),
    [
        ("read_file ../secret", "", "`../secret` leads out of the workspace"),
        ("read_file a/../../secret", "", "leads out of the workspace"),
        ("read_file /etc/passwd", "", "leads out of the workspace"),
        ("read_file ~/secret", "", "leads out of the workspace"),
        ("read_file /mnt/data/a", "", "leads out of the workspace"),
        ("read_file /etc/passwd", "local", "leads out of the workspace"),
        ("read_file a/../b", "", ""),
        ("read_file /workspace/b", "", ""),
        ("read_file /tmp/b", "", ""),
        ("read_file a/.env", "", "a file `a/.env` is kept out of the sandbox"),
        ("read_file .env.example", "", ""),
        ("read_file .env", "local", ""),
        ("shell cat .env", "", "a file `.env` is kept out of the sandbox"),
        ("shell cat /etc/passwd", "", ""),
    ],
)
def test_why_says_what_the_call_would_not_get_to(
    program: Program, text: str, sandbox: str, note: str
) -> None:
    words = ["--sandbox", sandbox] if sandbox else []
    found = why(program, text, *words)["unreached"]
    assert [note in line for line in found] == ([True] if note else [])
    shown = program.run("policy", "why", text, *words).stdout
    assert ("note: " in shown) == bool(note)


def test_why_takes_no_sandbox_that_a_run_would_not(program: Program) -> None:
    asked = program.run("policy", "why", "shell ls", "--sandbox", "dokcer")
    assert asked.returncode == 64
    assert "there is no sandbox backend `dokcer`; did you mean `docker`?" in asked.stderr


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (rule("one", "ask", tool="shel"), "fits no tool: `shel`; did you mean `shell`?"),
        (
            rule("one", "ask", tool="shell", examples={"match": ["read_file a"]}),
            "example `read_file a`: must match",
        ),
        (
            rule("one", "ask", tool="shell", examples={"no_match": ["shell ls"]}),
            "example `shell ls`: must not match",
        ),
        (rule("one", "ask", examples={"match": ["shell {"]}), "are not JSON"),
        (rule("one", "allow", tier="irreversible"), "never counts: irreversible calls ask"),
        (rule("one", "ask", tool="calculator", tier="reversible"), "its tools are never"),
        (rule("one", "ask", tool="shell", expires="2020-01-01"), "has expired"),
        (rule("one", "deny", tool="calculator", egress=True), "its tools never send something"),
        (
            rule("one", "deny", egress=False, examples={"no_match": ["shell ls"]}),
            "example `shell ls`: must not match",
        ),
        (rule("one", "ask", role="ops"), "names the role `ops`, which nobody has"),
        (
            rule("one", "deny", tool="read_file", when={"pat": {"equals": "a"}}),
            "fits every call: its tools have no argument `pat`; did you mean `path`?",
        ),
    ],
)
def test_check_finds_rules_that_do_not_do_what_they_say(
    program: Program, bad: dict[str, Any], told: str
) -> None:
    path = own(program, "ours", rules=[bad])
    checked = program.run("policy", "check", str(path))
    assert checked.returncode == 65
    assert f"{path}:2: one: " in checked.stdout
    assert told in checked.stdout


def test_check_finds_rules_behind_a_stricter_one_and_twins(program: Program) -> None:
    rules = [
        rule("wide", "deny", tool=["shell", "read_file"]),
        rule("narrow", "allow", tool="shell", command="git"),
        rule("twin", "deny", tool="shell"),
        rule("other", "ask", tool="python"),
    ]
    path = own(program, "ours", rules=rules)
    told = program.run("policy", "check", str(path)).stdout
    assert "narrow: never counts: wide" in told
    assert "twin: says no more than wide" in told
    assert "other:" not in told


def test_check_says_what_cannot_be_used_and_ends_with_78(program: Program) -> None:
    path = own(program, "ours", rules=[rule("one", "alow")])
    checked = program.run("policy", "check")
    assert checked.returncode == 78
    assert f"{path}:3:11: rules.0.effect: must be" in checked.stdout
    assert json.loads(program.run("policy", "check", "--json").stdout)["unusable"]
    settings(program, policies=["ours"])
    ran = program.run("run", "--prompt", "x", "--model", "scripted:minutes")
    assert ran.returncode == 78


def test_a_policy_that_is_not_there_is_named_where_it_is_said(program: Program) -> None:
    settings(program, policies=["defalt"])
    shown = program.run("profile", "show")
    assert shown.returncode == 78
    assert "there is no policy `defalt`; did you mean `default`?" in shown.stderr


def test_a_denied_call_does_not_run_and_the_model_is_told_why(program: Program) -> None:
    own(program, "ours", rules=[rule("no-touch", "deny", command="touch", reason="Not that.")])
    settings(program, policies=["ours"])
    played = program.play(call("shell", command="touch a; ls"), {"text": "ok"})
    assert not (program.folder / "a").exists()
    (judged,) = [event for event in played.events if event["kind"] == "judged"]
    assert judged["verdict"]["rule"] == "no-touch"
    assert judged["verdict"]["at"].endswith("/ours.yaml:2")
    assert program.run("replay", "last", "--verify").returncode == 0
    assert program.run("audit", "verify", "last").returncode == 0


def test_what_links_lead_to_is_protected_too(program: Program) -> None:
    (program.folder / ".git" / "hooks").mkdir(parents=True)
    (program.folder / "link").symlink_to(".git/hooks")
    write = call("write_file", path="link/pre-commit", content="x")
    played = program.play(write, call("shell", command="cd link && touch x"), {"text": "ok"})
    rules = [event["verdict"]["rule"] for event in played.events if event["kind"] == "judged"]
    assert rules == ["protected_path", "protected_path"]
    assert list((program.folder / ".git" / "hooks").iterdir()) == []


def test_another_name_of_a_protected_file_is_protected_too(program: Program) -> None:
    (program.folder / ".git").mkdir()
    (program.folder / ".git" / "config").write_text("ours")
    (program.folder / "plain").hardlink_to(program.folder / ".git" / "config")
    write = call("write_file", path="plain", content="x")
    shell = call("shell", command="echo x >> ./plain")
    played = program.play(write, shell, call("read_file", path="plain"), {"text": "ok"})
    verdicts = [event["verdict"] for event in played.events if event["kind"] == "judged"]
    assert [(one["kind"], one["rule"]) for one in verdicts] == [
        ("deny", "protected_path"),
        ("deny", "protected_path"),
        ("ask", "protected_path"),
    ]
    assert (program.folder / "plain").read_text() == "ours"


CODE = """
import os, pathlib, subprocess
pathlib.Path('.git/hooks').mkdir(parents=True, exist_ok=True)
pathlib.Path('.git/hooks/pre-commit').write_text('evil')
pathlib.Path('.envrc').unlink()
pathlib.Path('done').touch()
"""


@pytest.mark.parametrize(
    "sandbox",
    [
        SANDBOX,
        pytest.param(
            "docker",
            marks=[
                pytest.mark.docker,
                pytest.mark.skipif(bool(why_not("docker")), reason="no Docker engine"),
            ],
        ),
    ],
)
def test_what_code_changes_of_protected_paths_is_put_back_and_told(
    program: Program, sandbox: str
) -> None:
    for folder in (program.folder.parent, program.folder.parent.parent):
        folder.chmod(0o711)  # the container's user comes by way of these
    (program.folder / ".envrc").write_text("ours")
    (program.folder / "x.sh").write_text(f'python3 -c "{CODE}"')
    (program.folder / "p.yaml").write_text(f"extends: default\nsandbox: {{image: '{IMAGE}'}}\n")
    turns = (call("python", code=CODE), call("shell", command="rm done; bash x.sh"))
    played = program.play(
        *turns, {"text": "ok"}, words=("--profile", "./p.yaml", "--sandbox", sandbox)
    )
    assert played.code == 0, played.err
    for event in [event for event in played.events if event["kind"] == "tool_ended"]:
        told = (
            "[no call may change .envrc, .git/hooks/pre-commit: what it changed there was put back"
        )
        assert told in event["output"]
        assert event["error"]
    assert (program.folder / ".envrc").read_text() == "ours"
    assert list((program.folder / ".git" / "hooks").iterdir()) == []
    assert (program.folder / "done").exists(), "what else it did stays"
    assert program.run("undo", "last", "--yes").returncode == 0
    assert (program.folder / ".envrc").read_text() == "ours"
    assert not (program.folder / "done").exists()


def test_a_tool_is_called_no_more_often_than_its_limit(program: Program) -> None:
    own(program, "ours", limits={"calculator": {"calls": 2}})
    settings(program, policies=["ours"])
    one = {"tool": "calculator", "args": {"expression": "1+1"}}
    played = program.play({"calls": [one, one]}, {"calls": [one]}, {"text": "ok"})
    rules = [event["verdict"]["rule"] for event in played.events if event["kind"] == "judged"]
    assert rules == ["read_only_runs", "read_only_runs", "call_limit"]
    assert program.run("replay", "last", "--verify").returncode == 0


def test_a_profile_adds_policies_and_takes_none_back(program: Program) -> None:
    (program.home / "profiles").mkdir()
    (program.home / "profiles" / "mine.yaml").write_text("extends: default\npolicies: [strict]\n")
    write = 'write_file {"path": "a", "content": ""}'
    assert why(program, write)["clean"]["rule"] == "reversible_runs"
    assert why(program, write, "-p", "mine")["clean"]["rule"] == "every-effect-asks"
    assert why(program, "shell rm -rf /", "-p", "mine")["clean"]["rule"] == "no-wiping"


def test_a_role_is_only_ones_own_and_its_rules_are_only_for_it(program: Program) -> None:
    me = getpass.getuser()
    own(program, "ours", rules=[rule("interns", "deny", role="intern", tool="shell")])
    settings(program, policies=["ours"], roles={"intern": [me], "boss": ["somebody"]})
    assert why(program, "shell ls")["clean"]["rule"] == "interns"
    assert why(program, "shell ls", "--as", "boss")["clean"]["verdict"] == "allow"
    words = ("run", "--prompt", "x", "--model", "scripted:minutes")
    refused = program.run(*words, "--role", "boss")
    assert refused.returncode == 77
    assert "it is not yours; you have `intern`" in refused.stderr
    settings(program, policies=["ours"], roles={"intern": [me], "boss": [me]})
    several = program.run(*words)
    assert several.returncode == 64
    assert "which role? You have `boss` or `intern`" in several.stderr
    played = program.play({"text": "ok"}, words=("--role", "boss"))
    assert played.code == 0
    plan = json.loads((Path(played.document["ledger"]).parent / "plan.json").read_text())
    assert plan["policy"]["role"] == "boss"


def test_who_has_lost_a_role_goes_on_with_no_run_in_it(program: Program) -> None:
    me = getpass.getuser()
    settings(program, roles={"boss": [me]})
    program.play(call("calculator", expression="1"), {"text": "ok"}, words=("--steps", "1"))
    settings(program, roles={"boss": ["somebody"], "intern": [me]})
    for words in (("resume", "last", "--steps", "5"), ("runs", "fork", "last")):
        refused = program.run(*words)
        assert refused.returncode == 77
        assert "begun in the role boss, which" in refused.stderr
    settings(program, roles={"boss": [me], "intern": [me]})
    assert program.run("resume", "last", "--steps", "5").returncode == 0
    assert program.run("runs", "fork", "last").returncode == 0


def test_a_projects_policy_counts_once_trusted_and_only_adds(program: Program) -> None:
    folder = program.folder / ".agentcli"
    (folder / "policies").mkdir(parents=True)
    lax = {"description": "Ours.", "rules": [rule("lax", "ask", tool="calculator")]}
    (folder / "policies" / "default.yaml").write_text(yaml.safe_dump(lax))
    assert why(program, "calculator 1")["clean"]["verdict"] == "allow"
    grant(program)
    asked = why(program, "calculator 1")["clean"]
    assert (asked["rule"], asked["at"]) == ("lax", ".agentcli/policies/default.yaml:3")
    assert why(program, "read_file .npmrc")["clean"]["rule"] == "protected_path"


@pytest.mark.parametrize("key", ["unsafe: {injection: [plan]}", "roles: {boss: [me]}"])
def test_a_project_takes_back_no_protection(program: Program, key: str) -> None:
    folder = program.folder / ".agentcli"
    folder.mkdir()
    (folder / "settings.yaml").write_text(f"{key}\n")
    grant(program)
    shown = program.run("config", "show")
    assert shown.returncode == 78
    assert "is not a project's to say" in shown.stderr


def test_what_is_left_out_of_the_injection_rule_is_said(program: Program) -> None:
    (program.home / "profiles").mkdir()
    (program.home / "profiles" / "lax.yaml").write_text(
        "extends: default\nunsafe: {injection: [plan, token]}\n"
    )
    told = program.run("config", "explain", "unsafe.injection", "-p", "lax").stdout
    assert 'unsafe.injection: ["plan", "token"]' in told
    model = program.script({"text": "ok"})
    words = ("run", "--prompt", "x", "--model", model, "--sandbox", SANDBOX, "-p", "lax")
    assert "unsafe: the injection rule holds without plan, token" in program.run(*words).stderr
    assert "unsafe" in program.run("profile", "show", "lax").stdout


def test_tidy_drops_what_has_expired_and_twins(program: Program) -> None:
    kept = rule("always-b", "allow", tool="shell", command=["ls"], expires="2999-01-01")
    rules = [
        rule("always-a", "allow", tool="shell", command=["ls"], expires="2998-01-01"),
        kept,
        rule("always-c", "allow", tool="shell", command=["rm"], expires="2020-01-01"),
    ]
    path = own(program, "always", rules=rules)
    refused = program.run("policy", "tidy")
    assert refused.returncode == 64
    assert "-- name: always-c" in refused.stdout
    assert len(yaml.safe_load(path.read_text())["rules"]) == 3
    assert program.run("policy", "tidy", "--yes").stdout.endswith("1 rule left.\n")
    assert yaml.safe_load(path.read_text())["rules"] == [kept]
    assert program.run("policy", "tidy").stdout == "There is nothing to tidy.\n"


def test_an_answer_with_always_is_a_rule_only_in_its_folder(program: Program) -> None:
    (program.home / "profiles").mkdir()
    (program.home / "profiles" / "mine.yaml").write_text("extends: careful\n")
    rules = [rule("always-x", "allow", tool="shell", command=["mkdir"], folder=str(program.folder))]
    own(program, "always", rules=rules)
    asked = why(program, "shell mkdir a", "-p", "mine")["clean"]
    assert (asked["verdict"], asked["rule"]) == ("allow", "always-x")
    elsewhere = why(program, "shell mkdir a", "-p", "mine", "-C", str(program.home.parent))
    assert elsewhere["clean"]["verdict"] == "ask"


def test_a_policy_that_is_named_and_not_there_is_found_by_the_check(program: Program) -> None:
    (program.home / "profiles").mkdir()
    path = program.home / "profiles" / "mine.yaml"
    path.write_text("extends: default\npolicies: [strickt]\n")
    checked = program.run("policy", "check")
    assert checked.returncode == 78
    missing = "policies: there is no policy `strickt`; did you mean `strict`?"
    assert checked.stdout.splitlines()[0] == f"{path}:2:11: {missing}"
    assert checked.stdout.endswith(" 1 finding\n")


def test_no_wrong_word_is_answered_with_the_key_that_takes_protection_back(
    program: Program,
) -> None:
    for key in ("name", "unsave"):
        path = program.folder / "p.yaml"
        path.write_text(f"{key}: x\n")
        checked = program.run("policy", "check", "p.yaml")
        assert checked.stdout.startswith(f"p.yaml:1:1: {key}: unknown key; known here: ")


def test_the_check_finds_a_policy_that_drops_what_the_shipped_one_protects(
    program: Program,
) -> None:
    path = own(program, "default", domains=["example.com"])
    checked = program.run("policy", "check")
    assert checked.returncode == 65
    assert f"{path}: it takes the place of {ROOT}/configs/policies/default.yaml" in checked.stdout
    assert "whose protected paths it leaves out" in checked.stdout
    own(program, "default", domains=["example.com"], protected=[])
    assert program.run("policy", "check").returncode == 0, "it is meant"
    own(program, "strict", rules=[])
    assert program.run("policy", "check").returncode == 0, "the shipped one protects nothing"


def test_the_check_finds_a_limit_of_a_tool_that_there_is_not(program: Program) -> None:
    path = own(program, "ours", limits={"fetsh": {"calls": 1}, "shell": {"calls": 1}})
    checked = program.run("policy", "check")
    assert checked.returncode == 65
    assert f"{path}:3:5: limits.fetsh: no tool is named `fetsh`; did you mean `fetch`?" in (
        checked.stdout
    )
    assert "limits.shell" not in checked.stdout


def test_hosts_of_ones_own_network_are_added_to_what_is_public(program: Program) -> None:
    own(program, "ours", private_hosts=["wiki.lan", "10.1.0.0/16"])
    (program.home / "settings.yaml").write_text("policies: [ours]\n")
    for host, rule in (
        ("wiki.lan", "tool_asks"),
        ("10.1.2.3", "tool_asks"),
        ("example.com", "tool_asks"),
        ("10.2.0.1", "other_domain"),
        ("localhost", "other_domain"),
    ):
        assert why(program, f"fetch http://{host}/")["clean"]["rule"] == rule, host
    assert "taken in by `*` all the same: wiki.lan" in program.run("policy", "show", "ours").stdout
    assert "protected_path" in program.run("policy", "why", "read_file .ssh/id").stdout
