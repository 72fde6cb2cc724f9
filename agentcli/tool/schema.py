"""Arguments of a tool call against the tool's JSON Schema: all that is wrong, and the cure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any

from agentcli.core.visible import escaped_line
from agentcli.document import did_you_mean, nearest

if TYPE_CHECKING:
    import jsonschema_rs

MAX_DEPTH = 64
MAX_VALUES = 100_000
MAX_PROBLEMS = 20
MAX_BITS = 1024  # what a float can hold, too
MAX_SHOWN = 80  # characters of one value
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}")

Path = Sequence[str | int]


class SchemaError(ValueError):
    """Not a JSON Schema that can be used. `path`: where in the schema."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class Arguments:
    """A compiled JSON Schema, draft 2020-12, whose formats are checked."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises SchemaError. No reference is fetched."""
        import jsonschema_rs

        self.schema = dict(schema)
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                self.schema,
                validate_formats=True,
                offline=True,
                # The linear engine: no pattern can take long, look-around is refused.
                pattern_options=jsonschema_rs.RegexOptions(),
            )
        except jsonschema_rs.ValidationError as wrong:
            message = escaped_line(wrong.message, 300)
            raise SchemaError(message, tuple(wrong.instance_path)) from None
        except ValueError as wrong:
            raise SchemaError(escaped_line(str(wrong), 300)) from None

    def problems(self, args: object) -> list[str]:
        """Return everything that is wrong, a line each, clipped; [] means that they are valid.

        Each is `$.path: what is wrong` and how to mend it. Never raises, whatever `args` is.
        """
        return self._told(args, lambda error: self._lines(error, args))

    def misfits(self, value: object) -> list[str]:
        """Return what `problems` does of a tool's result: the places and what was expected there.

        Nothing of the value is quoted: it may hold a secret, which clipped would not be known. A
        key that is not allowed is named if it is a plain, whole name.
        """
        return self._told(value, self._misfit)

    def _told(
        self, value: object, told: Callable[["jsonschema_rs.ValidationError"], Iterator[str]]
    ) -> list[str]:
        if odd := list(islice(not_json(value), MAX_PROBLEMS)):
            return odd
        try:
            found = (line for error in self._validator.iter_errors(value) for line in told(error))
            lines = list(islice(found, MAX_PROBLEMS + 1))
        except ValueError as wrong:  # such as a `$ref` that comes back to itself
            return [f"$: cannot be checked: {escaped_line(str(wrong))}"]
        if len(lines) > MAX_PROBLEMS:
            return [*lines[: MAX_PROBLEMS - 1], "... and more like these"]
        return lines

    def _misfit(self, error: "jsonschema_rs.ValidationError") -> Iterator[str]:
        at, name = _shown_path(error.instance_path), error.kind.name
        around = self._around(error.schema_path)
        match name:
            case "additionalProperties" | "unevaluatedProperties":
                for line in _unknown(error, around):
                    yield f"{at}: {line}"
            case "required":
                yield f"{at}: the key {shown(getattr(error.kind, 'property', ''))} is missing"
            case _ if name in around:
                yield f"{at}: expected {name} {shown(around[name])}"
            case _:
                yield f"{at}: does not fit ({name})"

    def _lines(self, error: "jsonschema_rs.ValidationError", args: object) -> Iterator[str]:
        # Not error.instance: a number that is too big for the validator is null there.
        value = _at(args, error.instance_path)
        at = _shown_path(error.instance_path)
        around = self._around(error.schema_path)
        match error.kind.name:
            case "additionalProperties" | "unevaluatedProperties":
                known = _mapping(around.get("properties"))
                for name in _list(getattr(error.kind, "unexpected", [])):
                    near = did_you_mean(name, known) or _known(known)
                    yield f"{at}: unknown key {shown(name)}{near}"
            case "required":
                name = str(getattr(error.kind, "property", ""))
                about = _mapping(_mapping(around.get("properties")).get(name))
                text = escaped_line(str(about.get("description", "")))
                yield f"{at}: the key {shown(name)} is missing{f' ({text})' if text else ''}"
            case "anyOf" | "oneOf" if branches := _list(getattr(error.kind, "context", [])):
                yield from self._nearest_form(at, value, branches, args)
            case _:
                yield f"{at}: {_wrong(error, value, around)}"

    def _nearest_form(
        self, at: str, value: object, branches: list[Any], args: object
    ) -> Iterator[str]:
        if all(len(b) == 1 and b[0].kind.name == "type" for b in branches):
            types = list(dict.fromkeys(str(name) for b in branches for name in b[0].kind.types))
            yield f"{at}: got {_kind(value)} (expected {_or(types)})"
            return
        fewest = min(branches, key=len)
        lines = [line for problem in fewest[:3] for line in self._lines(problem, args)]
        form = "more than one of its forms" if not lines else "none of its forms"
        yield f"{at}: fits {form}{'; the nearest says: ' if lines else ''}{'; '.join(lines)}"

    def _around(self, schema_path: Path) -> Mapping[str, Any]:
        """Return the schema object that holds the keyword which failed."""
        here: Any = self.schema  # a border: schemas are open
        for part in schema_path[:-1]:
            here = _follow(self.schema, here)
            try:
                here = here[part]
            except (KeyError, IndexError, TypeError):
                if part != "$ref":
                    return {}
        return _mapping(_follow(self.schema, here))


