"""Keys of a terminal, read one by one, for a question that nothing typed earlier may answer."""

import atexit
import codecs
import contextlib
import os
import re
import select
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, TextIO

from agentcli.core.visible import visible_line
from agentcli.shell.cells import cells

POLL_S = 0.1
ESCAPE_S = 0.05
PASTE_S = 2.0
BURST_S = 0.02  # nobody presses two keys within it
AT_ONCE = "(pasted text, and keys that come all at once, answer nothing: press them one by one)"
INTERRUPT, END, CLEAR, WORD = "\x03", "\x04", "\x15", "\x17"
ENTERS, BACKSPACES = ("\r", "\n"), ("\x7f", "\x08")
PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
PASTE_BEGIN, PASTE_END = "\x1b[200~", "\x1b[201~"
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^\[O])", re.DOTALL)


class WithdrawnError(Exception):
    """The question was taken away before it was answered."""


class Keys:
    """Raw reading while it is open; the terminal is as before on every way out.

    arming_s: how long nothing must have been typed before `arm` returns. Call it once the question
    is on the screen: what was typed until then is `typed_before`, meant for something else.
    cancel: set from another thread to end a waiting read with WithdrawnError.
    marks_paste: whether the terminal is asked to mark what is pasted.
    """

    def __init__(
        self,
        fd: int,
        out: TextIO,
        *,
        arming_s: float = 0.4,
        cancel: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        marks_paste: bool = True,
        columns: Callable[[], int] = lambda: 80,
    ) -> None:
        self.fd, self.out, self.arming_s, self.clock = fd, out, arming_s, clock
        self.cancel = cancel or threading.Event()
        self.marks_paste, self.columns = marks_paste, columns
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.waiting = ""
        self.typed_before = ""
        self.handlers: dict[int, Any] = {}

    def __enter__(self) -> "Keys":
        self.before = termios.tcgetattr(self.fd)
        try:
            self.catch_signals()
            atexit.register(self.restore)
            self.make_raw()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.restore()
        atexit.unregister(self.restore)
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        self.handlers.clear()

    def make_raw(self) -> None:
        mode = termios.tcgetattr(self.fd)
        mode[0] &= ~(termios.IXON | termios.ICRNL | termios.INLCR | termios.IGNCR)
        mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        # Not flushed: what is waiting is read by `arm` and given back.
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)
        self.say(PASTE_ON if self.marks_paste else "")

    def restore(self) -> None:
        """Give the terminal back as it was."""
        # A terminal that is gone has nothing to be restored.
        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcsetattr(self.fd, termios.TCSANOW, self.before)
            self.say(PASTE_OFF if self.marks_paste else "")

    def catch_signals(self) -> None:
        """Restore the terminal before a signal that would end the process at once."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) is signal.SIG_DFL:
                self.handlers[number] = signal.signal(number, self.end)

    def end(self, number: int, _frame: FrameType | None) -> None:
        self.restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Lend the terminal to another program, as it was."""
        self.restore()
        try:
            yield
        finally:
            self.make_raw()

    def arm(self) -> None:
        """Wait until nothing has been typed for `arming_s`; what was typed answers nothing."""
        typed = self.waiting
        self.waiting = ""
        until = self.clock() + self.arming_s
        while True:
            left = until - self.clock()
            if not self.is_ready(max(0.0, min(left, POLL_S))):
                if left <= 0:
                    break
                continue
            typed += (data := self.read())
            if INTERRUPT in data:
                raise KeyboardInterrupt
            until = self.clock() + self.arming_s
        self.typed_before += draft_of(typed)

    def is_ready(self, wait_s: float) -> bool:
        if self.cancel.is_set():
            raise WithdrawnError
        return bool(select.select([self.fd], [], [], wait_s)[0])

    def read(self) -> str:
        try:
            data = os.read(self.fd, 4096)
        except OSError as error:  # a pseudo-terminal whose other end is closed
            raise EOFError from error
        if not data:
            raise EOFError
        return self.decoder.decode(data)

    def more(self, timeout_s: float | None = None) -> bool:
        """Return whether there is something to take, waiting for it if need be."""
        until = None if timeout_s is None else self.clock() + timeout_s
        while not self.waiting:
            left = POLL_S if until is None else min(POLL_S, until - self.clock())
            if self.is_ready(max(0.0, left)):
                self.waiting += self.read()
            elif until is not None and self.clock() >= until:
                return False
        return True

    def read_key(self, timeout_s: float | None = None) -> str | None:
        r"""Return one key that was pressed by itself, None when the time is over.

        Escape sequences and Alt keys are swallowed, a bare Escape is "\x1b". What comes in a burst,
        as pasted text does, answers nothing and goes to `typed_before`.

        Raises KeyboardInterrupt for Ctrl+C, EOFError when the terminal is gone, WithdrawnError.
        """
        while self.more(timeout_s):
            if self.waiting.startswith("\x1b"):
                if (escape := self.take_escape()) == "\x1b":
                    return escape
                if escape == PASTE_BEGIN:
                    self.ignore(self.take_paste())
            elif key := self.take_key():
                return key
        return None

    def take_key(self) -> str:
        """Take one key that is not an escape, "" if it came at once with others."""
        while self.is_ready(BURST_S):
            self.waiting += self.read()
        burst, self.waiting = re.split("(?=\x1b)", self.waiting + "\x1b", maxsplit=1)
        self.waiting = self.waiting[:-1]
        if INTERRUPT in burst:
            raise KeyboardInterrupt
        key = burst if burst.strip("\r\n") else burst[0]
        if len(key) == 1:
            return key
        self.ignore(burst)
        return ""

    def ignore(self, typed: str) -> None:
        """Keep what was pasted for something else, with all that comes until it is quiet again.

        Its last piece may come late or alone, and may hold the mark of its end: none is a key.
        """
        self.typed_before += draft_of(typed)
        self.say(f"\n{AT_ONCE}\n")
        self.arm()

    def take_escape(self) -> str:
        """Take one escape sequence, or the Escape key if nothing follows it soon."""
        while (match := _ESCAPE.match(self.waiting)) is None:
            before = self.waiting
            if len(before) > 64 or not self.is_ready(ESCAPE_S):
                break
            self.waiting += self.read()
        taken = match[0] if match else self.waiting
        self.waiting = self.waiting[len(taken) :]
        return taken

    def take_paste(self) -> str:
        """Take what is pasted, up to its end mark or until nothing more comes."""
        text, self.waiting = self.waiting, ""
        while PASTE_END not in text and self.is_ready(PASTE_S):
            text += self.read()
        pasted, _, self.waiting = text.partition(PASTE_END)
        return pasted

    def read_line(self, prompt: str, text: str = "", *, takes_paste: bool = True) -> str | None:
        """Return a typed line, None for Ctrl+D on an empty one. Raises as read_key does.

        text: what stands there at first. takes_paste: pasted text counts; its line ends are blanks.
            Where it does not, neither do keys that come all at once.
        """
        shown = self.show_line(prompt, text, 0)
        while self.more():
            if self.waiting.startswith("\x1b"):
                if self.take_escape() == PASTE_BEGIN:
                    pasted = self.take_paste()
                    if takes_paste:
                        text += " ".join(draft_of(pasted).split())
                    else:
                        self.ignore(pasted)
            else:
                if takes_paste:
                    key, self.waiting = self.waiting[0], self.waiting[1:]
                else:
                    key = self.take_key()
                if key == INTERRUPT:
                    raise KeyboardInterrupt
                if key in ENTERS:
                    # Enter alone: what follows it was meant for nobody.
                    self.waiting = ""
                    self.say("\n")
                    return text
                if key == END and not text:
                    self.say("\n")
                    return None
                text = edited(text, key)
            shown = self.show_line(prompt, text, shown)
        return None

    def show_line(self, prompt: str, text: str, before: int) -> int:
        """Draw the line anew, its end if it is too long, and return its columns."""
        room = max(8, self.columns() - 1)
        line = visible_line(prompt + text)
        if cells(line) > room:
            while cells(line) >= room:
                line = line[max(1, (cells(line) - room) // 2) :]
            line = f"…{line}"
        now = cells(line)
        blank = " " * (before - now)
        # Without escapes, so that it works on any terminal.
        self.say(f"\r{line}{blank}" + "\b" * len(blank))
        return now

    def say(self, text: str) -> None:
        if text:
            self.out.write(text)
            self.out.flush()


def edited(text: str, key: str) -> str:
    """Return the text after a key: a character, Backspace, Ctrl+U or Ctrl+W."""
    if key in BACKSPACES:
        return text[:-1]
    if key == CLEAR:
        return ""
    if key == WORD:
        return text.rstrip().rpartition(" ")[0] + (" " if " " in text.rstrip() else "")
    return text + key if key.isprintable() else text


def draft_of(typed: str) -> str:
    """Return what was typed as text: without escape sequences and control characters."""
    text = _ESCAPE.sub("", typed).replace("\r", "\n")
    return "".join(char for char in text if char.isprintable() or char == "\n")
