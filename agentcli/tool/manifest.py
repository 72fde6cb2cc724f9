"""A tool as it is shipped: its manifest, the text of its script, and the hash of both."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from agentcli.core.label import Confidentiality, Integrity, Label
from agentcli.core.record import hash_of
from agentcli.core.tool import Condition, RiskTier, ToolRule
from agentcli.document import Document, Place, Source, did_you_mean, joined, read_source, read_text
from agentcli.errors import AgentcliError, ConfigError, MissingFileError
from agentcli.tool.schema import Arguments, SchemaError

# Linux gives one argument of a command 128 KiB, and a script travels as one.
MAX_SCRIPT_BYTES = 120_000

FileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}\.py$")]
Seconds = Annotated[int, Field(ge=1, le=3600)]


class RunScript(Document):
    """A Python script beside the manifest. `modules`: files beside it that it may import."""

    script: FileName
    modules: tuple[FileName, ...] = ()


class RunCommand(Document):
    """A command. An element that is just `{name}` becomes the argument of that name."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]


class RunSession(Document):
    """An interpreter that keeps its state. `code`: the argument that holds the code."""

    session: Literal["python"]
    code: str


class Labels(Document):
    """Of a tool's output. The defaults are those of an unknown tool."""

    integrity: Integrity = "untrusted"
    confidentiality: Confidentiality = "private"


class Restore(Document):
    """What to put back to undo a call: the files that these arguments name, or everything."""

    restore: Literal["workspace"] | Annotated[tuple[str, ...], Field(min_length=1)]


class CallOf(Document):
    """A call of another tool. An argument that is just `{args.NAME}` is that of this call.

    `{result.NAME}` is a value of its result: of the object `data` in a script's answer, or of the
    JSON object that a command printed.
    """

    tool: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]
    args: dict[str, Any] = {}


class Compensation(Document):
    """What undoes a call: another call."""

    call: CallOf


class Manifest(Document):
    """What people write about a tool, in `tools/<name>.yaml`.

    reversible_when: a call without one of these counts as irreversible.
    sinks: the arguments through which something can be changed or sent; None means all.
    paths: the arguments that name files; None means all that could.
    timeout_argument: the integer argument that says, in seconds, how long a call may take, up to
        `max_timeout_s`; without it the limit is `timeout_s`.
    compensate: what undoes a call; it must be a call of another tool, or of files put back.
    preview: the script can show what it would do, as a diff, when AGENTCLI_PREVIEW is 1.
    shell: the argument that is a shell command. It is parsed, and a call that only reads is
        read_only.
    probe: the script can tell whether a call had its effect: when AGENTCLI_PROBE is 1 it answers
        {"happened": true or false} of the call under AGENTCLI_IDEMPOTENCY_KEY, null if unknown.
    parameters: JSON Schema, draft 2020-12; no other arguments are taken unless it says so.
    output: JSON Schema of what it returns: of `data` in a script's answer, or of the JSON that a
        command prints. What does not fit is told as an error, and no undo uses it.
    """

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]
    version: Annotated[int, Field(ge=1)]
    description: Annotated[str, Field(min_length=1, max_length=10_000)]
    tier: RiskTier
    reversible_when: tuple[Condition, ...] = ()
    egress: bool
    idempotent: bool
    labels: Labels = Labels()
    sinks: tuple[str, ...] | None = None
    paths: tuple[str, ...] | None = None
    timeout_s: Seconds = 120
    timeout_argument: str | None = None
    max_timeout_s: Seconds | None = None
    compensate: Literal["none"] | Restore | Compensation = "none"
    preview: bool = False
    probe: bool = False
    shell: str | None = None
    parameters: dict[str, Any]  # a border: JSON Schema is open
    output: dict[str, Any] | None = None
    examples: tuple[dict[str, Any], ...] = ()
    run: RunScript | RunCommand | RunSession

    @field_validator("parameters")
    @classmethod
    def _close(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"additionalProperties": False, **parameters}

    @property
    def properties(self) -> Mapping[str, Any]:
        found = self.parameters.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def names(self) -> frozenset[str]:
        """Return the names that the schema has for fields, at whatever depth."""
        return frozenset(names_in_schema(self.parameters))

    def timeout_of(self, args: Mapping[str, object]) -> int:
        """Return how long a call with these arguments may take, in seconds."""
        asked = args.get(self.timeout_argument) if self.timeout_argument else None
        if isinstance(asked, int | float):
            return max(1, min(int(asked), self.max_timeout_s or self.timeout_s))
        return self.timeout_s


@dataclass(frozen=True)
class LoadedTool:
    """A manifest that was found sound.

    script: the whole text to run, its modules included; "" for a tool that has none.
    digest: of manifest and script: another version of a tool is another tool.
    output: what its results must fit, None if it does not say.
    """

    manifest: Manifest
    script: str
    digest: str
    path: Path
    arguments: Arguments = field(repr=False, compare=False)
    output: Arguments | None = field(default=None, repr=False, compare=False)

    @property
    def rule(self) -> ToolRule:
        """Return the tool as the rules see it."""
        manifest, labels = self.manifest, self.manifest.labels
        return ToolRule(
            digest=self.digest,
            version=manifest.version,
            tier=manifest.tier,
            reversible_when=manifest.reversible_when,
            egress=manifest.egress,
            idempotent=manifest.idempotent,
            label=Label(integrity=labels.integrity, confidentiality=labels.confidentiality),
            probe=manifest.probe,
            sinks=manifest.sinks,
            shell=manifest.shell is not None,
            paths=manifest.paths,
            code=manifest.shell is not None or isinstance(manifest.run, RunSession),
        )


