"""Profiles: who works, with which powers. Read from YAML, one extending another."""

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentcli.asset import hint_of_names, is_path
from agentcli.config.layer import Layer, set_fields, value_at
from agentcli.config.limit import MOST_USD
from agentcli.config.mount import MountSettings
from agentcli.config.policy import NOT_A_PROJECTS
from agentcli.core.injection import Layer as InjectionLayer
from agentcli.core.personal import Pii
from agentcli.core.plan import Untrusted
from agentcli.document import Document, Source, did_you_mean, joined, read_source
from agentcli.errors import ConfigError, MissingFileError

Words = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
FileName = Annotated[str, Field(pattern=r"^!?[^!/\x00][^/\x00]*$")]


class Tiers(Document):
    """What happens to a call of each tier. No profile lets an irreversible call run unasked."""

    read_only: Literal["allow", "ask", "deny"] | None = None
    reversible: Literal["allow", "ask", "deny"] | None = None
    irreversible: Literal["ask", "deny"] | None = None


class Budget(Document):
    """What a run may use up. `usd: null` means no limit on money."""

    usd: Annotated[Decimal, Field(gt=0, le=MOST_USD)] | None = None
    steps: Count | None = None
    time_s: Count | None = None


class SandboxSettings(Document):
    """Limits of the sandbox. backend: a file of agentcli/sandbox, or auto.

    writable: whether tools may change the workspace.
    mounts: what they see beside it, as /mnt/NAME.
    hidden: names of files that they cannot read, in place of those that are known to hold secrets.
    """

    backend: Words | None = None
    image: Words | None = None
    writable: bool | None = None
    memory_mb: Annotated[int, Field(ge=32)] | None = None
    cpus: Annotated[Decimal, Field(gt=0, le=256)] | None = None
    processes: Annotated[int, Field(ge=16)] | None = None
    file_size_mb: Count | None = None
    tmp_mb: Count | None = None
    mounts: tuple[str | MountSettings, ...] | None = None
    hidden: tuple[FileName, ...] | None = None


# An empty value would take away what a weaker layer asks about or limits. An empty `budget.usd` is
# meant: no limit.
NEVER_EMPTY = (
    *("ask", "budget", "budget.steps", "budget.time_s"),
    *("tiers", *(f"tiers.{name}" for name in Tiers.model_fields)),
    *("sandbox", *(f"sandbox.{name}" for name in SandboxSettings.model_fields)),
)


class PriceSettings(Document):
    """Dollars for each million tokens, for a model that the program does not know."""

    input: Annotated[Decimal, Field(ge=0)]
    output: Annotated[Decimal, Field(ge=0)]
    cache_write: Annotated[Decimal, Field(ge=0)] | None = None
    cache_read: Annotated[Decimal, Field(ge=0)] | None = None


class Unsafe(Document):
    """What somebody takes back of what protects them, in so many words.

    injection: parts of the injection rule that do not hold.
    """

    injection: tuple[InjectionLayer, ...] | None = None


class Settings(Document):
    """How to work: what the settings say, and what a profile may say otherwise.

    ask: tools that ask a person before they run, whatever their tier.
    policies: rules about calls; those of all layers hold together.
    untrusted: whether the model sees untrusted results, or only references to them.
    pii: whether personal data is kept as it is, or marks stand in its place.
    `held` and `redact` hold whatever layer says so.
    """

    model: Words | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    system: str | None = None
    tools: tuple[str, ...] | None = None
    ask: tuple[str, ...] | None = None
    tiers: Tiers | None = None
    budget: Budget | None = None
    sandbox: SandboxSettings | None = None
    price: PriceSettings | None = None
    output_chars: Annotated[int, Field(ge=1000)] | None = None
    tries: Annotated[int, Field(ge=1, le=20)] | None = None
    policies: tuple[Words, ...] | None = None
    untrusted: Untrusted | None = None
    pii: Pii | None = None
    unsafe: Unsafe | None = None


class ProfileFile(Settings):
    """One file. What it leaves out comes from the profile that it extends, or the settings."""

    extends: Words | None = None
    description: str | None = None


