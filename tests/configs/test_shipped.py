"""The profiles, tasks and scripts that ship: whole, true to each other, and safe."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentcli import asset
from agentcli.compose.plan import Overrides, make_plan
from agentcli.config.settings import shipped_config
from agentcli.config.task import find_task, load_task
from agentcli.core.policy import Allow, Ask, Deny, Situation, judge
from agentcli.core.step import Agent, Call
from agentcli.core.tool import Facts
from agentcli.document import read_document
from agentcli.model.scripted import Script
from agentcli.tool.load import load_tools

CONFIG = shipped_config()
PROFILES = sorted(CONFIG.named_files("profiles"))
TASKS = sorted(CONFIG.named_files("tasks"))
SCRIPTS = sorted(CONFIG.named_files("scripts"))
TOOLS = load_tools([asset.shipped("tools")])
REVIEW = asset.shipped("configs", "tasks", "review")
IN_A_SANDBOX = Facts(sandboxed=True, offline=True, restorable=True)
ON_THE_HOST = Facts(restorable=True)


def read(kind: str, name: str) -> Any:
    return yaml.safe_load(CONFIG.named_files(kind)[name].read_text())


def judged(profile: str, tool: str, facts: Facts, workspace: Path) -> Allow | Ask | Deny:
    over = Overrides(backend="bubblewrap")
    plan = make_plan(CONFIG, CONFIG.profile(profile), Agent("react"), workspace, over)
    return judge(plan.policy, Situation(), Call(tool, {"command": "ls"}), facts)


def test_each_profile_has_a_task_and_each_task_a_script() -> None:
    assert PROFILES == [
        *("analyst", "careful", "coder", "default", "quarantine", "reader", "reviewer"),
    ]
    doers = {read("tasks", name)["profile"] for name in TASKS}
    assert doers == set(PROFILES) - {"careful"}  # which is `default` with another rule
    assert SCRIPTS == TASKS


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_loads_says_what_it_is_for_and_offers_tools_that_ship(
    name: str, tmp_path: Path
) -> None:
    profile = CONFIG.profile(name)
    plan = make_plan(CONFIG, profile, Agent("react"), tmp_path, Overrides(backend="bubblewrap"))
    assert profile.description.endswith(".")
    assert profile.system is not None
    assert plan.system.startswith(profile.system.strip())
    # An ask may be inherited by a profile that offers no such tool, for those that extend it.
    assert set(plan.policy.asks) | set(plan.policy.offered) <= set(TOOLS)
    assert set(profile.tools or ()) == set(plan.policy.offered)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("tool", ["shell", "python"])
def test_on_the_bare_host_no_profile_runs_code_unasked(
    name: str, tool: str, tmp_path: Path
) -> None:
    assert not isinstance(judged(name, tool, ON_THE_HOST, tmp_path), Allow)


@pytest.mark.parametrize(
    ("profile", "tool", "expected"),
    [
        ("default", "write_file", Allow),
        ("careful", "write_file", Ask),
        ("coder", "shell", Allow),
        ("reader", "shell", Deny),
        ("reader", "write_file", Deny),
        ("analyst", "python", Allow),
        ("analyst", "write_file", Ask),
        ("analyst", "shell", Deny),
        ("reviewer", "shell", Allow),
        ("reviewer", "write_file", Deny),
        ("reviewer", "edit_file", Deny),
    ],
)
def test_what_a_profile_lets_run_in_a_sandbox(
    profile: str, tool: str, expected: type, tmp_path: Path
) -> None:
    assert isinstance(judged(profile, tool, IN_A_SANDBOX, tmp_path), expected)


@pytest.mark.parametrize("name", ["reader", "reviewer"])
def test_who_only_reads_has_a_workspace_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    over = Overrides(backend="bubblewrap")
    plan = make_plan(CONFIG, CONFIG.profile(name), Agent("react"), tmp_path, over)
    assert not plan.sandbox.writable
    assert "You cannot change it." in plan.system
    assert isinstance(judged(name, "shell", ON_THE_HOST, tmp_path), Deny)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_works_on_a_copy_of_small_files_and_can_fail(name: str) -> None:
    task = load_task(name, {}, CONFIG)
    assert task.file.title
    assert task.file.workspace == "copy"
    assert task.file.profile in PROFILES
    assert task.agent.checks != type(task.agent.checks)()
    listed = task.files()
    beside = [path for path in (task.folder / name).rglob("*") if path.is_file()]
    assert sorted(listed) == sorted(p for p in beside if "__pycache__" not in p.parts)
    for path in (*listed, find_task(name, CONFIG), CONFIG.named_files("scripts")[name]):
        assert path.stat().st_size < 6000, path
        path.read_text(encoding="ascii")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_calls_what_its_task_s_profile_offers_and_the_schemas_take(name: str) -> None:
    script = read_document(CONFIG.named_files("scripts")[name], Script)
    offered = CONFIG.profile(read("tasks", name)["profile"]).tools or ()
    calls = [part.call for turn in script.turns for part in turn.parts() if part.call]
    assert calls
    for call in calls:
        assert call.tool in offered
        assert TOOLS[call.tool].arguments.problems(call.args) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_holds_what_the_tools_say_against_what_it_expects(name: str) -> None:
    script = read_document(CONFIG.named_files("scripts")[name], Script)
    assert all(turn.expect for turn in script.turns[1:])
    pause_s = sum(
        turn.delay_ms / 1000 + sum(len(p.text or p.thinking or "") for p in turn.parts()) / pace
        for turn in script.turns
        if (pace := turn.chars_per_s or 1_000_000)
    )
    assert pause_s < 3


def test_the_change_to_review_is_the_one_that_was_made() -> None:
    path, at = Path(), 0
    seen: set[str] = set()
    for line in (REVIEW / "change.diff").read_text().splitlines():
        if line.startswith("+++ b/"):
            path = REVIEW / line.removeprefix("+++ b/")
            seen.add(path.name)
        elif found := re.match(r"@@ -\S+ \+(\d+)", line):
            at = int(found[1])
        elif at and line[:1] in ("+", " "):
            assert path.read_text().splitlines()[at - 1] == line[1:], (path, at)
            at += 1
        elif line.startswith("--- a/"):
            at = 0
    assert seen == {"fees.py", "store.py", "test_lending.py"}
