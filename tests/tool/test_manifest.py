import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from agentcli.core.label import Label
from agentcli.core.tool import ToolRule
from agentcli.errors import AgentcliError, ConfigError, MissingFileError
from agentcli.tool.job import command_of, page_of
from agentcli.tool.lint import lint
from agentcli.tool.load import load_manifest, load_tools
from agentcli.tool.manifest import Manifest, RunCommand, names_in_schema
from tests.fake.document import texts

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


def gets(url: str, **changes: Any) -> dict[str, Any]:
    return {"egress": True, "run": {"script": "greet.py", "get": url}, **changes}


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
        (gets("{who}", egress=False), "egress: must be true: what is read of a URL is sent there"),
        (gets("{whom}"), "run.get: no parameter is named `whom`; did you mean `who`?"),
        (gets("{file}"), "run.get: the parameter `file` must be required"),
        (gets("{who}", sinks=["file"]), "sinks: must have `who`, which run.get sends"),
        (gets("{who}", preview=True), "run.get: goes with neither preview nor probe"),
        (
            gets("https://{who}/"),
            "run.get: must be one `{name}`, or begin with https:// and a host",
        ),
        (gets("https://a{who}.example/"), "an argument cannot be a part of the host"),
        (gets("https://a.example:{who}/"), "an argument cannot be a part of the host"),
        (gets("https://a@b.example/{who}"), "run.get: must be one `{name}`, or begin with"),
        (gets("ftp://a.example/{who}"), "run.get: must be one `{name}`, or begin with"),
        (gets(""), "run.get: must be one `{name}`, or begin with"),
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
    ("get", "args", "url", "host"),
    [
        ("{url}", {"url": "http://A.example/x#y"}, "http://a.example/x", ""),
        ("https://A.example/{a}?q={b}", {"a": "x/../?", "b": 3},
         "https://a.example/x%2F..%2F%3F?q=3", "a.example"),
        ("https://a.example/", {}, "https://a.example/", "a.example"),
        ("https://a.example/{a}", {"a": "\r\nHost: b\ud800"},
         "https://a.example/%0D%0AHost%3A%20b%ED%A0%80", "a.example"),
    ],
)  # fmt: skip
def test_an_argument_is_a_whole_url_or_something_behind_the_host(
    tmp_path: Path, get: str, args: dict[str, object], url: str, host: str
) -> None:
    properties = dict.fromkeys(args, True)
    schema = {"type": "object", "properties": properties, "required": [*args]}
    run = {"script": "greet.py", "get": get}
    more = {"compensate": "none", "examples": []}
    tool = load_manifest(write(tmp_path, egress=True, parameters=schema, run=run, **more))
    assert tool.rule.host == host
    assert page_of(tool, args) == url


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
