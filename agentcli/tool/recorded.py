"""Answers with what tools once did, to drive a run again. Nothing runs."""

from dataclasses import dataclass

from msgspec.structs import replace

from agentcli.core.event import Failed, Prepared, Probed, Started, ToolEnded
from agentcli.core.step import Call, Prepare, Probe, RunTool
from agentcli.loop.past import NOT_RECORDED, Past
from agentcli.loop.port import Show


@dataclass(frozen=True)
class RecordedTools:
    """A toolbox without a tool. What was never recorded is an error that the model sees."""

    past: Past

    async def prepare(self, start: Started, prepare: Prepare) -> Prepared | Failed:
        deed = self.past.find(start.id[0], prepare.call)
        if deed is None or deed.prepared is None:
            return unknown(start, prepare.call)
        return replace(deed.prepared, id=start.id)

    async def run(self, start: Started, run: RunTool, show: Show) -> ToolEnded | Failed:
        deed = self.past.find(start.id[0], run.call)
        if deed is None or not deed.began:
            return unknown(start, run.call)
        if deed.ended is None:
            return ToolEnded(start.id, "unknown")  # the recording ends before the call did
        return replace(deed.ended, id=start.id)

    async def probe(self, start: Started, probe: Probe) -> Probed:
        """Say nothing: what a tool once told of a call stands in the call's own end."""
        return Probed(start.id, "unknown")


def unknown(start: Started, call: Call) -> Failed:
    text = f"{NOT_RECORDED}: this call of {call.tool}. Only what was recorded can be had here."
    return Failed(start.id, "invalid", text)
