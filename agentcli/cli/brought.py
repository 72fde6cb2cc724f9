"""What a project's own files would do, in words: first what widens what may happen."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentcli.cli.words import counted
from agentcli.errors import AgentcliError

if TYPE_CHECKING:
    from agentcli.config.layer import Layer
    from agentcli.config.settings import Config

# Of settings and profiles, what lets nothing more happen.
PLAIN = ("description", "effort", "max_tokens", "output_chars", "system")
WORDS = {
    ("api.base_url", ""): "your key and all that is said go there",
    ("sandbox.backend", "local"): "tools run on this machine itself, as you",
}


@dataclass(frozen=True)
class Brought:
    """One thing that a project's files would do.

    kind: what it does to what may happen; of what is "either" that depends on what else holds.
    "wrong": the files cannot be used.
    """

    text: str
    kind: Literal["widens", "narrows", "either", "plain", "wrong"] = "plain"


@dataclass(frozen=True)
class Change:
    """What would come or go. kind: whether more may happen then than before."""

    sign: Literal["+", "-"]
    text: str
    kind: Literal["widens", "rest", "wrong"]


def changes_of(before: Mapping[str, bytes], now: Mapping[str, bytes], root: Path) -> list[Change]:
    """Return what other files of a project would change, in words."""
    old, new = list(brought_by(before, root)), list(brought_by(now, root))
    wrong = [one for one in new if one.kind == "wrong"]
    known = [*old, *wrong]
    return [
        *(Change("+", text, "wrong") for text in wrong_with(now, root, [w.text for w in wrong])),
        *(change("+", one, ("widens", "either")) for one in new if one not in known),
        *(change("-", one, ("narrows", "either")) for one in old if one not in new),
    ]


def change(sign: Literal["+", "-"], one: Brought, widening: tuple[str, ...]) -> Change:
    return Change(sign, one.text, "widens" if one.kind in widening else "rest")


def brought_by(contents: Mapping[str, bytes], root: Path) -> Iterator[Brought]:
    """Yield what files would do, and what is wrong with them, where they are.

    They are read from a copy of what was read already: the project's own may have changed since.
    """
    from agentcli.config.trust import lay_out

    with tempfile.TemporaryDirectory(prefix="agentcli-") as folder:
        lay_out(Path(folder), contents)
        for name in sorted(contents):
            try:
                yield from of_file(name, Path(folder), contents[name])
            except AgentcliError as error:
                for line in str(error).replace(folder, str(root)).split("\n"):
                    yield Brought(line, "wrong")


def wrong_with(contents: Mapping[str, bytes], root: Path, known: list[str]) -> list[str]:
    """Return what keeps files from being used, alone or with what they name.

    known: what is wrong with a file alone.
    """
    from agentcli.compose.usable import faults
    from agentcli.config.project import FOLDER, proposed
    from agentcli.config.settings import config_if_trusted
    from agentcli.config.trust import lay_out

    if not any(name.startswith(f"{FOLDER}/") for name in contents):
        return known
    found = list(known)
    with tempfile.TemporaryDirectory(prefix="agentcli-") as folder:
        lay_out(Path(folder), contents)
        try:
            config = config_if_trusted(proposed(root, contents, Path(folder)))
            names = dict.fromkeys(["", *profiles_in(config)])
            errors = [str(error) for error in faults(config, names)]
        except AgentcliError as error:
            errors = [str(error)]
        for text in errors:
            found += text.replace(folder, str(root)).split("\n")
    return list(dict.fromkeys(found))


def profiles_in(config: "Config") -> Iterator[str]:
    """Yield the profiles that a project brings, or that its tasks name."""
    from agentcli.asset import is_path
    from agentcli.config.task import TaskFile, beside
    from agentcli.document import read_source

    assert config.own_folder is not None
    for path in sorted((config.own_folder / "profiles").glob("*.yaml")):
        yield path.stem
    for path in sorted((config.own_folder / "tasks").glob("*.yaml")):
        with suppress(AgentcliError):  # told of the file alone
            source = read_source(path)
            named = source.read(TaskFile).profile or ""
            yield beside(source, named, config) if is_path(named) else named


def of_file(name: str, folder: Path, data: bytes) -> Iterator[Brought]:
    from agentcli.config.project import INSTRUCTIONS
    from agentcli.config.settings import NAME

    _, _, below = name.partition("/")
    kind = below.partition("/")[0]
    path = folder / name
    if name in INSTRUCTIONS:
        yield Brought(instructions(name, data))
    elif is_binary(data):
        yield Brought(
            f"{name}: no text, and cannot be shown: {counted(len(data), 'byte')}", "widens"
        )
    elif below == NAME:
        yield from of_settings(path)
    elif path.suffix == ".yaml" and below.count("/") == 1:
        match kind:
            case "profiles":
                yield from of_profile(path)
            case "policies":
                yield from of_policy(path)
            case "tools":
                yield of_tool(path)
            case "tasks":
                yield from of_task(path)


def is_binary(data: bytes) -> bool:
    return b"\0" in data


def instructions(name: str, data: bytes) -> str:
    from agentcli.config.project import INSTRUCTIONS_CHARS

    told, size = f"{name}: told to the model as instructions", len(data.decode("utf-8", "replace"))
    if size <= INSTRUCTIONS_CHARS:
        return told
    return f"{told}, of its {size:,} characters only the first {INSTRUCTIONS_CHARS:,}"


def of_settings(path: Path) -> Iterator[Brought]:
    from agentcli.config.settings import all_keys, read_layer

    layer = read_layer("project", path)
    for key in all_keys():
        yield from of_key("setting", layer, key)


def of_profile(path: Path) -> Iterator[Brought]:
    from agentcli.config.layer import Layer, set_fields
    from agentcli.config.profile import ProfileFile, refuse_uncovered, refuse_unsafe
    from agentcli.config.settings import all_keys
    from agentcli.document import read_source

    source = read_source(path)
    file = source.read(ProfileFile)
    refuse_uncovered(source, "model", file.model)
    refuse_unsafe(source, file)
    extends = ", and extends it" if file.extends == path.stem else ""
    yield Brought(f"profile {path.stem}: {whose_place('profiles', path.stem)}{extends}")
    layer = Layer("profile", set_fields(file), source)
    for key in all_keys(ProfileFile):
        yield from of_key(f"profile {path.stem},", layer, key)


def of_task(path: Path) -> Iterator[Brought]:
    from agentcli.cli.config import plain
    from agentcli.config.task import CommandCheck, TaskFile
    from agentcli.document import read_source
    from agentcli.errors import InputError

    file = read_source(path, InputError).read(TaskFile, InputError)
    yield Brought(f"task {path.stem}: {whose_place('tasks', path.stem)}")
    for check in file.checks:
        if isinstance(check, CommandCheck):
            yield Brought(f"task {path.stem}, check: {plain(check.command)}", "widens")
    if file.output:
        yield Brought(f"task {path.stem}, output: {file.output}", "widens")


def of_key(whose: str, layer: "Layer", key: str) -> Iterator[Brought]:
    from agentcli.cli.config import plain
    from agentcli.config.layer import STRICTEST, setters

    for _, value in setters((layer,), key):
        words = WORDS.get((key, "")) or WORDS.get((key, str(value)))
        text = f"{whose} {key}: {plain(value)}{f' ({words})' if words else ''}"
        strict = STRICTEST.get(key)
        if strict is not None:
            yield Brought(text, "narrows" if value == strict else "plain")
        else:
            yield Brought(text, "plain" if key in PLAIN else "either")


def whose_place(kind: str, name: str) -> str:
    """Return in words whose place a profile or a task takes, if it takes anybody's."""
    from agentcli import asset

    other = asset.named_files(kind).get(name)
    if other is None:
        return "can be used by its name"
    whose = "shipped" if other.is_relative_to(asset.shipped("configs")) else "your own"
    return f"takes the place of the {whose} one"


