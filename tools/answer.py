"""How a tool's script answers: JSON arguments on stdin, one JSON object on stdout."""

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

Args = dict[str, Any]


class Problem(Exception):
    """Something that the model can mend: what went wrong, and what to do."""


class TimeUp(Problem):
    """The work took too long."""


def answer(work: Callable[[Args], str]) -> None:
    """Do the work and print what the model reads. What is not a Problem is a bug, and crashes."""
    try:
        found = {"text": work(json.load(sys.stdin))}
    except Problem as wrong:
        found = {"error": str(wrong)}
    except OSError as wrong:
        name = f" ({visible(str(wrong.filename))})" if wrong.filename else ""
        found = {"error": f"the system refused: {wrong.strerror or wrong}{name}"}
    # ASCII: an output of any encoding carries it, halves of characters included.
    print(json.dumps(found, ensure_ascii=True))


@contextlib.contextmanager
def deadline(seconds: float, advice: str) -> Iterator[None]:
    """Raise TimeUp when the body takes longer, even inside one slow regular expression."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeUp(f"stopped after {seconds:g} s: {advice}")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def visible(name: str) -> str:
    """Return a file name on one line: what is not printable, or not text, escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def whole(args: Args, name: str, default: int) -> int:
    """Return an argument that is a whole number; JSON Schema takes 2.0 for one."""
    return int(args.get(name, default))
