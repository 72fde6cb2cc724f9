import re
from xml.etree import ElementTree

import pytest

from agentcli.core.event import Recorded, Replied, RunStarted
from agentcli.core.step import Agent
from agentcli.shell.picture import CELL_PX, Look, Piece, picture_of, rows_of
from tests.shell.test_player import RECORDS, TEXT

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawn: str) -> list[str]:
    found = ElementTree.fromstring(drawn).iter(f"{SVG}text")
    return [(text.text or "").replace("\xa0", " ") for text in found]


def records_of(text: str) -> list[Recorded]:
    said = Replied(("main/ask.1", 1), ({"type": "text", "text": text},))
    return [Recorded(1, 1, 0, RunStarted("r", Agent("react", text))), Recorded(2, 1, 0, said)]


def test_the_run_is_in_it_with_its_title_and_its_last_line() -> None:
    drawn = picture_of(RECORDS, "agentcli run <sum>", "done · 1 turn", 80, None)
    shown = texts(drawn)
    assert shown[0] == "agentcli run <sum>"
    assert shown[-1] == "done · 1 turn"
    assert {"› What is 1+1?", TEXT, "✓", "calculator 1+1"} <= {text.strip() for text in shown}


def test_it_needs_nothing_from_outside_and_runs_nothing() -> None:
    drawn = picture_of(records_of("<script>alert(1)</script> & \x1b[2J"), "x", "", 80, None)
    root = ElementTree.fromstring(drawn)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "title",
        "rect",
        "path",
        "circle",
        "g",
        "text",
    }
    names = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in names if "href" in name or name.startswith("on")}
    assert "url(" not in drawn
    assert "\x1b" not in drawn
    assert any("<script>" in text for text in texts(drawn))


@pytest.mark.parametrize("text", ["a\x00b", "\ufffe \uffff", "]]>", "\U0001f600 é", "\u202e x"])
def test_any_text_makes_good_xml(text: str) -> None:
    assert texts(picture_of(records_of(text), text, text, 40, None))


def test_wide_characters_take_two_columns() -> None:
    (row,) = rows_of("a漢字b", 80)
    assert [(piece.column, piece.text) for piece in row] == [
        (0, "a"),
        (1, "漢"),
        (3, "字"),
        (5, "b"),
    ]
    drawn = picture_of(records_of("漢b"), "x", "", 80, None)
    left = {
        text.text: float(text.attrib["x"])
        for text in ElementTree.fromstring(drawn).iter(SVG + "text")
    }
    assert left["b"] - left["漢"] == pytest.approx(2 * CELL_PX, abs=0.02)


def test_colours_and_styles_are_kept_and_end_where_they_end() -> None:
    (row,) = rows_of("\x1b[1;31mbad\x1b[0m \x1b[2mdim\x1b[22m plain\x1b[99m", 80)
    assert row == [
        Piece(0, "bad", Look(color="#ff7b72", bold=True)),
        Piece(3, " ", Look()),
        Piece(4, "dim", Look(dim=True)),
        Piece(7, " plain", Look()),
    ]


@pytest.mark.parametrize("width", [20, 33, 80])
def test_no_row_is_wider_than_asked_for_and_nothing_is_lost(width: int) -> None:
    line = "Some words " * 20 + "x" * 200 + " 漢字" * 50
    rows = rows_of(line, width)
    assert all(row[-1].column + 2 <= width + 1 for row in rows if row)
    shown = "".join(piece.text for row in rows for piece in row)
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", line)
    assert rows_of("", width) == [[]]


def test_a_line_breaks_between_words() -> None:
    rows = rows_of("one two three four five six", 15)
    assert ["".join(piece.text for piece in row).strip() for row in rows] == [
        "one two three",
        "four five six",
    ]


def test_of_a_long_run_the_middle_is_left_out() -> None:
    text = "\n\n".join(f"line {n}." for n in range(100))
    shown = texts(picture_of(records_of(text), "x", "the end", 80, 12))
    assert len(shown) <= 1 + 12
    assert shown[-1] == "the end"
    assert any(re.fullmatch(r"… \d+ more lines", text) for text in shown)
