"""The gateway over a sandbox that is played."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcli.core.command import Command
from agentcli.core.event import Failed, OutputChunk, Prepared, Signal, Started, ToolEnded
from agentcli.core.sandbox import Job, JobEnd, Mount, SandboxFacts, SandboxSpec
from agentcli.core.step import Call, Prepare, Probe, RunTool
from agentcli.core.tool import RESTORE, Facts, Undo, tier_of
from agentcli.tool.gateway import NEW_SESSION, SESSION_LOST, Gateway
from agentcli.tool.reach import UnreachableError
from agentcli.tool.shown import Shown
from agentcli.tool.snapshot import Snapshots
from agentcli.tool.web import Response, Web
from tests.fake.script import shipped
from tests.tool.test_schema import JSON

TOOLS = {name: shipped(name) for name in ("python", "shell", "read_file", "write_file", "fetch")}


class PlayedSandbox:
    """Ends each job at once, keeps what it was asked for, and has one interpreter."""

    facts = SandboxFacts("docker", isolated=True, offline=True)
    gone = ""
    died = False

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def run(self, job: Job, on_output: Callable[[bytes], None]) -> JobEnd:
        fresh = bool(job.session) and not any(old.session for old in self.jobs)
        self.jobs.append(job)
        stdout = b'{"text": "ok"}' if "-S" in job.argv else b"ok"
        return JobEnd("exit", exit=0, stdout=stdout, output=stdout, fresh=fresh)

    async def close(self) -> None:
        pass


class Bench:
    """A gateway whose sandbox can be lost."""

    def __init__(self, folder: Path, *mounts: Mount) -> None:
        self.sandbox = PlayedSandbox()
        self.spec = SandboxSpec(workspace=str(folder), mounts=mounts)
        self.gateway = Gateway(
            TOOLS, self.spec, self.open, Snapshots(folder, folder.parent / "store"), str, str
        )

    async def open(self) -> PlayedSandbox:
        return self.sandbox

    def run(self, tool: str, **args: object) -> str:
        act = RunTool(Call(tool, args), self.facts(tool, **args), prepared=1)
        ended = asyncio.run(self.gateway.run(Started(("t", 1), act), act, lambda signal: None))
        assert isinstance(ended, ToolEnded)
        return ended.output

    def facts(self, tool: str, **args: object) -> Facts:
        act = Prepare(Call(tool, args))
        prepared = asyncio.run(self.gateway.prepare(Started(("t", 1), act), act))
        assert isinstance(prepared, Prepared)
        return prepared.facts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    (made / "a").write_text("one")
    return made


def test_a_sandbox_that_was_lost_with_a_session_in_it_is_told_once(folder: Path) -> None:
    bench = Bench(folder)
    assert bench.run("python", code="x = 1") == "ok"
    bench.sandbox = PlayedSandbox()
    assert bench.run("shell", command="ls") == f"{SESSION_LOST}\nok"
    assert bench.run("shell", command="ls") == "ok"
    assert bench.run("python", code="x") == f"{NEW_SESSION}\nok"
    assert bench.run("python", code="x") == "ok"


def test_a_sandbox_that_was_lost_without_a_session_is_not_told(folder: Path) -> None:
    bench = Bench(folder)
    assert bench.run("shell", command="ls") == "ok"
    bench.sandbox = PlayedSandbox()
    assert [bench.run("shell", command="ls"), bench.run("python", code="x")] == ["ok", "ok"]


def test_a_call_that_may_change_a_mount_cannot_be_undone(folder: Path, tmp_path: Path) -> None:
    rule = TOOLS["shell"].rule
    for mounts, tier in [
        ((), "reversible"),
        ((Mount("m", str(tmp_path)),), "reversible"),
        ((Mount("m", str(tmp_path)), Mount("n", str(tmp_path), writable=True)), "irreversible"),
    ]:
        facts = Bench(folder, *mounts).facts("shell", command="touch b")
        assert tier_of(rule, facts) == tier, mounts
        assert facts.snapshot, "what the workspace was is kept all the same"


def test_what_a_shell_command_does_is_a_fact_of_the_call(folder: Path) -> None:
    bench = Bench(folder)
    facts = bench.facts("shell", command="ls | sort -o b")
    assert facts.commands == (
        Command(("ls",), "reads"),
        Command(("sort", "-o", "b"), "unknown", "what sort does with `-o` is not known"),
    )
    assert bench.facts("shell", command="ls 'a").unparsed
    assert bench.facts("python", code="ls").commands == ()
    reads = bench.facts("shell", command="ls")
    assert tier_of(TOOLS["shell"].rule, reads) == "read_only"
    assert reads.snapshot, "what was judged wrong can be undone all the same"


def test_only_scripts_are_told_that_something_is_mounted(folder: Path, tmp_path: Path) -> None:
    for mounts, told in [((), {}), ((Mount("m", str(tmp_path)),), {"AGENTCLI_MOUNTS": "/mnt"})]:
        bench = Bench(folder, *mounts)
        bench.run("read_file", path="a")
        bench.run("shell", command="ls")
        script, command = (dict(job.env) for job in bench.sandbox.jobs)
        for env in (script, command):
            env.pop("AGENTCLI_IDEMPOTENCY_KEY")
        assert (script, command) == (told, {})


class ChangingSandbox(PlayedSandbox):
    """Whose jobs change a file of the workspace."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    async def run(self, job: Job, on_output: Callable[[bytes], None]) -> JobEnd:
        self.path.write_text("two")
        return await super().run(job, on_output)


