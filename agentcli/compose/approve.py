"""What a run asks, looked at and answered from outside of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from agentcli.approval.guard import Guard
from agentcli.approval.guard import signature_problems as problems_in
from agentcli.approval.human import question_of
from agentcli.approval.knock import knock
from agentcli.approval.who import local_name
from agentcli.compose.report import is_running
from agentcli.compose.session import signing_with
from agentcli.core.event import Answered, Edited, Event, Forked, Prepared, Recorded, Started
from agentcli.core.fold import fold_all
from agentcli.core.plan import Plan
from agentcli.core.question import Question
from agentcli.core.state import Leaf, RunState
from agentcli.core.step import AskPerson, bound_hash, ends_with, idempotency_key
from agentcli.errors import InputError, LedgerDamagedError, UsageError
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.forged import told_as_damage
from agentcli.ledger.read import read_ledger
from agentcli.ledger.vault import Vault


@dataclass(frozen=True)
class Asked:
    """A question of a run. record: of its asking. prepared: the record of the call.

    seen: that call, as it is stored. question: as a person is to see it. text: what a yes has to
    sign, "" for none.
    """

    record: int
    prepared: int
    seen: Prepared
    question: Question
    text: str
    is_open: bool

    @property
    def step(self) -> str:
        return self.question.step


@dataclass(frozen=True)
class Asking:
    """A run and all that it ever asked. is_live: a process is at it now."""

    folder: RunFolder
    plan: Plan
    is_live: bool
    has_ended: bool
    guard: Guard
    asked: tuple[Asked, ...]

    def named(self, call: str, *, past: bool = False) -> list[Asked]:
        """Return the questions that a CALL names, all open ones for "".

        call: a step's id, a unique end of it, or the number of a record. past: also answered ones.
        Raises InputError where it names none, UsageError where it is the end of several.
        """
        known = [asked for asked in self.asked if asked.is_open or (past and call)]
        if not known:
            raise self.nothing()
        if not call:
            return known
        by_record = [a for a in known if call in (str(a.record), str(a.prepared))]
        exact = by_record or [asked for asked in known if asked.step == call]
        found = exact or [asked for asked in known if ends_with(asked.step, call)]
        steps = list(dict.fromkeys(asked.step for asked in found or known))
        if not found:
            hint = f"It asks about: {', '.join(steps)}"
            raise InputError(f"{call}: {self.folder.id} asks about no such call", hint=hint)
        if len(steps) > 1:
            raise UsageError(f"{call}: more than one call ends so: {', '.join(steps)}")
        return found[-1:]

    def nothing(self) -> InputError:
        run = self.folder.id
        if self.has_ended:
            hint = f"See how: agentcli replay {run}"
            return InputError(f"{run}: has ended, so it asks nothing", hint=hint)
        hint = f"See it: agentcli replay {run}" if self.is_live else f"agentcli resume {run}"
        return InputError(f"{run}: asks nothing", hint=hint)

    def tell(self, answer: Answered | Edited) -> None:
        """Bring an answer to the process that is at the run. Raises what it says no with."""
        knock(self.folder.path, self.folder.id, answer)

    def signed_by(self, asked: Asked, signature: str) -> Answered:
        """Return the yes that a signature is. Raises NotPermittedError, UnavailableError."""
        who = self.guard.signers.check(asked.text, signature)
        return asked.question.answered(True, signed=(who, signature))


def asking_of(folder: RunFolder) -> Asking:
    """Return what a run asks, read without taking its ledger.

    Raises as `RunFolder.plan` and `read_ledger` do.
    """
    plan = folder.plan()
    records = read_ledger(folder.ledger)
    guard = Guard(plan.policy)
    last = records[-1].event if records else None
    with told_as_damage(folder.ledger):
        state = fold_all(records)
        asked = tuple(questions_in(records, state, plan, folder, guard))
    live = is_running(folder, last)
    return Asking(folder, plan, live, state.phase == "ended", guard, asked)


def questions_in(
    records: Sequence[Recorded], state: RunState, plan: Plan, folder: RunFolder, guard: Guard
) -> list[Asked]:
    vault, policy = Vault(folder.private), folder.given().policy

    def read(seq: int) -> Event:
        return vault.restore(records[seq - 1].event)

    found = []
    for rec in records:
        guard.note(rec)
        match rec.event:
            case Forked(policy=other) if other:
                policy = other
            case Started(id=(step, _), act=AskPerson() as act):
                seen = records[act.prepared - 1].event
                assert isinstance(seen, Prepared)
                key = idempotency_key(guard.run, step, seen.call)
                if bound_hash(key, seen.facts, policy, state.version) != act.bound:
                    what = f"record {act.prepared} is not the call that record {rec.seq} asks about"
                    raise LedgerDamagedError(f"{folder.ledger}: {what}")
                text = guard.text_of(step, act)
                workspace = Path(plan.sandbox.workspace)
                sign = signing_with(workspace, guard, text, folder.id) if text else None
                question = question_of(plan.policy, read, step, act, sign)
                leaf = state.steps.get(step)
                is_open = isinstance(leaf, Leaf) and bool(leaf.asked) and leaf.began == rec.seq
                found.append(Asked(rec.seq, act.prepared, seen, question, text, is_open))
    return found


def by_me(answer: Answered | Edited) -> Answered | Edited:
    """Return an answer with the name of who runs this program, unless it is signed."""
    if isinstance(answer, Edited) or answer.by:
        return answer
    return replace(answer, by=local_name())


def signature_problems(folder: RunFolder) -> list[str]:
    """Return what is wrong with the signed answers of a run, in words that name the record.

    Offline, with OpenSSH alone: `agentcli.approval.guard.signature_problems` says of what.
    Raises UnavailableError where there are signatures to check and no ssh-keygen.
    """
    records = read_ledger(folder.ledger)
    return list(problems_in(records, folder.given().plan.policy))
