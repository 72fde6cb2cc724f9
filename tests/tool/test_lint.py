from pathlib import Path
from typing import Any

import pytest

from agentcli.tool.lint import lint
from agentcli.tool.load import load_manifest
from tests.fake.manifest import write


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"description": "Greets."}, "description has 1 words"),
        ({"description": "very " * 300}, "description has 300 words"),
        ({"examples": []}, "examples: give at least one"),
        ({"tier": "irreversible", "reversible_when": []}, "says that it cannot be undone"),
        ({"compensate": "none"}, "should say how it is undone"),
        ({"run": {"command": ["grep", "{who}"]}}, "put -- before {who}"),
        ({"compensate": {"call": {"tool": "x", "args": {"n": "{result.n}"}}}}, "output: say what"),
    ],
)
def test_a_poor_manifest_is_told_how_to_be_better(
    tmp_path: Path, changes: dict[str, Any], finding: str
) -> None:
    assert any(finding in line for line in lint(load_manifest(write(tmp_path, **changes))))


@pytest.mark.parametrize(
    ("about", "finding"),
    [
        ({"type": "string"}, "who: has no description"),
        ({"type": "string", "description": "One of a, b."}, "make them an enum"),
        ({"type": "string", "description": "x", "pattern": "^(a+)+$"}, "a repeat inside a repeat"),
        ({"type": "object", "description": "x", "properties": {}}, "additionalProperties: false"),
    ],
)
def test_a_poor_parameter_is_told_how_to_be_better(
    tmp_path: Path, about: dict[str, Any], finding: str
) -> None:
    parameters = {"type": "object", "properties": {"who": about}, "anyOf": [{}]}
    changes: dict[str, Any] = {"parameters": parameters, "examples": [], "compensate": "none"}
    findings = lint(load_manifest(write(tmp_path, **changes)))
    assert any(finding in line for line in findings)
    assert any("the API refuses this at the top" in line for line in findings)


def test_a_script_that_is_not_python_is_found(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "greet.py").write_text("def")
    assert any("run.script: is not Python" in line for line in lint(load_manifest(path)))
