"""Undoes calls of a run: what that would change, and then doing it, recorded in its ledger."""

import asyncio
import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentcli import asset
from agentcli.approval.who import local_name
from agentcli.compose.front import Front
from agentcli.compose.oneshot import signals
from agentcli.compose.session import Session
from agentcli.core.event import Dropped, Paused, Recorded, Settled, UndoAsked
from agentcli.core.message import ModelError, Reply, Request
from agentcli.core.plan import Plan
from agentcli.core.step import Undoing, ends_with
from agentcli.core.tool import RESTORE
from agentcli.core.tool import Undo as UndoCall
from agentcli.core.visible import escaped_line
from agentcli.errors import InputError
from agentcli.ledger.effects import Effect, Effects, effects_of
from agentcli.ledger.file import FileJournal
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.read import each_record
from agentcli.ledger.recording import restorer
from agentcli.ledger.seal import Seal
from agentcli.ledger.vault import Vault, mapped
from agentcli.loop.perform import now_us
from agentcli.tool.compensate import missing
from agentcli.tool.restore import Change, State, after_changes, restoring
from agentcli.tool.snapshot import Snapshots, TooBigError

DIFF_BYTES = 200_000


@dataclass
class Foreseen:
    """What undoing one call would do. changes: of files. left: files changed by others since.

    cannot: why it cannot be undone by itself, "" if it can.
    """

    effect: Effect
    changes: list[Change] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    cannot: str = ""


