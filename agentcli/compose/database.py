"""Runs as tables that any SQLite reads: what was wanted, decided, done and undone."""

import json
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentcli.compose.outcome import Tally
from agentcli.compose.report import Report, is_running, last_of, report_of
from agentcli.core.event import Failed, Grown, Recorded, Replied, RunStarted, Settled
from agentcli.core.message import Usage
from agentcli.core.record import hash_of
from agentcli.core.step import ROOT, Agent, AskModel, Call, StepId
from agentcli.errors import InputError, LedgerError
from agentcli.ledger.entry import (
    Cut,
    Failure,
    GivenUp,
    Return,
    Ruling,
    Showing,
    Start,
    Undoing,
    UndoWish,
    document_of,
    utc,
)
from agentcli.ledger.export import PRIVATE, exported, scratch_folder
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.follow import Follower
from agentcli.ledger.story import Story
from agentcli.ledger.trail import Trail, parent_of, trail_of

TOKENS = Usage.__struct_fields__
COUNTS = "".join(f"{name} INTEGER NOT NULL, " for name in TOKENS)
# One row a call in each of the four last tables; what came before the last word is in CALL_EVENT.
SCHEMA = f"""
CREATE TABLE RUN (
  run_id TEXT PRIMARY KEY, title TEXT NOT NULL, status TEXT NOT NULL, why TEXT NOT NULL,
  profile TEXT NOT NULL, model TEXT NOT NULL, sandbox TEXT NOT NULL, requester TEXT NOT NULL,
  program TEXT NOT NULL, plan TEXT NOT NULL, began_at TEXT NOT NULL, last_at TEXT NOT NULL,
  records INTEGER NOT NULL, ledger_hash TEXT NOT NULL, turns INTEGER NOT NULL,
  calls INTEGER NOT NULL, {COUNTS}
  cost_uusd INTEGER NOT NULL, cost_unknown INTEGER NOT NULL CHECK (cost_unknown IN (0, 1))
);
CREATE TABLE STEP (
  step_id TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES RUN, step_num INTEGER NOT NULL,
  path TEXT NOT NULL, parent_id TEXT REFERENCES STEP, kind TEXT NOT NULL, status TEXT NOT NULL,
  began_at TEXT NOT NULL, ended_at TEXT, turns INTEGER NOT NULL, {COUNTS}
  cost_uusd INTEGER NOT NULL, cost_unknown INTEGER NOT NULL CHECK (cost_unknown IN (0, 1)),
  UNIQUE (run_id, step_num)
);
CREATE TABLE TOOL_CALL (
  call_id TEXT PRIMARY KEY, step_id TEXT NOT NULL UNIQUE REFERENCES STEP,
  tool_name TEXT NOT NULL, args TEXT NOT NULL, args_hash TEXT NOT NULL, status TEXT NOT NULL,
  proposed_by TEXT NOT NULL, proposed_at TEXT NOT NULL, record INTEGER NOT NULL,
  ask_step_id TEXT REFERENCES STEP, model TEXT NOT NULL, request_id TEXT NOT NULL,
  undoes_call_id TEXT REFERENCES TOOL_CALL
);
CREATE TABLE AUTHZ_DECISION (
  call_id TEXT PRIMARY KEY REFERENCES TOOL_CALL,
  allowed INTEGER NOT NULL CHECK (allowed IN (0, 1)), reason TEXT NOT NULL, verdict TEXT NOT NULL,
  rule TEXT NOT NULL, tier TEXT NOT NULL, bound TEXT NOT NULL, decided_at TEXT NOT NULL,
  record INTEGER NOT NULL, shown_record INTEGER, answer_record INTEGER, answered_by TEXT,
  signature TEXT, judgements INTEGER NOT NULL
);
CREATE TABLE TOOL_RESULT (
  call_id TEXT PRIMARY KEY REFERENCES TOOL_CALL, ending TEXT NOT NULL, is_error INTEGER NOT NULL,
  message TEXT NOT NULL, result_hash TEXT, size_bytes INTEGER, full_output TEXT,
  latency_ms INTEGER, started_at TEXT NOT NULL, ended_at TEXT, attempts INTEGER NOT NULL,
  record INTEGER NOT NULL, state_after TEXT, undo_tool TEXT, undo_args TEXT
);
CREATE TABLE COMPENSATION_ACTION (
  call_id TEXT PRIMARY KEY REFERENCES TOOL_CALL, action TEXT NOT NULL, status TEXT NOT NULL,
  undo_call_id TEXT REFERENCES TOOL_CALL, asked_by TEXT, at TEXT NOT NULL, record INTEGER NOT NULL
);
CREATE TABLE CALL_EVENT (
  event_id INTEGER PRIMARY KEY, call_id TEXT NOT NULL REFERENCES TOOL_CALL,
  record INTEGER NOT NULL, at TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX CALL_EVENT_OF ON CALL_EVENT (call_id);
"""
RESULT_COLUMNS = (
    *("call_id", "ending", "is_error", "message", "result_hash", "size_bytes", "full_output"),
    *("latency_ms", "started_at", "ended_at", "attempts", "record", "state_after", "undo_tool"),
    "undo_args",
)
Row = Sequence[Any]


