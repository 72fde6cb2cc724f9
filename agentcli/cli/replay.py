"""`agentcli replay`: a recorded run, watched or recomputed, with no network and no key."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from agentcli.ledger.folder import RunFolder
    from agentcli.ledger.read import Reading


def replay(
    ledger: options.RUN,
    verify: Annotated[
        bool, typer.Option("--verify", help="Recompute every decision and compare.")
    ] = False,
    speed: Annotated[
        float | None, typer.Option("--speed", min=0.01, help="How much faster.")
    ] = None,
    instant: Annotated[bool, typer.Option("--instant", help="All that is there, at once.")] = False,
    step: Annotated[bool, typer.Option("--step", help="Begin paused.")] = False,
    to: Annotated[
        int | None,
        typer.Option("--to", min=1, help="Begin at this record; without a terminal, end there."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Of a run under way, begin at the present.")
    ] = False,
) -> int:
    """Watch a run again as it looked, or recompute it from its ledger.

    agentcli replay last --speed 4
    agentcli replay 20261123-1130 --verify
    agentcli replay last --follow

    Keys: space stops and goes on, n and b go one on and one back, g goes to a record by its
    number, + and - change the speed, q leaves. Without a terminal it waits for nothing unless
    --speed is given. A run under way is shown as it goes on.
    """
    from agentcli import asset
    from agentcli.ledger.bundle import opened_run
    from agentcli.ledger.follow import Follower
    from agentcli.ledger.read import read_ledger

    if verify and (instant or speed is not None or step or to is not None or follow):
        message = "--verify does not go with --instant, --speed, --step, --to or --follow"
        raise UsageError(message, hint="It shows nothing, and looks at all that is there.")
    if instant and (speed is not None or step or follow):
        raise UsageError("--instant does not go with --speed, --step or --follow")
    if step and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--step needs a terminal, for its keys")
    from agentcli.shell.playback import Wish, watch

    waits = not instant and (sys.stdout.isatty() or speed is not None)
    wish = Wish(speed or 1.0 if waits else None, step, to or 0, follow, stays=not instant)
    with opened_run(asset.state_home(), ledger) as folder:
        if verify:
            return verify_run(folder, read_ledger(folder.ledger))
        with Follower(folder.ledger) as follower:
            return watch(follower, folder.id, wish)


def verify_run(folder: "RunFolder", reading: "Reading") -> int:
    """Print whether the ledger is what its rules make of its facts."""
    import msgspec

    from agentcli.compose.session import rules_of
    from agentcli.core.record import encode
    from agentcli.core.visible import visible
    from agentcli.errors import InputError
    from agentcli.ledger.verify import verify

    given = folder.given()
    if given.missing and b"[REDACTED:" in encode(given.plan.policy):
        raise InputError(f"{folder.id}: its policy holds secrets that are not here to decide by")
    difference = verify(rules_of(given), reading.records)
    if reading.torn_bytes:
        print(f"the last line is torn: {reading.torn_bytes} bytes that were never acknowledged")
    if difference is None:
        print(
            f"ok: {len(reading.records)} records, every decision follows from the facts before it"
        )
        if given.missing:
            print(
                f"private values of the plan that are not here: {given.missing}; so its own digest "
                "could not be compared"
            )
        return 0
    due = "to wait" if difference.due is None else msgspec.json.encode(difference.due).decode()
    print(f"record {difference.seq} differs")
    print(visible(f"  due:   {due}"))
    print(visible(f"  found: {msgspec.json.encode(difference.found).decode()}"))
    return 1
