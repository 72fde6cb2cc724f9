"""YAML files that a person could have written, badly: made from the keys that are known."""

import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from hypothesis import strategies as st
from pydantic import BaseModel

WORDS = [
    *("default", "shell", "read_file", "send", "a", "", "*", "../x", "~/x", "/", "x.py", "${a}"),
    *("{a}", "{args.a}", "{result.a}", "irreversible", "privileged", "allow", "true", "1", "\x85"),
    *("object", "string", "integer", "array", "(", "(?=a)", "http://127.0.0.1:1/a", "#"),
    "2026-01-01",
]
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from([0, 1, -1, 2, 120, 2**63 - 1, 2**63, 10**30, 0.5, 1e300]),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=6,
)
SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "string", "integer", "array", "objct"])},
        optional={
            "enum": st.lists(SCALARS, max_size=3),
            "$ref": st.sampled_from(["#", "#/$defs/a", "http://127.0.0.1:1/a"]),
            "minimum": SCALARS,
            "pattern": st.sampled_from(WORDS),
            "description": st.sampled_from(WORDS),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(st.just("a"), inner)},
        optional={
            "required": st.just(["a"]),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "$defs": st.dictionaries(st.just("a"), inner),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=4,
)


def texts(kind: type[BaseModel], base: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return texts of files of a kind: most are `base` with other keys, some are no YAML at all."""
    changed = fields(kind, base).map(lambda more: {**base, **more})
    without = st.builds(
        lambda made, key: {k: v for k, v in made.items() if k != key},
        changed,
        st.sampled_from(sorted(base)),
    )
    made = st.one_of(changed, changed, changed, without).map(dumped)
    return st.one_of(made, made, made, st.text(), st.builds(cut, made, st.integers(0, 400)))


def dumped(data: Any) -> str:
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def cut(text: str, at: int) -> str:
    return text[:at] + text[at + 1 :]


def fields(kind: type[BaseModel], base: Iterable[str] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """Return some of a model's keys, most with values of their own kind."""
    known = {
        field.alias or name: values(field.annotation) for name, field in kind.model_fields.items()
    }
    some = st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True)
    return some.flatmap(
        lambda names: st.fixed_dictionaries(
            {name: st.one_of(known[name], known[name], known[name], JUNK) for name in names}
        )
    )


def values(annotation: Any) -> st.SearchStrategy[Any]:
    origin, args = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return fields(annotation)
    if origin is Annotated:
        return values(args[0])
    if origin in (Union, types.UnionType):
        return st.one_of([values(arg) for arg in args])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return st.lists(values(args[0]), max_size=3)
    if origin is dict:
        anything = args[1] is Any
        return SCHEMAS if anything else st.dictionaries(st.sampled_from(WORDS), values(args[1]))
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(-1, 200)
    if annotation is type(None):
        return st.none()
    return st.one_of(st.sampled_from(WORDS), SCALARS)
