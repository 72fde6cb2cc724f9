"""`agentcli undo`: put back what the calls of a run have changed."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options, page
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentcli.compose.undo import Foresight
    from agentcli.ledger.effects import Effect, Effects
    from agentcli.ledger.folder import RunFolder

CALLS = Annotated[
    list[str] | None,
    typer.Argument(help="Calls, by the end of their name or by record; all by default."),
]
FORCE = Annotated[bool, typer.Option("--force", help="Also files that were changed since.")]
YES = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def undo(
    run: options.RUN,
    calls: CALLS = None,
    force: FORCE = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")] = False,
    yes: YES = False,
    as_json: options.JSON = False,
) -> int:
    """Undo what a run has changed, its last call first.

    agentcli undo last
    agentcli undo last call.3.0
    agentcli undo last --dry-run

    It shows what will change and asks. Only what the calls changed is put back; a file that was
    changed since is left alone. An undo is recorded in the run and can be undone itself.
    """
    from agentcli import asset
    from agentcli.compose.undo import foresee, pick
    from agentcli.ledger.effects import taken
    from agentcli.ledger.find import find_run
    from agentcli.ledger.read import each_record

    folder = find_run(asset.state_home(), run)
    effects = taken(each_record(folder.ledger))
    if effects.open:
        tell_open(effects)
        if not dry_run:
            end_run(folder, yes=yes, as_json=as_json)
            effects = taken(each_record(folder.ledger))
    picked = pick(list(effects.found.values()), calls or ())
    foresight = foresee(folder.plan(), picked, force=force)
    if as_json and dry_run:
        return print_foresight(folder.id, foresight)
    if not picked:
        words = f"There is nothing to undo{' yet' if effects.open else ''}."
        return say_nothing(folder.id, words, as_json=as_json)
    if not as_json:
        show(folder, foresight)
    if dry_run:
        return 0
    if not yes and not agreed(foresight, as_json=as_json):
        print("Nothing was undone.", file=sys.stderr)
        return 77
    return carry_out(folder, picked, force=force, as_json=as_json)


def tell_open(effects: "Effects") -> None:
    """Say which calls cannot be undone yet, since nobody knows what came of them."""
    from agentcli.core.visible import visible
    from agentcli.shell.headless import call_line

    for step, call in effects.open:
        head = f"not over yet: {step.rpartition('/')[2]}  "
        print(visible(head + call_line(call, page.width() - len(head))), file=sys.stderr)
    print("They were cut off, and can be undone once the run is ended.", file=sys.stderr)


def end_run(folder: "RunFolder", *, yes: bool, as_json: bool) -> None:
    """End a run that was cut off, if a person says so."""
    import asyncio

    from agentcli.cli.consent import agree
    from agentcli.compose.front import quiet_front
    from agentcli.compose.undo import Undo

    if not yes:
        hint = "Look first: --dry-run; then: --yes"
        if as_json:
            raise UsageError("nobody is there to be asked whether to end the run", hint=hint)
        agree("End the run?", hint=hint, refused="Nothing was ended or undone.")
    asyncio.run(Undo(folder.plan(), folder, quiet_front()).end())


def say_nothing(run: str, words: str, *, as_json: bool) -> int:
    from agentcli.cli.document import print_json

    if as_json:
        print_json({"run": run, "undone": []})
    else:
        print(words)
    return 0


def agreed(foresight: "Foresight", *, as_json: bool) -> bool:
    from agentcli.shell.undoing import question_of

    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        hint = "Look first: --dry-run; then: --yes"
        raise UsageError("nobody is there to be asked whether to undo this", hint=hint)
    return typer.confirm(question_of(foresight), err=True)


def show(folder: "RunFolder", foresight: "Foresight") -> None:
    """Print what undoing would do: a line a call, then each file that would change."""
    from agentcli.core.event import Ended
    from agentcli.ledger.folder import last_event
    from agentcli.shell.console import style, wants_color
    from agentcli.shell.undoing import foresight_lines

    color = wants_color(sys.stdout, os.environ)
    print(style(f"{folder.id}: what would be undone", "bold", color=color))
    is_chat = folder.plan().agent.pattern == "chat"
    if not is_chat and not isinstance(last_event(folder.ledger), Ended):
        print("  The run is not over: this ends it.")
    for line in foresight_lines(foresight, page.width(), color=color):
        print(line)
    if any(foreseen.left for foreseen in foresight.calls):
        print("  To put back too what was changed since: --force")


def print_foresight(run: str, foresight: "Foresight") -> int:
    from agentcli.cli.document import print_json
    from agentcli.shell.undoing import told_of

    print_json(
        {
            "run": run,
            "calls": [
                {
                    "record": foreseen.effect.at,
                    "step": foreseen.effect.step,
                    "tool": foreseen.effect.call.tool,
                    "args": foreseen.effect.call.args,
                    "undo": {
                        "tool": foreseen.effect.undo.tool,
                        "args": foreseen.effect.undo.args,
                    },
                    "does": told_of(foreseen),
                }
                for foreseen in foresight.calls
            ],
            "files": [{"path": name, "diff": diff} for name, diff in foresight.files()],
        }
    )
    return 0


def carry_out(
    folder: "RunFolder", picked: "Sequence[Effect]", *, force: bool, as_json: bool
) -> int:
    """Undo these calls and say what came of each. Returns the exit code."""
    import asyncio

    from agentcli.cli.document import print_json
    from agentcli.compose.front import quiet_front
    from agentcli.compose.undo import Undo
    from agentcli.core.visible import visible

    work = Undo(folder.plan(), folder, quiet_front(), force)
    ended = asyncio.run(work.go(picked))
    rows = [(effect, effect.attempts[-1] if effect.attempts else None) for effect in ended]
    rows.sort(key=lambda row: row[0].at, reverse=True)
    code = 0 if all(effect.is_undone for effect in ended) else 70
    if as_json:
        undone = [
            {
                "record": effect.at,
                "step": effect.step,
                "status": attempt.status if attempt else "open",
                "told": attempt.told if attempt else "",
                "by": attempt.step if attempt else "",
            }
            for effect, attempt in rows
        ]
        print_json({"run": folder.id, "exit_code": code, "undone": undone})
        return code
    for effect, attempt in rows:
        mark = "✓" if effect.is_undone else "✗"
        told = attempt.told if attempt else "did not come to it"
        print(visible(f"{mark} {effect.name}: {told}").replace("\n", "\n    "))
    if code:
        print(
            f"not all was undone. What is left: agentcli runs dead list {folder.id}",
            file=sys.stderr,
        )
    first = rows[-1][1] if rows else None
    if first is not None and not code:
        name = first.step.partition("/")[0]
        print(f"to undo this in turn: agentcli undo {folder.id} {name}", file=sys.stderr)
    return code
