"""What a run shows itself on: a terminal, lines, or nothing."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agentcli.core.event import Recorded
from agentcli.core.question import Answer, Question
from agentcli.core.visible import visible
from agentcli.loop.port import Show


def say_on_stderr(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)


@dataclass
class Front:
    """What a run shows itself on. show_card: None where nobody can be asked.

    recall: takes what was before this process. say: takes words for a person.
    """

    publish: Callable[[Recorded], None]
    show: Show
    show_card: Callable[[Question], Awaitable[Answer]] | None = None
    recall: Callable[[Recorded], None] = lambda rec: None
    say: Callable[[str], None] = say_on_stderr


def quiet_front() -> Front:
    return Front(lambda rec: None, lambda signal: None)