def write_database(folders: Iterable[RunFolder], path: Path, *, force: bool) -> int:
    """Write runs as tables to a new file, 0600, under its name only once it is whole.

    Returns how many calls are in it. Raises InputError, MissingFileError, LedgerError.
    """
    with exported(path, PRIVATE, force=force) as file, scratch_folder() as beside:
        built = beside / "audit.sqlite"
        try:
            calls = build(folders, built)
        except sqlite3.OperationalError as error:
            hint = "Free space in TMPDIR, or set it to another folder."
            raise LedgerError(f"{built}: cannot be written: {error}", hint=hint) from error
        with built.open("rb") as whole:
            shutil.copyfileobj(whole, file)
    return calls


def build(folders: Iterable[RunFolder], path: Path) -> int:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        # Nobody sees this file before it is whole, so nothing in it needs to outlive a crash.
        for name, value in (
            ("journal_mode", "OFF"),
            ("synchronous", "OFF"),
            ("foreign_keys", "ON"),
        ):
            connection.execute(f"PRAGMA {name} = {value}")
        connection.executescript(SCHEMA)
        calls = 0
        for folder in folders:
            connection.execute("BEGIN")
            connection.execute("PRAGMA defer_foreign_keys = ON")  # a call may undo a later one
            calls += add(connection, folder)
            connection.execute("COMMIT")
        return calls
    finally:
        connection.close()


def add(connection: sqlite3.Connection, folder: RunFolder) -> int:
    """Add one run and return how many calls it has."""
    started = folder.started()
    with Follower(folder.ledger) as follower:
        records = follower.news()
        head = follower.chain.hash
    trail = trail_of(records)
    tables = Tables(folder.id, trail)
    last = last_of(records)
    report = report_of(records, is_running=is_running(folder, last))
    try:
        insert(connection, "RUN", [run_row(folder, started, report, head)])
        insert(connection, "STEP", tables.steps(records))
        stories = list(trail.stories.values())
        insert(connection, "TOOL_CALL", map(tables.call, stories))
        insert(connection, "AUTHZ_DECISION", filter(None, map(tables.decision, stories)))
        insert(connection, "TOOL_RESULT", filter(None, map(tables.result, stories)))
        insert(connection, "COMPENSATION_ACTION", filter(None, map(tables.action, stories)))
        for story in stories:
            insert(connection, "CALL_EVENT", tables.events(story))
    except sqlite3.IntegrityError as error:
        raise InputError(
            f"{folder.id}: is named twice, or its ledger is forged: {error}"
        ) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise InputError(f"{folder.ledger}: holds what no database can: {error}") from error
    return len(stories)


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    for row in rows:
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def run_row(folder: RunFolder, started: RunStarted, report: Report, head: str) -> Row:
    plan, tally = folder.given().plan, report.tally
    return (
        folder.id,
        folder.label or started.title or started.agent.pattern,
        report.standing.status,
        report.standing.why,
        plan.profile,
        plan.model,
        plan.sandbox.backend,
        started.requester,
        started.program,
        started.plan,
        utc(report.began_us),
        utc(report.last_us),
        report.records,
        head,
        tally.replies,
        tally.calls,
        *money(tally),
    )


def money(tally: Tally) -> Row:
    tokens = (getattr(tally.usage, name) for name in TOKENS)
    return *tokens, tally.spent_uusd, int(tally.unpriced)


@dataclass
class Found:
    """A step on its way into its table."""

    number: int
    kind: str
    began: str
    status: str = "open"
    ended: str | None = None
    tally: Tally = field(default_factory=Tally)


