"""Reads tools from their folders: sound manifests, with the text of their scripts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentcli.core.record import hash_of
from agentcli.document import Place, Source, did_you_mean, joined, read_source, read_text
from agentcli.errors import AgentcliError, ConfigError, MissingFileError
from agentcli.tool.fault import faults_of
from agentcli.tool.manifest import CallOf, Compensation, LoadedTool, Manifest, RunScript
from agentcli.tool.schema import Arguments, SchemaError

# Linux gives one argument of a command 128 KiB, and a script travels as one.
MAX_SCRIPT_BYTES = 120_000


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
    if lines := [source.line_at(at, text) for at, text in faults_of(path, manifest, arguments)]:
        raise ConfigError(joined(lines))
    script = _script_text(source, manifest)
    digest = hash_of(manifest.model_dump(mode="json"), script)
    return LoadedTool(manifest, script, digest, path, arguments, output)


def _compiled(source: Source, key: str, schema: Mapping[str, Any]) -> Arguments:
    try:
        return Arguments(schema)
    except SchemaError as wrong:
        raise source.error_at((key, *wrong.path), f"is not a JSON Schema: {wrong}") from None


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
