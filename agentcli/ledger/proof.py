"""What the ledger of a run proves: that it is what was written, all of it, and all was allowed."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from agentcli.core.event import Answered
from agentcli.core.record import encode
from agentcli.errors import AgentcliError, LedgerDamagedError, LedgerError
from agentcli.ledger.allowed import Allowed
from agentcli.ledger.beside import KEPT, Beside
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.follow import is_locked
from agentcli.ledger.seal import HAS_SEAL, HEAD, Head, find_key, name_of, read_head, witness_of
from agentcli.ledger.signature import SignatureError, read_signed, signer_of
from agentcli.ledger.walk import Fault, Walk

MOST_TOLD = 20  # of one sort of fault; of the others only their number


@dataclass
class Proof:
    """What was found. faults: none, or the ledger is not what was written.

    notes: what could not be looked at, or is worth knowing.
    sealed: how many records a head of this machine covers, None without such a head.
    signed_by, signed: who signed a head, and how many records it covers, "" and None for nobody.
    results: how many calls have ended. answers_signed: how many answers bear a signature.
    redacted: how many values and outputs were destroyed.
    """

    run: str
    records: int = 0
    size_bytes: int = 0
    torn_bytes: int = 0
    sealed: int | None = None
    signed_by: str = ""
    signed: int | None = None
    results: int = 0
    answers_signed: int = 0
    redacted: int = 0
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        return not self.faults


@dataclass
class Heads:
    """The heads of a ledger that are there, and what is wrong with them as such.

    ours: sealed by this machine, the one beside the ledger first.
    signed: by someone who may, so that it counts on any machine.
    """

    beside: Head | None = None
    witness: Head | None = None
    ours: list[Head] = field(default_factory=list)
    signed: Head | None = None
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def trusted(self) -> list[Head]:
        return [*self.ours, *([] if self.signed is None else [self.signed])]

    @property
    def newest(self) -> Head | None:
        return max(self.trusted, key=lambda head: head.count, default=None)


def prove(state: Path, folder: RunFolder, signers: Path | None = None) -> Proof:
    """Look at all of a run. Nothing is changed, locked or asked of anyone.

    signers: the file of those who may sign, in OpenSSH's form; None to leave signatures alone.
    Raises MissingFileError, InputError where it is no ledger, LedgerError for a newer one.
    """
    # The heads first: what is written meanwhile can only be more than they say.
    heads = heads_of(state, folder)
    proof = Proof(folder.id)
    look_at_signature(proof, heads, folder, signers)
    proof.faults, proof.notes = [*heads.faults], [*heads.notes]
    allowed = Allowed(policy_of(folder, proof))
    sealed = frozenset((head.count, head.hash) for head in heads.trusted)
    walk = Walk(folder.ledger, Allowed.KINDS | Beside.KINDS, sealed, kept=KEPT)
    beside = Beside()
    unallowed, more_unallowed = list[Fault](), 0
    for rec in walk.records():
        if (fault := allowed.look(rec)) is not None:
            if len(unallowed) < MOST_TOLD:
                unallowed.append(fault)
            else:
                more_unallowed += 1
        beside.take(rec.event)
        if isinstance(rec.event, Answered):
            proof.answers_signed += bool(rec.event.signature)
    proof.records, proof.size_bytes = walk.count, walk.size_bytes
    proof.torn_bytes, proof.results = walk.torn_bytes, allowed.results
    proof.redacted = len(beside.redacted)
    proof.more_faults += walk.more_faults
    if any(fault.first == 1 for fault in walk.faults):
        proof.faults = [*heads.faults]  # the plan is held against the first record
    proof.faults += walk.faults
    if walk.good_lines == walk.lines:  # else what was allowed may stand in what is gone
        proof.faults += unallowed
        proof.more_faults += more_unallowed
    hold_against(proof, heads, walk, allowed.run)
    if allowed.is_fork and not (folder.path / "fork.json").exists():
        proof.faults.append(Fault("gone", "fork.json, which says in what it is another run"))
    here = witness_of(state, folder.path) is not None and not folder.imported.exists()
    if here and allowed.run not in ("", folder.id):
        text = f"it is the run {allowed.run}, in a folder of another name"
        proof.faults.append(Fault("copy", text))
    if not heads.ours:
        tell_unsealed(proof, heads, folder, here, beside.version)
    faults, notes = beside.compare(folder, walk.names, here)
    proof.faults += faults[:MOST_TOLD]
    proof.more_faults += len(faults[MOST_TOLD:])
    proof.notes += notes
    return proof


def refuse_damaged(state: Path, folder: RunFolder) -> Proof:
    """Return the proof of a run; raise LedgerDamagedError where it is not what was written."""
    proof = prove(state, folder)
    if not proof.is_ok:
        hint = f"See what is wrong: agentcli audit verify {folder.id}"
        first = f"{proof.faults[0].word}: {proof.faults[0].text}"
        raise LedgerDamagedError(f"{folder.id}: it is not what was written: {first}", hint=hint)
    return proof


def heads_of(state: Path, folder: RunFolder) -> Heads:
    key, found = find_key(state), Heads()
    paths = [("beside", folder.path / HEAD), ("witness", witness_of(state, folder.path))]
    for name, path in paths:
        if path is None:
            continue
        try:
            head = read_head(path)
        except (LedgerError, OSError):
            found.faults.append(Fault("head mismatch", f"{path.name} holds no sealed head"))
            continue
        if head is None:
            continue
        setattr(found, name, head)
        if key is not None and head.is_sealed_by(key):
            found.ours.append(head)
        elif key is not None and head.key == name_of(key):
            text = f"{path.name} was changed: its seal does not fit"
            found.faults.append(Fault("head mismatch", text))
    if len(found.ours) == 1 and found.beside is not None and found.witness in found.ours:
        if not found.faults:
            text = f"{HEAD} is not sealed by this machine, but the run is its own"
            found.faults.append(Fault("head mismatch", text))
    elif found.witness is not None and found.beside is None and not found.faults:
        found.notes.append(f"{HEAD} is gone; the one that is kept elsewhere was looked at")
    return found


def look_at_signature(proof: Proof, heads: Heads, folder: RunFolder, signers: Path | None) -> None:
    """Find out who signed a head, and take it for one to compare with."""
    try:
        found = read_signed(folder.path)
        if signers is None:
            if found is not None:
                heads.notes.append("signed; by whom, is checked with --signers FILE")
        elif found is None:
            raise SignatureError("nobody has signed it")
        else:
            proof.signed_by, heads.signed = signer_of(*found, signers)
            proof.signed = heads.signed.count
    except SignatureError as error:
        heads.faults.append(Fault("not signed", str(error)))


def hold_against(proof: Proof, heads: Heads, walk: Walk, run: str) -> None:
    """Compare what is there with what was sealed."""
    newest = heads.newest
    if newest is None:
        return
    proof.sealed = max((head.count for head in heads.ours), default=None)
    count = walk.count
    if count < newest.count:
        beside_older = heads.beside in heads.ours and heads.ours[0].count < newest.count
        if 0 < walk.epoch < newest.epoch or beside_older:
            text = f"{count} of {newest.count} records, as it was before it went on"
            proof.faults.append(Fault("older copy", text, count, newest.count))
        else:
            torn = f", and {walk.torn_bytes} bytes of another" if walk.torn_bytes else ""
            text = f"{newest.count} records were sealed, {count} are here{torn}"
            proof.faults.append(Fault("truncated", text, count, newest.count))
        proof.torn_bytes = 0
    for head in heads.trusted:
        if (
            0 < head.count <= count
            and (head.count, head.hash) not in walk.seen
            and walk.is_there(head.count)
        ):
            text = f"record {head.count} is not the one that was sealed"
            fault = Fault("head mismatch", text, head.count, head.count)
            if fault not in proof.faults:
                proof.faults.append(fault)
        if run and head.run not in (run, proof.run):
            proof.faults.append(Fault("head mismatch", f"it is of another run, {head.run}"))
    if heads.signed is not None and not heads.ours and count > heads.signed.count:
        text = f"it stands after what {proof.signed_by} signed: nobody here can tell who wrote it"
        proof.faults.append(Fault("not signed", text, heads.signed.count + 1, count))
    if count > newest.count and heads.ours:
        added = count - newest.count
        more = "1 record stands" if added == 1 else f"{added} records stand"
        if newest.open:
            proof.notes.append(
                f"{more} after the last seal: written just before its writer died, or added since"
            )
        else:
            text = f"{more} after the end that its writer sealed"
            proof.faults.append(Fault("added", text, newest.count + 1, count))


def tell_unsealed(proof: Proof, heads: Heads, folder: RunFolder, here: bool, version: int) -> None:
    if heads.beside is not None or heads.witness is not None:
        proof.notes.append("sealed elsewhere: its head can only be checked on the machine it is of")
    elif version < HAS_SEAL:
        proof.notes.append("no seal: an older program wrote it; that it is all there is not known")
    elif not here:
        proof.notes.append("no seal: that it is all there is not known")
    elif not is_written(folder.ledger):
        text = "its sealed heads were removed: ledgers of this version have them from the start"
        proof.faults.append(Fault("unsealed", text))


def is_written(ledger: Path) -> bool:
    file = os.open(ledger, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return is_locked(file, ledger)
    finally:
        os.close(file)


def policy_of(folder: RunFolder, proof: Proof) -> str:
    """Return the digest of what the run was judged by, "" if it is not known, which is noted."""
    try:
        given = folder.given()
    except AgentcliError as error:
        if (folder.path / "plan.json").exists():
            proof.faults.append(Fault("edited", str(error)))
        else:
            proof.notes.append("plan.json is not here: what was allowed is not computed anew")
        return ""
    if given.missing and b"[REDACTED:" in encode(given.plan.policy):
        proof.notes.append("the policy holds values that are not here: it is not computed anew")
        return ""
    return given.policy
