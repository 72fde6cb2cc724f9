"""A trail fits the terminal, says what there is to say, and cannot be forged by what it tells."""

import pytest

from agentcli.cli.story import block_of, day_of
from agentcli.core.event import Answered, Judged, Started, ToolEnded
from agentcli.core.policy import Ask
from agentcli.core.step import AskPerson, Call, RunTool
from agentcli.core.tool import Undo
from agentcli.ledger.story import Story
from agentcli.shell.cells import styled_cells
from tests.core.test_visible import FORBIDDEN
from tests.ledger.test_trail import AT, FACTS, PAY, STEP, begun, story_of, undone

EVIL = "\x1b[31mred\x1b]0;x\x07\n    99  00:00:00  judged     allow \u202e\x9b2J 漢字漢字" * 3


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def lines(story: Story, width: int = 120, *, whole: bool = False) -> list[str]:
    return block_of(story, day_of(AT), width, color=False, whole=whole)


def hostile() -> Story:
    call = Call("pay", {EVIL: EVIL}, "toolu_1")
    return story_of(
        *begun(call),
        Judged(STEP, EVIL, Ask(EVIL, "irreversible", EVIL)),
        Started((STEP, 2), AskPerson("may_it_run", call, EVIL, 7)),
        Answered(STEP, "may_it_run", EVIL, True, EVIL, by=EVIL, signature=EVIL),
        Started((STEP, 3), RunTool(call, FACTS, 7), EVIL, EVIL),
        ToolEnded((STEP, 3), "done", EVIL, full=EVIL, undo=Undo(EVIL, {EVIL: EVIL})),
    )


def test_a_call_is_told_a_line_a_record() -> None:
    story = story_of(
        *begun(),
        Judged(STEP, "b" * 64, Ask("irreversible_asks", "irreversible", "no undo")),
        Started((STEP, 2), AskPerson("may_it_run", PAY, "b" * 64, 7)),
        Answered(STEP, "may_it_run", "b" * 64, True, "fine", by="ada", signature="SIG"),
        Answered(STEP, "may_it_run", "b" * 64, True),
        Started((STEP, 3), RunTool(PAY, FACTS, 7), "k" * 64, "b" * 64),
        ToolEnded((STEP, 3), "done", "paid\nwell", size_bytes=9, after="a" * 64),
    )
    assert lines(story, 140) == [
        "main/call.1.0  pay  open",
        '  {"eur": 3}',
        "     5  22:13:25  proposed   by claude-x in main/ask.1, record 4; request req_1; "
        "args feddb0e9e6c9",
        "     6  22:13:26  judged     ask by irreversible_asks; irreversible; no undo",
        "     7  22:13:27  asked      May it run? Shown: record 7, bound bbbbbbbbbbbb",
        "     8  22:13:28  answered   yes by ada; signed; fine",
        "     9  22:13:29  answered   yes; fits no open question, so it counts for nothing",
        "    10  22:13:30  ran        act 3; key kkkkkkkkkkkk; bound bbbbbbbbbbbb",
        "    11  22:13:31  came back  done in 1,000 ms; paid …; 9 bytes, result 6f8c458ed2f0; "
        "state after aaaaaaaaaaaa",
    ]


def test_another_day_is_said_where_it_begins() -> None:
    story = story_of(*begun())
    assert "  2023-11-14" in block_of(story, "2023-11-13", 120, color=False, whole=False)
    assert "  2023-11-14" not in lines(story)


@pytest.mark.parametrize("width", range(60, 201, 7))
def test_no_line_is_wider_than_the_terminal_whatever_is_told(width: int) -> None:
    for story in (hostile(), *undone().stories.values()):
        for color in (False, True):
            rows = block_of(story, "", width, color=color, whole=True)
            assert max(map(styled_cells, rows)) <= width


def test_what_is_told_can_neither_paint_nor_add_a_line() -> None:
    rows = lines(hostile(), 200)
    assert FORBIDDEN.findall("\n".join(rows)) == []
    numbers = [row[:6] for row in rows if row[:6].strip().isdecimal()]
    assert numbers == [f"{n:6}" for n in (5, 6, 7, 8, 9, 10)]


def test_long_arguments_are_clipped_unless_one_call_is_asked_for() -> None:
    story = story_of(*begun(Call("pay", {"text": "a" * 1000})))
    assert "712 characters more" in "".join(lines(story, 100))
    assert "a" * 50 not in "".join(lines(story, 100))[350:]
    assert "".join(row.strip() for row in lines(story, 100, whole=True)).count("a") > 1000
