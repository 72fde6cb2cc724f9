"""What undoing calls would do, in lines for a person."""

import json
import os
import re
from collections.abc import Iterator

from agentcli.compose.undo import Foreseen, Foresight
from agentcli.core.tool import RESTORE
from agentcli.core.visible import visible
from agentcli.shell.cells import clip
from agentcli.shell.console import style
from agentcli.shell.headless import call_line

DIFF_LINES = 40
PLACE = re.compile(r"turn\.(\d+)/call\.(\d+)\.(\d+)$")
SINCE = ", changed since that call"
COLORS = {"+": "green", "-": "red"}


def foresight_lines(foresight: Foresight, width: int, *, color: bool) -> Iterator[str]:
    """Yield a line for each call, then each file that would change.

    width: to which a call is cut. What is done to files is not cut.
    """
    for foreseen in foresight.calls:
        yield clip(visible(f"  {foreseen.effect.name}  {what_of(foreseen)}"), width)
        for line in told_of(foreseen):
            yield style(visible(f"      {line}"), "dim", color=color)
    for name, diff in foresight.files():
        yield visible(f"  {name}") + ("" if diff else f"  ({foresight.kind(name)})")
        lines = visible(diff).rstrip().split("\n")[2:]
        for line in lines[:DIFF_LINES]:
            yield style(f"    {line}", COLORS.get(line[:1], "dim"), color=color)
        if len(lines) > DIFF_LINES:
            yield f"    … {len(lines) - DIFF_LINES} more lines"


def what_of(foreseen: Foreseen) -> str:
    effect = foreseen.effect
    return f"the undo of record {effect.undoes}" if effect.undoes else call_line(effect.call, 60)


def told_to_model(foreseen: Foreseen) -> str:
    """Return which call it is, in no word of its arguments: they would count as the user's."""
    effect = foreseen.effect
    if effect.undoes:
        return f"the undo of record {effect.undoes}"
    found = PLACE.search(effect.step)
    if found is None:
        return effect.call.tool
    turn, reply, call = map(int, found.groups())
    return f"{effect.call.tool}, call {call + 1} of your reply {reply} in turn {turn}"


def told_of(foreseen: Foreseen) -> list[str]:
    """Return in lines what undoing one call would do."""
    undo = foreseen.effect.undo
    if foreseen.cannot:
        return [f"cannot be undone by itself: {foreseen.cannot}"]
    if undo.tool != RESTORE:
        return [f"by {undo.tool} {json.dumps(undo.args, ensure_ascii=False)}"]
    removed = [os.fsdecode(c.path) for c in foreseen.changes if c.then is None]
    put_back = [os.fsdecode(c.path) for c in foreseen.changes if c.then is not None]
    told = (
        ("puts back", put_back, ""),
        ("removes", removed, ""),
        ("leaves alone", foreseen.left, SINCE),
    )
    lines = [f"{words} {', '.join(names)}{why}" for words, names, why in told if names]
    return lines or ["changes nothing: it is so already"]


def question_of(foresight: Foresight) -> str:
    count = len(foresight.calls)
    what = "this call" if count == 1 else f"these {count} calls, in this order"
    return f"Undo {what}?"
