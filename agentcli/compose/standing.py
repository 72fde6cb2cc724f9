"""How a run stands: one set of words for machines, and plainer ones for people."""

from dataclasses import dataclass

from agentcli.core.event import Ended, Event, Parked


@dataclass(frozen=True)
class Standing:
    """status: done, failed, parked, open, running or damaged. why: Parked's, "" for all others.

    named: what people are told instead, where that says more.
    """

    status: str
    why: str = ""
    named: str = ""

    @property
    def word(self) -> str:
        return self.named or self.status


def standing_of(last: Event | None, *, is_running: bool) -> Standing:
    """Return how a run stands by its last event. is_running: a living process writes it."""
    match last:
        case Ended(status="done"):
            return Standing("done")
        case Ended(status=status):
            return Standing("failed", named=status)
        case _ if is_running:
            return Standing("running")
        case Parked(why=why):
            return Standing("parked", why, {"approval": "waiting", "left": "left"}.get(why, ""))
        case _:
            return Standing("open")
