from pathlib import Path

import pytest

from agentcli.tool.job import command_of, url_of
from agentcli.tool.load import load_manifest
from agentcli.tool.manifest import RunCommand
from agentcli.tool.reach import UnreachableError
from tests.fake.manifest import write


def test_an_argument_is_one_word_of_a_command_whatever_it_holds() -> None:
    run = RunCommand(command=("bash", "-c", "{command}", "{n}", "{b}"))
    args = {"command": "a; b {n}\n$(c)", "n": 3, "b": True}
    assert command_of(run, args) == ("bash", "-c", "a; b {n}\n$(c)", "3", "true")


@pytest.mark.parametrize(
    ("get", "args", "url", "host"),
    [
        ("{url}", {"url": "http://A.example/x#y"}, "http://a.example/x", ""),
        ("https://A.example/{a}?q={b}", {"a": "x/..y/?", "b": 3},
         "https://a.example/x%2F..y%2F%3F?q=3", "a.example"),
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
    assert url_of(tool, args) == url


@pytest.mark.parametrize("up", [".", "..", "../x", "a/../b", "..\\x"])
def test_an_argument_cannot_lead_up_the_folders_of_a_url(tmp_path: Path, up: str) -> None:
    run = {"script": "greet.py", "get": "https://a.example/public/{who}/x?q={who}"}
    tool = load_manifest(write(tmp_path, egress=True, run=run))
    with pytest.raises(UnreachableError, match="no part of its path can be"):
        url_of(tool, {"who": up})
    assert url_of(tool, {"who": "..."}) == "https://a.example/public/.../x?q=..."
    assert url_of(tool, {"who": "%2e%2e"}).startswith("https://a.example/public/%252e%252e/x")
