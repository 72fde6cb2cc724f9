"""The state of a run kept beside its ledger, so that it can go on without reading all of it.

A checkpoint counts only when its digest stands in the chain, before a sealed head of this machine:
then it is what an earlier process of this program had come to. Otherwise the ledger is read whole.
"""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agentcli.core.event import Checkpointed, Recorded
from agentcli.core.record import Record
from agentcli.core.state import RunState
from agentcli.ledger.vault import write_private

CHECKPOINT, INDEX = "checkpoint.json", "index"
EVERY_BYTES = 8_000_000


class Checkpoint(Record, frozen=True):
    """All that the first `seq` records came to; they are `size_bytes` long.

    views: what else the program had made of them, in its own form.
    """

    seq: int
    epoch: int
    hash: str
    size_bytes: int
    state: RunState
    views: msgspec.Raw


@dataclass(frozen=True)
class Kept:
    """A checkpoint as it stands in its file. starts: where each of its records begins."""

    checkpoint: Checkpoint
    digest: str
    starts: "array[int]"

    def stands_in(self, records: Sequence[Recorded]) -> bool:
        """Say whether these records, which follow it, name it."""
        due = Checkpointed(self.checkpoint.seq, self.digest)
        return any(rec.event == due for rec in records)


def keep_checkpoint(folder: Path, checkpoint: Checkpoint, starts: "array[int]") -> Checkpointed:
    """Write a checkpoint and return what is to be recorded of it. Raises LedgerError."""
    data = msgspec.json.encode(checkpoint)
    write_private(folder / INDEX, starts[: checkpoint.seq].tobytes())
    write_private(folder / CHECKPOINT, data)
    return Checkpointed(checkpoint.seq, hashlib.sha256(data).hexdigest())


def find_checkpoint(folder: Path) -> Kept | None:
    """Return what is kept there, by whomever; None if there is none that could be used."""
    starts = array("Q")
    try:
        data = (folder / CHECKPOINT).read_bytes()
        starts.frombytes((folder / INDEX).read_bytes())
        checkpoint = msgspec.json.decode(data, type=Checkpoint)
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    if len(starts) < checkpoint.seq:
        return None
    return Kept(checkpoint, hashlib.sha256(data).hexdigest(), starts[: checkpoint.seq])
