"""Asks a person at the terminal whether a call may run. Whatever is not a clear yes is no."""

import json
import os
import shlex
import subprocess
import tempfile
import termios
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TextIO

from agentcli.core.visible import escaped
from agentcli.shell.card import Card, as_json, card_lines
from agentcli.shell.cells import folded_at_blanks
from agentcli.shell.console import style
from agentcli.shell.keys import END, ENTERS, Keys, WithdrawnError
from agentcli.shell.pager import Pager


@dataclass(frozen=True)
class Choice:
    """arguments: the new ones of an edit. reason: of a no, for the model.

    typed_before: what was typed for something else while the card came up, to be given back.
    """

    kind: Literal["yes", "session", "always", "edit", "no", "stop"]
    reason: str = ""
    arguments: dict[str, Any] | None = None
    typed_before: str = field(default="", compare=False)


def ask_card(
    card: Card,
    in_fd: int,
    out: TextIO,
    size: Callable[[], tuple[int, int]],
    color: bool,
    *,
    arming_s: float = 0.4,
    cancel: threading.Event | None = None,
) -> Choice:
    """Show the card and return what the person chose. Blocks; `cancel` takes the card away.

    A yes is withheld until the whole card was shown. Nothing typed before it counts, nor what is
    typed in its first moments: the question below it comes when no key was pressed for `arming_s`.
    """
    out.write("\n\a")
    marks = os.environ.get("TERM") != "dumb"
    keys = Keys(
        in_fd, out, arming_s=arming_s, cancel=cancel, marks_paste=marks, columns=lambda: size()[0]
    )
    try:
        with keys:
            choice = answer(card, keys, size, color)
    except KeyboardInterrupt:
        keys.say("\n")  # whatever follows is no part of the question
        choice = Choice("stop")
    except WithdrawnError:
        keys.say("\n(no longer asked here)\n")
        choice = Choice("no", "withdrawn")
    except (EOFError, OSError, termios.error):
        choice = Choice("stop")  # the terminal is gone; whoever resumes is asked again
    return replace(choice, typed_before=keys.typed_before)


def ask_yes(
    words: str,
    in_fd: int,
    out: TextIO,
    size: Callable[[], tuple[int, int]],
    color: bool,
    *,
    lines: Sequence[str] = (),
) -> Choice:
    """Ask whether something may be done. Blocks. A key counts once it waits.

    lines: harmless ones that are shown first, a screen at a time; a yes counts once all were seen.
    """
    marks = os.environ.get("TERM") != "dumb"
    keys = Keys(in_fd, out, marks_paste=marks, columns=lambda: size()[0])
    pager = Pager(keys, size, color)
    question = f"{words} y yes · n no [no] "
    choice = Choice("no")
    try:
        with keys:
            left = ""
            while lines and not left and not pager.holds:
                left = pager.show(partial(folded_lines, lines), question)
            keys.arm()
            keys.say(style(question, "bold", color=color))
            if not left and str(keys.read_key()).lower() == "y" and (pager.holds or not lines):
                choice = Choice("yes")
            keys.say(f"{choice.kind}\n")
    except (KeyboardInterrupt, EOFError, OSError, termios.error):
        choice = Choice("no")
    return replace(choice, typed_before=keys.typed_before)


def answer(card: Card, keys: Keys, size: Callable[[], tuple[int, int]], color: bool) -> Choice:
    pager = Pager(keys, size, color)
    choice = None
    while choice is None:
        left = ""
        if not pager.holds:
            left = pager.show(partial(card_lines, card, color=color), question_of(card))
        choice = choice_of(left, card, keys) if left else choose(card, pager)
        if choice is not None and choice.kind == "edit":
            choice = edit(card, keys)
        if choice is not None and choice.kind in ("yes", "session", "always") and not pager.holds:
            choice = None
    return choice


def question_of(card: Card) -> str:
    """Return the question below a card. A word is typed below it, where one is needed."""
    tool = escaped(card.tool)
    if card.needs_typing:
        return f"Type {tool} to let it run, e to edit, n for no, s to stop [no]\n"
    if card.is_past:
        return "y it happened · n it did not · s stop "
    session = f" · a every reversible {tool} of this session" if card.offers_session else ""
    always = " · A always" if card.always else ""
    return f"y yes, once{session}{always} · e edit · n no · s stop [no] "