def ended(bench: Bench, act: RunTool) -> ToolEnded:
    found = asyncio.run(bench.gateway.run(Started(("t", 1), act), act, lambda signal: None))
    assert isinstance(found, ToolEnded)
    return found


def test_what_a_call_has_changed_is_put_back_by_the_call_that_is_stored_with_it(
    folder: Path,
) -> None:
    bench = Bench(folder)
    call = Call("shell", {"command": "change a"})
    facts = bench.facts("shell", command="change a")
    assert facts.undo == Undo(RESTORE)
    (folder / "b").write_text("of a person, who thought long before the yes")
    bench.sandbox = ChangingSandbox(folder / "a")
    done = ended(bench, RunTool(call, facts, prepared=1))
    assert done.undo is not None
    undo = Call(done.undo.tool, done.undo.args, origin="undo")
    undone = ended(bench, RunTool(undo, Facts(), prepared=2))
    assert (undone.output, undone.error) == ("put back: a", False)
    assert (folder / "a").read_text() == "one"
    assert (folder / "b").exists(), "no change of the call"


def test_a_call_that_changed_nothing_has_nothing_to_undo(folder: Path) -> None:
    bench = Bench(folder)
    facts = bench.facts("shell", command="ls")
    assert ended(bench, RunTool(Call("shell", {"command": "ls"}), facts, prepared=1)).undo is None


class TellingSandbox(PlayedSandbox):
    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer

    async def run(self, job: Job, on_output: Callable[[bytes], None]) -> JobEnd:
        self.jobs.append(job)
        return JobEnd("exit", exit=0, stdout=self.answer, output=self.answer)


@pytest.mark.parametrize(
    ("answer", "happened"),
    [
        (b'{"happened": true, "text": "paid"}', "yes"),
        (b'{"happened": false}', "no"),
        (b'{"happened": null}', "unknown"),
        (b'{"happened": "true"}', "unknown"),
        (b"[true]", "unknown"),
        (b"", "unknown"),
    ],
)
def test_a_tool_that_is_asked_is_believed_only_when_it_says_so(
    folder: Path, answer: bytes, happened: str
) -> None:
    bench = Bench(folder)
    bench.sandbox = TellingSandbox(answer)
    facts = Facts(tool=TOOLS["read_file"].digest, sandbox=bench.spec.digest())
    probe = Probe(Call("read_file", {"path": "a"}), facts, prepared=1, key="k1")
    probed = asyncio.run(bench.gateway.probe(Started(("t", 2), probe), probe))
    assert probed.happened == happened
    [job] = bench.sandbox.jobs
    assert (job.env["AGENTCLI_PROBE"], job.env["AGENTCLI_IDEMPOTENCY_KEY"]) == ("1", "k1")