def _unknown(error: "jsonschema_rs.ValidationError", around: Mapping[str, Any]) -> Iterator[str]:
    """Yield each key that is not allowed, quoted only where it is a name: it may be a value."""
    known = _mapping(around.get("properties"))
    for name in _list(getattr(error.kind, "unexpected", [])):
        near = did_you_mean(name, known) or _known(known)
        told = f"unknown key {shown(name)}" if _NAME.fullmatch(name) else "an unknown key"
        yield f"{told}{near}"


def shown(value: object) -> str:
    """Return a value as JSON in ASCII, clipped."""
    # A number of thousands of digits takes long to print, and Python refuses.
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    try:
        text = json.dumps(_clipped(value), ensure_ascii=True)
    except (TypeError, ValueError):
        return f"a {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _clipped(value: object) -> object:
    match value:
        case str():
            return value[: MAX_SHOWN + 1]
        case list():
            return [_clipped(item) for item in value[:10]]
        case dict():
            return {key: _clipped(item) for key, item in islice(value.items(), 10)}
    return value


def not_json(args: object) -> Iterator[str]:
    """Yield what no JSON text can say, or what would make checking it expensive."""
    todo: list[tuple[object, tuple[str | int, ...]]] = [(args, ())]
    seen = 0
    while todo:
        value, path = todo.pop()
        seen += 1
        if seen > MAX_VALUES:
            yield f"$: has more than {MAX_VALUES:,} values"
            return
        if len(path) > MAX_DEPTH:
            yield f"{_shown_path(path[:8])}...: is nested more than {MAX_DEPTH} deep"
            return
        match value:
            case None | bool():
                pass
            case int():
                if value.bit_length() > MAX_BITS:  # the validator would take it for null
                    yield f"{_shown_path(path)}: {shown(value)} (expected at most {MAX_BITS} bits)"
            case float():
                if not isfinite(value):
                    yield f"{_shown_path(path)}: {value} is not a number in JSON"
            case str():
                if re.search("[\ud800-\udfff]", value):
                    yield f"{_shown_path(path)}: holds half a character, a lone surrogate"
            case list():
                todo += [(item, (*path, i)) for i, item in enumerate(value[: MAX_VALUES + 1])]
            case dict():
                for key, item in value.items():
                    if not isinstance(key, str) or re.search("[\ud800-\udfff]", key):
                        yield f"{_shown_path(path)}: the key '{escaped_line(str(key))}' is not text"
                    else:
                        todo.append((item, (*path, key)))
            case _:
                yield f"{_shown_path(path)}: a {type(value).__name__} is not JSON"