@dataclass
class Tables:
    """The rows of one run. A step and a call are named by the run and the step's path."""

    run: str
    trail: Trail
    known: dict[StepId, Found] = field(default_factory=dict)

    def name(self, step: StepId) -> str:
        return f"{self.run}:{step}"

    def known_name(self, step: StepId) -> str | None:
        return self.name(step) if step in self.known else None

    def steps(self, records: Iterable[Recorded]) -> list[Row]:
        """Return the rows of all steps, in the order in which they came to be."""
        for rec in records:
            match rec.event:
                case RunStarted(agent=agent):
                    self.grow(ROOT, agent, rec)
                case Grown(step=parent, steps=steps):
                    for step in steps:
                        self.grow(f"{parent}/{step.name}", step.task, rec)
                case Settled(step=step, status=status) if step in self.known:
                    self.known[step].status = status
                    self.known[step].ended = utc(rec.at_us)
                case Replied(id=(step, _)) | Failed(id=(step, _)):
                    self.known.get(step, self.known[ROOT]).tally.publish(rec)
        return [
            (
                self.name(step),
                self.run,
                found.number,
                step,
                self.known_name(parent_of(step)),
                found.kind,
                found.status,
                found.began,
                found.ended,
                found.tally.replies,
                *money(found.tally),
            )
            for step, found in self.known.items()
        ]

    def grow(self, step: StepId, task: object, rec: Recorded) -> None:
        match task:
            case Agent(pattern=pattern):
                kind = pattern
            case AskModel():
                kind = "ask"
            case Call():
                kind = "call"
            case _:
                kind = "check"
        self.known.setdefault(step, Found(len(self.known) + 1, kind, utc(rec.at_us)))

    def call(self, story: Story) -> Row:
        proposal = story.proposal
        undoes = self.trail.ends.get(proposal.undoes)
        return (
            self.name(story.step),
            self.name(story.step),
            story.call.tool,
            as_json(story.call.args),
            hash_of(story.call.args),
            story.status,
            proposal.by,
            utc(proposal.at_us),
            proposal.record,
            self.known_name(proposal.ask),
            proposal.model,
            proposal.request_id,
            self.name(undoes.step) if undoes else None,
        )

    def decision(self, story: Story) -> Row | None:
        """Return what finally held; None if it was never judged."""
        ruling, answer, allowed = story.last(Ruling), story.answer, story.allowed
        if ruling is None or allowed is None:
            return None
        showings = [shown for shown in story.all(Showing) if shown.record > ruling.record]
        showing = next((shown for shown in showings if shown.question == "may_it_run"), None)
        return (
            self.name(story.step),
            int(allowed),
            story.reason,
            ruling.verdict,
            ruling.rule,
            ruling.tier,
            ruling.bound,
            utc((answer or ruling).at_us),
            ruling.record,
            showing.prepared if showing else None,
            answer.record if answer else None,
            answer.by if answer else None,
            answer.signature if answer else None,
            len(story.all(Ruling)),
        )

    def result(self, story: Story) -> Row | None:
        """Return what came of the last start; None if it was never started."""
        start = story.last(Start)
        if start is None:
            return None
        ends = (
            entry
            for entry in reversed(story.entries)
            if isinstance(entry, Return | Failure | Cut) and entry.attempt == start.attempt
        )
        end = next(ends, None)
        row: dict[str, Any] = {
            "call_id": self.name(story.step),
            "ending": "open",
            "is_error": 0,
            "message": "",
            "latency_ms": None,
            "started_at": utc(start.at_us),
            "ended_at": utc(end.at_us) if end else None,
            "attempts": len(story.all(Start)),
            "record": (end or start).record,
        }
        match end:
            case Return():
                row |= {"ending": end.ending, "is_error": int(end.error)}
                row |= {"result_hash": end.result_hash, "size_bytes": end.size_bytes}
                row |= {"full_output": end.full or None, "state_after": end.after or None}
                row |= {"latency_ms": end.latency_ms}
                if end.undo is not None:
                    row |= {"undo_tool": end.undo.tool, "undo_args": as_json(end.undo.args)}
            case Failure():
                row |= {"ending": "not_done", "is_error": 1, "message": end.message}
                row |= {"latency_ms": end.latency_ms}
            case Cut():
                row |= {"ending": "unknown", "is_error": 1, "message": "cut off"}
        return [row.get(name) for name in RESULT_COLUMNS]

    def action(self, story: Story) -> Row | None:
        """Return what undid the call, or is to; None where nobody wanted that."""
        found = [e for e in story.entries if isinstance(e, UndoWish | Undoing | GivenUp)]
        if not found:
            return None
        last, wish, undo = found[-1], story.last(UndoWish), story.last(Undoing)
        match last:
            case Undoing(tool=tool, status=status):
                status_now: str = status or "open"
                action = f"{tool}: {status_now}"
            case GivenUp():
                action = status_now = "dropped"
            case _:
                action = status_now = "asked"
        return (
            self.name(story.step),
            action,
            status_now,
            self.name(undo.step) if undo else None,
            wish.by if wish else None,
            utc(last.at_us),
            last.record,
        )

    def events(self, story: Story) -> Iterable[Row]:
        for entry in story.entries:
            detail = document_of(entry)
            head = (detail.pop("record"), detail.pop("at"), detail.pop("what"))
            yield (None, self.name(story.step), *head, as_json(detail))


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
