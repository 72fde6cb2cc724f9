"""Plays a recorded run as it looked, from its ledger alone: moved by time and by keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agentcli.core.event import Recorded, Replied, TextDelta
from agentcli.core.message import text_of
from agentcli.core.record import tag_of
from agentcli.shell.console import style
from agentcli.shell.transcript import Screen, Transcript

FRAME_S = 1 / 12
LONGEST_WAIT_S = 5.0
PIECE = 4
SLOWEST, FASTEST = 1 / 16, 64.0
ESCAPE, ENTERS, BACKSPACES = "\x1b", ("\r", "\n"), ("\x7f", "\x08")
ON, BACK, LEAVE = ("n", "\x1b[C", "\x1bOC"), ("b", "\x1b[D", "\x1bOD"), ("q", "\x04")
KEYS = "space n b g + - q"


class Page:
    """A screen that only keeps what is written on it."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write_above(self, text: str) -> None:
        self.parts.append(text)

    def set_lines(self, lines: list[str]) -> None:
        """What is not finished is not kept."""

    @property
    def lines(self) -> list[str]:
        return "".join(self.parts).splitlines()


class Stage:
    """The screen of a replay: notes which records write something, adds a line of status."""

    def __init__(self, screen: Screen) -> None:
        self.screen, self.status = screen, ""
        self.at = 0  # the record that is being shown
        self.seen: list[int] = []  # those that wrote something, in order

    def write_above(self, text: str) -> None:
        if not self.seen or self.seen[-1] < self.at:
            self.seen.append(self.at)
        self.screen.write_above(text)

    def set_lines(self, lines: list[str]) -> None:
        self.screen.set_lines([*lines, self.status] if self.status else lines)


