"""The call that undoes another one by putting files back."""

import os

from agentcli.core.event import Started, ToolEnded
from agentcli.core.label import Label
from agentcli.core.step import Args, Call
from agentcli.core.tool import RESTORE, Undo
from agentcli.core.visible import visible
from agentcli.errors import InputError
from agentcli.tool.restore import Change, put_back, restoring
from agentcli.tool.snapshot import Snapshots, TooBigError


def is_restore(call: Call) -> bool:
    return call.origin == "undo" and call.tool == RESTORE


def restore(start: Started, args: Args, snapshots: Snapshots) -> ToolEnded:
    """Put files back as they were before a call, and say which."""
    before, after = str(args["before"]), str(args["after"])
    try:
        was = snapshots.take()
        now = snapshots.contents(was)
        left_by = snapshots.contents(after) if after else now
        force = bool(args.get("force"))
        found = restoring(now, snapshots.contents(before), left_by, force=force)
        failed = put_back(snapshots, found.changes)
        is_now = snapshots.take()
    except (InputError, TooBigError, OSError) as error:
        text = f"Nothing was put back: {error}"
        return ToolEnded(start.id, "done", visible(text), error=True)
    done = [change for change in found.changes if change.path not in failed]
    text = told_of_restore(done, found.left, failed)
    undo = Undo(RESTORE, {"before": was, "after": is_now}) if done else None
    bad = bool(found.left or failed)
    return ToolEnded(
        start.id, "done", visible(text), error=bad, after=is_now, undo=undo, label=Label()
    )


def told_of_restore(done: list[Change], left: list[bytes], failed: list[bytes]) -> str:
    """Return what became of each path, in lines."""
    removed = [change.path for change in done if change.then is None]
    put_back = [change.path for change in done if change.then is not None]
    told = (
        ("put back", put_back),
        ("removed", removed),
        ("left alone, since it was changed after the call", left),
        ("could not be changed", failed),
    )
    lines = [f"{words}: {', '.join(map(os.fsdecode, paths))}" for words, paths in told if paths]
    return "\n".join(lines) or "it was so already"
