"""No text of another's making reaches a terminal as anything but text, whatever draws it."""

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.layout.processors import TransformationInput

from agentcli.cli.document import json_text
from agentcli.cli.page import short
from agentcli.cli.table import print_table
from agentcli.core.event import (
    Event,
    Failed,
    Judged,
    OutputChunk,
    Prepared,
    Recorded,
    Replied,
    RunStarted,
    Signal,
    Started,
    TextDelta,
    ToolEnded,
    UserSaid,
)
from agentcli.core.policy import Deny
from agentcli.core.step import Agent, Call, RunTool
from agentcli.core.tool import Facts
from agentcli.shell.card import Card, card_lines
from agentcli.shell.headless import Progress
from agentcli.shell.live import LiveRegion, harmless
from agentcli.shell.page import html_page, markdown_page
from agentcli.shell.picture import picture_of
from agentcli.shell.prompt import Harmless
from agentcli.shell.transcript import Transcript
from tests.core.test_visible import FORBIDDEN, PIECES
from tests.shell.test_page import page_of

# What we write ourselves: colours, frames, the cursor, erased and inserted lines.
OURS = re.compile(r"\x1b\[(?:[0-9;]*m|\?(?:25|2026)[hl]|\d*[ACKL])|\r")
HOSTILE = st.lists(
    st.sampled_from([*PIECES, "```", "|-|", "# ", "- ", "[a](b)", "<!--", "&#x1b;", "&#8238;", "`"])
    | st.text(st.characters(), max_size=4),
    max_size=30,
).map("".join)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def assert_harmless(shown: str) -> None:
    bare = OURS.sub("", shown)
    assert FORBIDDEN.findall(bare) == []
    bare.encode()


def events(text: str) -> Iterator[Recorded | Signal]:
    """Yield a run in which all that is not ours is this text."""
    call = Call(text, {text: text, "a": [text]})
    facts = Facts(preview=f"--- a\n+++ b\n+{text}", notes=(text,), files={text: "x"})
    act = ("main/turn.1/call.1", 1)
    facts_of_run: list[Event | Signal] = [
        RunStarted("r", Agent("react", text), title=text),
        UserSaid(text, "main"),
        Started(act, RunTool(call, facts, 1)),
        OutputChunk(act, text),
        TextDelta(act, text),
        TextDelta(act, text, "tool"),
        Prepared(act, call, facts),
        Replied(act, ({"type": "text", "text": text},)),
        Judged(act[0], "", Deny(text, "read_only")),
        ToolEnded(act, "done", text, error=True),
        Failed(act, "invalid", text),
        Failed(act, "transient", text),
    ]
    for at, fact in enumerate(facts_of_run):
        yield fact if isinstance(fact, Signal) else Recorded(at + 1, 1, at, fact)


@given(HOSTILE, st.booleans(), st.integers(1, 100))
def test_the_transcript_and_the_live_lines(text: str, color: bool, width: int) -> None:
    out = Terminal()
    with LiveRegion(out, lambda: (width, 24), color, clock=iter(range(9999)).__next__) as region:
        transcript = Transcript(region, lambda: width, color)
        for fact in events(text):
            if isinstance(fact, Recorded):
                transcript.publish(fact)
            else:
                transcript.show(fact)
            transcript.tick()
    assert_harmless(out.getvalue())


@given(HOSTILE)
def test_what_the_chat_writes_itself(text: str) -> None:
    class Screen:
        shown = ""

        def write_above(self, text: str) -> None:
            self.shown += text

        def set_lines(self, lines: list[str]) -> None:
            self.shown += "\n".join(lines)

    screen = Screen()
    transcript = Transcript(screen, lambda: 60, True)
    for fact in events(text):
        if isinstance(fact, Recorded):
            transcript.publish(fact)
        else:
            transcript.show(fact)
        transcript.tick()
    assert_harmless(screen.shown)
    assert_harmless(harmless(text, True))


@given(HOSTILE)
def test_the_lines_of_a_run_without_a_terminal(text: str) -> None:
    err = io.StringIO()
    progress = Progress(err)
    for fact in events(text):
        if isinstance(fact, Recorded):
            progress.publish(fact)
    assert_harmless(err.getvalue())


@given(HOSTILE, st.integers(1, 100), st.booleans())
def test_a_card(text: str, width: int, color: bool) -> None:
    value = {text: text, "deep": [{text: text}], "n": None}
    card = Card(text, "reversible", text, value, [(text, text)], (), text, text)
    assert_harmless("\n".join(card_lines(card, width, color)))


@given(HOSTILE)
@settings(max_examples=50)
def test_pages_pictures_and_documents(text: str) -> None:
    records = [fact for fact in events(text) if isinstance(fact, Recorded)]
    conversation = page_of(text)
    drawn = picture_of(records, text, text, 80, None)
    pages = (markdown_page(conversation), html_page(conversation), drawn, json_text({text: text}))
    for page in pages:
        assert "\x1b" not in page
        assert_harmless(page)


@given(HOSTILE, st.booleans())
@settings(max_examples=50)
def test_a_table_and_a_path(text: str, is_terminal: bool) -> None:
    before, sys.stdout = sys.stdout, Terminal() if is_terminal else io.StringIO()
    try:
        print_table([text, "b"], [[text, text], [short(text), text]])
        shown = sys.stdout.getvalue()
    finally:
        sys.stdout = before
    assert_harmless(shown)


@given(HOSTILE, HOSTILE)
def test_what_is_typed_pasted_or_in_the_history(text: str, other: str) -> None:
    given_text = [("", text), ("bold", other)]
    told = TransformationInput(None, None, 0, lambda at: at, given_text, 80, 24)  # type: ignore[arg-type]
    shown = Harmless().apply_transformation(told)
    assert_harmless(fragment_list_to_text(shown.fragments))
    for at in range(len(text + other) + 1):
        assert shown.display_to_source(shown.source_to_display(at)) <= at
    assert shown.source_to_display(0) == 0
    assert shown.source_to_display(len(text + other)) == len(fragment_list_to_text(shown.fragments))


@pytest.mark.parametrize("color", [True, False])
def test_a_card_marks_letters_of_another_script(color: bool) -> None:
    card = Card("May this run?", "irreversible", "fetch", {"url": "https://p\u0430ypal.com"})
    shown = "\n".join(card_lines(card, 60, color))
    assert r"url: https://p\u0430ypal.com" in shown
    assert "! mixed scripts: \u0430 (Cyrillic)" in shown


def test_errors_of_files_are_harmless(tmp_path: Path) -> None:
    from agentcli.document import Document, read_document
    from agentcli.errors import AgentcliError

    class Wanted(Document):
        name: int

    evil = "\x1b]0;x\x07\u202e\U000e0041\ufe01"
    for text in (f'name: "{evil}"', f'"{evil}": 1', f"name: !{evil} x", f"{evil}", '"\\u202e": 1'):
        path = tmp_path / f"{evil}.yaml"
        path.write_text(text)
        with pytest.raises(AgentcliError) as wrong:
            read_document(path, Wanted)
        assert FORBIDDEN.findall(str(wrong.value)) == []
