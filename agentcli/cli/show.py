"""How a run, or a place in one, is printed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentcli.compose.report import Asked, Report
    from agentcli.core.plan import Plan
    from agentcli.ledger.folder import RunFolder
    from agentcli.ledger.search import Hit

ANSWER_LINES = 12
ANSWER_CHARS = 1_000
PROSE = ("status", "answer")  # what is not copied and may be wrapped


@dataclass(frozen=True)
class Shown:
    """A run to be shown. name: by which commands find it. files: where they are."""

    run: str
    title: str
    plan: "Plan"
    report: "Report"
    files: dict[str, str]
    commands: list[str]


def shown_of(folder: "RunFolder", wanted: str) -> Shown:
    """Return what there is to show of a run. wanted: what it was asked for as."""
    import shlex

    from agentcli.compose.report import is_running, last_of, report_of
    from agentcli.ledger.bundle import is_bundle
    from agentcli.ledger.read import read_ledger

    records = read_ledger(folder.ledger)
    last = last_of(records)
    report = report_of(records, is_running=is_running(folder, last))
    packed = is_bundle(wanted)
    by_path = "/" in wanted or wanted.endswith(".jsonl")
    name = shlex.quote(wanted if packed else str(folder.ledger) if by_path else folder.id)
    commands = [f"agentcli replay {name}", f"agentcli replay {name} --verify"]
    if packed:
        commands.append(f"agentcli runs import {name}")
        files = {"bundle": wanted}
    else:
        files = {"ledger": str(folder.ledger), "outputs": str(folder.outputs)}
        goes_on = report.standing.status in ("parked", "open")
        if goes_on and folder.goes_on:
            commands.insert(0, f"agentcli resume {name}")
    plan = folder.given().plan
    return Shown(folder.id, folder.label or plan.title, plan, report, files, commands)


def document(shown: Shown) -> dict[str, Any]:
    """Return the JSON document of a run."""
    from agentcli.compose.report import when

    plan, report = shown.plan, shown.report
    return {
        "run": shown.run,
        "title": shown.title,
        "status": report.standing.status,
        "why": report.standing.why,
        "message": report.message,
        "hint": report.hint,
        "profile": plan.profile,
        "model": plan.model,
        "sandbox": plan.sandbox.backend,
        "workspace": plan.sandbox.workspace,
        "began": when(report.began_us),
        "took_s": report.took_s,
        "records": report.records,
        "turns": report.tally.replies,
        "calls": report.tally.calls,
        "tools": report.tools,
        "usage": report.tokens,
        **report.tally.money,
        "asked": [
            {
                "record": asked.record,
                "tool": asked.call.tool,
                "args": asked.call.args,
                "question": asked.question,
                "answer": asked.answer,
                "reason": asked.reason,
            }
            for asked in report.asked
        ],
        "answer": report.answer,
        "files": shown.files,
        "commands": shown.commands,
    }


def print_run(shown: Shown) -> None:
    """Print a run in lines of a name and what there is to say."""
    import os
    import sys
    import textwrap

    from agentcli.core.visible import visible, visible_line
    from agentcli.shell import terminal
    from agentcli.shell.console import style, wants_color

    color = wants_color(sys.stdout, os.environ)
    room = terminal.width() - 13 if sys.stdout.isatty() else 10_000
    print(style(visible_line(f"{shown.run}  {shown.title}"), "bold", color=color))
    for name, text in lines_of(shown):
        told = visible(text).split("\n")
        if name in PROSE:
            told = [row for line in told for row in textwrap.wrap(line, room) or [""]]
        first, *more = told
        print(f"  {style(name.ljust(10), 'dim', color=color)}{first}")
        for line in more:
            print(f"{'':12}{line}".rstrip())


def lines_of(shown: Shown) -> list[tuple[str, str]]:
    from agentcli.compose.report import day_and_time

    plan, report = shown.plan, shown.report
    tokens = [f"{count:,} {name.removesuffix('_tokens')}" for name, count in report.tokens.items()]
    calls = [f"{tool}: {counts(statuses)}" for tool, statuses in report.tools.items()]
    told = f"{report.message} {report.hint}".strip()
    lines = [
        ("status", " · ".join(filter(None, (report.standing.word, told)))),
        ("began", f"{day_and_time(report.began_us)}, took {duration(report.took_s)}"),
        ("profile", plan.profile),
        ("model", plan.model),
        ("sandbox", plan.sandbox.backend),
        ("workspace", plan.sandbox.workspace),
        ("turns", f"{report.tally.replies} · {report.records} records"),
        ("calls", "\n".join(calls)),
        ("tokens", " · ".join(text for text in tokens if not text.startswith("0 "))),
        ("cost", report.tally.cost),
        ("asked", "\n".join(map(asked_line, report.asked))),
        ("answer", clipped(report.answer)),
        *shown.files.items(),
        ("then", "\n".join(shown.commands)),
    ]
    return [(name, text) for name, text in lines if text]


def counts(statuses: dict[str, int]) -> str:
    return ", ".join(f"{number} {status}" for status, number in statuses.items())


def asked_line(asked: "Asked") -> str:
    from agentcli.shell.headless import call_line

    reason = f": {asked.reason}" if asked.reason else ""
    past = " (did it happen?)" if asked.question == "did_it_happen" else ""
    return f"{call_line(asked.call, 60)}{past} · {asked.answer}{reason} (record {asked.record})"


def clipped(text: str) -> str:
    """Return the beginning of a text, and how much more there is."""
    lines = text.strip()[:ANSWER_CHARS].split("\n")[:ANSWER_LINES]
    shown = "\n".join(lines)
    left = len(text.strip()) - len(shown)
    return f"{shown}\n… {left:,} characters more" if left else shown


def duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def print_hit(hit: "Hit") -> None:
    import os
    import sys

    from agentcli.core.visible import visible, visible_line
    from agentcli.shell import terminal
    from agentcli.shell.cells import clip
    from agentcli.shell.console import style, wants_color

    color = wants_color(sys.stdout, os.environ)
    before, found, after = map(visible, (hit.before, hit.found, hit.after))
    where = style(f"{visible_line(hit.run)}  {hit.record:>4}  {hit.kind:<7}", "dim", color=color)
    line = f"{where}  {before}{style(found, 'bold', 'red', color=color)}{after}"
    print(clip(line, terminal.width() - 1) if sys.stdout.isatty() else line)
