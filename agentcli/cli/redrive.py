"""`agentcli replay --model` and `--tools`: a run is driven anew, and held against what it was."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentcli.cli import options
from agentcli.cli.words import counted
from agentcli.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentcli.compose.drift import Drift
    from agentcli.compose.oneshot import OneShot
    from agentcli.compose.outcome import Outcome
    from agentcli.core.plan import Plan
    from agentcli.ledger.compare import Parting
    from agentcli.ledger.folder import RunFolder


def replay_with_model(
    source: "RunFolder", model: str, usd: str, steps: int | None, *, as_json: bool
) -> int:
    """Ask a model what was asked then, with recorded tools; return 1 if the runs part."""
    from agentcli.cli.differ import compared
    from agentcli.compose.key import credentials_for
    from agentcli.compose.oneshot import new_folder
    from agentcli.compose.redrive import with_model
    from agentcli.config.settings import load_config

    if not model:
        raise UsageError("--model: expected live, recorded, or a model as for run")
    own = model == "recorded"
    plan = plan_with_model(source, model, usd, steps)
    found = credentials_for(plan.model, load_config(Path.cwd()))
    with new_folder() as folder:
        shot = with_model(source, plan, folder, found, own=own)
    outcome = drive(shot, as_json=as_json)
    parting, count = compared(source, folder)
    report(source, shot, outcome, parting, count, as_json=as_json)
    return code_of(outcome, differs=parting is not None)


def plan_with_model(source: "RunFolder", model: str, usd: str, steps: int | None) -> "Plan":
    """Return the plan of the new run. Raises InputError where its limits are another's words."""
    from msgspec.structs import replace

    from agentcli.compose.plan import UUSD, absolute, with_other_model
    from agentcli.compose.redrive import replayed

    money, given = options.parse_usd(usd), source.given()
    plan = replayed(given.plan, source)
    limit = plan.limit_uusd if money is None else int(money * UUSD)
    plan = replace(plan, limit_uusd=limit, limit_steps=steps or plan.limit_steps)
    if model == "recorded":
        return plan
    name = given.plan.model if model == "live" else absolute(model)
    if given.missing:
        raise InputError(f"{source.id}: {given.missing} secrets of what it was given are gone")
    if money is None and not source.goes_on and not name.startswith(("scripted:", "recorded:")):
        message = f"{source.id}: it came from elsewhere, and so did the limit of its cost"
        raise InputError(message, hint="Say what it may cost: --usd 1")
    return replace(plan, model=name) if model == "live" else with_other_model(plan, name)


def replay_with_tools(source: "RunFolder", tools: str, sandbox: str, *, as_json: bool) -> int:
    """Run the tools again in a copy of the workspace; return 1 if a result is another one."""
    if tools != "live":
        raise UsageError("--tools: expected live; without it, all that tools say is recorded")
    from agentcli import asset
    from agentcli.compose.drift import drift_of
    from agentcli.compose.key import credentials_for
    from agentcli.compose.oneshot import new_folder
    from agentcli.compose.redrive import replayed_in, with_tools
    from agentcli.config.settings import load_config
    from agentcli.ledger.proof import refuse_damaged
    from agentcli.ledger.read import each_record

    refuse_damaged(asset.state_home(), source)
    plan = source.plan()  # what came from elsewhere does not run
    with new_folder() as folder:
        plan = replayed_in(plan, source, folder, sandbox)
        found = credentials_for(plan.model, load_config(Path.cwd()))
        shot = with_tools(source, plan, folder, found)
    outcome = drive(shot, as_json=as_json)
    drifts = drift_of(each_record(source.ledger), each_record(folder.ledger))
    if as_json:
        calls = [drift.document() for drift in drifts]
        print_document(source, shot, outcome, {"calls": calls})
    else:
        print_drifts(drifts)
        say_where(shot, outcome)
    return code_of(outcome, differs=not all(drift.same for drift in drifts))


def drive(shot: "OneShot", *, as_json: bool) -> "Outcome":
    from dataclasses import replace

    from agentcli.compose.oneshot import run_to_end
    from agentcli.shell.headless import Progress

    if as_json:
        return run_to_end(shot.go())
    return run_to_end(replace(shot, front=Progress(sys.stderr).front).go())


def code_of(outcome: "Outcome", *, differs: bool) -> int:
    """Return 0 for the same, else why the new run stopped, or 1 if it just went otherwise."""
    if not differs:
        return 0
    return outcome.exit_code if outcome.status == "parked" and outcome.exit_code else 1


def report(
    source: "RunFolder",
    shot: "OneShot",
    outcome: "Outcome",
    parting: "Parting | None",
    count: int,
    *,
    as_json: bool,
) -> None:
    from agentcli.cli.differ import parting_document, print_parting
    from agentcli.shell.headless import answer_to

    if as_json:
        document = parting_document(source.id, shot.folder.id, parting, count)
        print_document(source, shot, outcome, document)
        return
    answer_to(sys.stdout, outcome.answer)
    say_where(shot, outcome)
    print_parting(source.id, shot.folder.id, parting, count)


def print_document(
    source: "RunFolder", shot: "OneShot", outcome: "Outcome", more: dict[str, Any]
) -> None:
    from agentcli.cli.document import print_json

    document = outcome.document(str(shot.folder.ledger), structured=False)
    print_json({**document, "resume": None, "replay_of": source.id, "run": shot.folder.id, **more})


def say_where(shot: "OneShot", outcome: "Outcome") -> None:
    from agentcli.compose.outcome import in_one_line
    from agentcli.shell.headless import Progress, last_line

    err = Progress(sys.stderr)
    for line in (outcome.message, in_one_line(outcome.status, outcome.tally)):
        if line:
            err.say(line)
    err.say(last_line(str(shot.folder.ledger), shot.folder.id, "replay"))


def print_drifts(drifts: "Sequence[Drift]") -> None:
    from agentcli.cli.differ import clipped
    from agentcli.core.visible import visible_line
    from agentcli.ledger.compare import first_lines

    for drift in drifts:
        print(visible_line(f"{'same   ' if drift.same else 'differs'}  {clipped(drift.call, 100)}"))
        if drift.same:
            continue
        number, *lines = first_lines(drift.then.text, drift.now.text)
        sides = zip(("then", "now"), (drift.then, drift.now), lines, strict=True)
        for word, side, line in sides:
            told = f"record {side.record}, line {number}: {clipped(line)}"
            print(visible_line(f"  {word:<5} {told if side.record else 'nothing'}"))
    same = sum(drift.same for drift in drifts)
    calls = counted(len(drifts), "call")
    others = len(drifts) - same
    parts = [f"{same if others else 'all'} the same", *([f"{others} differ"] if others else [])]
    print(f"{calls}: {', '.join(parts)}")
