"""What does not fit together in a manifest, each with its place."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentcli.core.visible import escaped_line
from agentcli.document import Place, did_you_mean
from agentcli.tool.manifest import (
    PLACE,
    PLACEHOLDER,
    CallOf,
    Compensation,
    Manifest,
    Restore,
    RunCommand,
    RunScript,
    RunSession,
)
from agentcli.tool.reach import UnreachableError, target_of
from agentcli.tool.schema import Arguments


def faults_of(path: Path, manifest: Manifest, arguments: Arguments) -> Iterator[tuple[Place, str]]:
    """Yield the place and the text of each thing in a manifest that does not fit the rest."""
    if manifest.name != path.stem:
        yield ("name",), f"must be the file's name `{path.stem}`, got the text `{manifest.name}`"
    if manifest.reversible_when and manifest.tier != "reversible":
        yield ("reversible_when",), f"goes with the tier reversible, not {manifest.tier}"
    if manifest.parameters.get("type") != "object":
        yield ("parameters", "type"), "must be `object` at the top"
    for i, name in enumerate(manifest.sinks or ()):
        yield from _needs(manifest, ("sinks", i), name)
    for i, name in enumerate(manifest.paths or ()):
        yield from _needs(manifest, ("paths", i), name)
    if isinstance(manifest.compensate, Restore) and manifest.compensate.restore != "workspace":
        for i, name in enumerate(manifest.compensate.restore):
            yield from _needs(manifest, ("compensate", "restore", i), name, "string")
    if isinstance(manifest.compensate, Compensation):
        yield from _wrong_call(manifest, manifest.compensate.call)
    if manifest.timeout_argument is not None:
        yield from _needs(manifest, ("timeout_argument",), manifest.timeout_argument, "integer")
        if (manifest.max_timeout_s or 0) < manifest.timeout_s:
            yield ("max_timeout_s",), f"must be at least timeout_s, {manifest.timeout_s}"
    elif manifest.max_timeout_s is not None:
        yield ("max_timeout_s",), "goes with timeout_argument, which is not given"
    if manifest.preview and not isinstance(manifest.run, RunScript):
        yield ("preview",), "only a script can show what it would do"
    if manifest.probe and not isinstance(manifest.run, RunScript):
        yield ("probe",), "only a script can tell what became of a call"
    if manifest.shell is not None:
        yield from _needs(manifest, ("shell",), manifest.shell, "string", always=True)
        if manifest.run != RunCommand(command=("bash", "-c", f"{{{manifest.shell}}}")):
            yield ("shell",), f'needs the run [bash, -c, "{{{manifest.shell}}}"], which is parsed'
    if manifest.get is not None:
        yield from _wrong_get(manifest, manifest.get)
    match manifest.run:
        case RunSession(code=name):
            yield from _needs(manifest, ("run", "code"), name, "string", always=True)
        case RunCommand(command=command):
            for i, part in enumerate(command):
                if found := PLACEHOLDER.fullmatch(part):
                    yield from _needs(manifest, ("run", "command", i), found[1], always=True)
                elif any(f"{{{name}}}" in part for name in manifest.properties):
                    yield ("run", "command", i), "a placeholder must be a whole element"
    if manifest.output is not None:
        yield from _wrong_output(manifest.run, manifest.output)
    for i, example in enumerate(manifest.examples):
        for problem in arguments.problems(example):
            yield ("examples", i), problem


def _wrong_get(manifest: Manifest, get: str) -> Iterator[tuple[Place, str]]:
    at: Place = ("run", "get")
    if not manifest.egress:
        yield ("egress",), "must be true: what is read of a URL is sent there"
    if manifest.preview or manifest.probe:
        yield at, "goes with neither preview nor probe, which read no URL"
    names = PLACEHOLDER.findall(get)
    for name in names:
        yield from _needs(manifest, at, name, always=True)
        if manifest.sinks is not None and name not in manifest.sinks:
            yield ("sinks",), f"must have `{name}`, which run.get sends"
    if PLACEHOLDER.fullmatch(get):
        return
    if re.match(r"\w+://[^/?#]*\{", get):
        yield at, "an argument cannot be a part of the host"
        return
    try:
        target_of(PLACEHOLDER.sub("x", get))
    except UnreachableError as wrong:
        yield at, f"must be one `{{name}}`, or a URL: {wrong}"


def _wrong_output(run: object, output: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    if isinstance(run, RunSession):
        yield ("output",), "goes with a script or a command; what a session returns is no JSON"
    if isinstance(run, RunScript) and output.get("type") != "object":
        yield ("output", "type"), "must be `object` at the top, as the `data` of a script is one"


def _wrong_call(manifest: Manifest, call: CallOf) -> Iterator[tuple[Place, str]]:
    """Yield what is wrong with the call that is to undo another one."""
    at: Place = ("compensate", "call")
    declared = (manifest.output or {}).get("properties")
    if call.tool == manifest.name:
        yield (*at, "tool"), "a tool cannot undo itself"
    for name, value in call.args.items():
        if isinstance(value, str) and (found := PLACE.fullmatch(value)):
            if found["of"] == "args":
                yield from _needs(manifest, (*at, "args", name), found["name"], always=True)
            elif declared and found["name"] not in declared:
                near = did_you_mean(found["name"], declared)
                yield (*at, "args", name), f"no value of `output` is named `{found['name']}`{near}"
        elif isinstance(value, str) and ("{args." in value or "{result." in value):
            yield (*at, "args", name), "a placeholder must be the whole value"


def _needs(
    manifest: Manifest, at: Place, name: str, kind: str = "", *, always: bool = False
) -> Iterator[tuple[Place, str]]:
    """Yield what is wrong with a name that is to be an argument, `always`: one that is required."""
    if name not in manifest.properties:
        near = did_you_mean(name, manifest.properties)
        yield at, f"no parameter is named `{escaped_line(name)}`{near}"
    elif kind and not _is_of(manifest.properties[name], kind):
        yield at, f"the parameter `{name}` must be of the type {kind}"
    elif always and name not in manifest.parameters.get("required", ()):
        yield at, f"the parameter `{name}` must be required"


def _is_of(schema: object, kind: str) -> bool:
    return isinstance(schema, dict) and schema.get("type") == kind  # `true` is a schema, too