def of_policy(path: Path) -> Iterator[Brought]:
    from agentcli.cli.config import plain
    from agentcli.config.policy import load_policy

    policy, whose = load_policy(path, of_project=True), f"policy {path.stem},"
    yield Brought(f"{whose} {counted(len(policy.rules), 'rule')}")
    for rule in policy.file.rules:
        said = rule.model_dump(mode="json", exclude_unset=True)
        rest = {key: said[key] for key in said if key not in ("name", "effect", "examples")}
        about = f": {plain(rest)}" if rest else ": every call"
        kind: Literal["widens", "narrows"] = "widens" if rule.effect == "allow" else "narrows"
        yield Brought(f"{whose} {rule.name}, {rule.effect}{about}", kind)
    for pattern in policy.protected:
        yield Brought(f"{whose} protects {pattern}", "narrows")
    if policy.domains:
        domains = ", ".join(policy.domains)
        yield Brought(f"{whose} what can send data out may lead only to {domains}", "narrows")
    for tool, limit in policy.file.limits.items():
        text = f"{whose} limit of {tool}: {plain(limit.model_dump(exclude_none=True))}"
        yield Brought(text, "narrows")


def of_tool(path: Path) -> Brought:
    from agentcli.cli.config import plain
    from agentcli.tool.load import load_manifest

    tool = load_manifest(path)
    manifest = tool.manifest
    egress = "can send data out" if manifest.egress else "cannot send data out"
    # The digest is of its script too, so that a change of that alone is told.
    text = f"tool {manifest.name}: {manifest.tier}, {egress}, {manifest.labels.integrity} output"
    return Brought(
        f"{text}, {plain(manifest.run.model_dump(mode='json'))} ({tool.digest[:8]})", "widens"
    )
