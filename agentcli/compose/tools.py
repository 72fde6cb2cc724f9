"""The tools of a plan: as they are stored, as they run, and as the model is told of them."""

import json
from pathlib import Path
from typing import Any

from agentcli.core.message import Request, ToolSpec
from agentcli.core.plan import Plan, StoredTool
from agentcli.tool.manifest import LoadedTool, Manifest
from agentcli.tool.schema import Arguments


def stored_tools(plan: Plan) -> dict[str, LoadedTool]:
    """Return the tools of a plan just as they were when it was made."""
    tools = {}
    for name, stored in plan.tools.items():
        manifest = Manifest.model_validate_json(json.dumps(stored.manifest))
        digest = plan.policy.tools[name].digest
        arguments = Arguments(manifest.parameters)
        output = None if manifest.output is None else Arguments(manifest.output)
        tools[name] = LoadedTool(manifest, stored.script, digest, Path(name), arguments, output)
    return tools


def store_tool(tool: LoadedTool) -> StoredTool:
    return StoredTool(tool.manifest.model_dump(mode="json", exclude_unset=True), tool.script)


def base_request(plan: Plan) -> Request:
    offered = [plan.tools[name].manifest for name in plan.policy.offered]
    specs = (ToolSpec(m["name"], m["description"], schema_of(m)) for m in offered)
    return Request(
        plan.model,
        plan.system,
        (),
        tuple(sorted(specs, key=lambda spec: spec.name)),
        plan.max_tokens,
        plan.effort,
        plan.agent.checks.answer_schema,
    )


def schema_of(manifest: dict[str, Any]) -> dict[str, Any]:
    return {"additionalProperties": False, **manifest["parameters"]}
