from pathlib import Path
from typing import Any

import pytest

from agentcli.errors import AgentcliError, ConfigError
from agentcli.tool.load import load_manifest
from tests.fake.manifest import GOOD, gets, write


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
        (gets("https://{who}/"), "run.get: an argument cannot be a part of the host"),
        (gets("https://a{who}.example/"), "an argument cannot be a part of the host"),
        (gets("https://a.example:{who}/"), "an argument cannot be a part of the host"),
        *[
            (gets(url), "run.get: must be one `{name}`, or a URL: ")
            for url in (
                *("https://a@b.example/{who}", "ftp://a.example/{who}", "", "https:///{who}"),
                *("https://a.example/a b/{who}", "https://a.example/{a b}", "https://\na/"),
                *("https://a.example:99999/{who}", "https://a.example:22/{who}"),
            )
        ],
    ],
)
def test_what_does_not_fit_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(AgentcliError) as caught:
        load_manifest(write(tmp_path, **changes))
    assert message in str(caught.value)
    for line in str(caught.value).splitlines():
        assert line.startswith(f"{tmp_path / 'greet.yaml'}:")


def test_what_undoes_a_call_takes_only_values_that_are_declared(tmp_path: Path) -> None:
    undo = {"call": {"tool": "leave", "args": {"id": "{result.numbr}"}}}
    output = {"type": "object", "properties": {"number": {"type": "integer"}}}
    with pytest.raises(ConfigError, match="no value of `output` is named `numbr`; did you mean"):
        load_manifest(write(tmp_path, compensate=undo, output=output))
    assert load_manifest(write(tmp_path, compensate=undo, output={"type": "object"})).output


def test_the_command_of_a_shell_is_the_argument_that_bash_runs(tmp_path: Path) -> None:
    bash = ["bash", "-c", "{who}"]
    assert load_manifest(write(tmp_path, shell="who", run={"command": bash})).rule.shell
    for run in ({"command": ["zsh", "-c", "{who}"]}, {"command": [*bash, "x"]}, GOOD["run"]):
        with pytest.raises(ConfigError, match=r'shell: needs the run \[bash, -c, "{who}"\]'):
            load_manifest(write(tmp_path, shell="who", run=run))
    with pytest.raises(ConfigError, match="shell: the parameter `file` must be required"):
        load_manifest(write(tmp_path, shell="file", run={"command": ["bash", "-c", "{file}"]}))