def test_a_call_does_not_run_once_a_file_that_it_names_has_changed(folder: Path) -> None:
    bench = Bench(folder)
    facts = bench.facts("write_file", path="a", content="new")
    assert facts.files["a"]
    act = RunTool(Call("write_file", {"path": "a", "content": "new"}), facts, prepared=1)
    jobs = len(bench.sandbox.jobs)
    (folder / "a").write_text("meanwhile")
    ended = asyncio.run(bench.gateway.run(Started(("t", 1), act), act, lambda signal: None))
    assert isinstance(ended, Failed)
    assert ended.failure == "stale"
    assert len(bench.sandbox.jobs) == jobs
    (folder / "a").write_text("one")
    ended = asyncio.run(bench.gateway.run(Started(("t", 1), act), act, lambda signal: None))
    assert isinstance(ended, ToolEnded)


SHELL = "shell"


def swap(path: Path, target: str) -> None:
    """Put a link in the place of whatever is there."""
    path.rename(path.with_name(f"{path.name}.old"))
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("tool", "args", "race"),
    [
        (SHELL, {"command": "cat a"}, lambda work: swap(work / "a", ".git/config")),
        (SHELL, {"command": "cat link"}, lambda work: swap(work / "link", "/etc/passwd")),
        (SHELL, {"command": "cd sub && cat c"}, lambda work: swap(work / "sub", "/etc")),
        (SHELL, {"command": "echo x > new"}, lambda work: (work / "new").symlink_to(".envrc")),
        ("read_file", {"path": "link"}, lambda work: swap(work / "link", "sub")),
        ("read_file", {"path": "sub/c"}, lambda work: swap(work / "sub", ".git")),
        ("write_file", {"path": "n/x", "content": ""}, lambda work: (work / "n").symlink_to("sub")),
        (SHELL, {"command": "git status"}, lambda work: config(work, "[diff]\n\texternal = x\n")),
        (SHELL, {"command": "git commit -m x"}, lambda work: config(work, "[user]\n\tname = x\n")),
        (SHELL, {"command": "git -C sub log"}, lambda work: config(work / "sub", "[core]\n")),
        (SHELL, {"command": "git log"}, lambda work: swap(work / ".git", "sub")),
    ],
)
def test_a_call_does_not_run_once_it_would_lead_elsewhere(
    folder: Path, tool: str, args: dict[str, object], race: Callable[[Path], None]
) -> None:
    (folder / "link").symlink_to("a")
    (folder / "sub").mkdir()
    (folder / "sub" / "c").write_text("")
    config(folder, "[user]\n\tname = first\n")
    bench = Bench(folder)
    act = RunTool(Call(tool, args), bench.facts(tool, **args), prepared=1)
    assert isinstance(run_once(bench, act), ToolEnded)
    jobs = len(bench.sandbox.jobs)
    race(folder)
    found = run_once(bench, act)
    assert isinstance(found, Failed)
    assert found.failure == "stale"
    assert len(bench.sandbox.jobs) == jobs
    again = RunTool(act.call, bench.facts(tool, **args), prepared=1)
    assert isinstance(run_once(bench, again), ToolEnded), "judged anew, it may run"


def config(folder: Path, text: str) -> None:
    (folder / ".git").mkdir(exist_ok=True)
    (folder / ".git" / "config").write_text(text)


def run_once(bench: Bench, act: RunTool) -> ToolEnded | Failed:
    return asyncio.run(bench.gateway.run(Started(("t", 1), act), act, lambda signal: None))


def test_what_the_sandbox_really_runs_on_is_a_fact_of_the_call(folder: Path) -> None:
    bench = Bench(folder)
    bench.sandbox.facts = SandboxFacts("docker", isolated=True, offline=True, image="sha256:1")
    assert bench.facts("shell", command="ls").image == "sha256:1"


