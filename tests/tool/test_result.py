"""What tools declare of their results, against what they return; run in a real sandbox."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.core.event import Failed, Prepared, Started, ToolEnded
from agentcli.core.label import Label
from agentcli.core.sandbox import JobEnd, SandboxSpec
from agentcli.core.step import Call, Prepare, RunTool
from agentcli.core.tool import Undo
from agentcli.core.visible import visible
from agentcli.loop.port import Sandbox
from agentcli.tool.compensate import with_result
from agentcli.tool.gateway import Gateway
from agentcli.tool.load import load_manifest
from agentcli.tool.manifest import LoadedTool
from agentcli.tool.result import result_of
from agentcli.tool.schema import MAX_DEPTH
from agentcli.tool.snapshot import Snapshots
from tests.cli.conftest import SANDBOX
from tests.sandbox.box import opened
from tests.sandbox.conftest import spec_of
from tests.tool.test_schema import JSON

OUTPUT = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "state": {"enum": ["open", "paid"]}},
    "required": ["id"],
}
BOOK: dict[str, Any] = {
    "name": "book",
    "version": 1,
    "description": "Books.",
    "tier": "irreversible",
    "egress": False,
    "idempotent": False,
    "labels": {"integrity": "tool", "confidentiality": "public"},
    "compensate": {
        "call": {"tool": "cancel", "args": {"what": "{args.what}", "id": "{result.id}"}}
    },
    "parameters": {
        "type": "object",
        "properties": {"what": {"type": "string"}},
        "required": ["what"],
    },
    "output": OUTPUT,
    "run": {"script": "book.py"},
}
ARGS = {"what": "hotel"}
BROKEN = (
    "The tool book is broken: it ran, but what it returned is not what it declares. "
    "Do not rely on it.\n"
)
UNKNOWN = Undo("cancel", {"what": "hotel", "id": "{result.id}"})


def book(folder: Path, script: str = "", **changes: Any) -> LoadedTool:
    """Return a tool that books; a key that is None is left out of its manifest."""
    manifest = {key: value for key, value in {**BOOK, **changes}.items() if value is not None}
    (folder / "book.yaml").write_text(yaml.safe_dump(manifest))
    (folder / "book.py").write_text(script)
    return load_manifest(folder / "book.yaml")


@dataclass
class Bench:
    """Runs one call in a real sandbox. `kept`: whole outputs that were clipped."""

    spec: SandboxSpec
    folder: Path
    clean: Callable[[str], str] = str

    def run(self, tool: LoadedTool, origin: Literal["model", "undo"] = "model") -> ToolEnded:
        return asyncio.run(self.called(tool, Call("book", ARGS, origin=origin)))

    async def called(self, tool: LoadedTool, call: Call) -> ToolEnded:
        self.kept: list[str] = []
        async with opened(self.spec) as box:

            async def open_box() -> Sandbox:
                return box

            def keep(text: str) -> str:
                self.kept.append(text)
                return "h1"

            snapshots = Snapshots(Path(self.spec.workspace), self.folder / "store")
            self.gateway = Gateway({"book": tool}, self.spec, open_box, snapshots, self.clean, keep)
            prepare = Prepare(call)
            prepared = await self.gateway.prepare(Started(("t", 1), prepare), prepare)
            assert isinstance(prepared, Prepared)
            act = RunTool(call, prepared.facts, prepared=1)
            ended = await self.gateway.run(Started(("t", 2), act), act, lambda signal: None)
            assert isinstance(ended, ToolEnded)
            return ended

    def refusal(self, undo: Undo) -> str:
        """Return why the call that undoes another one does not run, "" if it may."""
        act = Prepare(Call(undo.tool, undo.args, origin="undo"))
        prepared = asyncio.run(self.gateway.prepare(Started(("u", 1), act), act))
        return prepared.message if isinstance(prepared, Failed) else ""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return Bench(spec_of(SANDBOX, workspace), tmp_path)


def says(**answer: Any) -> str:
    return f"print({json.dumps(answer)!r})"


def test_a_result_that_fits_is_told_and_its_values_undo_the_call(bench: Bench) -> None:
    ended = bench.run(book(bench.folder, says(text="booked", data={"id": 7})))
    assert (ended.output, ended.error, ended.label) == ("booked", False, Label("tool", "public"))
    assert ended.undo == Undo("cancel", {"what": "hotel", "id": 7})
    assert bench.refusal(ended.undo) == ""


def test_what_ran_and_does_not_fit_is_an_error_that_nothing_is_taken_from(bench: Bench) -> None:
    script = "open('booked', 'w').close()\n" + says(text="ok", data={"id": "rm -rf", "state": "x"})
    ended = bench.run(book(bench.folder, script))
    assert Path(bench.spec.workspace, "booked").exists()
    told, _, raw = ended.output.partition("What it returned:\n")
    assert told == (
        f'{BROKEN}$.id: expected type "integer"\n$.state: expected enum ["open", "paid"]\n'
    )
    assert json.loads(raw) == {"text": "ok", "data": {"id": "rm -rf", "state": "x"}}
    assert (ended.ending, ended.error, ended.undo) == ("done", True, UNKNOWN)
    assert ended.label == Label("untrusted", "public"), "what is broken is not to be believed"
    assert bench.refusal(UNKNOWN).endswith("what result.id was is not known.")


def test_what_needs_no_value_of_a_result_that_does_not_fit_can_still_be_undone(
    bench: Bench,
) -> None:
    undo = {"call": {"tool": "cancel", "args": {"what": "{args.what}"}}}
    ended = bench.run(book(bench.folder, says(text="ok", data={}), compensate=undo))
    assert ended.undo == Undo("cancel", ARGS)
    assert bench.refusal(ended.undo) == ""


def test_an_undo_whose_result_does_not_fit_is_not_tried_again(bench: Bench) -> None:
    ended = bench.run(book(bench.folder, says(text="ok", data={}), compensate=None), origin="undo")
    assert not ended.error, "an error of what undoes a call is tried again"
    assert ended.output.startswith(f'{BROKEN}$: the key "id" is missing\n')


def test_a_tool_that_says_that_it_failed_owes_no_value(bench: Bench) -> None:
    ended = bench.run(book(bench.folder, says(error="no room")))
    assert (ended.output, ended.error, ended.undo) == ("no room", True, None)
    command = ["bash", "-c", "echo no room; exit 3"]
    ended = bench.run(book(bench.folder, run={"command": command}))
    assert (ended.output, ended.error, ended.undo) == ("no room\n[exit 3]", True, None)


@pytest.mark.parametrize(
    ("printed", "misfit"),
    [
        ('{"id": 7}', ""),
        ('{"id": 7.5}', '$.id: expected type "integer"'),
        ("[7]", '$: expected type "object"'),
        ("7 booked", "$: is not JSON, or is nested too deep"),
        ("", "$: is not JSON, or is nested too deep"),
    ],
)
def test_what_a_command_prints_is_its_result(bench: Bench, printed: str, misfit: str) -> None:
    ended = bench.run(book(bench.folder, run={"command": ["printf", "%s", printed]}))
    assert ended.error == bool(misfit)
    assert ended.undo == (UNKNOWN if misfit else Undo("cancel", {"what": "hotel", "id": 7}))
    told = f"{BROKEN}{misfit}\nWhat it returned:\n{printed}" if misfit else printed
    assert ended.output == told


def test_the_whole_of_what_does_not_fit_is_kept(bench: Bench) -> None:
    script = 'print(\'{"text": "ok", "data": {"id": "\' + \'x\' * 9_000_000 + \'y"}}\')'
    began = time.process_time()
    ended = bench.run(book(bench.folder, script))
    assert time.process_time() - began < 10
    assert ended.output.startswith(f'{BROKEN}$.id: expected type "integer"\nWhat it returned:\n')
    assert ended.output.endswith('xxxy"}}')
    assert len(ended.output) < 31_000
    assert "all of it is in /outputs/h1" in ended.output
    [kept] = bench.kept
    assert len(kept) > 9_000_000


# Many of a kind in one sandbox would show no more than these, so their job is played.
DEEP = 100_000
ODD = {
    "deep": ("[" * DEEP + "]" * DEEP, None),
    "rather deep": ("[" * (MAX_DEPTH + 9) + "]" * (MAX_DEPTH + 9), "is nested more than 64 deep"),
    "NaN": ("NaN", "nan is not a number in JSON"),
    "infinite": ("1e999", "inf is not a number in JSON"),
    "a key twice": ('{"a": 1, "a": 2}', '$: an object has the key "a" twice'),
    "half a character": ('"\\ud800"', "holds half a character"),
    "half a key": ('{"\\udc00": 1}', "is not text"),
    "many values": (f"[{'0,' * 200_000}0]", "has more than 100,000 values"),
    "a long number": ("9" * 5000, None),
    "a number of many bits": ("9" * 1000, "expected at most 1024 bits"),
}


@pytest.mark.parametrize("odd", ODD)
def test_no_result_however_odd_is_taken_for_one_that_fits(tmp_path: Path, odd: str) -> None:
    value, misfit = ODD[odd]
    output = {"type": "object", "properties": {"id": {}}}
    for tool in (book(tmp_path, "1", output=output), book(tmp_path, "1", output=None)):
        answer = f'{{"text": "ok", "data": {{"id": {value}}}}}'.encode()
        result = result_of(tool, JobEnd("exit", exit=0, stdout=answer, output=answer))
        assert result.data == {}, "no undo may use it"
        if tool.output is None:
            assert result.error == (misfit is None)
        elif misfit is None:
            assert result.text.startswith("The tool book is broken: it ended with 0 and no result.")
        else:
            assert not result.fits
            assert misfit in result.text.partition("What it returned:")[0]


@pytest.mark.parametrize(
    ("data", "misfit"),
    [
        ("[]", '$: expected type "object"'),
        ("null", '$: expected type "object"'),
        ('"{}"', '$: expected type "object"'),
        ("{}", '$: the key "id" is missing'),
    ],
)
def test_data_that_is_no_object_does_not_fit(tmp_path: Path, data: str, misfit: str) -> None:
    answer = f'{{"text": "ok", "data": {data}}}'.encode()
    result = result_of(book(tmp_path, "1"), JobEnd("exit", exit=0, stdout=answer, output=answer))
    assert result.text.startswith(f"{BROKEN}{misfit}\n")
    assert (result.fits, result.data) == (False, {})


def test_an_answer_without_data_does_not_fit(tmp_path: Path) -> None:
    answer = b'{"text": "ok"}'
    result = result_of(book(tmp_path, "1"), JobEnd("exit", exit=0, stdout=answer, output=answer))
    assert result.text.startswith(f"{BROKEN}$: there is no `data` in its answer\n")


def test_a_secret_that_does_not_fit_is_not_told_in_part(bench: Bench) -> None:
    secret = "s" * 60 + "e" * 60  # longer than what is quoted of an argument
    bench.clean = lambda text: text.replace(secret, "***")
    ended = bench.run(book(bench.folder, says(text="ok", data={"id": secret})))
    assert '"id": "***"' in ended.output
    assert "sss" not in ended.output


def test_another_output_is_another_tool(tmp_path: Path) -> None:
    open_, closed = OUTPUT, {**OUTPUT, "additionalProperties": False}
    assert book(tmp_path, output=open_).digest != book(tmp_path, output=closed).digest


PIECES = [
    *("{", "}", "[", "]", ":", ",", '"', '"text"', '"data"', '"error"', '"ok"', '"id"', "7", "-"),
    *(".", "NaN", "Infinity", "1e999", "null", "true", r'"\ud800"', "\ufeff", "\0", " "),
    "\x1b[2J",
]
ANSWERS = st.one_of(
    st.binary(),
    st.lists(st.sampled_from(PIECES)).map(lambda some: "".join(some).encode()),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("text", "error", "data"), st.one_of(JSON, st.just("ok")))
    ).map(lambda answer: json.dumps(answer).encode()),
    JSON.map(lambda data: json.dumps({"text": "ok", "data": {"id": data}}).encode()),
)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> list[LoadedTool]:
    """Return a script and a command, each with and without a declared output."""
    folder = tmp_path_factory.mktemp("tools")
    return [
        book(folder, "1", run=run, output=output)
        for run in ({"script": "book.py"}, {"command": ["true"]})
        for output in (OUTPUT, None)
    ]


@settings(max_examples=300, deadline=None)
@given(answer=ANSWERS)
def test_any_bytes_are_a_result_that_can_be_stored_and_fits_what_was_declared(
    tools: list[LoadedTool], answer: bytes
) -> None:
    end = JobEnd("exit", exit=0, stdout=answer, output=answer)
    for tool in tools:
        result = result_of(tool, end)
        visible(result.text).encode()
        stored = msgspec.json.encode(with_result(UNKNOWN, result.data))
        assert msgspec.json.decode(stored, type=Undo) == with_result(UNKNOWN, result.data)
        if tool.output is not None and not result.error and result.fits:
            value = json.loads(answer)
            value = value["data"] if tool.script else value
            assert jsonschema.Draft202012Validator(OUTPUT).is_valid(value)
        if result.error or not result.fits:
            assert result.data == {}
