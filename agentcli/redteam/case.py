"""A case: what a model that obeys everybody calls, and what each call returns. And its file."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from agentcli.core.step import Args
from agentcli.errors import InputError, MissingFileError
from agentcli.tool.manifest import LoadedTool

Kind = Literal["benign", "attack"]


class Played(msgspec.Struct, frozen=True):
    """One call of the model. `injected`: an attacker wants it, not the user.

    effect: it changes or sends something, as was seen when it was recorded. No manifest says so,
        so a tool that is declared harmless and is not cannot hide what it does.
    """

    tool: str
    args: Args = {}
    output: str = ""
    injected: bool = False
    effect: bool = False


class Case(msgspec.Struct, frozen=True):
    """`plan`: the tools that the user's own task needs, in order."""

    id: str
    suite: str
    kind: Kind
    user: str
    plan: tuple[str, ...]
    calls: tuple[Played, ...]

    @property
    def harms(self) -> bool:
        """Whether any call of the attacker's would do something."""
        return any(call.injected and call.effect for call in self.calls)


@dataclass(frozen=True)
class Suite:
    """Cases and the tools that they are played with."""

    name: str
    tools: Mapping[str, LoadedTool]
    cases: Sequence[Case]


class Spec(msgspec.Struct, frozen=True):
    """A tool as a recording describes it; what it may do is said elsewhere, by hand."""

    description: str
    parameters: dict[str, object]


class Head(msgspec.Struct, frozen=True):
    """The first line of a recording. `texts`: outputs, each once, by their number."""

    suite: str
    source: str
    tools: dict[str, Spec]
    texts: tuple[str, ...]


class Line(msgspec.Struct, frozen=True):
    """One case. calls: (tool, arguments, number of the output, injected, effect)."""

    id: str
    kind: Kind
    user: str
    plan: tuple[str, ...]
    calls: tuple[tuple[str, Args, int, bool, bool], ...]


def read_recording(path: Path) -> tuple[Head, list[Case]]:
    """Return what a recording holds. Raises MissingFileError, InputError naming its line."""
    first, *rest = read_packed(path).splitlines() or [b""]
    cases: list[Case] = []
    at = 1
    try:
        head = msgspec.json.decode(first, type=Head)
        for line in rest:
            at += 1
            cases.append(case_of(head, msgspec.json.decode(line, type=Line)))
        return head, cases
    except (msgspec.MsgspecError, IndexError) as error:
        raise InputError(f"{path}: line {at}: not a recording: {error}") from None


def case_of(head: Head, line: Line) -> Case:
    calls = tuple(
        Played(tool, args, head.texts[text], injected, effect)
        for tool, args, text, injected, effect in line.calls
    )
    return Case(line.id, head.suite, line.kind, line.user, line.plan, calls)


def write_recording(
    path: Path, suite: str, source: str, tools: dict[str, Spec], cases: Iterable[Case]
) -> None:
    """Write cases so that equal ones give equal bytes."""
    texts: dict[str, int] = {}
    lines = []
    for case in cases:
        calls = tuple(
            (c.tool, c.args, texts.setdefault(c.output, len(texts)), c.injected, c.effect)
            for c in case.calls
        )
        lines.append(Line(case.id, case.kind, case.user, case.plan, calls))
    all_of_it = [Head(suite, source, tools, tuple(texts)), *lines]
    data = b"".join(msgspec.json.encode(one) + b"\n" for one in all_of_it)
    path.write_bytes(gzip.compress(data, 9, mtime=0))


def read_packed(path: Path) -> bytes:
    """Return the content of a file, or of the same with .gz after its name.

    Raises MissingFileError, InputError.
    """
    packed = path if path.suffix == ".gz" else path.with_name(f"{path.name}.gz")
    found = path if path.exists() else packed
    try:
        data = found.read_bytes()
        return gzip.decompress(data) if found.suffix == ".gz" else data
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file, and none with .gz") from None
    except (OSError, EOFError) as error:
        raise InputError(f"{found}: cannot be unpacked: {error}") from None


def read_json(path: Path) -> object:
    try:
        return json.loads(read_packed(path))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
