"""Drives a recorded run anew: with a model and recorded tools, or with the recorded model."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from agentcli import asset
from agentcli.approval.recorded import RecordedAnswers
from agentcli.compose.cue import Prompter
from agentcli.compose.front import Front
from agentcli.compose.key import Credentials
from agentcli.compose.model import make_model, recorded_model
from agentcli.compose.mount import refuse_changed_places
from agentcli.compose.oneshot import OneShot, refuse_unusable
from agentcli.compose.plan import backends
from agentcli.compose.session import Session
from agentcli.core.event import BudgetRaised, Checked, Prepared, Recorded, Started
from agentcli.core.plan import Plan
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import AskPerson, Check, StepId
from agentcli.document import did_you_mean
from agentcli.errors import InputError, UsageError
from agentcli.ledger.bundle import copy_outputs
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.read import each_record
from agentcli.ledger.recording import recorded
from agentcli.ledger.vault import Vault
from agentcli.loop.check import Checker
from agentcli.loop.past import NOT_RECORDED, Past
from agentcli.loop.port import Approver, Model, Toolbox
from agentcli.tool.layout import lay_out
from agentcli.tool.recorded import RecordedTools

STOP_WAIT_S = 2
ONCE_SIGNED = "The signature of the recording is for the call of that run alone."
BEYOND_COPY = "The yes of the recording does not hold for what reaches beyond a copy."


@dataclass
class Redriven(Session):
    """A session whose person is the one of a recording. past: what was done there."""

    past: Past = field(default_factory=lambda: Past(()))
    prompter: Prompter = field(default_factory=lambda: Prompter(()))

    @property
    def attended(self) -> bool:
        return True  # by the answers of the recording

    def make_approver(self) -> Approver:
        return RecordedAnswers(self.past, self.inbox.put, self.holds)

    def holds(self, step: StepId, asked: AskPerson) -> str:
        """Return why a yes of the recording is none here, "" where it is one."""
        return ONCE_SIGNED if self.guard.text_of(step, asked) else ""

    def publish(self, rec: Recorded) -> None:
        super().publish(rec)
        loop = asyncio.get_running_loop()
        for fact in self.prompter.after(rec.event):
            # What was started has then begun: a reply that is stopped has said something.
            loop.call_soon(self.inbox.put, fact)
        # Once the whole batch is taken in: what it holds may go on by itself.
        loop.call_soon(self.look_up)

    def look_up(self) -> None:
        for fact in self.prompter.when_idle():
            self.inbox.put(fact)


class WithRecordedTools(Redriven):
    """Nothing runs: neither a tool nor a sandbox, and no file is looked at."""

    def warm_tools(self) -> None:
        """Open nothing: there is nothing to be opened for."""

    def make_toolbox(self, vault: Vault) -> Toolbox:
        return RecordedTools(self.past)

    def make_checker(self) -> Checker:
        plain = super().make_checker()
        return RecordedChecker(plain.workspace, plain.read, plain.judge, list(self.past.checks))


@dataclass(frozen=True)
class RecordedChecker(Checker):
    """Finds in an answer what is wrong with it, and of files what was once found."""

    found: list[Checked] = field(default_factory=list)

    def __call__(self, start: Started, check: Check) -> Checked:
        if check.what != "files":
            return super().__call__(start, check)
        problems = self.found.pop(0).problems if self.found else (f"{NOT_RECORDED}: the files",)
        return Checked(start.id, problems)


Opener = Callable[[Plan, RunFolder, Front, Model, tuple[str, ...]], Session]


def opener(kind: type[Redriven], records: list[Recorded]) -> Opener:
    """Return what opens a session of this kind over what these records tell."""

    def opened(
        plan: Plan, folder: RunFolder, front: Front, model: Model, known: tuple[str, ...]
    ) -> Session:
        prompter = Prompter(records)
        prompter.chat = plan.agent.pattern == "chat"
        return kind(plan, folder, front, model, known, past=Past(records), prompter=prompter)

    return opened


class WithLiveTools(Redriven):
    """Tools run again, in a copy of the workspace."""

    def holds(self, step: StepId, asked: AskPerson) -> str:
        if why := super().holds(step, asked):
            return why
        prepared = self.journal.read(asked.prepared)
        assert isinstance(prepared, Prepared), asked.prepared
        rule = self.plan.policy.rule_of(asked.call.tool)
        if prepared.facts.sandboxed and prepared.facts.offline and not rule.egress:
            return ""
        return BEYOND_COPY


def with_model(
    source: RunFolder, plan: Plan, folder: RunFolder, credentials: Credentials, *, own: bool
) -> OneShot:
    """Return the work at a new run of the plan, in which nothing runs.

    folder: of the new run. own: the model only says again what it said in the recording.
    Raises MissingFileError, InputError, LedgerError.
    """
    records = list(recorded(source))
    model = recorded_model(source, STOP_WAIT_S) if own else make_model(plan.model, credentials)
    keep(source, plan, folder, credentials.known)
    # What a person allowed it to cost then is no leave to spend it again.
    more = tuple(rec.event for rec in records if own and isinstance(rec.event, BudgetRaised))
    session = opener(WithRecordedTools, records)
    return OneShot(plan, folder, model, credentials.known, more=more, open=session)


def with_tools(
    source: RunFolder, plan: Plan, folder: RunFolder, credentials: Credentials
) -> OneShot:
    """Return the work at a new run of the plan, with the recorded model and tools that run.

    The plan is of `replayed_in`. Raises LedgerError, UnavailableError.
    """
    records = list(recorded(source))
    if any(isinstance(rec.event, Prepared) for rec in records):
        refuse_unusable(plan.sandbox)
    keep(source, plan, folder, credentials.known)
    more = tuple(rec.event for rec in records if isinstance(rec.event, BudgetRaised))
    session = opener(WithLiveTools, records)
    model = recorded_model(source, STOP_WAIT_S)
    return OneShot(plan, folder, model, credentials.known, more=more, open=session)


def keep(source: RunFolder, plan: Plan, folder: RunFolder, known: tuple[str, ...]) -> None:
    """Keep the plan, what tools once gave as a whole, and that all this is a replay."""
    folder.replayed.touch(mode=0o600)
    folder.keep_plan(plan, known)
    copy_outputs(source, folder)


def replayed(plan: Plan, source: RunFolder) -> Plan:
    """Return the plan of a replay; its answer goes into no file."""
    title = f"replay of {source.id}" + (f": {plan.title}" if plan.title else "")
    return replace(plan, title=title, model=f"recorded:{source.id}", output="")


def replayed_in(plan: Plan, source: RunFolder, folder: RunFolder, backend: str) -> Plan:
    """Return the plan of a replay with tools that run: in a copy of the workspace as it was.

    Without a state that was kept, in the workspace as it is, if nothing in the run can change it.
    backend: another one, "" for the run's own.
    Raises UsageError, InputError, MissingFileError, LedgerError.
    """
    spec = other_backend(plan.sandbox, backend)
    if any(mount.writable for mount in spec.mounts):
        raise InputError(
            f"{source.id}: it has a writable mount, of which there is no copy to work in"
        )
    records = each_record(source.ledger)
    prepared = [rec.event for rec in records if isinstance(rec.event, Prepared)]
    handle = next((event.facts.snapshot for event in prepared if event.facts.snapshot), "")
    if handle:
        lay_out(asset.state_home() / "store", handle, folder.workspace)
        spec = replace(spec, workspace=str(folder.workspace.resolve()))
    else:
        for tool in dict.fromkeys(event.call.tool for event in prepared):
            rule = plan.policy.tools.get(tool)
            if rule is not None and rule.tier != "read_only":
                message = f"{source.id}: no state of its workspace was kept, and {tool} can change"
                hint = "Recorded tools can be had: agentcli replay RUN --model recorded"
                raise InputError(f"{message} it", hint=hint)
        refuse_changed_places(spec)
    return replace(replayed(plan, source), sandbox=spec)


def other_backend(spec: SandboxSpec, backend: str) -> SandboxSpec:
    """Return a sandbox with another backend, "" for its own. Raises UsageError."""
    if not backend or backend == spec.backend:
        return spec
    if backend not in backends():
        near = did_you_mean(backend, backends())
        raise UsageError(f"there is no sandbox backend `{backend}`{near}")
    if backend == "local" and spec.mounts:
        raise UsageError("--sandbox local: there is nothing to mount without a sandbox")
    return replace(spec, backend=backend, hidden=() if backend == "local" else spec.hidden)
