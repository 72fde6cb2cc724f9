import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from agentcli.errors import AgentcliError, ConfigError, MissingFileError
from agentcli.tool.lint import lint
from agentcli.tool.load import load_manifest, load_tools
from agentcli.tool.manifest import Manifest
from tests.fake.document import texts
from tests.fake.manifest import GOOD, write
from tests.fake.script import TOOLS


def test_the_digest_names_manifest_script_and_modules(tmp_path: Path) -> None:
    path = write(tmp_path, run={"script": "greet.py", "modules": ["words.py"]})
    digests = {load_manifest(path).digest}
    assert digests == {load_manifest(path).digest}
    (tmp_path / "greet.py").write_text("print('{ }')\n")
    digests.add(load_manifest(path).digest)
    (tmp_path / "words.py").write_text("HELLO = 'hi'\n")
    digests.add(load_manifest(path).digest)
    digests.add(load_manifest(write(tmp_path, version=2)).digest)
    assert len(digests) == 4


@pytest.mark.parametrize("to", ["http://127.0.0.1:1/a", "file:///etc/passwd", "urn:a:b", "//a/b"])
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize("key", ["parameters", "output"])
def test_a_schema_is_fetched_from_nowhere(tmp_path: Path, key: str, keyword: str, to: str) -> None:
    schema = {"type": "object", "properties": {"who": {keyword: to}, "file": {"type": "string"}}}
    with pytest.raises(ConfigError, match=rf"greet\.yaml:\d+:\d+: {key}: is not a JSON Schema: "):
        load_manifest(write(tmp_path, **{key: schema}))


def test_a_script_too_long_for_one_argument_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "greet.py").write_text("#" * 130_000)
    with pytest.raises(ConfigError, match=r"run\.script: must be text of at most 120,000 bytes"):
        load_manifest(path)


def test_a_later_folder_cannot_take_a_tools_name_silently(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    assert list(load_tools([tmp_path / "one"])) == ["greet"]
    with pytest.raises(ConfigError, match="a tool named `greet` is already in"):
        load_tools([tmp_path / "one", tmp_path / "two"])
    with pytest.raises(MissingFileError):
        load_tools([tmp_path / "three"])


def test_all_wrong_manifests_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, tier="x")
    (tmp_path / "other.yaml").write_text("nam: other\n")
    (tmp_path / "third.yml").touch()
    with pytest.raises(ConfigError) as caught:
        load_tools([tmp_path])
    told = {line.partition(":")[0].rpartition("/")[2] for line in str(caught.value).splitlines()}
    assert told == {"greet.yaml", "other.yaml", "third.yml"}


def test_the_shipped_tools_are_sound() -> None:
    tools = load_tools([TOOLS])
    assert set(tools) == {
        *("ask_text", "calculator", "edit_file", "fetch", "list_files", "plan", "python"),
        *("read_file", "search_text", "shell", "write_file"),
    }
    assert [line for tool in tools.values() for line in lint(tool)] == []
    assert {name: tool.manifest.tier for name, tool in tools.items()} == {
        "ask_text": "read_only",
        "calculator": "read_only",
        "edit_file": "reversible",
        "fetch": "read_only",
        "list_files": "read_only",
        "plan": "read_only",
        "python": "reversible",
        "read_file": "read_only",
        "search_text": "read_only",
        "shell": "reversible",
        "write_file": "reversible",
    }
    assert [name for name, tool in tools.items() if tool.rule.egress] == ["fetch"]
    for name in ("shell", "python"):
        assert tools[name].rule.reversible_when == ("sandboxed", "offline", "restorable")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(texts(Manifest, GOOD))
def test_any_text_is_a_manifest_or_an_error_of_ours(tmp_path: Path, text: str) -> None:
    path = write(tmp_path)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        tool = load_manifest(path)
    except AgentcliError as error:
        lines = str(error).splitlines()
        assert all(line.startswith(f"{path}:") for line in lines), lines
        return
    manifest = tool.manifest
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert (tool.rule.tier, tool.rule.egress) == (manifest.tier, manifest.egress)
    lint(tool)
    for schema in (tool.arguments, tool.output or tool.arguments):
        schema.problems({"who": "Ann"})
        schema.misfits({"a": 1})


