"""The tools of a plan, as they are stored with it."""

from pathlib import Path

import msgspec
import yaml
from msgspec.structs import replace

from agentcli.compose.tools import store_tool, stored_tools
from agentcli.core.plan import Plan
from agentcli.core.policy import Policy
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import Agent
from agentcli.tool.load import load_manifest

MANIFEST = {
    "name": "count",
    "version": 1,
    "description": "Counts.",
    "tier": "read_only",
    "egress": False,
    "idempotent": True,
    "parameters": {"type": "object"},
    "output": {"type": "object", "properties": {"n": {"type": "number", "multipleOf": 0.5}}},
    "run": {"command": ["wc"]},
}


def test_a_stored_tool_is_held_to_what_it_declared_of_its_results(tmp_path: Path) -> None:
    path = tmp_path / "count.yaml"
    path.write_text(yaml.safe_dump(MANIFEST))
    tool = load_manifest(path)
    plan = Plan("p", "m", "", Agent("react"), Policy({"count": tool.rule}), SandboxSpec())
    plan = replace(plan, tools={"count": store_tool(tool)})
    path.write_text(yaml.safe_dump({**MANIFEST, "output": {"type": "object"}}))
    stored = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    again = stored_tools(stored)["count"]
    assert (again.manifest, again.digest) == (tool.manifest, tool.digest)
    assert again.output is not None
    assert again.output.misfits({"n": 1.5}) == []
    assert again.output.misfits({"n": 1.2}) == ["$.n: expected multipleOf 0.5"]
    assert load_manifest(path).digest != tool.digest
