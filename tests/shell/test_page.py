"""A page of a run holds what others said as text only, whatever they said."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from agentcli.compose.conversation import Called, Conversation, Note, Words
from agentcli.core.visible import visible
from agentcli.shell.page import OUTPUT_CHARS, html_page, inline, markdown_page
from tests.core.test_visible import FORBIDDEN

EVIL = """# Owned
```
</pre></style></section><script>alert(1)</script><img src=https://x.example/y>
![x](https://x.example/y) [y](javascript:alert(1)) <https://x.example> https://x.example
````text
- *approved* **by** _ada_ | `b` & &lt; &#x202e; \\ ~~~ $x$ @ada
~~~~
===
\x1b[31m\u202e"quoted" 'text'"""


def page_of(text: str, output: str = "", full: str = "") -> Conversation:
    return Conversation(
        text,
        [("status", text)],
        [
            Words(1, "user", text),
            Words(2, text, text),
            Called(3, text, text, text, "done", [("allowed", text)], output or text, full),
            Note(4, text),
        ],
    )


def test_markdown_is_nothing_but_our_own_headings_lists_and_fences() -> None:
    page = markdown_page(page_of(EVIL, full="ab.txt"))
    assert FORBIDDEN.findall(page) == []
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page)
    kinds = [token.type for token in tokens if token.type.endswith("_open")]
    headings = [token.tag for token in tokens if token.type == "heading_open"]
    assert headings == ["h1", "h2", "h2", "h3"]
    assert set(kinds) <= {
        *("heading_open", "bullet_list_open", "list_item_open", "paragraph_open"),
    }
    inner = {child.type for token in tokens for child in token.children or []}
    assert inner <= {"text", "em_open", "em_close", "text_special"}
    fences = [token.content for token in tokens if token.type == "fence"]
    said = visible(EVIL) + "\n"
    assert fences == [said, said, said, said + "[the whole output: outputs/ab.txt]\n"]
    texts = ["".join(c.content for c in token.children or []) for token in tokens]
    line = " ".join(visible(EVIL).split())
    assert line in texts
    assert f"status: {line}" in texts


@pytest.mark.parametrize("text", ["a", "a_b", "<b>", "`x`", "&amp;", "\\*", "a\nb", "1. x", "- x"])
def test_a_line_of_markdown_reads_as_it_was(text: str) -> None:
    tokens = MarkdownIt().parse(f"- x: {inline(text)}")
    (content,) = (token for token in tokens if token.type == "inline")
    assert all(child.type in ("text", "text_special") for child in content.children or [])
    said = "".join(child.content for child in content.children or [])
    assert said == f"x: {' '.join(text.split())}"


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_runs_nothing_loads_nothing_and_says_all() -> None:
    page = html_page(page_of(EVIL, full="ab.txt"))
    assert FORBIDDEN.findall(page) == []
    reader = Reader()
    reader.feed(page)
    ours = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "dl", "dt", "dd"}
    ours |= {"section", "small", "div", "pre", "p"}
    assert {tag for tag, _ in reader.tags} <= ours
    names = {name for _, attrs in reader.tags for name in attrs}
    assert names <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert reader.text.count(visible(EVIL)) == 4  # two said, the arguments, the output
    assert reader.text.count(" ".join(visible(EVIL).split())) == 8
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = (a["content"] for _, a in reader.tags if "http-equiv" in a)
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style
    assert "light-dark(" in style


def test_a_long_output_keeps_its_ends_and_says_where_the_whole_is() -> None:
    output = "BEGIN" + "x" * 10_000 + "END"
    for page in (markdown_page, html_page):
        told = page(page_of("a", output, "ab.txt"))
        assert "BEGIN" in told
        assert "END\n[the whole output: outputs/ab.txt]" in told
        assert f"[… {len(output) - OUTPUT_CHARS:,} characters are left out here …]" in told
        assert len(told) < OUTPUT_CHARS + 4_000
