import json
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcli.tool.schema import Arguments, SchemaError

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["path"],
    "properties": {
        "path": {"type": "string", "description": "Where it is.", "maxLength": 9},
        "mode": {"enum": ["read", "write"]},
        "count": {"type": "integer", "minimum": 1, "exclusiveMaximum": 10},
        "day": {"type": "string", "format": "date"},
        "slow": {"type": "string", "pattern": "^(a+)+$", "description": "only a"},
        "names": {"type": "array", "items": {"$ref": "#/$defs/name"}, "maxItems": 2},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "tree": {"$ref": "#/$defs/tree"},
        "flag": {"type": "boolean"},
    },
    "$defs": {
        "name": {
            "type": "object",
            "properties": {"first": {"type": "string"}},
            "additionalProperties": False,
        },
        "tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
    },
}
ARGUMENTS = Arguments(SCHEMA)
NAMES = ["path", "mode", "count", "day", "slow", "names", "either", "tree", "flag", "other"]


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("args", "problems"),
    [
        ({"path": "a", "count": 9, "mode": "read", "day": "2026-01-31"}, []),
        ({}, ['$: the key "path" is missing (Where it is.)']),
        ({"path": "a", "conut": 1}, ['$: unknown key "conut"; did you mean `count`?']),
        (
            {"path": "a", "mode": "wrte"},
            ['$.mode: "wrte" is not allowed (expected "read" or "write"; did you mean "write"?)'],
        ),
        ({"path": "a", "count": 0}, ["$.count: 0 is out of bounds (expected at least 1)"]),
        ({"path": "a", "count": 10}, ["$.count: 10 is out of bounds (expected less than 10)"]),
        (
            {"path": 5, "count": "5"},
            [
                '$.path: got the number 5 (expected string; write "5" in quotes)',
                '$.count: got the text "5" '
                "(expected integer; write the value itself, not as text in quotes)",
            ],
        ),
        (
            {"path": "a" * 10},
            ['$.path: "aaaaaaaaaa" has 10 (expected at most 9 characters)'],
        ),
        (
            {"path": "a", "day": "31.1.2026"},
            ['$.day: "31.1.2026" is not of the format (expected date, such as 2026-01-31)'],
        ),
        (
            {"path": "a", "names": [{"frist": 1}, {"first": 2}, 3]},
            [
                "$.names: has 3 items (expected at most 2)",
                '$.names[0]: unknown key "frist"; did you mean `first`?',
                '$.names[1].first: got the number 2 (expected string; write "2" in quotes)',
                "$.names[2]: got the number 3 (expected object)",
            ],
        ),
        (
            {"path": "a", "names": "x"},
            ['$.names: got the text "x" (expected array; put it in an array: ["..."])'],
        ),
        ({"path": "a", "either": []}, ["$.either: got an array (expected string or integer)"]),
        ({"path": "a", "tree": nested(60)}, []),
        ([], ["$: got an array (expected object)"]),
        ({"path": "a", "count": float("nan")}, ["$.count: nan is not a number in JSON"]),
        ({"path": "\ud800"}, ["$.path: holds half a character, a lone surrogate"]),
        ({"\ud800": 1}, ["$: the key '\\ud800' is not text"]),
        (
            {"path": "a", "count": 10**5000},
            ["$.count: a number of 16610 bits (expected at most 1024 bits)"],
        ),
    ],
)
def test_each_problem_says_how_to_mend_it(args: object, problems: list[str]) -> None:
    assert sorted(ARGUMENTS.problems(args)) == sorted(problems)


@pytest.mark.parametrize(
    "args",
    [
        {"path": "a", "slow": "a" * 100_000 + "b"},
        {"path": "a", "tree": nested(5000)},
        {"path": "a", "names": [3] * 20_000},
        {f"k{i}": 1 for i in range(20_000)},
        {"path": "\x1b[2J" * 100_000},
        [[]] * 200_000,
    ],
    ids=["pattern", "deep", "many items", "many keys", "long", "wide"],
)
def test_hostile_arguments_are_answered_quickly_and_shortly(args: object) -> None:
    start = time.monotonic()
    problems = ARGUMENTS.problems(args)
    assert time.monotonic() - start < 3
    assert 0 < len(problems) <= 20
    assert all(len(line) < 600 and line.isprintable() for line in problems)


def test_arguments_that_contain_themselves_are_refused() -> None:
    loop: list[Any] = []
    loop += [loop, loop]
    assert "nested more than 64 deep" in ARGUMENTS.problems(loop)[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(JSON | st.dictionaries(st.sampled_from(NAMES), JSON))
def test_no_value_makes_it_raise(args: object) -> None:
    assert all(isinstance(line, str) for line in ARGUMENTS.problems(args))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "strng"}, ("type",)),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, ("properties", "a", "pattern")),
        ({"$ref": "https://example.com/a"}, ()),
        ({"$ref": "#/nowhere"}, ()),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(
    schema: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(SchemaError) as caught:
        Arguments(schema)
    assert caught.value.path == path


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, 1, 1.0, "a", "", 10**400, "\ud800", float("nan"), float("inf")]),
        st.floats(),
        st.text(st.characters(), max_size=4),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
BOUND = st.integers(0, 3)
KEYWORDS = {
    "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"]),
    "enum": st.lists(st.sampled_from([0, 1, True, False, None, "a", 1.0, [1], {}]), min_size=1),
    "const": st.sampled_from([0, 1, True, "a", [True], {"a": 0}]),
    **dict.fromkeys(("minimum", "exclusiveMaximum", "minLength", "maxLength", "minItems"), BOUND),
    **dict.fromkeys(("maxItems", "minProperties", "maxProperties"), BOUND),
    "uniqueItems": st.booleans(),
    "required": st.lists(st.sampled_from("abc"), unique=True),
}
SCHEMAS = st.recursive(
    st.one_of(st.booleans(), st.fixed_dictionaries({}, optional=KEYWORDS)),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("abc"), inner),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            **dict.fromkeys(("anyOf", "oneOf", "allOf"), st.lists(inner, min_size=1, max_size=2)),
            "not": inner,
            "required": KEYWORDS["required"],
            "type": KEYWORDS["type"],
        },
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS.filter(lambda schema: isinstance(schema, dict)), JSON)
def test_nothing_is_taken_that_another_validator_refuses(
    schema: dict[str, Any], value: object
) -> None:
    compiled = Arguments(schema)
    problems = compiled.problems(value)
    assert bool(problems) == bool(compiled.misfits(value))
    for line in problems:
        line.encode()
    if not problems:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        assert jsonschema.Draft202012Validator(schema).is_valid(value)


def test_a_key_that_a_result_may_not_have_is_named_where_it_is_no_value() -> None:
    closed = {
        "type": "object",
        "properties": {"total": {"type": "integer"}},
        "additionalProperties": False,
    }
    secret = "sk-ant-" + "a1" * 60
    lines = Arguments({"properties": {"sum": closed}}).misfits({"sum": {"totl": 7, secret: "x"}})
    assert sorted(lines) == [
        '$.sum: an unknown key (known: "total")',
        '$.sum: unknown key "totl"; did you mean `total`?',
    ]
