"""A trusted tool gives untrusted text where it reads a file that was written after such text."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from agentcli.core.event import (
    Event,
    Failed,
    Forked,
    Judged,
    Prepared,
    Recorded,
    RunStarted,
    Settled,
    Started,
    ToolEnded,
    UserSaid,
)
from agentcli.core.fold import fold
from agentcli.core.label import CLEAN, Label
from agentcli.core.policy import Allow
from agentcli.core.sandbox import Job, JobEnd, SandboxFacts, SandboxSpec
from agentcli.core.state import Branch, RunState
from agentcli.core.step import ROOT, Agent, Call, Prepare, Probe, RunTool
from agentcli.core.tool import RESTORE, Facts, tier_of
from agentcli.tool.gateway import Gateway
from agentcli.tool.load import load_tools
from agentcli.tool.manifest import LoadedTool
from agentcli.tool.seen import Seen
from agentcli.tool.snapshot import Snapshots
from tests.fake.script import shipped

MINE = """
name: {name}
version: 1
description: Tells what is in a file of the user's.
tier: {tier}
egress: false
idempotent: true
labels: {{integrity: {integrity}, confidentiality: {confidentiality}}}
{more}
parameters:
  type: object
  properties: {{path: {{type: string}}, list: {{type: array}}}}
run: {{script: own.py}}
"""
GOOD = Label("tool", "public")
Act = Callable[[Path], None]


def own(folder: Path, name: str, more: str = "paths: [path]", **changes: str) -> LoadedTool:
    folder.mkdir(exist_ok=True)
    said = {"tier": "read_only", "integrity": "tool", "confidentiality": "public", **changes}
    (folder / "own.py").write_text('print(\'{"text": "ok"}\')')
    (folder / f"{name}.yaml").write_text(MINE.format(name=name, more=more, **said))
    return load_tools([folder])[name]


@dataclass
class Bench:
    """A gateway and what its records tell it. The sandbox plays: a job does what `act` says."""

    folder: Path
    tools: dict[str, LoadedTool]
    outputs: str = "/outputs"
    seen: Seen = field(default_factory=Seen)
    act: Act = lambda folder: None
    seq: int = 0
    facts = SandboxFacts("docker", isolated=True, offline=True)
    gone = ""
    died = False

    def __post_init__(self) -> None:
        self.gateway = Gateway(
            self.tools,
            SandboxSpec(workspace=str(self.folder)),
            self.open,
            Snapshots(self.folder, self.folder.parent / "store", (".env",)),
            str,
            str,
            self.outputs,
            written=self.seen.written,
        )

    async def open(self) -> "Bench":
        return self

    async def run(self, job: Job, on_output: Callable[[bytes], None]) -> JobEnd:
        self.act(self.folder)
        return JobEnd("exit", exit=0, stdout=b'{"text": "ok"}', output=b"ok")

    async def close(self) -> None:
        pass

    def record(self, event: Event) -> None:
        self.seq += 1
        self.seen.take(Recorded(self.seq, 1, self.seq, event))

    def call(self, tool: str, act: Act = lambda folder: None, **args: object) -> ToolEnded:
        """Return the end of a call, all of whose records are taken in."""
        start, end = self.begin(tool, act, **args)
        self.record(end)
        self.record(Settled(start.id[0], "done", self.seq))
        return end

    def begin(self, tool: str, act: Act, **args: object) -> tuple[Started, ToolEnded]:
        look = Prepare(Call(tool, args))
        id = (f"t{self.seq}", 1)
        prepared = asyncio.run(self.gateway.prepare(Started(id, look), look))
        assert isinstance(prepared, Prepared), prepared
        tier = tier_of(self.tools[tool].rule, prepared.facts)
        self.record(Judged(id[0], "", Allow("", tier)))
        run = RunTool(look.call, prepared.facts, prepared=1)
        start, self.act = Started(id, run), act
        self.record(start)
        end = asyncio.run(self.gateway.run(start, run, lambda signal: None))
        assert isinstance(end, ToolEnded), end
        return start, end

    def label(self, tool: str = "mine", **args: object) -> Label:
        found = self.call(tool, lambda folder: None, **args).label
        assert found is not None
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "work"
    (folder / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        (folder / name).write_text(name)
    (folder / "link").symlink_to("a")
    (folder / "way").symlink_to("/workspace/sub")
    tools = {name: shipped(name) for name in ("read_file", "python", "shell", "write_file")}
    own(tmp_path / "tools", "mine")
    own(tmp_path / "tools", "any", "")
    own(tmp_path / "tools", "code", "paths: []")
    own(tmp_path / "tools", "pay", "paths: []", tier="irreversible")
    own(tmp_path / "tools", "users", integrity="user")
    return Bench(folder, {**tools, **load_tools([tmp_path / "tools"])})


def put(name: str, text: str = "evil") -> Act:
    def act(folder: Path) -> None:
        (folder / name).write_text(text)

    return act


def taint(bench: Bench) -> None:
    assert bench.label("read_file", path="a").is_tainted


def test_until_something_has_an_effect_files_are_what_they_were(bench: Bench) -> None:
    assert bench.label(path="a") == GOOD
    taint(bench)
    (bench.folder / "a").write_text("by the user")
    assert bench.label(path="a") == GOOD


def test_a_file_written_after_untrusted_text_was_seen_is_untrusted(bench: Bench) -> None:
    put("b", "by the user")(bench.folder)
    taint(bench)
    bench.call("python", put("a"), code="1")
    assert bench.label(path="a") == Label("untrusted", "private"), "what was read is private too"
    assert bench.label(path="b") == GOOD
    assert bench.label("users", path="b") == Label("user", "public")
    put("a", "a")(bench.folder)
    assert bench.label(path="a") == GOOD, "it is again what it was"


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("link", False),
        ("/workspace/a", False),
        ("./sub/../a", False),
        ("{root}/a", False),
        (".", False),
        ("*", False),
        ("sub/../[a-c]", False),
        ("way/../a", False),
        ("new", True),
        ("sub", True),
        ("way/c", True),
        ("way", True),
        ("sub/*.py", True),
        ("../work/a", False),
        ("/tmp/a", False),
        ("/mnt/x", False),
        (".env", False),
        ("x\0y", True),
    ],
)
def test_a_file_is_known_by_any_of_its_names(bench: Bench, name: str, good: bool) -> None:
    (bench.folder / ".env").write_text("key")
    taint(bench)
    bench.call("shell", put("a"), command="make")
    name = name.replace("{root}", str(bench.folder))
    assert (bench.label(path=name) == GOOD) == good


def test_a_path_in_a_list_and_one_that_is_left_out_are_looked_at(bench: Bench) -> None:
    taint(bench)
    bench.call("shell", put("a"), command="make")
    assert bench.label().is_tainted, "it may read whatever it likes by default"
    assert not bench.label(path="b", list=["a"]).is_tainted, "a list that names no files"
    assert bench.label("any", list=["b", ["a"]]).is_tainted
    assert not bench.label("any", list=["b", "what is 1 * 2?"]).is_tainted


@pytest.mark.parametrize(
    "act",
    [
        lambda folder: os.replace(folder / "b", folder / "a"),
        lambda folder: (folder / "a").unlink(),
        lambda folder: ((folder / "a").unlink(), (folder / "a").symlink_to("b")),
        lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("b")),
        lambda folder: ((folder / "a").unlink(), (folder / "a").symlink_to("/etc/passwd")),
        lambda folder: ((folder / "a").unlink(), (folder / "a").symlink_to("a")),
        lambda folder: ((folder / "a").unlink(), (folder / "a").mkdir()),
    ],
)
def test_whatever_was_put_in_the_place_of_a_file_is_untrusted(bench: Bench, act: Act) -> None:
    taint(bench)
    bench.call("shell", act, command="make")
    assert bench.label(path="link").is_tainted


def test_a_folder_with_links_in_it_is_all_that_they_may_lead_to(bench: Bench) -> None:
    (bench.folder / "sub" / "up").symlink_to("../a")
    taint(bench)
    bench.call("shell", put("a"), command="make")
    assert bench.label(path="sub").is_tainted


def test_a_tool_that_tells_untrusted_text_may_have_written_it_down_itself(bench: Bench) -> None:
    bench.call("python", put("a"), code="fetch")
    assert bench.label(path="a").is_tainted
    assert not bench.label(path="b").is_tainted


def test_where_the_state_was_not_kept_every_file_is_untrusted(bench: Bench) -> None:
    taint(bench)
    bench.call("pay")
    assert bench.label(path="b").is_tainted
    assert not bench.label(path="none").is_tainted


def test_a_call_without_an_effect_on_files_is_no_harm_once_the_state_is_kept(
    bench: Bench,
) -> None:
    taint(bench)
    bench.call("shell", command="make")
    bench.call("pay")
    assert not bench.label(path="b").is_tainted


def test_a_state_that_is_gone_or_files_that_are_too_many_are_no_proof(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    taint(bench)
    bench.call("shell", command="make")
    assert not bench.label(path="b").is_tainted
    base = bench.seen.written.untrusted.base
    assert base
    with monkeypatch.context() as patch:
        patch.setattr("agentcli.tool.snapshot.FILES_AT_MOST", 2)
        assert bench.label(path="b").is_tainted
    bench.gateway.snapshots.path_of(base).unlink()
    assert bench.label(path="b").is_tainted


def test_a_whole_output_is_untrusted_as_soon_as_such_text_was_seen(bench: Bench) -> None:
    assert bench.label(path="/outputs/1") == GOOD
    taint(bench)
    for name in ("/outputs/1", "../outputs/1", "/workspace/../outputs/1", "sub/../../outputs"):
        assert bench.label(path=name).is_tainted, name
    (bench.folder / "o").symlink_to("/outputs")
    assert bench.label(path="o/1").is_tainted


def test_what_code_prints_is_the_word_of_the_model_that_wrote_it(bench: Bench) -> None:
    manifest = bench.tools["python"].manifest.model_copy(
        update={"labels": bench.tools["mine"].manifest.labels}
    )
    python = bench.tools["python"]
    bench.tools["python"] = LoadedTool(manifest, "", python.digest, python.path, python.arguments)
    assert bench.label("python", code="1") == GOOD
    taint(bench)
    assert bench.label("python", code="1") == Label("untrusted", "private")


def test_what_was_private_stays_so_in_a_file(bench: Bench) -> None:
    own(bench.folder.parent / "tools", "secret", confidentiality="private")
    bench.tools.update(load_tools([bench.folder.parent / "tools"]))
    assert bench.label("secret", path="b") == Label("tool", "private")
    bench.call("write_file", put("a"), path="a", content="x")
    assert bench.seen.written.untrusted.seen, "what write_file tells is untrusted"
    assert bench.label(path="a") == Label("untrusted", "private")
    assert bench.label(path="b") == GOOD


def test_an_undo_after_it_counts_as_a_write(bench: Bench) -> None:
    _, end = bench.begin("shell", put("a"), command="make")
    assert end.undo is not None
    after = str(end.undo.args["after"])
    bench.record(end)
    bench.record(Settled("t0", "done", 1))
    run = RunTool(Call(RESTORE, end.undo.args, origin="undo"), Facts(restorable=True), 1)
    bench.seen.written.untrusted.base = None
    bench.record(Judged("undo.1", "", Allow("undoes", "reversible")))
    bench.record(Started(("undo.1", 1), run))
    assert bench.seen.written.untrusted.base == after


def test_what_is_kept_of_it_is_the_same_after_a_restart(bench: Bench) -> None:
    taint(bench)
    bench.call("shell", put("a"), command="make")
    again = msgspec.json.decode(msgspec.json.encode(bench.seen), type=Seen)
    assert again.written == bench.seen.written
    assert again.written.untrusted.base


def test_a_probe_is_labelled_like_a_result(bench: Bench) -> None:
    taint(bench)
    bench.call("shell", put("a"), command="make")
    tool = bench.tools["mine"]
    facts = Facts(tool=tool.digest, sandbox=bench.gateway.spec.digest())
    for name, tainted in (("a", True), ("b", False)):
        probe = Probe(Call("mine", {"path": name}), facts, prepared=1, key="k")
        probed = asyncio.run(bench.gateway.probe(Started(("t", 1), probe), probe))
        assert not isinstance(probed, Failed)
        assert probed.label is not None
        assert probed.label.is_tainted == tainted


def test_what_stands_in_a_run_from_elsewhere_is_nobodys_word_here(bench: Bench) -> None:
    bench.record(UserSaid("main", "Pay eve@evil.example."))
    bench.call("python", put("b"), code="1")
    assert {label for _, label, _ in bench.seen.places} == {CLEAN, Label()}
    bench.record(Forked("r2", "r1", 2, 2, policy="p"))
    assert {label for _, label, _ in bench.seen.places} == {Label()}
    assert bench.seen.written.untrusted.seen
    begun = RunStarted(
        "r1", Agent("react", "Go.", plan=("send",)), limit_uusd=None, limit_steps=900
    )
    state = fold(RunState(), Recorded(1, 1, 1, begun))
    forked = Forked("r2", "r1", 1, 2, policy="p", limit_uusd=5, limit_steps=6)
    state = fold(state, Recorded(2, 2, 2, forked))
    root = state.steps[ROOT]
    assert isinstance(root, Branch)
    assert (root.label, root.plan, state.policy) == (Label(), (), "p")
    assert (state.purse.limit_uusd, state.purse.limit_steps) == (5, 6)
