"""Paths as arguments name them: compared by their parts, however they are spelled."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal, get_args

from agentcli.core.sandbox import hidden_names

Parts = tuple[str, ...]
WORKSPACE = ("/", "workspace")
MOST = 4096  # characters of a path


@lru_cache(maxsize=4_000)
def parts_of(path: str) -> Parts:
    """Return the parts of a path without `.` and `..`. That of the workspace has no root."""
    parts: list[str] = ["/"] if path.startswith("/") else []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] not in ("..", "/"):
            parts.pop()
        elif part == ".." and parts == ["/"]:
            continue
        elif part not in ("", "."):
            parts.append(part)
    found = tuple(parts)
    return found[2:] if found[:2] == WORKSPACE else found


@lru_cache(maxsize=4_000)
def folded(part: str) -> str:
    """Return the form in which file systems may compare a name.

    Some fold case, drop invisible characters and dots at the end, or compare by normal form.
    """
    if part.isascii():
        return part.lower().rstrip(". ") or part
    plain = unicodedata.normalize("NFKC", part)
    plain = "".join(char for char in plain if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFKC", plain.casefold()).rstrip(". ") or part


def is_below(parts: Parts, folder: Parts) -> bool:
    """Say whether a path is a folder or in it. One from the root, or out of it, is in no other."""
    if parts[:1] in (("/",), ("..",)) and parts[:1] != folder[:1]:
        return False
    return parts[: len(folder)] == folder


def forms_of(value: str, places: Mapping[str, str]) -> list[Parts]:
    """Return the parts of a path as it is written, and of where it really leads.

    places: where links lead, of those values of which it is another place. Raises ValueError
    where that could not be found out.
    """
    if len(value) > MOST or "\0" in value:
        raise ValueError("no path")
    forms = [parts_of(value)]
    if value in places:
        if not places[value]:
            raise ValueError("where it leads is not known")
        forms.append(parts_of(places[value]))
    return forms


Kind = Literal["", "holds", "in"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Guard = Callable[[Parts], Kind]


@lru_cache(maxsize=64)
def guard_of(patterns: tuple[str, ...]) -> Guard:
    """Return what tells whether a path is in what is protected, or holds some of it.

    A pattern is a name, or the parts of a path, each with `*`, `?`, `[...]` as `hidden_names`
    takes them. A path is meant from the root if it begins with a slash, else wherever it stands.
    """
    is_named = hidden_names(tuple(folded(p) for p in patterns if "/" not in p))
    paths = [parts_of(pattern) for pattern in patterns if "/" in pattern]
    tests = [tuple(hidden_names((folded(part),)) for part in path) for path in paths]

    def look(parts: Parts) -> Kind:
        plain = tuple(map(folded, parts))
        if any(map(is_named, plain)):
            return "in"
        holds = False
        for path, test in zip(paths, tests, strict=True):
            starts = range(len(plain)) if path[0] != "/" else range(min(1, len(plain)))
            for start in starts:
                tail = plain[start:]
                if all(is_it(part) for is_it, part in zip(test, tail, strict=False)):
                    if len(tail) >= len(test):
                        return "in"
                    holds = True
        return "holds" if holds else ""

    return look


@lru_cache(maxsize=64)
def names_of(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return names, each of which is in what is protected, of those that begin with a dot."""
    parts = {part for p in patterns if not p.startswith("!") for part in parts_of(p)}
    return tuple(re.sub(r"[*?]", "x", folded(part)) for part in sorted(parts) if part[0] == ".")


def could_name(word: str, patterns: tuple[str, ...]) -> bool:
    """Say whether a shell could make a protected name of a word with `*`, `?`, `[...]` or `{...}`.

    What begins otherwise does not fit a name with a dot.
    """
    for part in word.split("/"):
        if part[:1] not in (".", "{") or not re.search(r"[*?\[{]", part):
            continue
        fits = hidden_names((re.sub(r"\{.*\}?", "*", folded(part)),))
        if any(map(fits, names_of(patterns))):
            return True
    return False
