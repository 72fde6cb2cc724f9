"""What is kept of an answer with always is a rule that lets just such calls run."""

from pathlib import Path

import pytest

from agentcli.compose.always import always_of
from agentcli.compose.plan import Overrides, make_plan
from agentcli.compose.why import why
from agentcli.config.settings import load_config
from agentcli.core.plan import Plan
from agentcli.core.policy import Ask, Policy
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import Agent, Call
from agentcli.core.tool import Facts
from agentcli.tool.load import load_tools

ASK = Ask("reversible_asks", "reversible")
CONTAINED = Facts(sandboxed=True, offline=True, restorable=True)
CALL = Call("write_file", {"path": "src/a/b.py", "content": "x"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTCLI_HOME", str(tmp_path / "home"))
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def plan_of(folder: Path) -> Plan:
    config = load_config(folder)
    over = Overrides(backend="bubblewrap")
    return make_plan(config, config.profile("careful"), Agent("react"), folder, over)


def verdict(policy: Policy, folder: Path, path: str) -> str:
    tools = load_tools(load_config(folder).tool_folders())
    text = f'write_file {{"path": "{path}", "content": ""}}'
    return why(policy, tools, text, 1, SandboxSpec()).clean.rule


def test_a_kept_rule_holds_from_the_next_run_on_and_only_there(folder: Path) -> None:
    plan = plan_of(folder)
    always = always_of(plan, CALL, CONTAINED, ASK, tainted=False)
    assert always is not None
    assert always.words.startswith(
        f"write_file may run unasked, where path is in or below src/a. Only in {folder}, until 2"
    )
    assert not (folder.parent / "home" / "policies").exists()  # only a second key keeps it
    told = always.save()
    file = folder.parent / "home" / "policies" / "always.yaml"
    assert told == f"Kept in {file}; it holds from the next run on."
    assert file.stat().st_mode & 0o077 == 0
    assert "#" not in file.read_text()
    always.save()  # once more is no twin
    policy = plan_of(folder).policy
    assert [rule.name for rule in policy.rules].count(policy.rules[-1].name) == 1
    assert verdict(policy, folder, "src/a/c.py").startswith("always-write-file-")
    for path in ("src/c.py", "src/a/../c.py", "/etc/passwd", "src/A/c.py"):
        assert verdict(policy, folder, path) == "reversible_asks", path
    assert verdict(policy, folder, "src/a/.npmrc") == "protected_path"


def test_none_is_offered_for_what_cannot_be_undone_or_reaches_out_while_tainted(
    folder: Path,
) -> None:
    plan = plan_of(folder)
    assert always_of(plan, CALL, CONTAINED, Ask("x", "irreversible"), tainted=False) is None
    assert always_of(plan, CALL, Facts(), ASK, tainted=True) is None
    assert always_of(plan, Call("python", {"code": "1"}), CONTAINED, ASK, tainted=False) is None


def test_a_damaged_file_of_them_is_not_written_over(folder: Path) -> None:
    file = folder.parent / "home" / "policies" / "always.yaml"
    always = always_of(plan_of(folder), CALL, CONTAINED, ASK, tainted=False)
    assert always is not None
    file.parent.mkdir(parents=True)
    file.write_text("rules: 7\n")
    with pytest.raises(Exception, match="must be a list"):
        always.save()
    assert file.read_text() == "rules: 7\n"
