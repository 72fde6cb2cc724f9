"""`agentcli replay`: a recorded run, watched or recomputed, with no network and no key."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentcli.ledger.folder import RunFolder


def replay(
    ledger: options.RUN,
    verify: Annotated[
        bool, typer.Option("--verify", help="Recompute every decision and compare.")
    ] = False,
    what_if: Annotated[
        str | None, typer.Option("--what-if", help="Judge every call again by this profile.")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Find where it parts from this run.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Ask it anew, tools recorded: live, recorded, or one."),
    ] = None,
    tools: Annotated[
        str | None, typer.Option("--tools", help="live: the tools run again, in a copy.")
    ] = None,
    sandbox: options.SANDBOX = "",
    usd: options.USD = "",
    steps: options.STEPS = None,
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
    as_json: options.JSON = False,
) -> int:
    """Watch a run again as it looked, or recompute it from its ledger.

    agentcli replay last --speed 4
    agentcli replay 20261123-1130 --verify
    agentcli replay last --tools live

    Keys: space stops and goes on, n and b go one on and one back, g goes to a record by its
    number, + and - change the speed, q leaves. Without a terminal it waits for nothing unless
    --speed is given. A run under way is shown as it goes on.

    The other ways show no run and run nothing. --verify computes every decision from the facts.
    --what-if PROFILE says which calls would now be allowed, asked or denied. --against RUN finds
    the first step where two runs part: by what was said, called, decided and done, not by times,
    ids or costs.

    Two ways drive the run anew, as a new run, and say where it went otherwise. With --model a
    model is asked what was asked then, while tools and answers come from the ledger: live is the
    run's own model, recorded repeats what it said. With --tools live that is repeated too, and
    the tools run, in a copy of the workspace as it was before the first change.

    The exit code is 1 where something differs.
    """
    from agentcli import asset
    from agentcli.ledger.bundle import opened_run

    ways = {
        "--verify": verify,
        "--what-if": what_if,
        "--against": against,
        "--model": model,
        "--tools": tools,
    }
    shown = {
        "--speed": speed is not None,
        "--step": step,
        "--to": to is not None,
        "--follow": follow,
    }
    way = refuse_misfits(ways, shown, instant=instant, as_json=as_json)
    if sandbox and way != "--tools":
        raise UsageError("--sandbox goes with --tools live")
    if (usd or steps is not None) and way != "--model":
        raise UsageError("--usd and --steps go with --model")
    with opened_run(asset.state_home(), ledger) as folder:
        match way:
            case "--verify":
                return verify_run(folder)
            case "--what-if":
                from agentcli.cli.whatif import show_rulings

                return show_rulings(folder, what_if or "", as_json=as_json)
            case "--against":
                from agentcli.cli.differ import compare_runs

                with opened_run(asset.state_home(), against or "") as other:
                    return compare_runs(folder, other, as_json=as_json)
            case "--model":
                from agentcli.cli.redrive import replay_with_model

                return replay_with_model(folder, model or "", usd, steps, as_json=as_json)
            case "--tools":
                from agentcli.cli.redrive import replay_with_tools

                return replay_with_tools(folder, tools or "", sandbox, as_json=as_json)
        return watch_run(folder, speed, to, instant=instant, step=step, follow=follow)


def refuse_misfits(
    ways: "Mapping[str, object]", shown: "Mapping[str, bool]", *, instant: bool, as_json: bool
) -> str:
    """Return the one way of replay that is asked for, "" to watch. Raises UsageError.

    shown: the options of watching. --instant asks every way for what it does anyway.
    """
    wanted = [name for name, value in ways.items() if value not in (None, False)]
    watching = [name for name, value in shown.items() if value]
    if len(wanted) > 1:
        raise UsageError(f"{' and '.join(wanted)} do not go together")
    if wanted and watching:
        message = f"{wanted[0]} does not go with {' or '.join(watching)}"
        raise UsageError(message, hint="It shows nothing, and looks at all that is there.")
    if instant and (misfits := [name for name in watching if name != "--to"]):
        raise UsageError(f"--instant does not go with {' or '.join(misfits)}")
    if as_json and wanted in ([], ["--verify"]):
        raise UsageError(
            f"--json goes with {', '.join(name for name in ways if name != '--verify')}"
        )
    return wanted[0] if wanted else ""


def watch_run(
    folder: "RunFolder",
    speed: float | None,
    to: int | None,
    *,
    instant: bool,
    step: bool,
    follow: bool,
) -> int:
    """Show the run as it looked."""
    from agentcli.ledger.follow import Follower
    from agentcli.shell.playback import Wish, watch

    if step and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--step needs a terminal, for its keys")
    waits = not instant and (sys.stdout.isatty() or speed is not None)
    wish = Wish(speed or 1.0 if waits else None, step, to or 0, follow, stays=not instant)
    with Follower(folder.ledger) as follower:
        return watch(follower, folder.id, wish)


def verify_run(folder: "RunFolder") -> int:
    """Print whether the ledger is what its rules make of its facts."""
    from agentcli.cli.differ import print_difference
    from agentcli.compose.rules import rules_of
    from agentcli.core.record import encode
    from agentcli.errors import InputError
    from agentcli.ledger.follow import Follower
    from agentcli.ledger.verify import verify

    given = folder.given()
    if given.missing and b"[REDACTED:" in encode(given.plan.policy):
        raise InputError(f"{folder.id}: its policy holds secrets that are not here to decide by")
    with Follower(folder.ledger) as follower:
        difference = verify(rules_of(given), follower.each())
        count, torn = follower.chain.seq, follower.torn_bytes
    if torn:
        print(f"the last line is torn: {torn} bytes that were never acknowledged")
    if difference is None:
        print(f"ok: {count} records, every decision follows from the facts before it")
        if given.missing:
            print(
                f"private values of the plan that are not here: {given.missing}; so its own digest "
                "could not be compared"
            )
        return 0
    print_difference(difference)
    return 1