@dataclass
class Player:
    """Where a replay is. `at`: how many records have been shown.

    Waits of more than 5 s, such as for a person, are cut to that.
    is_live: more records may come; once all have been shown, the next is shown when it comes.
    room: how many lines are repeated when one goes back.
    """

    screen: Screen
    width: Callable[[], int]
    color: bool
    speed: float = 1.0
    paused: bool = False
    is_live: bool = False
    room: Callable[[], int] = lambda: 10
    records: list[Recorded] = field(default_factory=list)
    at: int = 0
    spent_s: float = 0.0  # of the run's own time, since the last record that was shown
    caught_up: bool = False
    has_left: bool = False
    typed: str | None = None  # the number of the record to go to
    streamed: int = 0  # pieces of the next reply that have been shown

    def __post_init__(self) -> None:
        self.stage = Stage(self.screen)
        self.transcript = self.opened(self.stage)

    def opened(self, screen: Screen) -> Transcript:
        return Transcript(screen, self.width, self.color, self.now_s)

    def add(self, records: Sequence[Recorded]) -> None:
        self.records += records

    @property
    def is_over(self) -> bool:
        ended = self.at == len(self.records) and not self.is_live
        return self.has_left or (ended and not self.is_held)

    @property
    def is_held(self) -> bool:
        """Whether time stands still: paused, or a number is being typed."""
        return self.paused or self.typed is not None

    @property
    def wait_s(self) -> float:
        """How long the next record took to come, or what a viewer waits for it at most."""
        if self.at == 0:
            return 0.0
        took_us = self.records[self.at].at_us - self.records[self.at - 1].at_us
        return min(LONGEST_WAIT_S, max(0, took_us) / 1e6)

    def now_s(self) -> float:
        """Return the time of the run that is being shown."""
        last = self.records[self.at - 1].at_us / 1e6 if self.at else 0.0
        spent = self.spent_s if self.at == len(self.records) else min(self.spent_s, self.wait_s)
        return last + spent

    def pass_time(self, seconds: float) -> None:
        """Show what is due after so much more time."""
        if self.is_held:
            return
        # At the present, time cannot be made to go faster.
        self.spent_s += seconds * (1.0 if self.caught_up else self.speed)
        while self.at < len(self.records):
            wait_s = self.wait_s
            if not self.caught_up and self.spent_s < wait_s:
                self.stream(self.spent_s / wait_s)
                return
            left_s = 0.0 if self.caught_up else self.spent_s - wait_s
            self.caught_up = False
            self.forward()
            self.spent_s = left_s
        self.caught_up = self.is_live

    def catch_up(self, now_s: float) -> None:
        """Show all that there is, and go on from the present."""
        self.go_to(len(self.records))
        if self.is_live:
            self.caught_up = True
            self.spent_s = max(0.0, now_s - self.now_s())

    def stream(self, share: float) -> None:
        """Show so much of the text of the reply that is on its way."""
        replied = self.records[self.at].event
        if isinstance(replied, Replied) and (pieces := pieces_of(replied)):
            self.stage.at = self.at + 1
            upto = int(len(pieces) * share)
            for piece in pieces[self.streamed : upto]:
                self.transcript.show(TextDelta(replied.id, piece))
            self.streamed = max(self.streamed, upto)

    def forward(self) -> None:
        """Show the next record."""
        if self.streamed:
            self.stream(1.0)
        rec = self.records[self.at]
        self.at += 1
        self.stage.at, self.streamed, self.spent_s = self.at, 0, 0.0
        self.transcript.publish(rec)

    def go_to(self, number: int) -> None:
        """Show everything up to a record; what lies behind is shown again in brief."""
        number = min(max(0, number), len(self.records))
        if number < self.at or (number == self.at and self.streamed):
            self.go_back(number)
        while self.at < number:
            self.forward()
        self.spent_s, self.caught_up = 0.0, False

    def go_back(self, number: int) -> None:
        """Begin anew, unseen, and repeat the last lines that stood there under a rule.

        What is in the scrollback stays as it is.
        """
        page = Page()
        self.at, self.streamed, self.spent_s = 0, 0, 0.0
        self.transcript = self.opened(page)
        for rec in self.records[:number]:
            self.at += 1
            self.transcript.publish(rec)
        self.transcript.screen = self.stage
        self.stage.seen = [at for at in self.stage.seen if at <= number]
        shown = "\n".join(page.lines).strip("\n").splitlines()[-self.room() :]
        rule = style(f"— record {number} —", "dim", color=self.color)
        self.screen.write_above("\n".join([rule, *shown]) + "\n\n")

    def step_back(self) -> None:
        """Go to the record before the last one that is to be seen."""
        before = [at for at in self.stage.seen if at <= self.at][:-1]
        self.go_to(before[-1] if before else 0)

    def press(self, key: str) -> None:
        """Do what a key means: a character, or the escape sequence of an arrow."""
        if self.typed is not None:
            self.press_digit(key, self.typed)
        elif key == " ":
            self.paused = not self.paused
        elif key in ON:
            self.paused = True
            if self.at < len(self.records):
                self.forward()
        elif key in BACK:
            self.paused = True
            self.step_back()
        elif key == "g":
            self.typed = ""
        elif key in ("+", "="):
            self.speed = min(FASTEST, self.speed * 2)
        elif key in ("-", "_"):
            self.speed = max(SLOWEST, self.speed / 2)
        elif key in LEAVE:
            self.has_left = True

    def press_digit(self, key: str, typed: str) -> None:
        if key in ENTERS:
            self.typed = None
            if typed:
                self.paused = True
                self.go_to(int(typed))
        elif key in BACKSPACES:
            self.typed = typed[:-1]
        elif key.isascii() and key.isdigit():
            self.typed = (typed + key)[:9]
        elif key == ESCAPE or key in LEAVE:
            self.typed = None

    def draw(self, *, status: bool = False) -> None:
        """Draw what is under way, and below it where the replay is."""
        self.stage.status = style(self.status(), "dim", color=self.color) if status else ""
        self.transcript.tick()

    def status(self) -> str:
        if self.typed is not None:
            return f"go to record (1 to {len(self.records)}): {self.typed}▏"
        first = self.records[0].at_us / 1e6 if self.records else 0.0
        last = self.records[-1].at_us / 1e6 if self.records else 0.0
        now = max(first, self.now_s())
        so_far = " so far" if self.is_live else ""
        state = "paused" if self.paused else "waiting for more" if self.caught_up else "playing"
        if self.at == len(self.records) and not self.is_live:
            state = "the end"
        kind = f": {kind_of(self.records[self.at - 1])}" if self.paused and self.at else ""
        parts = [
            f"record {self.at} of {len(self.records)}{so_far}{kind}",
            state,
            KEYS,
            f"{clock(now - first)} of {clock(max(now, last) - first)}",
            f"{self.speed:g}x",
        ]
        return " · ".join(parts)


def pieces_of(replied: Replied) -> list[str]:
    """Return a reply's text in pieces such as a model sends."""
    text = text_of(replied.blocks)
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def kind_of(rec: Recorded) -> str:
    return tag_of(type(rec.event)).replace("_", " ")


def clock(seconds: float) -> str:
    """Return a time as a player shows it."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