def choose(card: Card, pager: Pager) -> Choice | None:
    """Return the choice, or None for what is none. What cannot be undone takes a typed word."""
    keys = pager.keys
    keys.arm()
    keys.say(style(question_of(card), "bold", color=pager.color))
    if card.needs_typing:
        typed = keys.read_line("> ", takes_paste=False)
        word = "n" if typed is None else typed.strip() or "n"
        return Choice("yes") if word == card.tool else choice_of(word, card, keys)
    key = str(keys.read_key())
    keys.say("\n")
    if card.is_past:
        return what_was(key)
    if key.lower() == "y":
        return Choice("yes")
    if key == "A" and card.always:
        return choose_always(card, pager)
    if key.lower() == "a" and card.offers_session:
        return Choice("session")
    return choice_of("n" if key in (*ENTERS, END) else key, card, keys)


def choose_always(card: Card, pager: Pager) -> Choice | None:
    """Show what a rule would let run; only a second key keeps it, else one is asked again."""
    keys = pager.keys
    question = "Keep this rule, and say yes? y yes · n no [no] "
    shown = Pager(keys, pager.size, pager.color)
    if shown.show(partial(rule_lines, card.always), question):
        return None
    keys.arm()
    keys.say(style(question, "bold", color=pager.color))
    key = str(keys.read_key())
    keys.say("\n")
    return Choice("always") if key.lower() == "y" and shown.holds else None


def rule_lines(words: str, width: int) -> list[str]:
    """Return a rule in words as lines that fit the width."""
    return folded_lines(escaped(words).split("\n"), width)


def folded_lines(lines: Sequence[str], width: int) -> list[str]:
    return [row for line in lines for row in folded_at_blanks(line, width - 1)]


def what_was(key: str) -> Choice | None:
    """Return what a person knows of a call that was cut off; there is no default."""
    match key.lower():
        case "y":
            return Choice("yes")
        case "n":
            return Choice("no")
        case "s":
            return Choice("stop")
        case _:
            return None


def choice_of(word: str, card: Card, keys: Keys) -> Choice | None:
    match word.lower():
        case "e":
            return Choice("edit")
        case "s":
            return Choice("stop")
        case "n" | "no":
            reason = keys.read_line("No. Why? (for the model; Enter for none) ")
            return Choice("no", (reason or "").strip())
        case _:
            keys.say("Nothing was allowed.\n" if card.needs_typing else "")
            return None


def edit(card: Card, keys: Keys) -> Choice | None:
    """Return the edited arguments, or None to be asked again."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if editor:
        text = in_editor(editor, as_json(card.arguments, indent=2), keys)
    else:
        keys.say("Arguments as JSON; Ctrl+U clears the line, Enter on an empty one goes back.\n")
        text = keys.read_line("> ", as_json(card.arguments))
    if text is None or not text.strip():
        return None
    try:
        arguments = json.loads(text, object_pairs_hook=without_twins, parse_constant=refused)
        json.dumps(arguments, ensure_ascii=False).encode()  # no half characters
    except (ValueError, RecursionError) as error:
        keys.say(f"not JSON: {error}\n")
        return None
    if not isinstance(arguments, dict):
        keys.say("the arguments must be a JSON object\n")
        return None
    return None if arguments == card.arguments else Choice("edit", arguments=arguments)


def without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the same name stands there twice")
    return found


def refused(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def in_editor(editor: str, text: str, keys: Keys) -> str | None:
    """Return the text after the person's editor had it, None if the editor failed."""
    with tempfile.TemporaryDirectory(prefix="agentcli-edit-") as folder:
        path = Path(folder, "arguments.json")
        path.touch(mode=0o600)
        path.write_text(text + "\n", encoding="utf-8")
        try:
            with keys.released():
                argv = [*shlex.split(editor), str(path)]
                ended = subprocess.run(argv, stdin=keys.fd, check=False)
            if ended.returncode == 0:
                return path.read_text(encoding="utf-8")
            keys.say(f"the editor failed with {ended.returncode}: nothing was changed\n")
        except (OSError, ValueError) as error:
            keys.say(f"{escaped(editor)}: {error}\n")
    return None
