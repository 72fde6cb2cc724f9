"""Which files may hold what came from outside: those that changed after it was first seen."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from agentcli.core.event import Checked, Event, Forked, Judged, Probed, Settled, Started, ToolEnded
from agentcli.core.label import Label
from agentcli.core.place import MOST
from agentcli.core.policy import Allow, Ask
from agentcli.core.step import Args, RunTool, StepId
from agentcli.core.tool import RESTORE, RiskTier
from agentcli.core.trace import leaves_of
from agentcli.errors import InputError
from agentcli.tool.manifest import LoadedTool, RunSession
from agentcli.tool.named import INSIDE, inside_of, is_below
from agentcli.tool.restore import kind_of
from agentcli.tool.snapshot import Kept, Snapshots, TooBigError

State = Mapping[bytes, Kept]
HOPS_AT_MOST = 40  # as Linux follows links
GLOB = re.compile(r"[*?\[{]")


@dataclass
class Mark:
    """When the model first saw text of one kind, and what files were before anything came of it.

    base: handle of the workspace's state before the first call with an effect since then, None if
    there was none, "" if it was not kept.
    """

    seen: bool = False
    base: str | None = None


@dataclass
class Written:
    """Fed with the event of each record. Knows since when files may hold what the model has seen.

    tiers: of the open calls. running: the state before each of those that may have an effect.
    """

    untrusted: Mark = field(default_factory=Mark)
    private: Mark = field(default_factory=Mark)
    tiers: dict[StepId, RiskTier] = field(default_factory=dict)
    running: dict[StepId, str] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        match event:
            case Judged(step=step, verdict=Allow(tier=tier) | Ask(tier=tier)):
                self.tiers[step] = tier
            case Started(id=(step, _), act=RunTool() as run):
                if run.facts.snapshot or self.tiers.get(step) != "read_only":
                    self.running[step] = before = state_before(run)
                    for mark in (self.untrusted, self.private):
                        if mark.seen and mark.base is None:
                            mark.base = before
            case ToolEnded(label=Label() as label) | Probed(label=Label() as label):
                self.see(label)
            case Forked(policy=policy) if policy:
                self.see(Label())  # all that stands in what came from elsewhere
            case Checked(problems=problems) if problems:
                self.see(Label())  # what its commands said
            case Settled(step=step):
                self.tiers.pop(step, None)
                self.running.pop(step, None)

    def see(self, label: Label) -> None:
        """Take in what the model is told. A call that tells it may have written it down too."""
        before = next(iter(self.running.values()), None)
        if label.is_tainted and not self.untrusted.seen:
            self.untrusted = Mark(True, before)
        if label.confidentiality == "private" and not self.private.seen:
            self.private = Mark(True, before)

    def marks(self, label: Label) -> list[tuple[Mark, Label]]:
        """Return what could make a label worse, and each time into which."""
        worse = ((self.untrusted, Label("untrusted", "public")), (self.private, Label("user")))
        return [
            (mark, joined)
            for mark, other in worse
            if mark.seen and (joined := label.join(other)) != label
        ]

    def label(self, tool: LoadedTool, args: Args, snapshots: Snapshots, outputs: str) -> Label:
        """Return the label of a call's result: its tool's, joined with that of the files it names.

        outputs: where the tool finds whole outputs.
        """
        label = tool.rule.label
        for mark, joined in self.marks(label):
            # What code prints is the word of the model that wrote it.
            if runs_code(tool) or is_touched(mark, names_of(tool, args), snapshots, outputs):
                label = label.join(joined)
        return label


def state_before(run: RunTool) -> str:
    """Return the handle of the state before a call, "" if it was not kept."""
    if run.call.tool == RESTORE:
        return str(run.call.args.get("after", ""))
    return run.facts.snapshot


def runs_code(tool: LoadedTool) -> bool:
    return tool.rule.shell or isinstance(tool.manifest.run, RunSession)


def names_of(tool: LoadedTool, args: Args) -> list[str]:
    """Return what of a call may name files. A path that is left out may be any of the workspace."""
    declared = tool.rule.paths
    names = [
        fixed_part(value) if declared is not None or not re.search(r"\s", value) else value
        for path, value in leaves_of(args)
        if (declared is None or path.partition(".")[0] in declared) and len(value) <= MOST
    ]
    return names + ["." for name in declared or () if name not in args]


def fixed_part(pattern: str) -> str:
    """Return the folder in which all lies that a name with `*`, `?`, `[...]` or `{...}` fits."""
    parts = pattern.split("/")
    for number, part in enumerate(parts):
        if GLOB.search(part):
            return "/".join(parts[:number]) or ("/" if number else ".")
    return pattern


def is_touched(mark: Mark, names: Iterable[str], snapshots: Snapshots, outputs: str) -> bool:
    """Say whether one of the files is not known to be what it was before the mark."""
    root = os.path.realpath(snapshots.workspace)
    try:
        inside = [inside_of(root, name) for name in names if "\0" not in name]
        if any(is_below(path, outputs) for name in inside for path in ways_to(root, name)):
            return True
        if mark.base is None:
            return False
        there = any(os.path.isabs(name) or exists(root, name) for name in inside)
        if not mark.base:
            return there
        was, now = snapshots.contents(mark.base), snapshots.now()
        return any(differs(was, now, name, root) for name in inside)
    except (InputError, TooBigError, OSError, ValueError):
        return True


def ways_to(root: str, name: str) -> Iterator[str]:
    """Yield what a path of the workspace may be, in a sandbox and out of it."""
    for folder in (INSIDE, root):
        yield os.path.normpath(os.path.join(folder, name))
    yield os.path.realpath(os.path.join(root, name))


def differs(was: State, now: State, name: str, root: str) -> bool:
    """Say whether a path holds, or leads to, anything else than it did. In doubt, it does."""
    then, here = resolved(was, name, root), resolved(now, name, root)
    if then is None or here is None:
        return True
    if here and here not in now:
        # What no snapshot has is not there, or cannot be known: by another spelling, say.
        return then in was or not then or exists(root, os.fsdecode(here))
    return content_of(was, then) != content_of(now, here)


def content_of(state: State, path: bytes) -> dict[bytes, str]:
    """Return what a path holds: of a folder all that is in it, of one with links all there is."""
    found = {below: kept for below, kept in state.items() if is_in(below, path)}
    if any(kind_of(kept) == "link" for kept in found.values()):
        return {below: kept.content for below, kept in state.items()}
    return {below.removeprefix(path): kept.content for below, kept in found.items()}


def is_in(path: bytes, folder: bytes) -> bool:
    return not folder or path == folder or path.startswith(folder + b"/")


def resolved(state: State, name: str, root: str) -> bytes | None:
    """Return where a path leads in a state of the workspace, None if out of it."""
    if os.path.isabs(name):
        return None
    done: list[bytes] = []
    parts, hops = list(parts_left(os.fsencode(name))), 0
    while parts:
        part = parts.pop()
        if part == b"..":
            if not done:
                return None
            done.pop()
            continue
        kept = state.get(b"/".join([*done, part]))
        if kept is None or kind_of(kept) != "link":
            done.append(part)
            continue
        hops += 1
        target = inside_of(root, os.fsdecode(kept.content.encode("latin-1")))
        if hops > HOPS_AT_MOST or os.path.isabs(target):
            return None
        if kept.content.startswith("/"):
            done = []
        parts += parts_left(os.fsencode(target))
    return b"/".join(done)


def parts_left(path: bytes) -> Iterator[bytes]:
    """Yield the parts of a path, the last first."""
    return (part for part in reversed(path.split(b"/")) if part not in (b"", b"."))


def exists(root: str, name: str) -> bool:
    return os.path.lexists(os.path.join(root, name))
