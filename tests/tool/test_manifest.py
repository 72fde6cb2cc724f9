from pathlib import Path

import pytest

from agentcli.core.label import Label
from agentcli.core.tool import ToolRule
from agentcli.tool.lint import lint
from agentcli.tool.load import load_manifest
from agentcli.tool.manifest import Manifest, names_in_schema
from tests.fake.manifest import write
from tests.fake.script import shipped


def test_a_manifest_is_read_whole(tmp_path: Path) -> None:
    tool = load_manifest(write(tmp_path))
    assert tool.script == "print('{}')\n"
    assert tool.manifest.parameters["additionalProperties"] is False
    assert tool.rule == ToolRule(
        digest=tool.digest,
        version=1,
        tier="reversible",
        reversible_when=("sandboxed",),
        egress=False,
        idempotent=True,
        label=Label(integrity="tool", confidentiality="public"),
    )
    assert lint(tool) == []


@pytest.mark.parametrize(
    ("asked", "seconds"), [({}, 120), ({"timeout_s": 5}, 5), ({"timeout_s": 9999}, 600)]
)
def test_a_call_may_take_what_it_asks_for_up_to_a_limit(
    asked: dict[str, int], seconds: int
) -> None:
    assert shipped("shell").manifest.timeout_of(asked) == seconds


def test_a_stored_manifest_is_read_back_the_same() -> None:
    tool = shipped("shell")
    assert Manifest.model_validate_json(tool.manifest.model_dump_json()) == tool.manifest


def test_the_names_of_fields_are_found_at_any_depth() -> None:
    inner = {"type": "array", "items": {"$ref": "#/$defs/one"}}
    one = {"anyOf": [{"properties": {"name": {"type": "string"}}}, {"type": "null"}]}
    schema = {"type": "object", "properties": {"items": inner}, "$defs": {"one": one}}
    assert set(names_in_schema(schema)) == {"items", "name"}