def _wrong(error: "jsonschema_rs.ValidationError", value: object, around: Mapping[str, Any]) -> str:
    """Return what is wrong with one value, and what was expected."""
    name = error.kind.name
    limit = getattr(error.kind, "limit", None)
    got = shown(value)
    match name:
        case "type":
            types = [str(t) for t in _list(getattr(error.kind, "types", []))]
            return f"got {_kind(value)} (expected {_or(types)}{_converted(value, types)})"
        case "enum":
            options = _list(getattr(error.kind, "options", []))
            names = [option for option in options if isinstance(option, str)]
            near = nearest(value, names) if isinstance(value, str) else None
            hint = f"; did you mean {shown(near)}?" if near else ""
            return f"{got} is not allowed (expected {_or([shown(o) for o in options])}{hint})"
        case "const":
            return f"{got} is not allowed (expected {shown(around.get('const'))})"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            return f"{got} is out of bounds (expected {_BOUND[name]} {shown(limit)})"
        case "minLength" | "maxLength" if isinstance(value, str):
            bound = f"{_BOUND[name]} {limit} characters"
            return f"{got} has {len(value):,} (expected {bound})"
        case "minItems" | "maxItems" if isinstance(value, list):
            return f"has {len(value):,} items (expected {_BOUND[name]} {limit})"
        case "minProperties" | "maxProperties" if isinstance(value, dict):
            return f"has {len(value):,} keys (expected {_BOUND[name]} {limit})"
        case "multipleOf":
            factor = shown(getattr(error.kind, "multiple_of", None))
            return f"{got} does not fit (expected a multiple of {factor})"
        case "pattern":
            text = str(around.get("description", ""))
            about = f": {escaped_line(text)}" if text else ""
            pattern = escaped_line(str(getattr(error.kind, "pattern", "")))
            return f"{got} does not match (expected the pattern {pattern}{about})"
        case "format":
            form = escaped_line(str(getattr(error.kind, "format", "")))
            example = f", such as {_EXAMPLE[form]}" if form in _EXAMPLE else ""
            return f"{got} is not of the format (expected {form}{example})"
        case "uniqueItems":
            return "has an item twice (expected each once)"
        case "propertyNames":
            inner = getattr(error.kind, "error", None)
            return f"a key is not allowed: {escaped_line(str(getattr(inner, 'message', '')))}"
    return escaped_line(error.message, 300)


_BOUND = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "minLength": "at least",
    "maxLength": "at most",
    "minItems": "at least",
    "maxItems": "at most",
    "minProperties": "at least",
    "maxProperties": "at most",
}
_EXAMPLE = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ann@example.com",
    "uri": "https://example.com/a",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
}


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {shown(value)}"
        case int() | float():
            return f"the number {shown(value)}"
        case str():
            return f"the text {shown(value)}"
        case list():
            return "an array"
    return "an object"


def _converted(value: object, types: Sequence[str]) -> str:
    """Return how to mend a value of the wrong type that only has the wrong dress."""
    if isinstance(value, str):
        try:
            inner = json.loads(value[:1000])
        except (ValueError, RecursionError):
            return '; put it in an array: ["..."]' if list(types) == ["array"] else ""
        fits = {
            "integer": isinstance(inner, int) and not isinstance(inner, bool),
            "number": isinstance(inner, int | float) and not isinstance(inner, bool),
            "boolean": isinstance(inner, bool),
            "array": isinstance(inner, list),
            "object": isinstance(inner, dict),
        }
        if any(fits.get(name) for name in types):
            return "; write the value itself, not as text in quotes"
    elif "string" in types and isinstance(value, int | float):
        return f'; write "{shown(value)}" in quotes'
    return ""


def _known(names: Mapping[str, Any]) -> str:
    listed = ", ".join(shown(name) for name in islice(names, 12))
    return f" (known: {listed})" if listed else " (no keys are known here)"


def _or(words: Sequence[str]) -> str:
    if len(words) > 20:
        return ", ".join(words[:20]) + f" or {len(words) - 20} more"
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _shown_path(path: Path) -> str:
    parts = [
        f".{part}" if isinstance(part, str) and _NAME.fullmatch(part) else f"[{shown(part)}]"
        for part in path
    ]
    return "$" + "".join(parts)


def _follow(root: Mapping[str, Any], here: Any) -> Any:
    """Return what a local `$ref` points to, through at most a few more."""
    for _ in range(8):
        ref = here.get("$ref") if isinstance(here, dict) else None
        if not (isinstance(ref, str) and ref.startswith("#")):
            return here
        here = root
        for part in filter(None, ref[1:].split("/")):
            name = part.replace("~1", "/").replace("~0", "~")
            here = here.get(name) if isinstance(here, dict) else None
    return here


def _at(args: Any, path: Path) -> object:
    for part in path:
        args = args[part]
    return args


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
