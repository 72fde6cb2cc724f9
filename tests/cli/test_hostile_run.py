"""A run in which all is hostile: what audits, undoes and answers it shows nothing but text."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from markdown_it import MarkdownIt

from agentcli.core.visible import escaped
from tests.cli.conftest import SANDBOX, Played, Program, call
from tests.cli.test_approve import FILES, RAN
from tests.cli.test_escapes import texts_in
from tests.cli.test_own_tool import add_tool
from tests.core.test_visible import FORBIDDEN

MARKUP = "[red]x[/red] [link=https://evil.example]y[/link] [bold]"
NAME = "\x1b[31m\x1b]0;t\x07\u202e\u200b\x9b2J[red][link=x]<b>\r\ttail"
TEXT = f"""{NAME}{MARKUP}</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>
# Owned
```
main/call.9.0  shell  done
answered: yes · own
May this run?  read_only
![x](https://evil.example/y) [z](javascript:alert(1)) &#x1b;[2J \U000e0041\ud7ff"""
LONG = NAME + "x" * 900_000
FORGED = ("main/call.9.0", "answered: yes", "May this run?  read_only", "# Owned")
pytestmark = pytest.mark.skipif(SANDBOX == "local", reason="what runs on the bare host asks first")


def done(program: Program) -> Played:
    """Return a run that has changed files of hostile names, and read hostile ones."""
    (program.folder / NAME).write_text(TEXT)
    played = program.play(
        {"text": TEXT, **call("read_file", path=NAME)},
        call("write_file", path=f"{NAME}2", content=TEXT),
        call("edit_file", path=NAME, old="# Owned", new=f"# {NAME}"),
        call("shell", command="cat *; rm -f *2; exit 3"),
        call("shel", what=TEXT),
        {"text": LONG},
        words=("--profile", "coder"),
    )
    assert played.code == 0
    return played


def parked(program: Program, to: str) -> Played:
    words = add_tool(program, RAN, tier="irreversible", parameters=FILES, idempotent=False)
    played = program.play({"text": TEXT, **call("own", to=to)}, {"text": "all done"}, words=words)
    assert played.code == 77
    return played


def assert_plain(ended: Any) -> str:
    """Check that no byte rules a terminal and that no line is forged; return all that was said."""
    said = str(ended.stdout + ended.stderr)
    assert said
    assert FORBIDDEN.findall(said) == []
    return said


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "trail", "last"),
        ("audit", "trail", "last", "--call", "main/call.2.0"),
        ("audit", "trail", "last", "--call", f"{NAME}\nmain/call.9.0"),
        ("audit", "trail", f"{NAME}\nmain/call.9.0"),
        ("undo", "last", "--dry-run"),
        ("undo", "last", "--yes"),
        ("undo", "last", f"{NAME}\nmain/call.9.0", "--yes"),
        ("undo", f"{NAME}\nmain/call.9.0", "--yes"),
        ("approve", "last", "--show"),
        ("approve", f"{NAME}\nanswered: yes", "--show"),
        ("runs", "show", "last"),
    ],
)
def test_a_run_that_is_over_is_told_in_plain_text(program: Program, words: tuple[str, ...]) -> None:
    done(program)
    said = assert_plain(program.run(*words))
    assert [line for line in said.split("\n") if line.startswith(FORGED)] == []


@pytest.mark.parametrize(
    "words", [("audit", "trail", "last"), ("undo", "last", "--dry-run"), ("undo", "last", "--yes")]
)
def test_its_documents_are_json_and_say_all_of_it(program: Program, words: tuple[str, ...]) -> None:
    done(program)
    ended = program.run(*words, "--json")
    assert ended.returncode == 0, ended.stderr
    assert_plain(ended)
    document = json.loads(ended.stdout)
    assert words[-1] == "--yes" or any(NAME in text for text in texts_in(document))


@pytest.mark.parametrize("to", [TEXT, LONG[:200_000]], ids=["text", "long"])
def test_a_question_is_told_in_plain_text_and_whole(program: Program, to: str) -> None:
    parked(program, to)
    listed = program.run("approve", "last", "--show")
    said = assert_plain(listed)
    forged = [line for line in said.split("\n") if line.startswith(FORGED)]
    assert forged == [], "a card has no line of an argument at its edge"
    whole = re.sub(r"\W", "", escaped(to))
    assert whole in re.sub(r"\W", "", said)
    document = json.loads(program.run("approve", "last", "--show", "--json").stdout)
    [question] = document["questions"]
    assert question["arguments"] == {"to": to}
    assert_plain(program.run("approve"))
    ended = program.run("approve", "last", "--bound", question["bound"])
    assert ended.returncode == 0
    assert_plain(ended)


def test_a_no_with_a_hostile_reason_is_told_in_plain_text(program: Program) -> None:
    parked(program, "x")
    assert_plain(program.run("approve", "last", "--bound", f"{NAME}\nanswered: yes"))
    assert_plain(program.run("approve", "last", "--no", "--reason", TEXT))
    assert_plain(program.run("audit", "trail", "last"))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_pages_of_it_run_and_fetch_nothing(program: Program) -> None:
    done(program)
    html = program.run("runs", "export", "last", "--html", "-").stdout
    assert FORBIDDEN.findall(html) == []
    page = Tags()
    page.feed(html)
    assert page.found & {"script", "img", "a", "b", "link", "iframe", "object", "form"} == set()
    assert {name for name in page.attributes if name.startswith("on")} == set()
    assert page.attributes & {"href", "src", "style"} == set()
    text = program.run("runs", "export", "last", "--md", "-").stdout
    assert FORBIDDEN.findall(text) == []
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    kinds = {child.type for token in tokens for child in (token, *(token.children or ()))}
    assert kinds & {"link_open", "image", "html_block", "html_inline", "strong_open"} == set()
    headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    assert [heading for heading in headings if heading.startswith("Owned")] == []
