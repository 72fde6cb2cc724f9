from pathlib import Path
from typing import Any

import pytest
import yaml

from agentcli.core.label import Label
from agentcli.core.tool import ToolRule
from agentcli.errors import AgentcliError, ConfigError, MissingFileError
from agentcli.tool.lint import lint
from agentcli.tool.manifest import (
    Manifest,
    RunCommand,
    command_of,
    load_manifest,
    load_tools,
    names_in_schema,
)

SHIPPED = Path(__file__).parents[2] / "tools"
GOOD: dict[str, Any] = {
    "name": "greet",
    "version": 1,
    "description": "Greet a person by name, in the way that the place asks for, and return it.",
    "tier": "reversible",
    "reversible_when": ["sandboxed"],
    "egress": False,
    "idempotent": True,
    "labels": {"integrity": "tool", "confidentiality": "public"},
    "compensate": {"restore": ["file"]},
    "parameters": {
        "type": "object",
        "required": ["who"],
        "properties": {
            "who": {"type": "string", "description": "The person."},
            "file": {"type": "string", "description": "Where to write it."},
            "wait_s": {"type": "integer", "description": "How long it may take."},
        },
    },
    "examples": [{"who": "Ann"}],
    "run": {"script": "greet.py"},
}


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "greet.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    (folder / "greet.py").write_text("print('{}')\n")
    (folder / "words.py").write_text("HELLO = 'hello'\n")
    return path


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "gret"}, "1:7: name: must be the file's name `greet`, got the text `gret`"),
        ({"tier": "read_only"}, "reversible_when: goes with the tier reversible, not read_only"),
        ({"tier": "safe"}, "tier: must be `read_only`, `reversible`, `irreversible` or"),
        ({"sinks": ["whom"]}, "sinks.0: no parameter is named `whom`; did you mean `who`?"),
        ({"compensate": {"restore": ["wait_s"]}}, "must be of the type string"),
        ({"compensate": "nothing"}, "compensate: must be `none` or a mapping, got"),
        ({"timeout_argument": "who"}, "`who` must be of the type integer"),
        ({"timeout_argument": "wait_s"}, "max_timeout_s: must be at least timeout_s, 120"),
        ({"max_timeout_s": 300}, "max_timeout_s: goes with timeout_argument"),
        ({"timeout_s": 0}, "timeout_s: must be at least 1, got the number `0`"),
        ({"parameters": {"type": "array"}}, "parameters.type: must be `object` at the top"),
        ({"parameters": {"type": "objct"}}, "parameters.type: is not a JSON Schema"),
        ({"examples": [{"whom": "x"}]}, "examples.0: $: unknown key"),
        ({"output": True}, "output: must be a mapping, got the boolean `true`"),
        ({"output": {"type": "array"}}, "output.type: must be `object` at the top, as the `data`"),
        ({"output": {"type": "objct"}}, "output.type: is not a JSON Schema"),
        ({"run": {"session": "python", "code": "who"}, "output": {}}, "output: goes with a script"),
        ({"run": {"script": "../greet.py"}}, "run.script: must match"),
        ({"run": {"script": "absent.py"}}, "there is no such file"),
        ({"run": {}}, "run: needs `script` or `command`"),
        ({"run": {"command": []}}, "run.command: must have at least 1 items"),
        ({"run": {"command": ["a", "{whom}"]}}, "run.command.1: no parameter is named `whom`"),
        ({"run": {"command": ["a", "-x={who}"]}}, "a placeholder must be a whole element"),
        ({"run": {"command": ["a", "{file}"]}}, "the parameter `file` must be required"),
        ({"run": {"command": ["a"]}, "preview": True}, "preview: only a script can show"),
        ({"run": {"session": "python", "code": "cod"}}, "run.code: no parameter is named `cod`"),
        ({"run": {"session": "perl", "code": "who"}}, "run.session: must be `python`"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(AgentcliError) as caught:
        load_manifest(write(tmp_path, **changes))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'greet.yaml'}:")


