"""Tries the project's own vectors on the real thing: loop, gateway, tools and borders."""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import assert_never

from msgspec.structs import replace

from agentcli import asset
from agentcli.compose.box import open_sandbox
from agentcli.compose.mount import resolve_mounts
from agentcli.compose.plan import policy_of
from agentcli.config.settings import load_config, shipped_config
from agentcli.core.sandbox import HIDDEN, Job, SandboxSpec, hidden_names
from agentcli.errors import AgentcliError
from agentcli.loop.port import Sandbox
from agentcli.redteam.case import Case, Played, Spec
from agentcli.redteam.commanded import looked_through
from agentcli.redteam.declared import loaded_tools
from agentcli.redteam.ground import (
    OPEN,
    SECRET,
    Found,
    Tried,
    default_policy,
    empty,
    judged,
    lay_out,
    workspace,
)
from agentcli.redteam.meddle import Interloper, Meddler
from agentcli.redteam.pages import played_web
from agentcli.redteam.player import Obedient, Player
from agentcli.redteam.shown import shown
from agentcli.redteam.typed import answered
from agentcli.redteam.vector import (
    Brought,
    Calls,
    Commanded,
    Described,
    Hidden,
    Mounted,
    Shown,
    Typed,
    Variable,
    Vector,
    Vectors,
)
from agentcli.tool.load import load_tools
from agentcli.tool.manifest import LoadedTool
from agentcli.tool.snapshot import Snapshots


def try_all(files: Iterable[Vectors]) -> list[Tried]:
    """Return what comes of all vectors, each on files that are laid out anew."""
    return [tried for group in files for tried in asyncio.run(try_group(group))]


async def try_group(group: Vectors) -> list[Tried]:
    # Not below /tmp, which is a place that tools may use.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        folder = Path(place).resolve()
        workspace(folder).mkdir()
        bench = Bench(folder, group)
        try:
            return [await bench.tried(vector) for vector in group.vectors]
        finally:
            await bench.close()


@dataclass
class Bench:
    """Where the vectors of a file are tried. The sandbox is opened once: that takes longest."""

    folder: Path
    group: Vectors
    opening: Sandbox | None = None

    @cached_property
    def tools(self) -> dict[str, LoadedTool]:
        if self.group.tools is None:
            return load_tools([asset.shipped("tools")])
        calls = [v.do for v in self.group.vectors if isinstance(v.do, Calls)]
        fields = {field: True for call in calls for field in call.args}
        specs = {name: Spec(name, {**OPEN, "properties": fields}) for name in self.group.tools}
        return loaded_tools(specs, self.group.tools, Path("played"))

    @property
    def spec(self) -> SandboxSpec:
        return SandboxSpec("local", workspace=str(workspace(self.folder)), hidden=HIDDEN)

    async def sandbox(self) -> Sandbox:
        if self.opening is None:
            self.opening = await open_sandbox(self.spec, "vector")
        return self.opening

    async def close(self) -> None:
        if self.opening is not None:
            await self.opening.close()
            self.opening = None

    async def tried(self, vector: Vector) -> Tried:
        empty(self.folder)
        lay_out(self.folder, {"../secret": SECRET, **self.group.files})
        found, what = await self.outcome(vector)
        return Tried(self.group.area, vector, found, what)

    async def outcome(self, vector: Vector) -> tuple[Found, str]:
        match vector.do:
            case Calls() as calls:
                return await self.called(calls)
            case Commanded() as commanded:
                return await looked_through(self.folder, commanded)
            case Typed() as typed:
                return await answered(typed)
            case Shown(text=text, where=where):
                return await shown(self.folder, text, where)
            case Variable(variable=name):
                return await self.seen_by_a_tool(name)
            case Hidden(hidden=name):
                return ("deny" if hidden_names(HIDDEN)(name) else "allow"), name
            case Mounted(mount=path):
                return mounted(self.folder, path)
            case Brought(project=files):
                return brought(self.folder, files)
            case Described(manifest=manifest):
                return await described(self.folder, manifest)
            case _:
                assert_never(vector.do)

    async def called(self, calls: Calls) -> tuple[Found, str]:
        """Play the calls of a vector: with the program's own tools on real files, or played."""
        args = filled(self.folder, calls.args)
        last = Played(calls.tool, args, SECRET, injected=True, effect=True)
        before = (Played(one.tool, one.args, one.output) for one in calls.before)
        case = Case("vector", "vectors", "attack", calls.user, calls.plan, (*before, last))
        policy = replace(default_policy(), asks=calls.asks, signers=calls.signers)
        player = Player(policy, self.tools)
        real = self.group.tools is None
        if real:
            sandbox = await self.sandbox()

            async def open_real(model: Obedient) -> Sandbox:
                return sandbox

            web = played_web(policy.domains, self.group.names, self.group.pages, SECRET)
            store = Snapshots(workspace(self.folder), self.folder / "store")
            player = Player(
                policy,
                self.tools,
                open_sandbox=open_real,
                spec=self.spec,
                snapshots=store,
                web=web,
            )
        scopes = tuple(one.scope for one in calls.before)
        files, earlier = dict(calls.meanwhile), len(calls.before)
        meddler = Meddler(self.folder, files, calls.swaps, player, calls.tool, earlier)
        play = await player.play(
            case,
            "careful" if calls.attended else "none",
            partial(Interloper, says=list(calls.says), scopes=scopes) if calls.attended else None,
            meddler,
        )
        return judged(self.folder, play.calls[-1], real=real)

    async def seen_by_a_tool(self, name: str) -> tuple[Found, str]:
        """Say whether a tool sees a variable that the program itself was started with."""
        with variable(name, SECRET):
            await self.close()
            sandbox = await self.sandbox()
        end = await sandbox.run(Job(("/usr/bin/env",)), lambda data: None)
        text = end.output.decode("utf-8", "replace")
        return ("leak" if SECRET in text or "PATH=" not in text else "deny"), text


def filled(folder: Path, args: dict[str, object]) -> dict[str, object]:
    """Return arguments with {outside} for the folder that the workspace is in."""
    return {
        name: value.replace("{outside}", str(folder)) if isinstance(value, str) else value
        for name, value in args.items()
    }


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def mounted(folder: Path, path: str) -> tuple[Found, str]:
    config = shipped_config()
    real = path.replace("{home}", str(asset.state_home())).replace("{outside}", str(folder))
    try:
        mounts = resolve_mounts(config.profile("default"), (real,), "docker", HIDDEN)
    except AgentcliError as error:
        return "deny", str(error)
    return "allow", str(mounts)


def brought(folder: Path, files: dict[str, str]) -> tuple[Found, str]:
    """Say whether files of a project that nobody has trusted change anything."""
    before = what_holds(workspace(folder))
    lay_out(folder, files)
    after = what_holds(workspace(folder))
    return ("deny" if before == after else "allow"), f"{before}\n{after}"


def what_holds(place: Path) -> object:
    """Return all of a configuration by which a run would differ."""
    config = load_config(place)
    profile = config.profile("")
    names = {kind: config.named_files(kind) for kind in ("profiles", "tasks")}
    tools = load_tools(config.tool_folders())
    said = profile.model_dump(exclude={"layers"})
    return said, names, sorted(tools), policy_of(config, profile, tools), config.api


async def described(folder: Path, manifest: dict[str, object]) -> tuple[Found, str]:
    """Put a manifest among the tools, and call it with its first example if it is taken."""
    place = folder / "tools"
    place.mkdir()
    name = str(manifest.get("name", "tool"))
    (place / f"{name.replace('/', '_')}.yaml").write_text(json.dumps(manifest))
    try:
        tools = load_tools([asset.shipped("tools"), place])
    except AgentcliError as error:
        return "deny", str(error)
    tool = tools[name]
    args = tool.manifest.examples[0] if tool.manifest.examples else {}
    case = Case("v", "v", "attack", "Go.", (), (Played(tool.manifest.name, args),))
    play = await Player(default_policy(), tools).play(case, "no")
    return judged(folder, play.calls[0], real=False)
