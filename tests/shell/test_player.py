import re

import pytest

from agentcli.core.event import (
    Ended,
    Event,
    Grown,
    Recorded,
    Replied,
    RunStarted,
    Settled,
    Started,
    ToolEnded,
)
from agentcli.core.step import Agent, AskModel, Call, RunTool
from agentcli.core.tool import Facts
from agentcli.shell.player import Page, Player, clock

TEXT = "I add the two numbers and say what comes of it."
CALL = Call("calculator", {"expression": "1+1"})
# The record's time in seconds, and whether something is to be seen of it.
TIMES: list[tuple[float, Event]] = [
    (0, RunStarted("r", Agent("react", "What is 1+1?"))),  # 1: seen
    (0, Grown("main", {}, ())),
    (0, Started(("main/ask.1", 1), AskModel())),
    (2, Replied(("main/ask.1", 1), ({"type": "text", "text": TEXT},))),  # 4: seen
    (2, Settled("main/ask.1", "done", 4)),
    (2, Started(("main/call.1.0", 1), RunTool(CALL, Facts(), 5))),
    (3, ToolEnded(("main/call.1.0", 1), "done", "2")),  # 7: seen
    (100, Ended("done")),
]
RECORDS = [Recorded(n, 1, int(s * 1e6), event) for n, (s, event) in enumerate(TIMES, start=1)]
SEEN = [1, 4, 7]


class Screen(Page):
    """Also keeps the live lines as they are now."""

    live: list[str] = []

    def set_lines(self, lines: list[str]) -> None:
        self.live = lines


def make_player(count: int = len(RECORDS), *, is_live: bool = False) -> tuple[Player, Screen]:
    screen = Screen()
    player = Player(screen, lambda: 80, False, is_live=is_live, records=RECORDS[:count])
    return player, screen


def whole() -> list[str]:
    player, screen = make_player()
    player.go_to(len(RECORDS))
    return screen.lines


def press(player: Player, keys: str) -> None:
    for key in keys:
        player.press(key)


def test_records_are_shown_after_the_time_that_they_took() -> None:
    player, screen = make_player()
    shown = []
    for _ in range(9):
        player.pass_time(1.0)
        shown.append(player.at)
    # A wait of 97 s is cut to 5 s.
    assert shown == [3, 6, 7, 7, 7, 7, 7, 8, 8]
    assert player.is_over
    assert screen.lines == whole()


def test_twice_the_speed_takes_half_the_time() -> None:
    player, _ = make_player()
    player.press("+")
    player.pass_time(1.5)
    assert player.at == 7
    press(player, "--")
    assert player.speed == 0.5
    press(player, "-" * 50)
    assert player.speed > 0
    press(player, "+" * 50)
    assert player.speed < 1000


def test_a_reply_comes_piece_by_piece_and_is_there_once() -> None:
    player, screen = make_player()
    player.pass_time(1.0)
    player.draw()
    begun = " ".join(screen.live)
    assert begun
    assert TEXT.startswith(begun)
    assert len(begun) < len(TEXT)
    player.press("n")
    player.draw()
    assert "".join(screen.lines).count("I add") == 1
    assert TEXT in screen.lines


def test_time_stands_still_while_paused_or_while_a_number_is_typed() -> None:
    player, _ = make_player()
    player.press(" ")
    player.pass_time(50)
    assert player.at == 0
    press(player, " g")
    player.pass_time(50)
    assert player.at == 0
    assert not player.is_over
    player.press("\x1b")
    player.pass_time(50)
    assert player.at > 0


@pytest.mark.parametrize("key", ["n", "\x1b[C", "\x1bOC"])
def test_one_record_on_at_a_time_while_paused(key: str) -> None:
    player, screen = make_player()
    for number in range(1, len(RECORDS) + 3):
        player.press(key)
        assert player.at == min(number, len(RECORDS))
    assert player.paused
    assert not player.is_over, "one may still go back"
    assert screen.lines == whole()


