"""What can be done with a run that another process is writing: watch it, or fork it."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agentcli.ledger.folder import RunFolder

WAYS = "w to watch it, f to go on in a fork of it, Enter to leave it"


def way_with(folder: "RunFolder") -> str:
    """Return what a person wants with a run under way: w, f, or "" to leave it.

    None is asked without a terminal, or of a run that nobody writes: "resume" is the way then.
    """
    from agentcli.ledger.follow import Follower

    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        return "resume"
    with Follower(folder.ledger) as follower:
        if not follower.is_written():
            return "resume"
    print(f"{folder.id}: another process is writing it.", file=sys.stderr)
    typed = ""
    while typed not in ("w", "f", "leave"):
        typed = typer.prompt(WAYS, default="leave", show_default=False, err=True).strip().lower()
    return "" if typed == "leave" else typed
