"""What the model must still be told of a lost session, from the records alone."""

import pytest

from agentcli.core.event import Event, Failed, Recorded, RunResumed, Started, ToolEnded
from agentcli.core.step import Call, RunTool
from agentcli.core.tool import Facts
from agentcli.tool.history import SESSION_ENDED, SessionPast, Sessions
from tests.fake.script import shipped

TOOLS = {name: shipped(name) for name in ("python", "shell")}
NONE, LOST = SessionPast(), SessionPast(ran=True, untold=True)
TOLD = SessionPast(ran=True)


def start(tool: str, number: int) -> Event:
    return Started((f"t/{number}", 1), RunTool(Call(tool, {}), Facts(), prepared=1))


def end(number: int, output: str = "", **more: str) -> Event:
    return ToolEnded((f"t/{number}", 1), **{"ending": "done", "output": output, **more})  # type: ignore[arg-type]


AGAIN = RunResumed(2)
PYTHON = (start("python", 1), end(1))
SHELL = (start("shell", 2), end(2))


@pytest.mark.parametrize(
    ("events", "past"),
    [
        ((), NONE),
        (SHELL, NONE),
        ((*SHELL, AGAIN, *SHELL), NONE),
        (PYTHON, LOST),
        ((start("python", 1),), LOST),
        ((*PYTHON, *SHELL), LOST),
        ((*PYTHON, AGAIN), LOST),
        ((*PYTHON, AGAIN, *SHELL), TOLD),
        ((*PYTHON, AGAIN, *SHELL, AGAIN), TOLD),
        ((*PYTHON, AGAIN, start("shell", 2)), LOST),
        ((*PYTHON, AGAIN, start("shell", 2), end(2, ending="not_done")), LOST),
        ((*PYTHON, AGAIN, start("shell", 2), end(2, ending="unknown")), LOST),
        ((*PYTHON, AGAIN, *PYTHON), LOST),
        ((*PYTHON, AGAIN, *SHELL, start("python", 3), AGAIN), LOST),
        ((start("python", 1), Failed(("t/1", 1), "unavailable")), NONE),
        ((*PYTHON, start("python", 3), Failed(("t/3", 1), "unavailable")), LOST),
        ((start("python", 1), end(1, f"x\n{SESSION_ENDED}")), TOLD),
        ((start("python", 1), end(1, f"{SESSION_ENDED}\nx")), LOST),
        ((start("python", 1), end(1, f"x\n{SESSION_ENDED}", ending="unknown")), TOLD),
    ],
)
def test_a_state_is_lost_and_untold_exactly_when_it_was_there_and_no_result_has_said_so(
    events: tuple[Event, ...], past: SessionPast
) -> None:
    sessions = Sessions()
    for number, event in enumerate(events, 1):
        sessions.take(Recorded(number, 1, 0, event), TOOLS)
    assert sessions.past.lost() == past
