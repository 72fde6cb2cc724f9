"""`agentcli runs prune`: old runs are deleted, once someone has said so."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli.consent import agree
from agentcli.cli.words import counted
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from agentcli.compose.prune import Old
    from agentcli.tool.store import Freed

SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


def prune(
    older: Annotated[
        str, typer.Option("--older", help="Runs whose last record is older: 12h, 30d, 8w.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also runs that are not over, or are damaged.")
    ] = False,
) -> None:
    """Delete old runs, and states of workspaces that only they have kept.

    agentcli runs prune --older 30d --dry-run
    agentcli runs prune --older 8w --yes

    A run that is under way stays. Unless --unfinished is given, so does one that can be resumed,
    that such a one is played from (recorded:RUN), or of which something is still to be undone.
    What is deleted can be neither replayed nor undone any more.
    """
    import time

    from agentcli import asset
    from agentcli.compose.prune import half_deleted, old_runs, would_free
    from agentcli.compose.prune import prune as delete

    if not older:
        raise UsageError("how old? Say --older AGE, as in --older 30d")
    age = age_s(older)
    if dry_run and yes:
        raise UsageError("--dry-run does not go with --yes")
    state = asset.state_home()
    before_us = (time.time_ns() // 1_000_000_000 - age) * 1_000_000
    old = old_runs(state, before_us, unfinished=unfinished)
    left = half_deleted(state)
    if left and not dry_run:
        print(f"Going on with what was being deleted: {counted(len(left), 'run')}.")
    if not old:
        print(f"No run that may go is older than {older}.")
        if not left or dry_run:
            return
    folders = [run.folder for run in old]
    if old:
        tell(old, would_free(state, folders))
    if dry_run:
        print("Nothing is deleted: --dry-run.")
        return
    if old and not yes:
        hint = f"See what would go, then say yes: agentcli runs prune --older {older} --yes"
        agree("Delete them for good?", hint=hint, refused="Nothing is deleted.")
    gone, freed = delete(state, folders)
    print(f"Deleted: {counted(len(gone) + len(left), 'run')}.")
    if len(gone) < len(folders):
        print(f"Kept: {counted(len(folders) - len(gone), 'run')} that someone goes on with.")
    if freed is None:
        print("The states of workspaces stay, since a run is under way; the next time frees them.")


def age_s(text: str) -> int:
    """Return an age in seconds. Raises UsageError."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text)
    if match is None:
        raise UsageError(f"--older {text}: expected hours, days or weeks, as in 12h, 30d or 8w")
    return int(match[1]) * SECONDS[match[2]]


def tell(old: "list[Old]", freed: "Freed") -> None:
    from agentcli.compose.report import day_and_time
    from agentcli.core.visible import visible_line

    size = sum(run.size_bytes for run in old)
    print(f"{counted(len(old), 'run')}, {size:,} bytes")
    shown = [("oldest", old[0]), ("newest", old[-1])] if len(old) > 1 else [("", old[0])]
    for name, run in shown:
        label = run.folder.label or title_of(run)
        parts = (name, run.folder.id, day_and_time(run.last_us), run.standing.word, label)
        print(visible_line("  " + "  ".join(filter(None, parts))))
    if freed.contents:
        kept = counted(freed.contents, "content")
        print(f"and {kept} of workspaces that only they have kept, {freed.size_bytes:,} bytes")


def title_of(run: "Old") -> str:
    from agentcli.errors import AgentcliError

    try:
        started = run.folder.started()
    except AgentcliError:
        return ""
    return started.title or started.agent.pattern
