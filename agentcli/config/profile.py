"""Profiles: who works, with which powers. Read from YAML, one extending another."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from agentcli import asset
from agentcli.config.limit import MOST_USD
from agentcli.document import Document, Source, did_you_mean, read_source
from agentcli.errors import ConfigError, MissingFileError

Words = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]


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
    """

    backend: Words | None = None
    image: Words | None = None
    writable: bool | None = None
    memory_mb: Annotated[int, Field(ge=32)] | None = None
    cpus: Annotated[Decimal, Field(gt=0, le=256)] | None = None
    processes: Annotated[int, Field(ge=16)] | None = None
    file_size_mb: Count | None = None
    tmp_mb: Count | None = None


class PriceSettings(Document):
    """Dollars for each million tokens, for a model that the program does not know."""

    input: Annotated[Decimal, Field(ge=0)]
    output: Annotated[Decimal, Field(ge=0)]
    cache_write: Annotated[Decimal, Field(ge=0)] | None = None
    cache_read: Annotated[Decimal, Field(ge=0)] | None = None


class ProfileFile(Document):
    """One file. What it leaves out comes from the profile that it extends."""

    extends: Words | None = None
    description: str | None = None
    model: Words | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    system: str | None = None
    tools: tuple[str, ...] | None = None
    tiers: Tiers | None = None
    budget: Budget | None = None
    sandbox: SandboxSettings | None = None
    price: PriceSettings | None = None
    output_chars: Annotated[int, Field(ge=1000)] | None = None
    tries: Annotated[int, Field(ge=1, le=20)] | None = None


# Where no profile says anything.
BASE = ProfileFile(
    description="",
    max_tokens=16_000,
    system="",
    tools=(),
    tiers=Tiers(read_only="allow", reversible="allow", irreversible="ask"),
    budget=Budget(usd=Decimal(2), steps=50, time_s=1800),
    sandbox=SandboxSettings(
        backend="auto",
        image="agentcli-sandbox:latest",
        writable=True,
        memory_mb=512,
        cpus=Decimal(1),
        processes=256,
        file_size_mb=256,
        tmp_mb=64,
    ),
    output_chars=30_000,
    tries=5,
)


class Profile(ProfileFile):
    """A profile with all that it extends. `sources`: its files, the nearest first."""

    name: str
    sources: tuple[Source, ...] = ()

    model_config = {"arbitrary_types_allowed": True}

    def error_at(self, field: str, message: str) -> ConfigError:
        """Return the error for a field, at the place in the nearest file that sets it."""
        for source in self.sources:
            if field.partition(".")[0] in source.data:
                return ConfigError(source.line_at(field, message))
        return ConfigError(f"profile {self.name}: {field}: {message}")


def load_profile(name: str) -> Profile:
    """Return a profile by its name, or by the path of its file.

    Raises ConfigError naming file, line, field and what was expected; MissingFileError.
    """
    sources: list[Source] = []
    files: list[ProfileFile] = []
    path: Path | None = find_profile(name)
    while path is not None:
        if any(path.samefile(source.path) for source in sources):
            raise ConfigError(sources[-1].line_at("extends", "extends itself in a circle"))
        source = read_source(path)
        file = source.read(ProfileFile)
        sources.append(source)
        files.append(file)
        path = base_of(source, file)
    merged = set_fields(BASE)
    for file in reversed(files):
        merged = merge(merged, set_fields(file))
    merged.pop("extends", None)
    stem = Path(name).stem if "/" in name or name.endswith(".yaml") else name
    return Profile.model_validate({**merged, "name": stem, "sources": tuple(sources)}, strict=False)


def find_profile(name: str) -> Path:
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    known = asset.named_files("profiles")
    if name not in known:
        names = ", ".join(sorted(known))
        message = f"there is no profile `{name}`{did_you_mean(name, known)}"
        raise MissingFileError(message, hint=f"Profiles: {names}")
    return known[name]


def base_of(source: Source, file: ProfileFile) -> Path | None:
    """Return the file that a profile extends: a name, or a path beside it."""
    if file.extends is None:
        return None
    if "/" in file.extends or file.extends.endswith(".yaml"):
        return source.path.parent / file.extends
    known = asset.named_files("profiles")
    if file.extends not in known:
        near = did_you_mean(file.extends, known)
        raise source.error_at("extends", f"there is no profile `{file.extends}`{near}")
    return known[file.extends]


def set_fields(file: Document) -> dict[str, Any]:
    return file.model_dump(exclude_unset=True)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, field by field: mappings are merged, anything else is replaced."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[name] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged
