"""Makes a fork: another run that goes on from any record of one, with a model of its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from agentcli import __version__, asset
from agentcli.compose.mount import refuse_changed_places
from agentcli.compose.plan import (
    Overrides,
    absolute,
    make_plan,
    refuse_other_price,
    sandbox_spec,
)
from agentcli.compose.role import refuse_lost_role
from agentcli.compose.rules import rules_of
from agentcli.compose.tools import store_tool
from agentcli.config.settings import Config
from agentcli.core.decide import decide
from agentcli.core.event import Ended, Forked, Prepared, Recorded, Settled, Started, ToolEnded
from agentcli.core.fold import fold, fold_all
from agentcli.core.plan import Fork, Plan
from agentcli.core.policy import Rules
from agentcli.core.record import encode, hash_of
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.state import Branch, RunState
from agentcli.core.step import ActId, AskModel, RunTool, StepId, ends_with
from agentcli.errors import InputError, LedgerError, UsageError
from agentcli.ledger.bundle import copy_outputs
from agentcli.ledger.file import FileJournal
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.follow import Follower
from agentcli.ledger.forged import told_as_damage
from agentcli.ledger.line import decode_line, hash_in
from agentcli.ledger.proof import refuse_damaged
from agentcli.ledger.seal import Head, Seal
from agentcli.ledger.vault import Vault, write_private
from agentcli.loop.perform import now_us
from agentcli.tool.layout import lay_out
from agentcli.tool.load import load_tools


@dataclass(frozen=True)
class Made:
    """A fork as it was made. moved, where: what is to be told of its record and workspace."""

    folder: RunFolder
    of: str
    at: int
    workspace: str
    where: str
    moved: str = ""


def fork_run(
    source: RunFolder,
    folder: RunFolder,
    config: Config,
    workspace: Path,
    *,
    at: str = "",
    model: str = "",
    here: bool = False,
) -> Made:
    """Make a fork of a run in the empty folder of a new one.

    at: the record to go on from, or the step once it was over; "" for the end. here: it works in
    the original's workspace, one from elsewhere in `workspace`. Without it, in a copy as the
    workspace was then, as far as that was kept.
    Raises InputError, UsageError, LedgerError, NotPermittedError, and what the plan of the run
    raises.
    """
    refuse_damaged(asset.state_home(), source)
    with Follower(source.ledger) as follower:
        records = follower.news()
        lines = follower.read(0, follower.offset).splitlines(keepends=True)
    wanted = record_at(records, at)
    foreign = source.is_foreign
    if foreign:
        plan = trusted_plan(source, config, here=here)
        spec = sandbox_spec(config.profile(), workspace, None)
    else:
        plan, spec = source.plan(), source.plan().sandbox
        refuse_lost_role(plan, config)
    chosen = absolute(model) if model else plan.model
    if model and not foreign:
        refuse_other_price(plan, chosen)
    rules = rules_of(source.given())
    with told_as_damage(source.ledger):
        place, moved = place_of(rules, records, wanted)
    if foreign:
        refuse_undoing(source, records[:place])
    spec, where = workspace_at(records, place, spec, folder, here=here or foreign)
    refuse_changed_places(spec)
    copy_parts(source, folder)
    fork = Fork(source.run(), place, chosen, spec, now_us())
    if (earlier := source.fork()) is not None:
        fork = replace(fork, **own_rules(earlier))
    if foreign:
        fork = under_own_rules(fork, plan, config, workspace)
    write_private(folder.path / "fork.json", msgspec.json.format(encode(fork), indent=1))
    # Begun anew at each fork, limits would never be reached.
    held = any(
        isinstance(rec.event, Forked) and rec.event.policy == fork.policy for rec in records[:place]
    )
    write_ledger(folder, lines[:place], fork, takes_over=foreign or not held)
    return Made(folder, fork.of, place, spec.workspace, where, moved)


def record_at(records: Sequence[Recorded], at: str) -> int:
    """Return the number of a record that is named, or at which a step was over.

    Raises UsageError.
    """
    if at.isdecimal() and 0 < int(at[:18]) <= len(records):
        return int(at)
    if at.isdecimal():
        raise UsageError(f"--at {at}: the run has {len(records)} records")
    if not at:
        return len(records)
    found: dict[StepId, int] = {}
    for rec in records:
        match rec.event:
            case Settled(step=step) if ends_with(step, at):
                found[step] = rec.seq
    if len(found) != 1:
        what = f"{len(found)} steps are" if found else "no step that was over is"
        raise UsageError(f"--at {at}: {what} named so", hint="Steps: agentcli audit trail RUN")
    return found.popitem()[1]


def trusted_plan(source: RunFolder, config: Config, *, here: bool) -> Plan:
    """Return the plan of a run from elsewhere if its tools and signers are those of this machine.

    Its sandbox is never taken: mounts, images and limits of it are another's words.
    """
    name = source.path if source.outside else source.id
    if not here:
        raise InputError(
            f"{source.foreign}, and its workspace is not here",
            hint=f"In the folder that you are in: agentcli runs fork {name} --here",
        )
    given = source.given()
    if given.missing:
        raise InputError(f"{source.id}: {given.missing} secrets of what it was given are not here")
    plan, tools = given.plan, load_tools(config.tool_folders())
    signers = (config.allowed_signers(), config.is_separate)
    if plan.policy.signers and (plan.policy.signers, plan.policy.separate) != signers:
        message = f"{source.foreign}, and its allowed signers are not those of this machine"
        raise InputError(message, hint=source.anew)
    for tool, rule in plan.policy.tools.items():
        known = tools.get(tool)
        same = known is not None and known.rule == rule
        if not same or known is None or plan.tools.get(tool) != store_tool(known):
            raise InputError(
                f"{source.foreign}, and its tool `{tool}` is not the one of this machine",
                hint=source.anew,
            )
    return plan


def own_rules(fork: Fork) -> dict[str, Any]:
    names = ("policy", "policies", "limit_uusd", "limit_steps")
    return {name: getattr(fork, name) for name in names}


def under_own_rules(fork: Fork, plan: Plan, config: Config, workspace: Path) -> Fork:
    """Return a fork of a run from elsewhere with the rules and limits that a new one here has.

    Of the tools it keeps those that the run was given. Raises what `make_plan` raises of these.
    """
    over = Overrides(model=fork.model)
    own = make_plan(config, config.profile(), plan.agent, workspace, over)
    tools = {name: rule for name, rule in own.policy.tools.items() if name in plan.tools}
    offered = tuple(name for name in own.policy.offered if name in tools)
    policy = replace(own.policy, tools=tools, offered=offered)
    digest = hash_of(policy)
    return replace(
        fork,
        policy=digest,
        policies={**fork.policies, digest: policy},
        limit_uusd=own.limit_uusd,
        limit_steps=own.limit_steps,
    )


def refuse_undoing(source: RunFolder, records: Sequence[Recorded]) -> None:
    """Raise InputError where a run from elsewhere would undo what its ledger says it has done.

    What undoes a call runs unasked: it was allowed with that call, which nobody here has seen.
    """
    state = fold_all(records)
    branches = [step for step in state.steps.values() if isinstance(step, Branch)]
    if state.undoing or any(branch.goal.pattern == "saga" for branch in branches):
        raise InputError(f"{source.foreign}, and what it would undo is another's word")


def place_of(rules: Rules, records: Sequence[Recorded], wanted: int) -> tuple[int, str]:
    """Return the last record up to the wanted one from which a run can go on, and why it moved.

    No tool may be running there: nobody would know whether the call happened. Where all is over,
    it goes on from where the model was asked for the last time.
    Raises InputError where there is no such place.
    """
    state, states = RunState(), list[RunState]()
    for rec in records[:wanted]:
        state = fold(state, rec)
        states.append(state)
    place = wanted
    while place and runs_tool(states[place - 1]):
        place -= 1
    moved = "a tool was running there" if place < wanted else ""
    if place and is_over(rules, states[place - 1]):
        moved = "all was done there; this is where the model was asked for the last time"
        while place and not (asks(records[place - 1]) and not runs_tool(states[place - 1])):
            place -= 1
    if not place:
        raise InputError("there is nothing to go on from: the run is over and asked no model")
    return place, moved


def asks(rec: Recorded) -> bool:
    return isinstance(rec.event, Started) and isinstance(rec.event.act, AskModel)


def runs_tool(state: RunState) -> bool:
    return any(leaf.open and isinstance(leaf.open.act, RunTool) for leaf in state.leaves)


def is_over(rules: Rules, state: RunState) -> bool:
    """Say whether a fork from here would end without having done anything."""
    seq, epoch = state.seq + 1, state.epoch + 1
    due = fold(state, Recorded(seq, epoch, state.now_us, Forked("", "", state.seq, epoch)))
    while (event := decide(rules, due)) is not None:
        if isinstance(event, Started | Ended):
            return isinstance(event, Ended)
        due = fold(due, Recorded(due.seq + 1, epoch, due.now_us, event))
    return due.phase == "ended"


def workspace_at(
    records: Sequence[Recorded], place: int, spec: SandboxSpec, folder: RunFolder, *, here: bool
) -> tuple[SandboxSpec, str]:
    """Return the sandbox of the fork, its workspace laid out, and in words where it works."""
    handle = "" if here else state_at(records, place)
    if not handle:
        why = "" if here else ": no state of then was kept"
        return spec, f"the workspace as it is now{why}"
    lay_out(asset.state_home() / "store", handle, folder.workspace)
    return replace(spec, workspace=str(folder.workspace.resolve())), "a copy, as it was then"


def state_at(records: Sequence[Recorded], place: int) -> str:
    """Return the handle of the workspace's state at a record, "" where none was kept.

    It is the one that the next call was prepared on, or else that the last one left behind.
    """
    for rec in records[place:]:
        if isinstance(rec.event, Prepared) and rec.event.facts.snapshot:
            return rec.event.facts.snapshot
    keeps: dict[ActId, bool] = {}  # whether a state was kept before the call, so that it changes
    for rec in records[:place]:
        if isinstance(rec.event, Started) and isinstance(rec.event.act, RunTool):
            keeps[rec.event.id] = bool(rec.event.act.facts.snapshot)
    for rec in reversed(records[:place]):
        if isinstance(rec.event, ToolEnded) and keeps.get(rec.event.id):
            return rec.event.after
    return ""


def copy_parts(source: RunFolder, folder: RunFolder) -> None:
    """Copy the plan, the private values and the whole outputs. Raises LedgerError."""
    try:
        write_private(folder.path / "plan.json", (source.path / "plan.json").read_bytes())
        folder.private.mkdir(mode=0o700)
        for path in sorted(source.private.iterdir()) if source.private.is_dir() else []:
            if path.is_file() and not path.is_symlink():
                write_private(folder.private / path.name, path.read_bytes())
    except OSError as error:
        raise LedgerError(f"{folder.path}: cannot be written: {error.strerror}") from error
    copy_outputs(source, folder)


def write_ledger(
    folder: RunFolder, lines: Sequence[bytes], fork: Fork, *, takes_over: bool
) -> None:
    """Write the ledger: the very lines of the original, and that it is another run from there.

    takes_over: the rules and limits of the fork hold from there on, and did not before.
    """
    data = b"".join(lines)
    write_private(folder.ledger, data)
    vault, seal = Vault(folder.private), Seal(asset.state_home(), folder.path)
    last = decode_line(lines[-1])
    seal.hold(Head(folder.id, last.seq, hash_in(lines[-1]), last.epoch, len(data)))
    with FileJournal(folder.ledger, vault, now_us, seal=seal) as journal:
        differs = hash_of(fork)[:32]
        forked = Forked(folder.id, fork.of, fork.at, journal.epoch, False, __version__, differs)
        if takes_over:
            limits = {"limit_uusd": fork.limit_uusd, "limit_steps": fork.limit_steps}
            forked = replace(forked, policy=fork.policy, **limits)
        journal.seal(forked)
        asyncio.run(journal.sync())
