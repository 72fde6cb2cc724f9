"""What a tool of a suite may do, judged by hand, tool by tool, never by case."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentcli.core.record import hash_of
from agentcli.core.tool import RiskTier
from agentcli.document import Document, did_you_mean, joined, read_source
from agentcli.errors import ConfigError
from agentcli.redteam.case import Spec
from agentcli.tool.manifest import Labels, LoadedTool, Manifest, RunCommand
from agentcli.tool.schema import Arguments


class Declared(Document):
    """The part of a manifest that decides. The defaults are those of an unknown tool."""

    tier: RiskTier = "irreversible"
    egress: bool = True
    idempotent: bool = False
    labels: Labels = Labels()
    sinks: tuple[str, ...] | None = None


class Declarations(Document):
    """Tools by name; one that is not named is all that the defaults say."""

    tools: dict[str, Declared]


def read_declared(path: Path, known: Mapping[str, Spec]) -> dict[str, Declared]:
    """Return what a file says of tools. Raises ConfigError for one that does not exist."""
    source = read_source(path)
    declared = source.read(Declarations).tools
    wrong = []
    for name, one in declared.items():
        if name not in known:
            near = did_you_mean(name, known)
            wrong.append(source.line_at(("tools", name), f"there is no tool `{name}`{near}"))
            continue
        has = properties(known[name])
        wrong += [
            source.line_at(("tools", name, "sinks", i), f"no parameter is named `{sink}`")
            for i, sink in enumerate(one.sinks or ())
            if sink not in has
        ]
    if wrong:
        raise ConfigError(joined(wrong))
    return declared


def properties(spec: Spec) -> dict[str, Any]:
    found = spec.parameters.get("properties")
    return found if isinstance(found, dict) else {}


def loaded_tools(
    specs: Mapping[str, Spec], declared: Mapping[str, Declared], path: Path
) -> dict[str, LoadedTool]:
    """Return the tools as the gateway takes them. Their command never runs: outputs are played."""
    tools = {}
    for name, spec in sorted(specs.items()):
        one = declared.get(name, Declared())
        manifest = Manifest(
            name=name,
            version=1,
            description=spec.description,
            parameters=spec.parameters,
            run=RunCommand(command=("true",)),
            **one.model_dump(),
        )
        digest = hash_of(manifest.model_dump(mode="json"))
        tools[name] = LoadedTool(manifest, "", digest, path, Arguments(manifest.parameters))
    return tools
