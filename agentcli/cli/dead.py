"""`agentcli runs dead`: what was to be undone and could not be."""

from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.cli.consent import agree
from agentcli.cli.undo import FORCE, YES
from agentcli.errors import InputError

if TYPE_CHECKING:
    from agentcli.ledger.effects import Effect
    from agentcli.ledger.folder import RunFolder

app = typer.Typer(
    help="What was to be undone and could not be.", no_args_is_help=True, rich_markup_mode=None
)
NONE = "None: all that was to be undone was undone, or given up."
CALL = Annotated[str, typer.Argument(help="A call, by the end of its name or by record.")]


def dead_in(folder: "RunFolder") -> "list[Effect]":
    from agentcli.ledger.effects import dead_letters, effects_of
    from agentcli.ledger.read import each_record

    return list(dead_letters(effects_of(each_record(folder.ledger))))


@app.command("list")
def list_dead(
    run: Annotated[str, typer.Argument(help="A run; all by default.")] = "",
    as_json: options.JSON = False,
) -> None:
    """List what was to be undone and could not be.

    agentcli runs dead list
    """
    from agentcli import asset
    from agentcli.cli.document import print_json
    from agentcli.cli.table import print_table
    from agentcli.errors import AgentcliError
    from agentcli.ledger.find import all_runs, find_run

    home = asset.state_home()
    rows: list[tuple[str, Effect]] = []
    for folder in [find_run(home, run)] if run else all_runs(home):
        try:
            rows += [(folder.id, effect) for effect in dead_in(folder)]
        except AgentcliError:
            if run:
                raise
    if as_json:
        print_json([document(name, effect) for name, effect in rows])
    elif not rows:
        print(NONE)
    else:
        print_table(
            ("run", "record", "call", "tries", "why"),
            [
                (name, str(e.at), f"{e.name} {e.call.tool}", str(len(e.attempts)), why(e))
                for name, e in rows
            ],
        )


def why(effect: "Effect") -> str:
    last = effect.attempts[-1]
    return last.told or last.status


def document(run: str, effect: "Effect") -> dict[str, object]:
    return {
        "run": run,
        "record": effect.at,
        "step": effect.step,
        "tool": effect.call.tool,
        "args": effect.call.args,
        "undo": {"tool": effect.undo.tool, "args": effect.undo.args},
        "tries": len(effect.attempts),
        "why": why(effect),
    }


@app.command("retry")
def retry(
    run: options.RUN,
    call: Annotated[str, typer.Argument(help="One of them; all by default.")] = "",
    force: FORCE = False,
    as_json: options.JSON = False,
) -> int:
    """Try again to undo what could not be undone.

    agentcli runs dead retry last
    """
    from agentcli import asset
    from agentcli.cli.undo import carry_out, say_nothing
    from agentcli.ledger.find import find_run

    folder = find_run(asset.state_home(), run)
    picked = [named(folder, call)] if call else dead_in(folder)
    if not picked:
        return say_nothing(folder.id, NONE, as_json=as_json)
    picked.sort(key=lambda effect: effect.at, reverse=True)
    return carry_out(folder, picked, force=force, as_json=as_json)


@app.command("drop")
def drop(
    run: options.RUN,
    call: CALL,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")] = "",
    yes: YES = False,
) -> None:
    """Give up on a call that could not be undone.

    agentcli runs dead drop last call.2.0 --reason "by hand"
    """
    from agentcli import asset
    from agentcli.compose.undo import give_up
    from agentcli.core.visible import visible
    from agentcli.ledger.find import find_run

    folder = find_run(asset.state_home(), run)
    effect = named(folder, call)
    if not yes:
        words = visible(f"Give up on {effect.name} {effect.call.tool}? What it did stays.")
        agree(words, hint="Add: --yes")
    give_up(folder, effect, reason)
    print(visible(f"{effect.name} is given up: what it did stays"))


def named(folder: "RunFolder", call: str) -> "Effect":
    """Return the dead letter of a name. Raises InputError."""
    from agentcli.compose.undo import is_named
    from agentcli.core.visible import escaped_line

    found = dead_in(folder)
    for effect in found:
        if is_named(effect, call):
            return effect
    known = ", ".join(effect.name for effect in found) or "none"
    raise InputError(
        f"{escaped_line(call)}: nothing that could not be undone is named so", hint=f"Such: {known}"
    )
