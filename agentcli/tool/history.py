"""Whether the interpreter of a run had a state that is lost, and whether the model knows it."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from agentcli.core.event import Failed, Forked, Recorded, RunResumed, Started, ToolEnded
from agentcli.core.record import Record
from agentcli.core.step import ActId, RunTool
from agentcli.tool.manifest import LoadedTool, RunSession

# Ends the result of a call that took its session with it.
SESSION_ENDED = "[the session ended with it: its variables, imports and functions are gone]"


class SessionPast(Record, frozen=True):
    """ran: a session ran in this run. holds: it may still hold something.

    untold: what it held is gone, and no result has said so yet.
    """

    ran: bool = False
    holds: bool = False
    untold: bool = False

    def lost(self) -> "SessionPast":
        """Return the same after all processes are gone."""
        return replace(self, holds=False, untold=self.untold or self.holds)

    def told(self) -> "SessionPast":
        return replace(self, untold=False)


class Sessions(msgspec.Struct):
    """What the records of a run tell a new process of its sessions.

    A call that was started counts even if its end was never recorded: it may have set something.
    The first result after a loss tells of it, so what was told is known by where results stand.

    before: of each call that is under way, what was so before it.
    """

    past: SessionPast = SessionPast()
    before: list[tuple[ActId, SessionPast]] = []

    def take(self, rec: Recorded, tools: Mapping[str, LoadedTool]) -> None:
        before = dict(self.before)
        match rec.event:
            case RunResumed() | Forked():
                self.past, before = self.past.lost(), {}
            case Started(id=id, act=RunTool(call=call)) if is_session(tools.get(call.tool)):
                before[id] = self.past
                self.past = SessionPast(ran=True, holds=True)
            case Failed(id=id) if id in before:
                self.past = before.pop(id)  # it surely did not happen
            case ToolEnded(id=id, output=output) if id in before:
                del before[id]
                self.past = SessionPast(ran=True, holds=not output.endswith(SESSION_ENDED))
            case ToolEnded(ending="done"):
                self.past = self.past.told()
            case _:
                return
        self.before = list(before.items())


def is_session(tool: LoadedTool | None) -> bool:
    return tool is not None and isinstance(tool.manifest.run, RunSession)
