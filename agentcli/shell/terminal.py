"""The terminal that the program stands in: its size, and what one may write to it."""

import asyncio
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from agentcli.core.event import Interrupted, Paused
from agentcli.core.question import Answer, Question
from agentcli.core.tool import RESTORE
from agentcli.core.visible import visible
from agentcli.errors import AgentcliError
from agentcli.shell.ask import Choice, ask_card, ask_yes
from agentcli.shell.card import Card


def size() -> tuple[int, int]:
    """Return columns and lines, at least 20 by 5."""
    found = shutil.get_terminal_size()
    return max(20, found.columns), max(5, found.lines)


def true_size() -> tuple[int, int]:
    """Return columns and lines of the terminal that one types in, however few there are."""
    try:
        columns, lines = os.get_terminal_size(sys.stdin.fileno())
    except (OSError, ValueError):
        columns = lines = 0
    return (columns, lines) if columns and lines else size()


def width() -> int:
    return size()[0]


def is_color(out: TextIO) -> bool:
    from agentcli.shell.console import wants_color

    return wants_color(out, os.environ)


def card_of(question: Question) -> Card:
    """Return what the person is shown of a question."""
    facts = question.facts
    where = "in the sandbox, without a network" if facts.offline else "with this machine's network"
    if not facts.sandboxed:
        where = "on this machine itself, as you, with its network"
    is_past = question.kind == "did_it_happen"
    title = "Did this happen? It was cut off while it ran." if is_past else "May this run?"
    signed = [("signature", question.sign.with_what)] if question.sign else []
    return Card(
        title=title,
        tier=question.tier,
        tool=question.call.tool,
        arguments=question.call.args,
        facts=[
            *signed,
            *([("reads", f"{facts.page}, over this machine's network")] if facts.page else []),
            ("where", where),
            ("undo", undo_in_words(question)),
            *(("note", note) for note in facts.notes),
        ],
        commands=facts.commands,
        preview=facts.preview,
        reason=question.reason,
        offers_session=question.tier == "reversible" and not is_past and not question.at,
        always=question.always.words if question.always else "",
        needs_typing=question.tier not in ("read_only", "reversible") and not is_past,
        is_past=is_past,
    )


def undo_in_words(question: Question) -> str:
    undo = question.facts.undo
    if undo is None:
        if question.tier == "read_only":
            sent = "; what it sends cannot be taken back" if question.facts.page else ""
            return f"it changes nothing{sent}"
        return (
            "the state before it is kept" if question.tier == "reversible" else "cannot be undone"
        )
    if undo.tool == RESTORE:
        return "the files that it changes can be put back"
    return f"by {undo.tool} {json.dumps(undo.args, ensure_ascii=False)}"


async def ask_person(
    question: Question,
    out: TextIO,
    stop: Interrupted | Paused,
    give_back: Callable[[str], None] = lambda text: None,
) -> Answer:
    """Show the card and return the answer, signed where that is needed.

    When cancelled, the card is withdrawn first and the reason, if there is one, is said.
    stop: what "stop" does to the run. give_back: takes what was typed for something else.
    """
    try:
        while True:
            choice = await shown(question, out)
            give_back(choice.typed_before)
            try:
                if choice.kind == "always" and question.always is not None:
                    out.write(visible(f"{question.always.save()}\n"))
                if choice.kind not in ("yes", "session") or question.sign is None:
                    return answer_of(question, choice, stop)
                return question.answered(True, signed=await question.sign.make())
            except AgentcliError as error:
                out.write(visible(f"{error}\n{error.hint}\n" if error.hint else f"{error}\n"))
                out.flush()
    except asyncio.CancelledError as why:
        out.write("".join(visible(f"{words}\n") for words in why.args if words))
        out.flush()
        raise


async def ask_whether(
    words: str, out: TextIO, give_back: Callable[[str], None] = lambda text: None
) -> bool:
    """Ask whether something that was just shown may be done. give_back: as for `ask_person`."""
    choice = await asyncio.to_thread(
        ask_yes, words, sys.stdin.fileno(), out, true_size, is_color(out)
    )
    give_back(choice.typed_before)
    return choice.kind == "yes"


async def shown(question: Question, out: TextIO) -> Choice:
    """Show the card and return what was chosen. When cancelled, the card is withdrawn first."""
    withdrawn = threading.Event()
    asking = asyncio.ensure_future(
        asyncio.to_thread(
            ask_card,
            card_of(question),
            sys.stdin.fileno(),
            out,
            true_size,
            is_color(out),
            cancel=withdrawn,
        )
    )
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        withdrawn.set()
        await asking
        raise


def answer_of(question: Question, choice: Choice, stop: Interrupted | Paused) -> Answer:
    """Return what the choice means to the run. `stop`: what "stop" does there."""
    match choice.kind:
        case "yes" | "always":
            return question.answered(True)
        case "session":
            return question.answered(True, session=True)
        case "edit" if choice.arguments is not None:
            return question.edited(choice.arguments)
        case "stop":
            return stop
        case _:
            return question.answered(False, choice.reason)
