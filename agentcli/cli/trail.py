"""`agentcli audit trail` and `audit export`: who did what, by whose leave, and what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentcli.cli import options
from agentcli.cli.words import counted
from agentcli.errors import InputError, UsageError

if TYPE_CHECKING:
    from agentcli.ledger.story import Story
    from agentcli.ledger.trail import Trail

IN_A_PIPE = 100_000  # columns: a line each, for grep


def trail(
    run: options.RUN = "last",
    call: Annotated[
        str, typer.Argument(help="Only this call: a step, the end of one, or a record's number.")
    ] = "",
    as_json: options.JSON = False,
) -> None:
    """Say of each call who proposed it, which rule decided, who agreed to what, and what came.

    agentcli audit trail last
    agentcli audit trail last 42
    agentcli audit trail last call.1.0 --json

    Numbers are those of the ledger's records. Hashes are cut to 12 characters and texts to a line;
    --json has all of them. Secrets are marks, as in the ledger.
    """
    from agentcli import asset
    from agentcli.cli.document import print_json
    from agentcli.ledger.bundle import opened_run
    from agentcli.ledger.read import each_record
    from agentcli.ledger.trail import trail_of

    with opened_run(asset.state_home(), run) as folder:
        found = trail_of(each_record(folder.ledger))
        stories = chosen(found, folder.id, call)
        if as_json:
            print_json(document(folder.id, found, stories))
        else:
            print_trail(folder.id, found, stories, whole=bool(call))


def chosen(trail: "Trail", run: str, wanted: str) -> "list[Story]":
    """Return the calls to be told of. Raises InputError."""
    from agentcli.core.visible import escaped_line

    stories = list(trail.stories.values())
    if not wanted:
        return stories
    found = named(stories, wanted)
    if not found:
        hint = f"See all of them: agentcli audit trail {run}"
        raise InputError(f"{escaped_line(wanted)}: no such call in {run}", hint=hint)
    if len(found) > 1 and not wanted.isdecimal():
        some = ", ".join(story.step for story in found[:3])
        raise InputError(f"{escaped_line(wanted)}: {len(found)} calls are named so: {some} ...")
    return found


def named(stories: "list[Story]", wanted: str) -> "list[Story]":
    """Return the calls of a step, of the end of a step, or that a record tells of."""
    from agentcli.core.step import ends_with

    exact = [story for story in stories if story.step == wanted]
    if exact:
        return exact
    if wanted.isdecimal():
        number = int(wanted[:18])
        return [story for story in stories if any(e.record == number for e in story.entries)]
    return [story for story in stories if ends_with(story.step, wanted)]


def document(run: str, trail: "Trail", stories: "list[Story]") -> dict[str, Any]:
    started = trail.started
    return {
        "run": run,
        "requester": started.requester if started else "",
        "program": started.program if started else "",
        "plan": started.plan if started else "",
        "digests": started.digests if started else {},
        "records": trail.records,
        "calls": [story.document() for story in stories],
    }


def print_trail(run: str, trail: "Trail", stories: "list[Story]", *, whole: bool) -> None:
    import os
    import sys

    from agentcli.cli.story import block_of, day_of
    from agentcli.core.visible import visible_line
    from agentcli.shell import terminal
    from agentcli.shell.console import style, wants_color

    color = wants_color(sys.stdout, os.environ)
    width = terminal.width() - 1 if sys.stdout.isatty() else IN_A_PIPE
    started = trail.started
    day = day_of(trail.began_us)
    parts = [run, day, counted(len(trail.stories), "call"), counted(trail.records, "record")]
    if started is not None and started.requester:
        parts.append(f"begun by {started.requester}")
    print(style(visible_line(" · ".join(parts)), "dim", color=color))
    for story in stories:
        print()
        for row in block_of(story, day, width, color=color, whole=whole):
            print(row)


def export(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="Runs: ids, prefixes, paths, last.")
    ] = None,
    sqlite: Annotated[
        Path | None, typer.Option("--sqlite", help="Write the tables to this file.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All runs that are here.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write what runs did, and who allowed it, as the tables of an SQLite file.

    agentcli audit export last --sqlite audit.sqlite
    agentcli audit export --all --sqlite audit.sqlite --force

    RUN, STEP, TOOL_CALL, AUTHZ_DECISION, TOOL_RESULT and COMPENSATION_ACTION have a row each for
    what held in the end; CALL_EVENT has all that came before. Money is in millionths of a dollar,
    times are in UTC. Outputs are hashes; secrets are marks, as in the ledger.
    """
    import contextlib

    from agentcli import asset
    from agentcli.compose.database import write_database
    from agentcli.core.visible import visible_line
    from agentcli.ledger.bundle import opened_run
    from agentcli.ledger.find import all_runs

    if sqlite is None:
        raise UsageError("to which file? Say --sqlite FILE")
    if bool(runs) == every:
        raise UsageError("which runs? Say either RUN ... or --all")
    state = asset.state_home()
    with contextlib.ExitStack() as stack:
        named = runs or []
        folders = [stack.enter_context(opened_run(state, run)) for run in named]
        folders = folders or list(all_runs(state))[::-1]
        unique = list({folder.path: folder for folder in folders}.values())
        calls = write_database(unique, sqlite, force=force)
    print(visible_line(f"{sqlite}: {counted(len(unique), 'run')}, {counted(calls, 'call')}"))
