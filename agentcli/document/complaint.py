"""What pydantic finds wrong in a YAML file, in words for the person who wrote it."""

import types
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from agentcli.core.visible import escaped_line
from agentcli.document import Place, Source, did_you_mean, one_of

_WANTED = {
    "bool": "true or false",
    "bytes": "text",
    "date": "a date such as 2026-01-31",
    "datetime": "a time such as 2026-01-31T12:00:00Z",
    "decimal": "a number",
    "dict": "a mapping",
    "finite_number": "a number",
    "float": "a number",
    "frozen_set": "a list",
    "int": "a whole number",
    "iterable": "a list",
    "list": "a list",
    "mapping": "a mapping",
    "model": "a mapping",
    "none": "nothing",
    "path": "text, a path",
    "set": "a list",
    "string": "text",
    "time_delta": "a duration",
    "tuple": "a list",
    "url": "text, a URL",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_SIZES = {
    "too_short": ("at least", "min_length", "items"),
    "too_long": ("at most", "max_length", "items"),
    "string_too_short": ("at least", "min_length", "characters"),
    "string_too_long": ("at most", "max_length", "characters"),
}


def complaints(
    source: Source, kind: type[BaseModel], errors: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return a line for each thing that is wrong, in the order of the file."""
    found = [_Complaint(source, kind, error) for error in errors]
    unions: dict[Place, list[_Complaint]] = {}
    lines: list[tuple[Place, str]] = []
    for complaint in found:
        if complaint.union is None:
            lines.append((complaint.at, complaint.line()))
        else:
            unions.setdefault(complaint.union, []).append(complaint)
    for at, rivals in unions.items():
        lines += _about_union(source, at, rivals)
    spots = source.spots

    def position(line: tuple[Place, str]) -> tuple[int, int]:
        spot = spots[source.place(line[0])]
        return spot.key_line, spot.key_column

    return [line for _, line in sorted(lines, key=position)]


def misread(source: Source, kind: type[BaseModel]) -> list[str]:
    """Return a line for each `yes`, `off` ... that stands where no boolean is declared."""
    message = "YAML reads `{}` as true or false: quote it if it is text"
    return [
        source.line_at(at, message.format(spot.switch))
        for at, spot in source.spots.items()
        if spot.switch and bool not in _forms_at(kind, at)
    ]


def _forms_at(kind: type[BaseModel], at: Place) -> list[Any]:
    forms: list[Any] = [kind]
    for part in at:
        forms = [inner for form in forms for inner in _below(form, part)]
    return forms


class _Complaint:
    """One error of pydantic.

    at: its place in the file. forms: the types that may stand there; above: around it.
    union: the place where one of several types may stand; branch: which of them it is about.
    """

    def __init__(self, source: Source, kind: type[BaseModel], error: Mapping[str, Any]) -> None:
        self.source = source
        self.type: str = error["type"]
        self.text = escaped_line(error["msg"], 500)
        self.ctx: dict[str, Any] = error.get("ctx", {})  # a border: differs by type
        self.at: Place = ()
        self.forms: list[Any] = [kind]
        self.above: list[Any] = []
        self.union: Place | None = None
        self.branch = ""
        for part in error["loc"]:
            if len(self.forms) > 1:
                if self.union is None:
                    self.union, self.branch = self.at, str(part)
                self.forms = [f for f in self.forms if _is_named(f, str(part))][:1]
            else:
                self.above = self.forms
                self.forms = [inner for form in self.forms for inner in _below(form, part)]
                self.at = (*self.at, part)
        spot = source.spots.get(self.at)
        self.got = spot.got if spot else "nothing"

    def line(self) -> str:
        return self.source.line_at(self.at, self._message(), key=self.type == "extra_forbidden")

    def wanted(self) -> str:
        """Return what may stand here, for an error about the value as a whole."""
        if self.type in ("literal_error", "enum"):
            return one_of(map(str, self._choices())) or str(self.ctx["expected"])
        for stem, words in _WANTED.items():
            if self.type.startswith(f"{stem}_"):
                return words
        return self.text

    def _message(self) -> str:
        ctx, got = self.ctx, self.got
        if self.type == "extra_forbidden":
            return self._unknown_key()
        if self.type == "missing":
            return f"is missing{self._description()}"
        if self.type == "string_pattern_mismatch":
            return f"must match `{escaped_line(str(ctx['pattern']))}`, got {got}"
        if self.type in _BOUNDS:
            words, limit = _BOUNDS[self.type]
            bound = str(ctx[limit]).removesuffix(".0")
            return f"must be {words} {bound}, got {got}"
        if self.type in _SIZES:
            words, limit, unit = _SIZES[self.type]
            return f"must have {words} {ctx[limit]} {unit}, got {got}"
        if self.type in ("value_error", "assertion_error"):
            return escaped_line(str(ctx.get("error", self.text)), 500)
        if self.type.startswith("union_tag_"):
            return f"`{ctx['discriminator'].strip(chr(39))}` must be {self._tags()}, got {got}"
        if self.wanted() is self.text:
            return f"{self.text[:1].lower()}{self.text[1:]}, got {got}"
        return f"must be {self.wanted()}, got {got}{self._mend()}"

    def _mend(self) -> str:
        """Return how to mend a value of the wrong type, as far as one can guess."""
        word = self.got.partition("`")[2].removesuffix("`")
        names = [choice for choice in self._choices() if isinstance(choice, str)]
        if self.got.startswith(("the boolean", "the number")) and (names or str in self.forms):
            return f': quote it, "{word}"'
        if self.got.startswith("the text") and names:
            return did_you_mean(word, names)
        if self.got.startswith("the text") and {int, float} & set(self.forms):
            try:
                return f": write {int(word) if int in self.forms else float(word)}, without quotes"
            except ValueError:
                return ""
        return ""

    def _choices(self) -> list[Any]:
        return [choice for form in self.forms for choice in _choices(form)]

    def _tags(self) -> str:
        return str(self.ctx.get("expected_tags", "")).replace("'", "`") or "given"

    def _description(self) -> str:
        for form in self.above:
            for name, (_, description) in _fields(form).items():
                if name == self.at[-1] and description:
                    return f": {description}"
        return ""

    def _unknown_key(self) -> str:
        known = [name for form in self.above for name in _fields(form)]
        # Nobody is to take back what protects them for a slip of the pen.
        near = did_you_mean(str(self.at[-1]), [name for name in known if name != "unsafe"])
        return f"unknown key{near or f'; known here: {one_of(known)}'}"


def _about_union(
    source: Source, at: Place, rivals: Sequence[_Complaint]
) -> list[tuple[Place, str]]:
    """Return what is wrong with the type that was probably meant, of several."""
    branches: dict[str, list[_Complaint]] = {}
    for rival in rivals:
        branches.setdefault(rival.branch, []).append(rival)
    inside = [b for b in branches.values() if not any(complaint.at == at for complaint in b)]
    if not inside:
        wholes = [c for c in rivals if c.at == at]
        wanted = " or ".join(dict.fromkeys(complaint.wanted() for complaint in wholes))
        mend = next(filter(None, (complaint._mend() for complaint in wholes)), "")
        return [(at, source.line_at(at, f"must be {wanted}, got {wholes[0].got}{mend}"))]
    fewest = min(map(len, inside))
    best = [branch for branch in inside if len(branch) == fewest]
    kinds = {complaint.type for branch in best for complaint in branch}
    if len(best) > 1 and kinds in ({"missing"}, {"extra_forbidden"}):
        keys = one_of(
            dict.fromkeys(str(complaint.at[-1]) for branch in best for complaint in branch)
        )
        message = f"needs {keys}" if kinds == {"missing"} else f"must have only one of {keys}"
        return [(at, source.line_at(at, message))]
    return [(complaint.at, complaint.line()) for complaint in best[0]]


def _forms(annotation: Any) -> list[Any]:
    """Return the types that an annotation allows, None left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _forms(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [form for arg in get_args(annotation) for form in _forms(arg)]
    if hasattr(annotation, "__value__"):
        return _forms(annotation.__value__)
    return [] if annotation in (None, type(None), Any, object) else [annotation]


def _fields(form: Any) -> dict[str, tuple[Any, str]]:
    """Return the keys that a model reads, each with its annotation and description."""
    if not (isinstance(form, type) and issubclass(form, BaseModel)):
        return {}
    found = {}
    for name, field in form.model_fields.items():
        alias = field.validation_alias if isinstance(field.validation_alias, str) else field.alias
        found[alias or name] = (field.annotation, field.description or "")
        if form.model_config.get("populate_by_name"):
            found[name] = found[alias or name]
    return found


def _below(form: Any, part: str | int) -> list[Any]:
    """Return the types that may stand at a key or an index of `form`."""
    if fields := _fields(form):
        return _forms(fields[part][0]) if part in fields and isinstance(part, str) else []
    origin, args = get_origin(form), get_args(form)
    if not isinstance(origin, type) or not args:
        return []
    if issubclass(origin, Mapping):
        return _forms(args[1])
    if issubclass(origin, tuple) and args[-1] is not ... and isinstance(part, int):
        return _forms(args[part]) if part < len(args) else []
    return _forms(args[0])


def _choices(form: Any) -> Sequence[Any]:
    if get_origin(form) is Literal:
        return get_args(form)
    if isinstance(form, type) and issubclass(form, Enum):
        return [member.value for member in form]
    return ()


def _is_named(form: Any, tag: str) -> bool:
    """Return whether pydantic names this one of several types by `tag` in an error's place."""
    if fields := _fields(form):
        tagged = (choice for annotation, _ in fields.values() for choice in _choices(annotation))
        return form.__name__ == tag or tag in tagged
    name = getattr(get_origin(form) or form, "__name__", str(form))
    return tag.lower().startswith(name.lower())
