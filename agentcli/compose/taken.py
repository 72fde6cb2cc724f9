"""What a process takes up of a run: folded record by record, or from a checkpoint on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from agentcli.compose.outcome import Tally
from agentcli.core.event import (
    Forked,
    Prepared,
    Recorded,
    RunStarted,
    Settled,
    Started,
)
from agentcli.core.fold import fold
from agentcli.core.state import RunState
from agentcli.core.step import Prepare, StepId
from agentcli.ledger.checkpoint import Checkpoint
from agentcli.tool.history import Sessions
from agentcli.tool.manifest import LoadedTool
from agentcli.tool.seen import Seen


@dataclass
class Views:
    """What is made of the records beside the state.

    origin: what the run began with, and where it was forked. calls: what is known of open ones.
    """

    tally: Tally = field(default_factory=Tally)
    sessions: Sessions = field(default_factory=Sessions)
    seen: Seen = field(default_factory=Seen)
    origin: list[Recorded] = field(default_factory=list)
    calls: dict[StepId, list[Recorded]] = field(default_factory=dict)


@dataclass
class Taken:
    """Fed with a checkpoint, if there is one, and with each record after it."""

    tools: Mapping[str, LoadedTool]
    state: RunState = field(default_factory=RunState)
    views: Views = field(default_factory=Views)

    @property
    def is_new(self) -> bool:
        return self.state.seq == 0

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Begin with a checkpoint, or anew with None. Raises msgspec.ValidationError."""
        if checkpoint is None:
            self.state, self.views = RunState(), Views()
        else:
            self.state = checkpoint.state
            self.views = msgspec.json.decode(checkpoint.views, type=Views)

    def take(self, rec: Recorded) -> None:
        """Take up a record of an earlier process. Raises AssertionError, LookupError."""
        self.state = fold(self.state, rec)
        self.note(rec)

    def note(self, rec: Recorded) -> None:
        """Take in a record whose state another one keeps."""
        views, event = self.views, rec.event
        views.tally.publish(rec)
        views.sessions.take(rec, self.tools)
        views.seen.take(rec)
        match event:
            case RunStarted() | Forked():
                views.origin.append(rec)
            case Settled(step=step):
                views.calls.pop(step, None)
            case Prepared(id=(step, _)) | Started(id=(step, _), act=Prepare()):
                # As much as a screen has to know of a call.
                views.calls.setdefault(step, []).append(rec)

    def encoded(self) -> bytes:
        return msgspec.json.encode(self.views)