class Profile(Settings):
    """A profile with all that holds under it. `layers`: who says so, the weakest first."""

    name: str
    description: str = ""
    layers: tuple[Layer, ...] = ()

    model_config = {"arbitrary_types_allowed": True}

    def error_at(self, field: str, message: str) -> ConfigError:
        """Return the error for a field, at the place that sets it."""
        key = field.rstrip("0123456789").rstrip(".")  # not the place in a list
        for layer in reversed(self.layers):
            if layer.source is not None and layer.sets(key):
                return ConfigError(layer.source.line_at(field, message))
            if layer.sets(key) and key in layer.variables:
                return ConfigError(f"{layer.variables[key]}: {message}")
        return ConfigError(f"profile {self.name}: {field}: {message}")


def read_profile(
    name: str, known: Mapping[str, Sequence[Path]], project: Path | None = None
) -> tuple[list[Layer], str]:
    """Return the files of a profile as layers, the weakest first, and its description.

    name: of one of `known`, or the path of a file. known: the files of each name, the nearest
    first: one that extends its own name extends the next. project: a trusted
    project's own folder, whose files may name nothing that was not accepted with them.
    Raises ConfigError naming file, line, field and what was expected; MissingFileError.
    """
    layers: list[Layer] = []
    description = ""
    path: Path | None = find_profile(name, known)
    while path is not None:
        source = read_source(path)
        if any(layer.source and path.samefile(layer.source.path) for layer in layers):
            assert layers[-1].source is not None
            raise layers[-1].source.error_at("extends", "extends itself in a circle")
        file = source.read(ProfileFile)
        refuse_empty(source, file)
        if project is not None and path.is_relative_to(project):
            refuse_uncovered(source, "model", file.model)
            refuse_unsafe(source, file)
            base = base_of(source, file, known) if is_path(file.extends or "") else None
            if base is not None and not base.resolve().is_relative_to(project.resolve()):
                text = "leads out of what was accepted with the project"
                raise source.error_at("extends", text)
        description = description or file.description or ""
        data = set_fields(file)
        for own in ("extends", "description"):
            data.pop(own, None)
        layers.append(Layer("profile", data, source))
        path = base_of(source, file, known)
    return layers[::-1], description


def refuse_empty(source: Source, file: Settings) -> None:
    """Refuse a key without a value that would take away what protects. Raises ConfigError."""
    lines = [
        source.line_at(key, "is empty: write a value, or leave the key out")
        for key in NEVER_EMPTY
        if value_at(set_fields(file), key) is None
    ]
    if lines:
        raise ConfigError(joined(lines))


def refuse_uncovered(source: Source, field: str, model: str | None) -> None:
    """Refuse a script or a recording that a project's file names: nobody has accepted it."""
    if model is not None and model.partition(":")[0] in ("scripted", "recorded"):
        raise source.error_at(field, "a project may name a model, not what plays one")


def refuse_unsafe(source: Source, file: Settings) -> None:
    """Refuse what only a person may take back of what protects them."""
    if file.unsafe is not None:
        raise source.error_at("unsafe", NOT_A_PROJECTS)


def find_profile(name: str, known: Mapping[str, Sequence[Path]]) -> Path:
    if is_path(name):
        return Path(name)
    if name not in known:
        message = f"there is no profile `{name}`{did_you_mean(name, known)}"
        raise MissingFileError(message, hint=hint_of_names("Profiles", name, known))
    return known[name][0]


def base_of(source: Source, file: ProfileFile, known: Mapping[str, Sequence[Path]]) -> Path | None:
    """Return the file that a profile extends: a path beside it, or a name.

    By its own name it extends the one whose place it takes.
    """
    if file.extends is None:
        return None
    if is_path(file.extends):
        return source.path.parent / file.extends
    if file.extends not in known:
        near = did_you_mean(file.extends, known)
        raise source.error_at("extends", f"there is no profile `{file.extends}`{near}")
    paths, here = known[file.extends], os.path.realpath(source.path)
    below = [i + 1 for i, path in enumerate(paths) if os.path.realpath(path) == here]
    if not below:
        return paths[0]
    if below[0] == len(paths):
        text = f"it takes the place of no other profile `{file.extends}` that it could extend"
        raise source.error_at("extends", text)
    return paths[below[0]]
