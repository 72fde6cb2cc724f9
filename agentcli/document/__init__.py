"""Strict reading of what people write in YAML: every error at once, each with its place."""

import difflib
import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agentcli.core.visible import escaped_line
from agentcli.errors import AgentcliError, ConfigError, MissingFileError

MAX_BYTES = 1_000_000
MAX_ERRORS = 50

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]


class Document(BaseModel):
    """The base of all models of YAML files: closed, frozen, nothing converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True)
class Spot:
    """Where one value stands, counted from 1, and what is written there.

    key_line, key_column: of its key; of itself in a list.
    got: in words, such as "the text `dev`".
    switch: the `yes`, `off` ... that YAML 1.1 reads as a boolean, "" for anything else.
    """

    line: int
    column: int
    key_line: int
    key_column: int
    got: str
    switch: str = ""


@dataclass(frozen=True)
class Source:
    """A YAML file, read but not yet understood.

    A place in it is a tuple of keys and list indices, or the same dotted: `tools.2`.
    data: whatever was written. Values are only text, numbers, booleans, None, lists, mappings.
    """

    path: Path
    data: dict[str, Any]
    spots: dict[Place, Spot]

    def place(self, at: str | Place) -> Place:
        """Return the longest beginning of a place that is in the file."""
        parts = at if isinstance(at, tuple) else tuple(at.split("."))
        found: Place = ()
        while parts:
            for size in range(len(parts), 0, -1):  # a key may hold dots
                key = parts[0] if size == 1 else ".".join(map(str, parts[:size]))
                index = (
                    int(key) if isinstance(key, str) and re.fullmatch("[0-9]{1,6}", key) else key
                )
                if (*found, key) in self.spots or (*found, index) in self.spots:
                    found = (*found, key if (*found, key) in self.spots else index)
                    parts = parts[size:]
                    break
            else:
                return found
        return found

    def where(self, at: str | Place = "", *, key: bool = False) -> str:
        """Return `file:line:column` of a value, or of its key; of what encloses it if absent."""
        spot = self.spots[self.place(at)]
        line, column = (spot.key_line, spot.key_column) if key else (spot.line, spot.column)
        return f"{escaped_line(str(self.path))}:{line}:{column}"

    def line_at(self, at: str | Place, message: str, *, key: bool = False) -> str:
        """Return one line of an error: `file:line:column: dotted.path: message`."""
        dotted = at if isinstance(at, str) else ".".join(map(str, at))
        shown = f"{escaped_line(dotted)}: " if dotted else ""
        return f"{self.where(at, key=key)}: {shown}{message}"

    def error_at(
        self,
        at: str | Place,
        message: str,
        *,
        error: type[AgentcliError] = ConfigError,
        hint: str = "",
    ) -> AgentcliError:
        """Return the error to raise for what is found wrong at a place after reading."""
        return error(self.line_at(at, message), hint=hint)

    def read(self, kind: type[Model], error: type[AgentcliError] = ConfigError) -> Model:
        """Return the file as a `kind`. Raises `error` with a line for each thing that is wrong."""
        from agentcli.document.complaint import complaints, misread

        try:
            # By way of JSON: from there, and only from there, strict pydantic takes a list for
            # a tuple and text for an enum, a path or a date.
            model = kind.model_validate_json(json.dumps(self.data))
        except ValidationError as wrong:
            errors = wrong.errors(include_url=False, include_input=False)
            raise error(joined(complaints(self, kind, errors))) from None
        if lines := misread(self, kind):
            raise error(joined(lines))
        return model


def read_document(path: Path, kind: type[Model], error: type[AgentcliError] = ConfigError) -> Model:
    """Return the YAML file at `path` as a `kind`.

    Raises MissingFileError when it cannot be opened, else `error`: one line for each thing
    wrong, with file, line, column, dotted path, what was expected and what was got.
    """
    return read_source(path, error).read(kind, error)


def read_source(path: Path, error: type[AgentcliError] = ConfigError) -> Source:
    """Return what the YAML file at `path` holds, with the place of every value.

    Refused: more than one document, anything but a mapping at the top, duplicate keys, keys that
    are not text, merge keys, tags, aliases that expand without end, numbers that do not
    fit 64 bits. Dates stay text. Raises like `read_document`.
    """
    from agentcli.document.nodes import parse

    return parse(path, read_text(path, error), error)


def read_text(path: Path, error: type[AgentcliError] = ConfigError) -> str:
    """Return the text of a small file that a person wrote, without a byte order mark."""
    shown = escaped_line(str(path))
    try:
        # O_NONBLOCK: opening a pipe must not wait for its writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISDIR(mode):
                raise MissingFileError(f"{shown}: is a folder, expected a file")
            if not stat.S_ISREG(mode):
                raise MissingFileError(f"{shown}: is a device or a pipe, expected a regular file")
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MissingFileError(f"{shown}: {_absent(path)}") from None
    except IsADirectoryError:
        raise MissingFileError(f"{shown}: is a folder, expected a file") from None
    except (OSError, ValueError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
        raise MissingFileError(f"{shown}: cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise error(f"{shown}: must be at most {MAX_BYTES:,} bytes, got more")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        got = f"got the byte 0x{raw[wrong.start]:02x}"
        raise error(f"{shown}:{line}: must be UTF-8 text, {got}") from None


def _absent(path: Path) -> str:
    try:
        names = os.listdir(path.parent)
    except OSError:
        return f"there is no such file, since there is no folder {escaped_line(str(path.parent))}"
    return f"there is no such file{did_you_mean(path.name, names)}"


def joined(lines: list[str]) -> str:
    """Return the lines of one error message, bounded."""
    more = len(lines) - MAX_ERRORS
    return "\n".join([*lines[:MAX_ERRORS], *([f"... and {more:,} more"] if more > 0 else [])])


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None."""
    known = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(word[:100].casefold(), list(known)[:1000], n=1, cutoff=0.65)
    return known[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return a clause to append to "unknown ...", "" where nothing is near."""
    name = nearest(word, names)
    return "" if name is None else f"; did you mean `{escaped_line(name)}`?"


def one_of(names: Iterable[str], limit: int = 12) -> str:
    """Return `a`, `b` or `c`, clipped."""
    shown = [f"`{escaped_line(name)}`" for name in names]
    if len(shown) > limit:
        return ", ".join(shown[:limit]) + f" or {len(shown) - limit} more"
    return " or ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
