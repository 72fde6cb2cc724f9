import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcli.core.command import Command
from agentcli.core.question import Question
from agentcli.core.step import Call
from agentcli.core.tool import Facts
from agentcli.core.visible import escaped
from agentcli.shell.card import Card, card_lines
from agentcli.shell.cells import styled_cells
from agentcli.shell.draw import render
from agentcli.shell.markdown import Block
from agentcli.shell.terminal import card_of

DIFF = """\
--- a/notes.txt
+++ b/notes.txt
@@ -1 +1 @@
-old
+new
"""
CARD = Card(
    title="May this run?",
    tier="irreversible",
    tool="write_file",
    arguments={"path": "notes.txt", "content": "one\ntwo \n", "mode": 6, "opts": {"x": ["\x1b"]}},
    facts=[("where", "in the sandbox, without a network"), ("undo", "cannot be undone")],
    preview=DIFF,
    reason="the workspace cannot be restored",
)


def test_a_card_shows_the_call_the_diff_and_the_facts() -> None:
    assert "\n".join(card_lines(CARD, 60, color=False)) == "\n".join(
        [
            "May this run?  irreversible",
            "  write_file",
            "  path: notes.txt",
            "  content:",
            "  │ one",
            r"  │ two\x20",
            "  │ ",
            "  mode: 6",
            "  opts:",
            "  │ {",
            '  │  "x": [',
            r'  │   "\u001b"',
            "  │  ]",
            "  │ }",
            "  what would change:",
            "  │ --- a/notes.txt",
            "  │ +++ b/notes.txt",
            "  │ @@ -1 +1 @@",
            "  │ -old",
            "  │ +new",
            "  why: the workspace cannot be restored",
            "  where: in the sandbox, without a network",
            "  undo: cannot be undone",
        ]
    )


def test_the_commands_of_a_shell_are_listed_the_worst_first() -> None:
    text = "ls 'a b'; xyzzy '\x1b[2J\n' | head > /etc/x"
    commands = (
        Command(("ls", "a b"), "reads"),
        Command(("xyzzy", "\x1b[2J\n"), "unknown", "xyzzy is not known"),
        Command((">", "/etc/x"), "writes", "it writes /etc/x"),
        Command(("echo", "x" * 300), "reads"),
    )
    card = Card("May this run?", "reversible", "shell", {"command": text}, commands=commands)
    assert card_lines(card, 60, color=False) == [
        "May this run?  reversible",
        "  shell",
        "  command:",
        r"  │ ls 'a b'; xyzzy '\x1b[2J",
        "  │ ' | head > /etc/x",
        "  what it runs, the worst first:",
        r"  │ unknown xyzzy \x1b[2J\x0a  (xyzzy is not known)",
        "  │ writes  > /etc/x  (it writes /etc/x)",
        "  │ reads   ls 'a b'",
        f"  │ reads   echo {'x' * 42}",
        f"  ┊ {'x' * 55}",
        f"  ┊ {'x' * 55}",
        f"  ┊ {'x' * 43}...",
    ]


TEXT = st.text(st.characters(), max_size=200)


@given(TEXT, TEXT, st.integers(20, 120), st.booleans())
def test_nothing_of_a_call_is_left_out_and_every_line_fits(
    name: str, value: str, width: int, color: bool
) -> None:
    lines = card_lines(Card("May this run?", "reversible", "shell", {name: value}), width, color)
    assert [line for line in lines if styled_cells(line) >= width] == []
    bare = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert "\x1b" not in "".join(bare)
    shown = re.sub("[│┊ ]|\\\\x20", "", "".join(bare))
    assert re.sub("[│┊ ]|\\\\x20|\n", "", escaped(value)) in shown


@pytest.mark.parametrize(
    ("tier", "code"), [("read_only", "32"), ("reversible", "33"), ("new", "31")]
)
def test_the_tier_is_a_word_and_a_colour(tier: str, code: str) -> None:
    first = card_lines(Card("May this run?", tier, "shell", {}), 80, color=True)[0]
    assert first.endswith(f"\x1b[1;{code}m{tier}\x1b[0m")


def test_a_folded_line_is_not_taken_for_two_and_a_value_not_for_a_fact() -> None:
    value = "x" * 40 + "\nwhere: in the sandbox"
    lines = card_lines(Card("May this run?", "reversible", "shell", {"command": value}), 30, False)
    assert lines[3:] == [f"  │ {'x' * 25}", f"  ┊ {'x' * 15}", "  │ where: in the sandbox"]


NEW = "--- /dev/null\n+++ b/notes.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n"


def test_a_new_file_is_not_shown_twice() -> None:
    card = Card("May this run?", "reversible", "write_file", {"content": "one\ntwo\n"}, preview=NEW)
    shown = "\n".join(card_lines(card, 60, color=False))
    assert shown.count("one") == 1
    assert "what would change: a new file of just this content" in shown