# Each is a manifest as somebody might write it, or attack with it: what is wrong is told, with
# its line.
HOSTILE = {
    "": "1:1: is empty, expected a mapping",
    "- name: greet": "1:1: must be a mapping at the top, got a list",
    "name: greet\nname: greet": "2:1: duplicate key `name`, first on line 1",
    "name: !!python/object/apply:os.system [id]": "1:7: name: tags are not read here",
    "name: &a [*a]": "1:7: is nested more than 64 deep",
    "base: &b {x: 1}\nname: {<<: *b}": "2:8: name: merge keys are not read here",
    "name: greet\n---\nname: greet": "2:1: must hold one document",
    "name: [": "2:1: is not YAML",
    "name: gr\tet\x07": "1:12: must be text, got '\\x07'",
    "parameters: " + "{a: " * 70 + "1" + "}" * 70: "is nested more than 64 deep",
}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": "Greet"}, "1:7: name: must match"),
    ({"name": "../greet"}, "1:7: name: must match"),
    ({"name": "workspace.restore"}, "1:7: name: must match"),
    ({"version": "1"}, "2:10: version: must be a whole number, got the text `1`"),
    ({"version": True}, "2:10: version: must be a whole number, got the boolean `true`"),
    ({"version": 2**63}, "does not fit 64 bits"),
    ({"description": ""}, "3:14: description: must have at least 1 characters, got empty text"),
    ({"description": "x" * 10_001}, "description: must have at most 10000 characters"),
    ({"egress": "no"}, "egress: must be true or false, got the text `no`"),
    ({"tier": None}, "tier: must be `read_only`, `reversible`, `irreversible` or"),
    ({"labels": {"integrity": "trusted"}}, "labels.integrity: must be `user`, `tool` or"),
    ({"labels": {"trust": "user"}}, "labels.trust: unknown key"),
    ({"reversible_when": ["always"]}, "reversible_when.0: must be `"),
    ({"run": {"script": "/bin/sh.py"}}, "run.script: must match"),
    ({"run": {"script": "greet.py", "modules": ["a/../b.py"]}}, "run.modules.0: must match"),
    ({"run": {"script": "greet.py", "command": ["x"]}}, "run: must have only one of"),
    ({"run": {"command": ["{a}{who}"]}}, "run.command.0: a placeholder must be a whole element"),
    ({"compensate": {"call": {"tool": "greet"}}}, "call.tool: a tool cannot undo itself"),
    ({"compensate": {"call": {"tool": "workspace.restore"}}}, "compensate.call.tool: must match"),
    ({"compensate": {"call": {"tool": "x", "args": {"a": "x{args.who}"}}}}, "the whole value"),
    ({"compensate": {"call": {"tool": "x", "args": {"a": "{args.whom}"}}}}, "did you mean `who`?"),
    ({"parameters": {"type": "object", "properties": 3}}, "parameters.properties: is not a JSON"),
    ({"parameters": {"type": "object", "required": [1]}}, "parameters.required.0: is not a JSON"),
    ({"parameters": {"type": "object", "properties": {"who": True}}, "paths": ["who"],
      "compensate": {"restore": ["who"]}}, "restore.0: the parameter `who` must be of the type"),
    ({"parameters": {"type": "object", "$ref": "#/nowhere"}}, "parameters: is not a JSON Schema"),
    ({"examples": [{"who": 1}]}, 'examples.0: $.who: got the number 1 (expected string'),
    ({"examples": ["Ann"]}, "examples.0: must be a mapping"),
    ({"timeout_argument": "a\rb"}, "timeout_argument: no parameter is named `a\\x0db`"),
    ({"timeout_s": 1e300}, "timeout_s: must be a whole number"),
    ({"timeout_s": 86400}, "timeout_s: must be at most 3600"),
    ({"shell": "who"}, "shell: needs the run"),
    ({"output": {"type": "object", "properties": {"a": {"pattern": "(?=a)"}}}},
     "output.properties.a.pattern: is not a JSON Schema"),
    ({"output": [{}]}, "output: must be a mapping, got a list"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), HOSTILE.items())
def test_what_is_no_manifest_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path)
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_manifest(path)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{path}:")
    assert message in first


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_what_is_wrong_in_a_manifest_is_told_with_its_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(AgentcliError) as caught:
        load_manifest(path)
    lines = str(caught.value).splitlines()
    assert all(re.match(rf"{re.escape(str(path))}:\d+:\d+: ", line) for line in lines)
    assert any(message in line for line in lines), lines
