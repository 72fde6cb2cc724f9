"""A run in this process, put together of the loop and the adapters."""

import asyncio
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentcli import __version__, asset
from agentcli.approval.door import Door
from agentcli.approval.earlier import Earlier
from agentcli.approval.guard import Guard
from agentcli.approval.human import Human
from agentcli.approval.nobody import Nobody
from agentcli.approval.signed import sign
from agentcli.approval.who import local_name
from agentcli.compose.always import always_of
from agentcli.compose.box import LazySandbox
from agentcli.compose.front import Front
from agentcli.compose.judge import Judge
from agentcli.compose.model import warm_model
from agentcli.compose.outcome import Tally, json_or_none
from agentcli.compose.rules import patterns, rules_of
from agentcli.compose.taken import Taken
from agentcli.compose.tools import base_request, stored_tools
from agentcli.config.settings import load_config
from agentcli.core.event import (
    Answered,
    Edited,
    Forked,
    Input,
    Prepared,
    Recorded,
    RunResumed,
    RunStarted,
    Settled,
    Started,
)
from agentcli.core.held import filled, references_in
from agentcli.core.plan import Plan
from agentcli.core.policy import Ask, Rules
from agentcli.core.question import Always, Sign
from agentcli.core.state import DELIMITS, RunState
from agentcli.core.step import AskPerson, StepId
from agentcli.core.view import View
from agentcli.errors import AgentcliError, LedgerDamagedError, NotPermittedError
from agentcli.ledger.file import FileJournal
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.forged import told_as_damage
from agentcli.ledger.seal import Seal
from agentcli.ledger.vault import Outputs, Vault
from agentcli.loop.ask import Asker
from agentcli.loop.check import Checker
from agentcli.loop.inbox import QueueInbox
from agentcli.loop.perform import Acts, now_us
from agentcli.loop.port import Approver, Model, Toolbox
from agentcli.loop.run import run as run_loop
from agentcli.sandbox.endpoint import find_endpoint, image_id
from agentcli.tool.gateway import Gateway
from agentcli.tool.reference import MOST_CHARS
from agentcli.tool.seen import Reader
from agentcli.tool.snapshot import Snapshots
from agentcli.tool.web import Web