@dataclass
class Foresight:
    """What undoing calls would do, one after the other. now, then: the workspace before, after."""

    snapshots: Snapshots
    calls: list[Foreseen] = field(default_factory=list)
    now: State = field(default_factory=dict)
    then: State = field(default_factory=dict)

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield each file that would change, and its diff, "" where there is none to show."""
        for path in sorted(self.now.keys() | self.then.keys()):
            if self.now.get(path) != self.then.get(path):
                yield os.fsdecode(path), "".join(self.diff(path))

    def kind(self, name: str) -> str:
        """Return in a word what a path is that has no diff."""
        kept = self.then.get(os.fsencode(name)) or self.now.get(os.fsencode(name))
        return "a folder" if kept and not kept.content else "not a text that could be shown"

    def diff(self, path: bytes) -> Iterator[str]:
        old, new = (self.text(state, path) for state in (self.now, self.then))
        if old is None or new is None:
            return
        name = os.fsdecode(path)
        was, will_be = (name if path in state else "/dev/null" for state in (self.now, self.then))
        yield from difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), was, will_be, n=2
        )

    def text(self, state: State, path: bytes) -> str | None:
        """Return the text of a file, "" if it is not there, None for what is no (short) text."""
        kept = state.get(path)
        if kept is None:
            return ""
        if not kept.mode or not kept.content:
            return None
        try:
            data = self.snapshots.data(kept.content)
            return data.decode() if len(data) <= DIFF_BYTES else None
        except (InputError, UnicodeDecodeError):
            return None


def pick(effects: Sequence[Effect], names: Sequence[str]) -> list[Effect]:
    """Return the calls to be undone, the last one first: those named, else all that stand.

    names: of calls, by the end of their steps' ids or by record; of agents, for all their calls.
    Raises InputError.
    """
    if not names:
        standing = [e for e in reversed(effects) if not (e.is_undone or e.dropped)]
        return [e for e in standing if e.call.origin != "undo"]
    picked: dict[int, Effect] = {}
    for name in names:
        found = [e for e in effects if is_named(e, name)]
        whole = [e for e in effects if f"/{e.step}".rpartition("/")[0].endswith(f"/{name}")]
        if not (len(found) == 1 or whole):
            known = ", ".join(e.name for e in effects) or "none"
            what = "more than one call is" if found else "no call that has changed anything is"
            raise InputError(f"{escaped_line(name)}: {what} named so", hint=f"Calls: {known}")
        standing = [e for e in found or whole if not e.is_undone]
        if not standing:
            raise InputError(f"{name}: is undone already")
        picked |= {effect.at: effect for effect in standing}
    return [picked[at] for at in sorted(picked, reverse=True)]


def foresee_in_chat(plan: Plan, folder: RunFolder, names: Sequence[str]) -> Foresight:
    """Return what undoing calls of a chat would do. names: as for `pick`; none: of its last turn.

    "all" names all that stand. Raises as `pick` and `foresee` do.
    """
    effects = effects_of(each_record(folder.ledger))
    named = () if list(names) == ["all"] else names
    return foresee(plan, pick(effects, named) if names else last_turn(effects), force=False)


def undo_asked(foresight: Foresight, folder: RunFolder) -> UndoAsked:
    """Return the wish of who runs this program to have done what was foreseen."""
    exact = restorer(folder)
    effects = [foreseen.effect for foreseen in foresight.calls]
    calls = tuple(Undoing(effect.at, mapped(effect.undo, exact)) for effect in effects)
    return UndoAsked(calls, local_name())


def last_turn(effects: Sequence[Effect]) -> list[Effect]:
    """Return what stands of the last turn of a chat that has changed anything, the last first."""
    standing = pick(effects, ())
    return [e for e in standing if turn_of(e) == turn_of(standing[0])]


def turn_of(effect: Effect) -> str:
    return "/".join(effect.step.split("/")[:2])


def is_named(effect: Effect, name: str) -> bool:
    return name == str(effect.at) or ends_with(effect.step, name)


def foresee(plan: Plan, picked: Sequence[Effect], *, force: bool) -> Foresight:
    """Return what undoing these calls in this order would do. Changes nothing.

    Raises InputError if what was kept is gone, or the workspace cannot be looked at.
    """
    snapshots = snapshots_of(plan)
    try:
        handle = snapshots.take()
    except (TooBigError, OSError) as error:
        raise InputError(f"{snapshots.workspace}: cannot be looked at: {error}") from error
    if not handle:
        raise InputError(f"{snapshots.workspace}: is too big now to be put back")
    now = snapshots.contents(handle)
    foresight = Foresight(snapshots, now=now, then=now)
    for effect in picked:
        foreseen = Foreseen(effect)
        args = effect.undo.args
        if effect.undo.tool == RESTORE:
            before = snapshots.contents(args["before"])
            after = snapshots.contents(args["after"]) if args["after"] else foresight.then
            found = restoring(foresight.then, before, after, force=force)
            foreseen.changes, foreseen.left = found.changes, [*map(os.fsdecode, found.left)]
            foresight.then = after_changes(foresight.then, found.changes)
        elif lost := missing(args):
            foreseen.cannot = f"what {', '.join(lost)} was is not known"
        foresight.calls.append(foreseen)
    return foresight


def snapshots_of(plan: Plan) -> Snapshots:
    spec = plan.sandbox
    return Snapshots(Path(spec.workspace), asset.state_home() / "store", spec.hidden)


class Silent:
    """Is never asked anything: while calls are undone, nothing else goes on."""

    async def reply(self, request: Request, show: object) -> Reply:
        raise ModelError("config", "no model is asked while calls are undone")

    async def close(self) -> None:
        pass


@dataclass
class Undo:
    """One process's work at undoing. force: also what was changed since."""

    plan: Plan
    folder: RunFolder
    front: Front
    force: bool = False

    async def go(self, picked: Sequence[Effect]) -> list[Effect]:
        """Undo calls in this order, and return them with what became of it.

        Raises InputError where the run has first to go on; LedgerError.
        """
        effects = Effects()
        for rec in each_record(self.folder.ledger):
            effects.take(rec)

        def publish(rec: Recorded) -> None:
            effects.take(rec)
            self.front.publish(rec)
            match rec.event:
                case Settled(step=step) if step.startswith("undo.") and "/" not in step:
                    # A chat, which has no end of its own, is left again.
                    session.inbox.put(Paused("left"))

        front = Front(publish, self.front.show, self.front.show_card)
        async with Session(self.plan, self.folder, front, Silent()) as session:
            is_chat = session.state.chat and session.state.phase != "ended"
            refuse_open_turn(session)
            calls = tuple(Undoing(effect.at, self.undo_of(effect)) for effect in picked)
            with signals(lambda why: session.inbox.put(Paused(why))):
                await session.run(session.go_on(stops=not is_chat), UndoAsked(calls, local_name()))
        wanted = {effect.at for effect in picked}
        return [effect for effect in effects.found.values() if effect.at in wanted]

    async def end(self) -> None:
        """End a run that was cut off, so that what was under way can be undone: nobody saw its end.

        Raises InputError for a chat, whose turn has to end first; LedgerBusyError, LedgerError.
        """
        async with Session(self.plan, self.folder, self.front, Silent()) as session:
            refuse_open_turn(session)
            await session.run(session.go_on(stops=True))

    def undo_of(self, effect: Effect) -> UndoCall:
        undo = mapped(effect.undo, restorer(self.folder))
        if self.force and undo.tool == RESTORE:
            return UndoCall(undo.tool, {**undo.args, "force": True})
        return undo


def refuse_open_turn(session: Session) -> None:
    if session.state.chat and session.state.phase != "ended" and session.state.leaves:
        run = session.folder.id
        hint = f"End the turn first: agentcli resume {run}"
        raise InputError(f"{run}: was cut off in the middle of a turn", hint=hint)


def give_up(folder: RunFolder, effect: Effect, reason: str) -> None:
    """Record that nobody will try to undo a call any more.

    Raises InputError where it is not ours to write, LedgerBusyError, LedgerError.
    """
    if folder.is_foreign:
        raise InputError(f"{folder.foreign}, so it is never written to")
    seal = Seal(asset.state_home(), folder.path)
    vault = Vault(folder.private, pii=folder.pii)
    with FileJournal(folder.ledger, vault, now_us, seal=seal) as journal:
        journal.seal(Dropped(effect.at, local_name(), reason))
        asyncio.run(journal.sync())