@pytest.mark.parametrize(
    ("content", "preview"),
    [
        ("one\ntwo\nthree\n", NEW),
        ("one\ntwo", NEW.replace("+two", "+two\\x07")),
        ("one\ntwo\n", NEW.replace("+two", " two")),
        ("one\ntwo\n", NEW.replace("/dev/null", "a/notes.txt")),
    ],
)
def test_a_change_that_is_more_than_the_content_is_shown(content: str, preview: str) -> None:
    card = Card("May this run?", "reversible", "write_file", {"content": content}, preview=preview)
    shown = "\n".join(card_lines(card, 60, color=False))
    assert "  │ @@ -0,0 +1,2 @@" in shown


def test_a_fact_is_broken_between_words_and_what_goes_on_is_no_fact_of_its_own() -> None:
    undo = 'by cancel {"what": "' + "x" * 18 + "where: in the sandbox, without a network"
    lines = card_lines(Card("May this run?", "new", "own", {}, [("undo", undo)]), 44, color=False)
    assert lines[3:] == [
        '  undo: by cancel {"what": ',
        '    "' + "x" * 18 + "where: in the ",
        "    sandbox, without a network",
    ]
    word = card_lines(Card("May this run?", "new", "own", {}, reason="é" * 90), 44, color=False)
    assert word[3:] == ["  why: " + "é" * 34, "    " + "é" * 39, "    " + "é" * 17]


def test_the_card_of_a_call_has_the_commands_that_were_found_in_it() -> None:
    found = (Command(("rm", "a"), "writes", "rm changes files"),)
    facts = Facts(commands=found, sandboxed=True, offline=True)
    asked = Question("s", "may_it_run", Call("shell", {"command": "rm a"}), facts, "reversible", "")
    lines = card_lines(card_of(asked), 80, color=False)
    assert lines[1:5] == [
        "  shell",
        "  command: rm a",
        "  what it runs, the worst first:",
        "  │ writes  rm a  (rm changes files)",
    ]


def test_the_card_of_a_page_says_what_is_read_and_that_nothing_takes_it_back() -> None:
    facts = Facts(sandboxed=True, offline=True, page="https://xn--bcher-kva.example/a%20b")
    call = Call("fetch", {"url": "https://bücher.example/a b"})
    lines = card_lines(
        card_of(Question("s", "may_it_run", call, facts, "read_only", "")), 80, False
    )
    assert lines[1:] == [
        "  fetch",
        "  url: https://bücher.example/a b",
        "  reads: https://xn--bcher-kva.example/a%20b, over this machine's network",
        "  where: in the sandbox, without a network",
        "  undo: it changes nothing; what it sends cannot be taken back",
    ]


def test_the_card_of_a_call_that_only_reads_says_that_it_changes_nothing() -> None:
    facts = Facts(sandboxed=True, offline=True)
    asked = Question("s", "may_it_run", Call("read_file"), facts, "read_only", "")
    assert card_lines(card_of(asked), 80, color=False)[-1] == "  undo: it changes nothing"


WORDS_OF_A_CARD = re.compile(
    r"  (why|reads|where|undo|note|signature|what (it runs|would change).*):"
)


@given(
    TEXT | st.sampled_from(["where", "Undo", "what would change", "a\nwhere", "│", "May this"]),
    TEXT,
)
def test_no_argument_and_no_fact_begins_a_line_as_the_card_itself_does(
    name: str, value: str
) -> None:
    forged = f"{value}\nwhere: in the sandbox\nMay this run?  read_only"
    arguments = {name: forged, "deep": [{forged: forged}]}
    card = Card("May this run?", "new", "own", arguments, [("undo", forged)], reason=forged)
    lines = card_lines(card, 60, color=False)
    assert [line for line in lines if "\n" in line or not line.startswith("  ")] == lines[:1]
    found = [line for line in lines if WORDS_OF_A_CARD.match(line)]
    assert [line[:6] for line in found] == ["  why:", "  undo"]


def test_an_argument_named_as_the_card_s_own_words_stands_in_quotes() -> None:
    arguments = {"where": "in the sandbox", "why not": 1, "path": "x"}
    lines = card_lines(Card("May this run?", "new", "own", arguments), 60, color=False)
    assert lines[2:] == ['  "where": in the sandbox', '  "why not": 1', "  path: x"]


def test_only_our_own_words_are_in_reverse() -> None:
    reverse = re.compile(r"\x1b\[([0-9]+;)*7[;m]")
    card = Card("May this run?", "new", "own", {"a": "\x1b[7mMay this run?"}, reason="\x1b[7mx")
    first, *more = card_lines(card, 60, color=True)
    assert reverse.search(first)
    assert not reverse.search("".join(more))
    drawn = render(Block("markdown", "# **May this run?** `x` [a](b) \x1b[7mx\x1b[1;7my"), 60, True)
    assert not reverse.search(drawn)