def names_in_schema(schema: object) -> Iterator[str]:
    """Yield the names of all properties in a JSON Schema."""
    match schema:
        case dict():
            for key, below in schema.items():
                if key == "properties" and isinstance(below, dict):
                    yield from below
                yield from names_in_schema(below)
        case list() | tuple():
            for below in schema:
                yield from names_in_schema(below)


def load_tools(folders: Sequence[Path]) -> dict[str, LoadedTool]:
    """Return the tools of all folders by name, sorted.

    Raises ConfigError with everything wrong in any of them. Two tools of one name are an error:
    none takes another's place silently.
    """
    tools: dict[str, LoadedTool] = {}
    wrong: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            raise MissingFileError(f"{folder}: there is no such folder of tools")
        for path in sorted(folder.glob("*.y*ml")):
            try:
                if path.suffix != ".yaml":
                    raise ConfigError(f"{path}: a manifest's name must end in .yaml")
                tool = load_manifest(path)
                name = tool.manifest.name
                if first := tools.get(name):
                    raise ConfigError(f"{path}: a tool named `{name}` is already in {first.path}")
                tools[name] = tool
            except AgentcliError as error:
                wrong += str(error).splitlines()
    for tool in tools.values():
        match tool.manifest.compensate:
            case Compensation(call=CallOf(tool=name)) if name not in tools:
                near = did_you_mean(name, tools)
                wrong.append(f"{tool.path}: compensate.call: there is no tool `{name}`{near}")
    if wrong:
        raise ConfigError(joined(wrong))
    return dict(sorted(tools.items()))


def load_manifest(path: Path) -> LoadedTool:
    """Return the tool that `path` and the script beside it define.

    Raises ConfigError with a line for each thing that is wrong, or MissingFileError.
    """
    source = read_source(path)
    manifest = source.read(Manifest)
    arguments = _compiled(source, "parameters", manifest.parameters)
    output = None if manifest.output is None else _compiled(source, "output", manifest.output)
    if lines := [source.line_at(at, text) for at, text in _faults(path, manifest, arguments)]:
        raise ConfigError(joined(lines))
    script = _script_text(source, manifest)
    digest = hash_of(manifest.model_dump(mode="json"), script)
    return LoadedTool(manifest, script, digest, path, arguments, output)


def _compiled(source: Source, key: str, schema: Mapping[str, Any]) -> Arguments:
    try:
        return Arguments(schema)
    except SchemaError as wrong:
        raise source.error_at((key, *wrong.path), f"is not a JSON Schema: {wrong}") from None


def command_of(run: RunCommand, args: Mapping[str, object]) -> tuple[str, ...]:
    """Return the command of a call: each `{name}` in it replaced by the argument as one word."""
    return tuple(
        _word(args[found[1]]) if (found := _PLACEHOLDER.fullmatch(part)) else part
        for part in run.command
    )


PLACE = re.compile(r"\{(?P<of>args|result)\.(?P<name>[A-Za-z0-9_-]{1,64})\}")
_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.-]{1,64})\}")


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _faults(path: Path, manifest: Manifest, arguments: Arguments) -> Iterator[tuple[Place, str]]:
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
    match manifest.run:
        case RunSession(code=name):
            yield from _needs(manifest, ("run", "code"), name, "string", always=True)
        case RunCommand(command=command):
            for i, part in enumerate(command):
                if found := _PLACEHOLDER.fullmatch(part):
                    yield from _needs(manifest, ("run", "command", i), found[1], always=True)
                elif any(f"{{{name}}}" in part for name in manifest.properties):
                    yield ("run", "command", i), "a placeholder must be a whole element"
    if manifest.output is not None:
        yield from _wrong_output(manifest.run, manifest.output)
    for i, example in enumerate(manifest.examples):
        for problem in arguments.problems(example):
            yield ("examples", i), problem


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
        yield at, f"no parameter is named `{name}`{did_you_mean(name, manifest.properties)}"
    elif kind and not _is_of(manifest.properties[name], kind):
        yield at, f"the parameter `{name}` must be of the type {kind}"
    elif always and name not in manifest.parameters.get("required", ()):
        yield at, f"the parameter `{name}` must be required"


def _is_of(schema: object, kind: str) -> bool:
    return isinstance(schema, dict) and schema.get("type") == kind  # `true` is a schema, too


def _script_text(source: Source, manifest: Manifest) -> str:
    """Return one self-contained text: the modules as a first line, then the script."""
    if not isinstance(manifest.run, RunScript):
        return ""
    names = [*manifest.run.modules, manifest.run.script]
    places: list[Place] = [("run", "modules", i) for i in range(len(names) - 1)]
    texts = []
    for at, name in zip([*places, ("run", "script")], names, strict=True):
        try:
            texts.append(read_text(source.path.parent / name))
        except AgentcliError as wrong:
            raise source.error_at(at, str(wrong)) from None
    *modules, script = texts
    head = _head(zip(names, modules, strict=False)) if modules else ""
    if "\0" in script or len((head + script).encode()) > MAX_SCRIPT_BYTES:
        limit = f"{MAX_SCRIPT_BYTES:,}"
        raise source.error_at(
            "run.script", f"must be text of at most {limit} bytes with its modules"
        )
    return head + script


def _head(modules: Iterable[tuple[str, str]]) -> str:
    """Return two lines of Python that make the modules importable by their names."""
    named = [(name.removesuffix(".py"), text) for name, text in modules]
    return (
        "import sys, types\n"
        f"for _name, _text in {named!r}: sys.modules[_name] = types.ModuleType(_name); "
        'exec(compile(_text, _name + ".py", "exec"), vars(sys.modules[_name]))\n'
    )
