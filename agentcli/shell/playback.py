"""A replay at a terminal, with keys, or on any other stream, without."""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from agentcli.compose.report import last_of
from agentcli.core.event import Ended, Event, Parked, Recorded
from agentcli.core.visible import visible
from agentcli.errors import UsageError
from agentcli.shell import terminal
from agentcli.shell.keys import INTERRUPT, Keys
from agentcli.shell.live import LiveRegion
from agentcli.shell.player import FRAME_S, Player

POLL_S = 0.1
ALIVE_S = 1.0


class Source(Protocol):
    """Where records come from; `is_written`: whether more may come."""

    def news(self) -> list[Recorded]: ...

    def is_written(self) -> bool: ...


@dataclass(frozen=True)
class Wish:
    """How a replay is to be. speed: None for no waits at all. to: 0 for the beginning.

    step: begin paused. follow: skip to the present. stays: while the run is written.
    """

    speed: float | None = 1.0
    step: bool = False
    to: int = 0
    follow: bool = False
    stays: bool = True


class TerminatedError(BaseException):
    """The process is to end: raised where it stands, so that the terminal is given back."""

    def __init__(self, number: int) -> None:
        self.number = number


class Watching:
    """Brings the records to a player: those that are there, and those that come."""

    def __init__(
        self, source: Source, player: Player, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.source, self.player, self.clock = source, player, clock
        self.looked_at = self.alive_at = clock()
        player.is_live = self.was_live = source.is_written()
        player.add(source.news())

    def look(self) -> None:
        """Take in what has come, ten times a second at most."""
        if not self.player.is_live or self.clock() - self.looked_at < POLL_S:
            return
        self.looked_at = self.clock()
        news = self.source.news()
        if news:
            self.alive_at = self.looked_at
        elif self.looked_at - self.alive_at >= ALIVE_S:
            self.alive_at = self.looked_at
            if not self.source.is_written():
                news = self.source.news()  # what it wrote last, just before
                self.player.is_live = False
        self.player.add(news)
        if news and isinstance(news[-1].event, Ended):
            self.player.is_live = False


def watch(source: Source, run: str, wish: Wish) -> int:
    """Show a run as it looked, and go on while it is written. Returns the exit code."""
    color = terminal.is_color(sys.stdout)
    region = LiveRegion(sys.stdout, terminal.size, color)
    player = Player(
        region,
        terminal.width,
        color,
        speed=wish.speed or 1.0,
        paused=wish.step,
        room=lambda: max(4, terminal.size()[1] // 2),
    )
    watching = Watching(source, player)
    if wish.to > len(player.records):
        raise UsageError(f"--to {wish.to}: the run has {len(player.records)} records")
    player.is_live = player.is_live and wish.stays
    try:
        with terminating():
            if sys.stdin.isatty() and sys.stdout.isatty() and wish.speed is not None:
                player.go_to(wish.to)
                if wish.follow:
                    player.catch_up(time.time())
                play_with_keys(watching, sys.stdin.fileno(), region)
            else:
                play_plainly(watching, wish)
    except TerminatedError as ended:
        return 128 + ended.number
    finally:
        region.close()
    last = last_of(player.records)
    followed = (watching.was_live or wish.follow) and wish.stays
    is_whole = player.at == len(player.records)
    if not player.has_left and (followed or (is_whole and not isinstance(last, Ended))):
        print(visible(how_it_stands(last, run, source.is_written())), file=sys.stderr)
    return 0


def play_with_keys(watching: Watching, stdin: int, region: LiveRegion) -> None:
    """Play until the person leaves, or a run that was followed ends.

    Raises KeyboardInterrupt for Ctrl+C.
    """
    player, before = watching.player, watching.clock()
    with Keys(stdin, region.out, marks_paste=False, columns=terminal.width) as keys:
        while not player.is_over:
            player.draw(status=True)
            try:
                key = read_key(keys, POLL_S if player.is_held else FRAME_S)
            except EOFError:  # the terminal is gone
                return
            now = watching.clock()
            player.pass_time(now - before)
            before = now
            if player.at == len(player.records) and not watching.was_live:
                player.paused = True  # a short run would be over before a key is pressed
            if key:
                player.press(key)
                if not region.is_live:  # a line that cannot change is written where it matters
                    region.write_above(player.status() + "\n")
            watching.look()
        player.draw()


def read_key(keys: Keys, wait_s: float) -> str | None:
    """Return the next key, an arrow as its escape sequence, or None if none comes in time."""
    if not keys.more(wait_s):
        return None
    if keys.waiting.startswith("\x1b"):
        return keys.take_escape()
    key, keys.waiting = keys.waiting[0], keys.waiting[1:]
    if key == INTERRUPT:
        raise KeyboardInterrupt
    return key


def play_plainly(
    watching: Watching, wish: Wish, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Play to the record that is wished for, or to the end."""
    player, before = watching.player, watching.clock()
    while True:
        now = watching.clock()
        if wish.speed is None or wish.follow:
            player.go_to(wish.to or len(player.records))
        else:
            player.pass_time(now - before)
        before = now
        player.draw()
        if player.is_over or (wish.to and player.at >= wish.to):
            return
        sleep(FRAME_S)
        watching.look()


@contextlib.contextmanager
def terminating() -> Iterator[None]:
    """Let the signals that end a process unwind it."""

    def unwind(number: int, _frame: FrameType | None) -> None:
        raise TerminatedError(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def how_it_stands(last: Event | None, run: str, is_written: bool) -> str:
    """Return in words how a run stands that was watched, and what goes on from there."""
    match last:
        case Ended(status=status):
            return f"the run has ended: {status}"
        case Parked(why=why):
            return f"the run is parked: {why} · resume: agentcli resume {run}"
        case _ if is_written:
            return f"it goes on · follow it: agentcli replay {run} --follow"
        case _:
            return f"its process is gone, without an end · resume: agentcli resume {run}"