@pytest.mark.parametrize("to", ["http://127.0.0.1:1/a", "file:///etc/passwd", "urn:a:b", "//a/b"])
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize("key", ["parameters", "output"])
def test_a_schema_is_fetched_from_nowhere(tmp_path: Path, key: str, keyword: str, to: str) -> None:
    schema = {"type": "object", "properties": {"who": {keyword: to}, "file": {"type": "string"}}}
    with pytest.raises(ConfigError, match=rf"greet\.yaml:\d+:\d+: {key}: is not a JSON Schema: "):
        load_manifest(write(tmp_path, **{key: schema}))


def test_what_undoes_a_call_takes_only_values_that_are_declared(tmp_path: Path) -> None:
    undo = {"call": {"tool": "leave", "args": {"id": "{result.numbr}"}}}
    output = {"type": "object", "properties": {"number": {"type": "integer"}}}
    with pytest.raises(ConfigError, match="no value of `output` is named `numbr`; did you mean"):
        load_manifest(write(tmp_path, compensate=undo, output=output))
    assert load_manifest(write(tmp_path, compensate=undo, output={"type": "object"})).output


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


def test_an_argument_is_one_word_of_a_command_whatever_it_holds() -> None:
    run = RunCommand(command=("bash", "-c", "{command}", "{n}", "{b}"))
    args = {"command": "a; b {n}\n$(c)", "n": 3, "b": True}
    assert command_of(run, args) == ("bash", "-c", "a; b {n}\n$(c)", "3", "true")


@pytest.mark.parametrize(
    ("asked", "seconds"), [({}, 120), ({"timeout_s": 5}, 5), ({"timeout_s": 9999}, 600)]
)
def test_a_call_may_take_what_it_asks_for_up_to_a_limit(
    asked: dict[str, int], seconds: int
) -> None:
    assert load_manifest(SHIPPED / "shell.yaml").manifest.timeout_of(asked) == seconds


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


def test_the_shipped_tools_are_sound() -> None:
    tools = load_tools([SHIPPED])
    assert set(tools) == {
        *("ask_text", "calculator", "edit_file", "list_files", "plan", "python", "read_file"),
        *("search_text", "shell", "write_file"),
    }
    assert [line for tool in tools.values() for line in lint(tool)] == []
    assert {name: tool.manifest.tier for name, tool in tools.items()} == {
        "ask_text": "read_only",
        "calculator": "read_only",
        "edit_file": "reversible",
        "list_files": "read_only",
        "plan": "read_only",
        "python": "reversible",
        "read_file": "read_only",
        "search_text": "read_only",
        "shell": "reversible",
        "write_file": "reversible",
    }
    for name in ("shell", "python"):
        assert tools[name].rule.reversible_when == ("sandboxed", "offline", "restorable")


def test_the_command_of_a_shell_is_the_argument_that_bash_runs(tmp_path: Path) -> None:
    bash = ["bash", "-c", "{who}"]
    assert load_manifest(write(tmp_path, shell="who", run={"command": bash})).rule.shell
    for run in ({"command": ["zsh", "-c", "{who}"]}, {"command": [*bash, "x"]}, GOOD["run"]):
        with pytest.raises(ConfigError, match=r'shell: needs the run \[bash, -c, "{who}"\]'):
            load_manifest(write(tmp_path, shell="who", run=run))
    with pytest.raises(ConfigError, match="shell: the parameter `file` must be required"):
        load_manifest(write(tmp_path, shell="file", run={"command": ["bash", "-c", "{file}"]}))


def test_a_stored_manifest_is_read_back_the_same() -> None:
    tool = load_manifest(SHIPPED / "shell.yaml")
    assert Manifest.model_validate_json(tool.manifest.model_dump_json()) == tool.manifest


def test_the_names_of_fields_are_found_at_any_depth() -> None:
    inner = {"type": "array", "items": {"$ref": "#/$defs/one"}}
    one = {"anyOf": [{"properties": {"name": {"type": "string"}}}, {"type": "null"}]}
    schema = {"type": "object", "properties": {"items": inner}, "$defs": {"one": one}}
    assert set(names_in_schema(schema)) == {"items", "name"}
