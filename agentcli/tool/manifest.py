"""A tool as it is shipped: its manifest, the text of its script, and the hash of both."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from agentcli.core.host import host_of
from agentcli.core.label import Confidentiality, Integrity, Label
from agentcli.core.tool import Condition, RiskTier, ToolRule
from agentcli.document import Document
from agentcli.tool.schema import Arguments

PLACE = re.compile(r"\{(?P<of>args|result)\.(?P<name>[A-Za-z0-9_-]{1,64})\}")
PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.-]{1,64})\}")

FileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}\.py$")]
Seconds = Annotated[int, Field(ge=1, le=3600)]


class RunScript(Document):
    """A Python script beside the manifest. `modules`: files beside it that it may import.

    get: a URL to read before it runs, since it has no network. `{name}` in it is the argument of
        that name; it stands for the whole URL, or for something behind the host.
    """

    script: FileName
    modules: tuple[FileName, ...] = ()
    get: str | None = None


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
    def get(self) -> str | None:
        """Return the URL to read for the script, with its placeholders, None for none."""
        return self.run.get if isinstance(self.run, RunScript) else None

    @property
    def host(self) -> str:
        """Return the host of the URL to read, "" for none, or where an argument says it."""
        return "" if self.get is None or PLACEHOLDER.fullmatch(self.get) else host_of(self.get)

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
            host=manifest.host,
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