@pytest.mark.parametrize("key", ["b", "\x1b[D", "\x1bOD"])
def test_back_goes_to_the_last_thing_that_is_to_be_seen(key: str) -> None:
    player, _ = make_player()
    player.go_to(len(RECORDS))
    assert player.stage.seen == SEEN
    found = []
    for _ in range(4):
        player.press(key)
        found.append(player.at)
    assert found == [4, 1, 0, 0]


@pytest.mark.parametrize("start", range(1, len(RECORDS) + 1))
def test_after_going_back_it_goes_on_as_before(start: int) -> None:
    player, screen = make_player()
    player.go_to(start)
    player.step_back()
    at = player.at
    rule = f"— record {at} —"
    assert rule in screen.lines
    again = screen.lines[screen.lines.index(rule) + 1 :]
    player.go_to(len(RECORDS))
    rest = screen.lines[screen.lines.index(rule) + 1 + len(again) :]
    kept = [line for line in [*again, *rest] if line]
    assert kept == [line for line in whole() if line]


def test_what_was_shown_is_never_taken_back_and_nothing_is_cleared() -> None:
    player, screen = make_player()
    before = 0
    for key in ["n"] * 7 + ["b", "b", "n", "g", "6", "\r", "g", "2", "\r", " "]:
        player.press(key)
        assert len(screen.parts) >= before
        before = len(screen.parts)
    assert "\x1b" not in "".join(screen.parts)


def test_only_the_last_lines_are_repeated() -> None:
    player, screen = make_player()
    player.room = lambda: 2
    player.go_to(7)
    count = len(screen.lines)
    player.go_to(4)
    assert screen.lines[count] == "— record 4 —"
    assert len(screen.lines) - count == 4


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        ("g5\r", 5),
        ("g55\x7f\r", 5),
        ("g999999999999\r", 8),
        ("g\r", 3),
        ("g7\x1b", 3),
        ("gx6\r", 6),
    ],
)
def test_a_record_is_gone_to_by_its_number(keys: str, at: int) -> None:
    player, _ = make_player()
    player.go_to(3)
    press(player, keys)
    assert (player.at, player.typed) == (at, None)


def test_q_leaves_and_an_ended_replay_that_plays_is_over() -> None:
    player, _ = make_player()
    player.press("q")
    assert player.is_over
    player, _ = make_player()
    player.press(" ")
    player.go_to(len(RECORDS))
    assert not player.is_over
    player.press(" ")
    assert player.is_over


def test_a_live_run_that_was_caught_up_with_is_shown_as_it_comes() -> None:
    player, screen = make_player(3, is_live=True)
    player.pass_time(30)
    assert (player.at, player.is_over, player.caught_up) == (3, False, True)
    player.add(RECORDS[3:4])
    player.pass_time(0.1)
    assert player.at == 4
    player.add(RECORDS[4:])
    player.is_live = False
    player.pass_time(0.1)
    player.pass_time(6)
    assert player.is_over
    assert screen.lines == whole()


def test_following_begins_at_the_present() -> None:
    player, screen = make_player(3, is_live=True)
    player.catch_up(1.25)
    player.draw(status=True)
    assert player.at == 3
    assert "waiting for the model 1 s" in screen.live[0]
    assert (
        "record 3 of 3 so far · waiting for more · space n b g + - q · 0:01 of 0:01 · 1x"
        in screen.live[1]
    )


def test_the_status_line_says_where_it_is() -> None:
    player, screen = make_player()
    player.go_to(7)
    press(player, "+ ")
    player.draw(status=True)
    expected = "record 7 of 8: tool ended · paused · space n b g + - q · 0:03 of 1:40 · 2x"
    assert screen.live == [expected]
    player.draw()
    assert screen.live == []


def test_an_empty_run_has_a_status_too() -> None:
    player, screen = make_player(0, is_live=True)
    player.pass_time(1)
    press(player, "nb+")
    player.draw(status=True)
    assert re.search("record 0 of 0 so far · .* · 0:00 of 0:00", screen.live[-1])


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61.9, "1:01"), (3_661, "1:01:01")])
def test_times_are_minutes_and_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text
