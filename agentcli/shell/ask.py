"""Asks a person at the terminal whether a call may run. Whatever is not a clear yes is no."""

import json
import os
import shlex
import subprocess
import tempfile
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from agentcli.shell.card import Card, card_lines
from agentcli.shell.console import style
from agentcli.shell.keys import Keys, WithdrawnError


@dataclass(frozen=True)
class Choice:
    """arguments: the new ones of an edit. reason: of a no, for the model."""

    kind: Literal["yes", "session", "edit", "no", "stop"]
    reason: str = ""
    arguments: dict[str, Any] | None = None


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

    A yes is withheld until the whole card was shown. Nothing typed before it counts.
    """
    out.write("\n\a")
    try:
        with Keys(in_fd, out, arming_s=arming_s, cancel=cancel) as keys:
            show(card, keys, size, color)
            while True:
                choice = choose(card, keys, color)
                if choice is not None and choice.kind == "edit":
                    choice = edit(card, keys, out)
                if choice is not None:
                    return choice
    except KeyboardInterrupt:
        return Choice("stop")
    except WithdrawnError:
        keys.say("\n(taken back)\n")
        return Choice("no", "withdrawn")
    except (EOFError, OSError, termios.error):
        return Choice("no", "the terminal is gone")


def show(card: Card, keys: Keys, size: Callable[[], tuple[int, int]], color: bool) -> None:
    """Show the whole card, a screen at a time."""
    columns, rows = size()
    lines = card_lines(card, columns, color)
    page = max(3, rows - 3)
    while lines:
        keys.say("\n".join(lines[:page]) + "\n")
        lines = lines[page:]
        if lines:
            keys.say(style(f"[{len(lines)} more lines: space]", "reverse", color=color))
            while keys.read_key() not in (" ", "\r"):
                pass
            keys.say("\r\x1b[K" if color else "\n")


def choose(card: Card, keys: Keys, color: bool) -> Choice | None:
    """Return the choice, or None for what is none. What cannot be undone takes a typed word."""
    if card.needs_typing:
        words = f"Type {card.tool} to let it run, e to edit, n for no, s to stop [no]: "
        typed = keys.read_line(style(words, "bold", color=color))
        word = "n" if typed is None else typed.strip() or "n"
        return Choice("yes") if word == card.tool else choice_of(word, card, keys)
    session = f" · a every reversible {card.tool} of this session" if card.offers_session else ""
    words = f"y yes, once{session} · e edit · n no · s stop [no] "
    keys.say(style(words, "bold", color=color))
    key = keys.read_key()
    keys.say("\n")
    if key.lower() == "y":
        return Choice("yes")
    if key.lower() == "a" and card.offers_session:
        return Choice("session")
    return choice_of("n" if key in ("\r", "\n", "\x04") else key, card, keys)


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


def edit(card: Card, keys: Keys, out: TextIO) -> Choice | None:
    """Return the edited arguments, or None to be asked again."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    before = json.dumps(card.arguments, ensure_ascii=False, indent=2)
    text = in_editor(editor, before, keys) if editor else keys.read_line("New arguments (JSON): ")
    if text is None or not text.strip():
        return None
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError) as error:
        out.write(f"not JSON: {error}\n")
        return None
    if not isinstance(arguments, dict):
        out.write("the arguments must be a JSON object\n")
        return None
    return None if arguments == card.arguments else Choice("edit", arguments=arguments)


def in_editor(editor: str, text: str, keys: Keys) -> str | None:
    """Return the text after the person's editor had it, None if the editor failed."""
    with tempfile.TemporaryDirectory(prefix="agentcli-edit-") as folder:
        path = Path(folder, "arguments.json")
        path.touch(mode=0o600)
        path.write_text(text + "\n", encoding="utf-8")
        termios.tcsetattr(keys.fd, termios.TCSADRAIN, keys.before)
        try:
            ended = subprocess.run([*shlex.split(editor), str(path)], stdin=keys.fd, check=False)
        except OSError as error:
            keys.say(f"{editor}: {error.strerror}\n")
            return None
        finally:
            keys.__enter__()
        return path.read_text(encoding="utf-8") if ended.returncode == 0 else None
