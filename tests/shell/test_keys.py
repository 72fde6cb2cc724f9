"""The terminal while a question reads it, over a real pseudo-terminal."""

import io
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from agentcli.shell.keys import PASTE_OFF, PASTE_ON, Keys


class Pty:
    def __init__(self) -> None:
        self.person, self.program = pty.openpty()
        self.out = io.StringIO()

    def type(self, text: str) -> None:
        os.write(self.person, text.encode())

    def keys(self, arming_s: float = 0.05) -> Keys:
        return Keys(self.program, self.out, arming_s=arming_s, columns=lambda: 30)

    def attributes(self) -> list[object]:
        return list(termios.tcgetattr(self.program))


@pytest.fixture
def tty() -> Iterator[Pty]:
    opened = Pty()
    yield opened
    os.close(opened.program)
    os.close(opened.person)


@pytest.mark.parametrize("ending", [KeyboardInterrupt, ValueError, SystemExit])
def test_the_terminal_is_as_before_on_every_way_out(tty: Pty, ending: type[BaseException]) -> None:
    before = tty.attributes()
    with tty.keys():
        assert tty.attributes() != before
    assert tty.attributes() == before
    with pytest.raises(ending), tty.keys():
        raise ending
    assert tty.attributes() == before
    assert tty.out.getvalue() == 2 * (PASTE_ON + PASTE_OFF)


def test_a_signal_that_ends_the_process_finds_the_terminal_restored(tty: Pty) -> None:
    before = tty.attributes()
    program = (
        "import sys; from agentcli.shell.keys import Keys\n"
        "with Keys(0, sys.stdout) as keys: print('ready'); keys.arm(); keys.read_key()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=tty.program, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        assert "ready" in child.stdout.readline()
        assert tty.attributes() != before
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == -signal.SIGTERM
    assert tty.attributes() == before


def test_what_was_typed_before_is_given_back_and_answers_nothing(tty: Pty) -> None:
    tty.type("y\rtell me é\x1b[A\x1b[200~pasted\x1b[201~")
    with tty.keys() as keys:
        keys.arm()
        assert keys.typed_before == "y\ntell me épasted"
        assert keys.read_key(0.05) is None


def test_it_arms_only_when_the_typing_stops(tty: Pty) -> None:
    def type_on() -> None:
        for char in "yyyyyyyyyy":
            time.sleep(0.05)
            tty.type(char)

    typist = threading.Thread(target=type_on)
    with tty.keys(arming_s=0.2) as keys:
        typist.start()
        keys.arm()
        typist.join()
        assert (keys.typed_before, keys.read_key(0.05)) == ("yyyyyyyyyy", None)


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("y", "y"),
        ("é", "é"),
        ("y\r", None),
        ("\r\n", "\r"),
        ("\r", "\r"),
        ("\x04", "\x04"),
        ("\x1b", "\x1b"),
        ("\x1b[A\x1bOP\x1b[1;5Cn", "n"),
        ("\x1by", None),
        ("yes, do it\r", None),
        ("\x1b[200~y\r\x1b[201~", None),
        ("\x1b[200~y", None),
        ("\x1b[200~x\x1b[201~y", None),
    ],
)
def test_only_a_key_by_itself_is_a_key(
    tty: Pty, typed: str, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentcli.shell.keys.PASTE_S", 0.1)
    with tty.keys() as keys:
        tty.type(typed)
        assert keys.read_key(0.3) == key


def test_the_last_letter_of_a_long_paste_is_no_key(tty: Pty) -> None:
    """It is longer than what is read at once, and what comes last comes late."""

    def paste() -> None:
        tty.type("x" * 6000)
        time.sleep(0.1)
        tty.type("y")

    typist = threading.Thread(target=paste)
    with tty.keys(arming_s=0.3) as keys:
        typist.start()
        assert keys.read_key(1) is None
        typist.join()
        assert keys.typed_before == "x" * 6000 + "y"


@pytest.mark.parametrize("read", [Keys.read_key, Keys.arm, lambda keys: keys.read_line("? ")])
def test_ctrl_c_interrupts(tty: Pty, read: Callable[[Keys], object]) -> None:
    with tty.keys(arming_s=1) as keys:
        tty.type("\x03")
        with pytest.raises(KeyboardInterrupt):
            read(keys)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("yes\r", "yes"),
        ("né\x7fo\n", "no"),
        ("wrong\x15right\r", "right"),
        ("one two\x17\r", "one "),
        ("a\x1b[D\x1bOH\tb\r", "ab"),
        ("\x1b[200~a\rb\x1b[201~\r", "a b"),
        ("a\x04\x7f\x04", None),
        ("\x04", None),
        ("漢字" * 20 + "\r", "漢字" * 20),
    ],
)
def test_a_line_is_edited_and_read(tty: Pty, typed: str, line: str | None) -> None:
    with tty.keys() as keys:
        tty.type(typed)
        assert keys.read_line("? ") == line
    rows = tty.out.getvalue().replace(PASTE_ON, "").replace(PASTE_OFF, "").split("\r")
    assert [row for row in rows if "\x1b" in row] == []


def test_a_pasted_word_confirms_nothing(tty: Pty) -> None:
    with tty.keys() as keys:
        tty.type("\x1b[200~shell\x1b[201~\r")
        later = threading.Timer(0.3, tty.type, ("\r",))
        later.start()
        assert keys.read_line("? ", takes_paste=False) == ""
        assert keys.typed_before == "shell\n"


def test_a_terminal_that_is_gone_ends_the_question() -> None:
    gone = Pty()
    with gone.keys() as keys:
        os.close(gone.person)
        with pytest.raises(EOFError):
            keys.read_key()
    os.close(gone.program)
