"""`agentcli replay`: a recorded run, watched or recomputed, with no network and no key."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agentcli.ledger.folder import RunFolder
    from agentcli.ledger.read import Reading


def replay(
    ledger: Annotated[str, typer.Argument(help="A run: its id, a prefix, a path, or last.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Recompute every decision and compare.")
    ] = False,
    speed: Annotated[float, typer.Option("--speed", min=0.01, help="How much faster.")] = 1.0,
    instant: Annotated[bool, typer.Option("--instant", help="Without the waits.")] = False,
) -> int:
    """Watch a run again as it looked, or recompute it from its ledger.

    agentcli replay last --speed 4
    agentcli replay 20261123-1130 --verify
    """
    from agentcli import asset
    from agentcli.ledger.folder import find_run
    from agentcli.ledger.read import read_ledger

    folder = find_run(asset.state_home(), ledger)
    reading = read_ledger(folder.ledger)
    if verify:
        return verify_run(folder, reading)
    from agentcli.shell.watch import watch

    watch(reading.records, speed=None if instant else speed)
    return 0


def verify_run(folder: "RunFolder", reading: "Reading") -> int:
    """Print whether the ledger is what its rules make of its facts."""
    import msgspec

    from agentcli.compose.session import rules_of
    from agentcli.core.visible import visible
    from agentcli.ledger.verify import verify

    difference = verify(rules_of(folder.plan()), reading.records)
    if reading.torn_bytes:
        print(f"the last line is torn: {reading.torn_bytes} bytes that were never acknowledged")
    if difference is None:
        print(
            f"ok: {len(reading.records)} records, every decision follows from the facts before it"
        )
        return 0
    due = "to wait" if difference.due is None else msgspec.json.encode(difference.due).decode()
    print(f"record {difference.seq} differs")
    print(visible(f"  due:   {due}"))
    print(visible(f"  found: {msgspec.json.encode(difference.found).decode()}"))
    return 1