@dataclass
class Session:
    """A run in this process: its ledger is open for writing, its sandbox on first use.

    known: exact secrets that no record may hold.
    earlier: an answer that was given before, and the call as it was shown.
    Use as `async with`. Raises LedgerBusyError, LedgerDamagedError, LedgerError.
    """

    plan: Plan
    folder: RunFolder
    front: Front
    model: Model
    known: tuple[str, ...] = ()
    earlier: tuple[Answered | Edited, Prepared] | None = None
    inbox: QueueInbox = field(default_factory=QueueInbox)
    state: RunState = field(default_factory=RunState)

    async def __aenter__(self) -> "Session":
        vault = Vault(self.folder.private, self.known, pii=self.plan.pii)
        seal = Seal(asset.state_home(), self.folder.path)
        self.tools = stored_tools(self.plan)
        self.taken = Taken(self.tools)
        ledger = self.folder.ledger
        with told_as_damage(ledger):
            self.journal = FileJournal(ledger, vault, now_us, seal=seal, taker=self.taken)
        try:
            self.refuse_other_run()
            self.rules = self.make_rules()
        except AgentcliError:
            self.journal.close()
            raise
        self.state = self.taken.state
        self.guard = Guard(self.plan.policy)
        for rec in self.taken.views.origin:  # a yes of an earlier process counts no more
            self.guard.note(rec)
        self.outputs, seen = Outputs(self.folder.outputs), self.taken.views.seen
        self.reader = Reader(seen, self.journal.read, self.outputs.get, self.plan.system)
        self.sandbox = LazySandbox(self.plan, self.folder)
        self.human = self.make_human()
        self.approver = self.make_approver()
        self.acts = self.make_acts(vault)
        self.door = Door(self.folder.path, self.folder.id, self.guard, self.inbox.put)
        await self.door.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.door.close()
        if self.human is not None:
            await self.human.close()
        await self.sandbox.close()
        await self.model.close()
        self.journal.close()

    def refuse_other_run(self) -> None:
        """Raise LedgerDamagedError for a copy: what was done under the one name could be redone."""
        run = self.taken.state.run
        if run and run != self.folder.id:
            message = f"{self.folder.path}: is the run {run}, in a folder of another name"
            hint = f"Go on with it: agentcli resume {run}. Or on a copy: agentcli runs fork {run}"
            raise LedgerDamagedError(message, hint=hint)
        is_fork = any(isinstance(rec.event, Forked) for rec in self.taken.views.origin)
        if is_fork and self.folder.fork() is None:
            raise LedgerDamagedError(f"{self.folder.path / 'fork.json'}: is gone, but it is a fork")

    def make_rules(self) -> Rules:
        if self.taken.is_new:
            return Rules(patterns(), self.plan.policy)
        return rules_of(self.folder.given())

    @property
    def tally(self) -> Tally:
        """What the run has come to so far, with what earlier processes did."""
        return self.taken.views.tally

    def open_calls(self) -> Iterator[Recorded]:
        """Yield what is known of the calls that an earlier process left open."""
        for records in self.taken.views.calls.values():
            yield from records

    def last_records(self, count: int) -> list[Recorded]:
        """Return the last records of earlier processes, as they are stored."""
        last = self.state.seq
        return [self.journal.record(seq) for seq in range(max(1, last - count + 1), last + 1)]

    @property
    def attended(self) -> bool:
        return self.front.show_card is not None

    def make_human(self) -> Human | None:
        if self.front.show_card is None:
            return None
        read, put = self.journal.read, self.inbox.put
        policy, show = self.plan.policy, self.front.show_card
        return Human(policy, show, read, put, local_name(), self.signing, self.keeping)

    def make_approver(self) -> Approver:
        others: Approver = self.human or Nobody()
        if self.earlier is None:
            return others
        answer, seen = self.earlier
        return Earlier(answer, seen, self.journal.read, self.inbox.put, self.front.say, others)

    def signing(self, step: StepId, asked: AskPerson) -> Sign | None:
        """Return what a yes to a question is signed with, None where it needs no signature."""
        text = self.guard.text_of(step, asked)
        workspace = Path(self.plan.sandbox.workspace)
        return signing_with(workspace, self.guard, text, self.folder.id) if text else None

    def keeping(self, step: StepId, prepared: Prepared, ask: Ask) -> Always | None:
        """Return the rule that may be kept with a yes to a call, None where none is offered."""
        tainted = self.reader().is_tainted
        return always_of(self.plan, prepared.call, prepared.facts, ask, tainted=tainted)

    def make_acts(self, vault: Vault) -> Acts:
        plan = self.plan
        draw = random.SystemRandom()
        read = self.journal.read
        asker = Asker(
            self.model,
            View(read, self.folder.id if self.state.version >= DELIMITS else "", self.outputs.get),
            base_request(plan),
            plan.policy.model,
            lambda: draw.randrange(1_000_000),
        )
        toolbox, checker = self.make_toolbox(vault), self.make_checker()
        restore = vault.restore

        def restored(start: Started) -> Started:
            found = restore(start)
            assert isinstance(found, Started)
            return found

        digest = self.rules.of(self.state.policy).digest
        version = self.state.version
        return Acts(
            asker,
            toolbox,
            self.approver,
            checker,
            restored,
            self.guard,
            self.folder.id,
            digest,
            version,
        )

    def make_toolbox(self, vault: Vault) -> Toolbox:
        plan = self.plan
        workspace = Path(plan.sandbox.workspace)
        return Gateway(
            self.tools,
            plan.sandbox,
            self.sandbox,
            Snapshots(workspace, asset.state_home() / "store", plan.sandbox.hidden),
            vault.redactor.clean,
            self.outputs.put,
            outputs_seen_at(plan, self.folder),
            plan.clip_chars,
            past=self.taken.views.sessions.past.lost(),
            passages=self.reader,
            traces_all=any(rule.traced for rule in plan.policy.rules),
            held=self.reader.held,
            holds_back=plan.untrusted == "held",
            written=self.taken.views.seen.written,
            protected=plan.policy.protected,
            web=Web(plan.policy.domains),
        )

    def make_checker(self) -> Checker:
        return Checker(Path(self.plan.sandbox.workspace), self.journal.read, Judge())

    def with_texts(self, answer: str) -> str:
        """Return an answer with the texts that it names: the model cannot show them otherwise.

        One that would become too long stays as it is.
        """
        texts, named = {}, references_in(answer)
        for step in dict.fromkeys(named):
            if (found := self.reader.held(step)) is not None and found.is_whole:
                texts[step] = found.text
        if not texts or sum(len(texts.get(step, "")) for step in named) > MOST_CHARS:
            return answer
        if (answered := json_or_none(answer)) is not None:
            return json.dumps(filled(answered, texts), ensure_ascii=False)
        return str(filled(answer, texts))

    async def run(self, *first: Input) -> RunState:
        """Go on with these facts until the run is parked or has ended.

        Raises LedgerError when the ledger cannot be written: nothing after that was done.
        """
        for fact in first:
            self.inbox.put(fact)
        try:
            self.state = await run_loop(
                self.rules,
                self.state,
                self.inbox,
                self.journal,
                self.acts,
                self.publish,
                self.front.show,
            )
        except BaseExceptionGroup as group:
            raise cause_of(group) from None
        if isinstance(self.approver, Earlier):
            self.approver.close()
        return self.state

    def publish(self, rec: Recorded) -> None:
        self.taken.note(rec)
        self.guard.note(rec)
        self.door.note(rec)
        if self.human is not None:
            match rec.event:
                case Settled(step=step):
                    self.human.settled(step)
                case Answered() | Edited() as answer:
                    self.human.answered(answer)
        self.front.publish(rec)

    def warm(self) -> None:
        """Begin to load and open, side by side, what the first ask and the first call will need."""
        # No run waits for this thread: one that ends early leaves it behind.
        threading.Thread(target=warm_model, args=(self.plan.model,), daemon=True).start()
        self.warm_tools()

    def warm_tools(self) -> None:
        if self.plan.policy.offered:
            self.sandbox.warm()

    def first(self) -> RunStarted | RunResumed:
        """Return the first fact of this process."""
        return self.begin() if self.taken.is_new else self.go_on()

    def begin(self) -> RunStarted:
        """Return the first fact of a new run."""
        plan = self.plan
        digests = plan.digests()
        if plan.sandbox.backend == "docker" and plan.policy.offered:
            digests["image"] = image_id(find_endpoint(), plan.sandbox.image)
        return RunStarted(
            self.folder.id,
            plan.agent,
            plan.limit_uusd,
            plan.limit_steps,
            self.attended,
            plan.digest(),
            __version__,
            plan.title,
            digests=digests,
            requester=local_name(),
        )

    def go_on(self, *, stops: bool = False) -> RunResumed:
        """Return the first fact of a resumed run. stops: that is only to end."""
        return RunResumed(self.journal.epoch, self.attended, __version__, stops)


def signing_with(workspace: Path, guard: Guard, text: str, run: str) -> Sign:
    """Return how the person at this terminal signs a text: with the key of their settings."""
    key = load_config(workspace).signing_key

    async def make() -> tuple[str, str]:
        if key is None:
            hint = f"Set approval: {{key: FILE}}, or elsewhere: agentcli approve {run}"
            raise NotPermittedError("There is no key here to sign with.", hint=hint)
        signature = await sign(key, text)
        return await asyncio.to_thread(guard.signers.check, text, signature), signature

    words = f"a yes is signed with {key}"
    if key is None:
        words = f"a yes needs one, and no key is set here; elsewhere: agentcli approve {run}"
    return Sign(words, make)


def cause_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what a person can be told of a group, or else the group: that is a bug."""
    told: BaseException | None = group.subgroup((AgentcliError, OSError))
    while isinstance(told, BaseExceptionGroup):
        told = told.exceptions[0]
    return told or group


def outputs_seen_at(plan: Plan, folder: RunFolder) -> str:
    """Return where tools find whole outputs: on the bare host, where they really are."""
    return str(folder.outputs) if plan.sandbox.backend == "local" else "/outputs"
