"""Keys of a terminal, read one by one, for a question that nothing typed earlier may answer."""

import codecs
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

POLL_S = 0.1
ESCAPE_S = 0.05
# The terminal then marks what is pasted, so that it is no answer.
PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
INTERRUPT, END, BACKSPACES, CLEAR = "\x03", "\x04", ("\x7f", "\x08"), "\x15"


class WithdrawnError(Exception):
    """The question was taken away before it was answered."""


class Keys:
    """Raw reading while it is open; the terminal is as before on every way out.

    arming_s: what is typed in this time after opening is thrown away, like all before it.
    cancel: set from another thread to end a waiting read with WithdrawnError.
    """

    def __init__(
        self,
        fd: int,
        out: TextIO,
        *,
        arming_s: float = 0.4,
        cancel: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fd, self.out, self.arming_s, self.clock = fd, out, arming_s, clock
        self.cancel = cancel or threading.Event()
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.waiting: list[str] = []

    def __enter__(self) -> "Keys":
        self.before = termios.tcgetattr(self.fd)
        tty.setraw(self.fd, termios.TCSAFLUSH)
        mode = termios.tcgetattr(self.fd)
        mode[1] |= termios.OPOST  # lines that are written still end as lines
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)
        self.say(PASTE_ON)
        self.disarm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.say(PASTE_OFF)
        termios.tcsetattr(self.fd, termios.TCSAFLUSH, self.before)

    def disarm(self) -> None:
        """Throw away what is typed until the person has had time to see the question."""
        until = self.clock() + self.arming_s
        while (left := until - self.clock()) > 0:
            if select.select([self.fd], [], [], left)[0] and not os.read(self.fd, 4096):
                return

    def read_key(self) -> str:
        """Return one character; escape sequences and pasted text are swallowed.

        Raises WithdrawnError, KeyboardInterrupt for Ctrl+C, EOFError when the terminal is gone.
        """
        while True:
            key = self.next_char()
            if key == "\x1b":
                self.swallow()
            elif key == INTERRUPT:
                raise KeyboardInterrupt
            else:
                return key

    def next_char(self) -> str:
        while not self.waiting:
            if self.cancel.is_set():
                raise WithdrawnError
            if select.select([self.fd], [], [], POLL_S)[0]:
                data = os.read(self.fd, 1024)
                if not data:
                    raise EOFError
                self.waiting += self.decoder.decode(data)
        return self.waiting.pop(0)

    def swallow(self) -> None:
        """Drop the rest of an escape sequence, and what is pasted between its marks."""
        text = self.rest_of_escape()
        if text == "[200~":
            pasted = ""
            while not pasted.endswith("\x1b[201~"):
                pasted = pasted[-8:] + self.next_char()

    def rest_of_escape(self) -> str:
        text = ""
        while self.waiting or select.select([self.fd], [], [], ESCAPE_S)[0]:
            text += self.next_char()
            if text not in ("[", "O") and (text[-1].isalpha() or text[-1] == "~"):
                break
        return text

    def read_line(self, prompt: str) -> str | None:
        """Return a typed line, None for Ctrl+D on an empty one. Raises as read_key does."""
        self.say(prompt)
        text = ""
        while True:
            key = self.read_key()
            if key in ("\r", "\n"):
                self.say("\n")
                return text
            if key == END:
                if not text:
                    self.say("\n")
                    return None
            elif key in BACKSPACES:
                if text:
                    text = text[:-1]
                    self.say("\b \b")
            elif key == CLEAR:
                self.say("\b \b" * len(text))
                text = ""
            elif key.isprintable():
                text += key
                self.say(key)

    def say(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()