def test_output_is_shown_by_whole_lines_and_its_last_one_at_the_end() -> None:
    act = RunTool(Call("shell", {"command": "x"}), Facts(), prepared=1)
    signals: list[Signal] = []
    hidden = Shown(Started(("t", 1), act), signals.append, lambda text: text.replace("key", "***"))
    for piece in (b"one\nk", b"ey: caf\xc3", b"\xa9\n$ k", b"ey"):
        hidden.put(piece)
    shown = [signal.text for signal in signals]
    assert shown == ["one\n", "***: café\n"]
    hidden.finish()
    assert signals[-1] == OutputChunk(("t", 1), "$ ***")


def args_for(tool: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return arguments of which most have the names that the tool knows."""
    names = st.one_of(st.sampled_from(sorted(TOOLS[tool].manifest.properties)), st.text())
    return st.dictionaries(names, st.one_of(JSON, st.sampled_from(["a", "ls", 1])), max_size=4)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(sorted(TOOLS)).flatmap(lambda t: st.tuples(st.just(t), args_for(t))))
def test_any_arguments_are_refused_or_can_be_stored_and_are_what_the_tool_takes(
    folder: Path, call: tuple[str, dict[str, Any]]
) -> None:
    tool, args = call
    act = Prepare(Call(tool, args))
    prepared = asyncio.run(Bench(folder).gateway.prepare(Started(("t", 1), act), act))
    msgspec.json.encode(prepared)
    if isinstance(prepared, Failed):
        assert prepared.failure == "invalid"
        return
    schema = TOOLS[tool].manifest.parameters
    assert jsonschema.Draft202012Validator(schema).is_valid(args)
    assert isinstance(prepared, Prepared)
    assert prepared.call.args == args


@dataclass(frozen=True)
class FixedWeb(Web):
    """Answers with one page, or not at all."""

    problem: BaseException | None = None

    async def get(self, url: str, timeout_s: float) -> Response:
        await asyncio.sleep(0.01)
        if self.problem:
            raise self.problem
        return Response(url, 200, {}, f"{url} within {timeout_s}".encode())


def test_a_script_gets_the_page_that_was_read_just_as_it_was_judged(folder: Path) -> None:
    bench = Bench(folder)
    bench.gateway.web = FixedWeb()
    facts = bench.facts("fetch", url="HTTPS://Example.com?ü")
    assert facts.page == "https://example.com/?%C3%BC"
    assert bench.run("fetch", url="HTTPS://Example.com?ü") == "ok"
    assert bench.sandbox.jobs[-1].timeout_ms < 60_000, "what the page took is of the call's time"
    given = json.loads(bench.sandbox.jobs[-1].stdin)
    assert given["args"] == {"url": "HTTPS://Example.com?ü"}
    body = base64.b64decode(given["response"].pop("body")).decode()
    assert body == "https://example.com/?%C3%BC within 60.0"
    assert given["response"] == {"url": facts.page, "status": 200, "headers": {}, "cut": False}


def test_a_page_that_cannot_be_read_is_an_error_and_no_script_runs(folder: Path) -> None:
    bench = Bench(folder)
    bench.gateway.web = FixedWeb(problem=UnreachableError("example.com: it has no address."))
    assert bench.run("fetch", url="https://example.com") == "example.com: it has no address."
    assert bench.sandbox.jobs == []


def test_a_page_that_is_cut_off_while_it_is_read_was_not_done(folder: Path) -> None:
    bench = Bench(folder)
    bench.gateway.web = FixedWeb(problem=asyncio.CancelledError())
    act = RunTool(Call("fetch", {"url": "https://a.b"}), bench.facts("fetch", url="https://a.b"), 1)
    ended = asyncio.run(bench.gateway.run(Started(("t", 1), act), act, lambda signal: None))
    assert isinstance(ended, ToolEnded)
    assert (ended.ending, ended.output) == ("not_done", "[stopped by the user]")


def test_what_is_no_url_is_told_before_anybody_is_asked(folder: Path) -> None:
    act = Prepare(Call("fetch", {"url": "ftp://example.com/"}))
    failed = asyncio.run(Bench(folder).gateway.prepare(Started(("t", 1), act), act))
    assert isinstance(failed, Failed)
    assert "ftp://example.com/: is no URL" in failed.message
