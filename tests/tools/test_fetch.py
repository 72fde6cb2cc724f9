"""What fetch makes of a page."""

import gzip
import json
import zlib
from pathlib import Path

import pytest

from agentcli.core.sandbox import SandboxSpec
from agentcli.tool.web import Response
from tests.fake.script import run_script

URL = "https://a.example/d/a.html"
WHOLE = """\
<!doctype html><html><head><title>A &amp; B
 guide</title><style>x</style></head><body><nav><a href=/home>Home</a></nav>
<h1>The <em>guide</em></h1><!-- unseen --><p>One <b>bold</b> &lt;x&gt; and
<a href="b.html"> a link </a>, <code>x = 1</code>.<br>next
<ul><li>one<li>two<ul><li>inner</ul><li><p>three<p>more</ul>
<ol start=3><li>c<li>d</ol>
<pre><code class="language-py">def f():
    return 1
</code></pre>
<table><tr><th>a<th>b<tr><td>1<td>2 <p>x</p></table>
<blockquote><p>Quoted<p>twice</blockquote>
<a href="javascript:alert(1)">js</a> <img alt="a cat" src=x><hr>
<a href="/t"><h3>A heading in a link</h3></a><h3><a href="/u">and a link in one</a></h3>
</body></html>
"""
TEXT = """\
https://a.example/d/a.html
A & B guide

# The guide

One **bold** <x> and [a link](https://a.example/d/b.html), `x = 1`.
next

- one
- two
  - inner
- three
  more

3. c
4. d

```
def f():
    return 1
```

a | b
1 | 2 x

> Quoted

> twice

js [image: a cat]

---

### [A heading in a link](https://a.example/t)

### [and a link in one](https://a.example/u)"""


def fetch(
    folder: Path,
    body: bytes,
    kind: str = "text/html; charset=utf-8",
    *,
    status: int = 200,
    coding: str = "",
    cut: bool = False,
) -> str:
    sent = {"content-type": kind, "content-encoding": coding}
    headers = {name: value for name, value in sent.items() if value}
    response = Response(URL, status, headers, body, cut)
    return run_script(folder, "fetch", {"url": URL}, response=response)


def text_of(folder: Path, html: str) -> str:
    return fetch(folder, html.encode()).partition("\n\n")[2]


def test_a_page_is_given_as_markdown_with_whole_links(tmp_path: Path) -> None:
    assert fetch(tmp_path, WHOLE.encode()) == TEXT


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>{}</script>", "<style>{}</style>", "<!-- {} -->", "<p hidden>{}</p>",
        '<div style="display: NONE"><div>{}</div></div>', "<template>{}</template>",
        '<span style="visibility:hidden">{}</span>', "<noscript>{}</noscript>",
        "<svg><text>{}</text></svg>", "<iframe>{}</iframe>", "<head><meta content='{}'></head>",
        '<img alt="" title="{}">', '<input type=hidden value="{}">', "<nav>{}</nav>",
    ],
)  # fmt: skip
def test_what_a_person_would_not_see_is_left_out(tmp_path: Path, hidden: str) -> None:
    page = f"<p>before{hidden.format('IGNORE')}<p>after"
    assert text_of(tmp_path, page) == "before\n\nafter"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<html><head><title>T</title><body><p>seen", "seen"),
        ("<html><head><title>T</title><p>seen", "seen"),
        ("<head><script>x</script>seen", "seen"),
        ('<p title="<!--">seen</p>', "seen"),
        ("<script>x = '<!--'</script><p>seen", "seen"),
        ("<!-- IGNORE --!><p>seen<!--!> IGNORE -->", "seen"),
        ("<!--><p>seen<!--->", "seen"),
        ("<p>seen<!-- IGNORE", "seen"),
        ("<![x[IGNORE]]><p>seen<![ x]><![CDATA[IGNORE]]>", "seen"),
        ("<![if !IE]><p>seen<![endif]><?php IGNORE ?>", "seen"),
        ("<dialog open>seen</dialog><dialog>IGNORE</dialog>", "seen"),
        ("<aside><p>seen</p></aside>", "seen"),
        ("<nav><a href=/x>a</a><p>seen", "[a](https://a.example/x)\n\nseen"),
        ("<meta charset=utf-16><p>seen", "seen"),
    ],
)
def test_what_a_person_would_see_is_there_however_it_is_written(
    tmp_path: Path, html: str, text: str
) -> None:
    assert text_of(tmp_path, html) == text


def test_of_a_page_that_says_what_it_is_about_only_that_is_given(tmp_path: Path) -> None:
    page = f"<header>menu</header><main><p>{'x ' * 200}</p></main><footer>small print</footer>"
    assert text_of(tmp_path, page) == ("x " * 200).strip()
    assert text_of(tmp_path, "<header>menu</header><main>too little</main>") == "menu\n\ntoo little"


def test_a_table_that_is_there_for_the_layout_is_taken_apart(tmp_path: Path) -> None:
    page = "<table><tr><td>menu<td>head<table><tr><td>a<td>b|c</table>tail<tr><td>x<td>y</table>"
    assert text_of(tmp_path, page) == "menu\n\nhead\n\na | b\\|c\n\ntail\n\nx | y"


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("é€".encode(), "text/plain; charset=utf-8", "é€"),
        ("é".encode("latin-1"), "text/plain; charset=ISO-8859-1", "é"),
        ("“é”".encode("cp1252"), "text/plain", "“é”"),
        ("é".encode("utf-16"), "text/plain", "é"),
        (b"\xef\xbb\xbf{}", "application/json", "{}"),
        ('<meta charset="windows-1251"><p>да'.encode("cp1251"), "text/html", "да"),
        ("é".encode(), "text/plain; charset=nonsense", "é"),
        (b"a\x81\xfd", "text/plain; charset=utf-8", "a\ufffd\ufffd"),
        (b"a: 1", "application/vnd.x+json", "a: 1"),
        *[(b"a-\\x41", f"text/plain; charset={name}", "a-\\x41") for name in (
            "punycode", "idna", "unicode_escape", "rot13", "zip", "undefined", "utf-7", "." * 99,
        )],
        (b"<p>x", "application/xhtml+xml", "x"),
        (b"<HTML><p>x", "", "x"),
        (b"just text", "", "just text"),
    ],
)  # fmt: skip
def test_text_of_any_kind_is_read_as_it_was_written(
    tmp_path: Path, body: bytes, kind: str, text: str
) -> None:
    assert fetch(tmp_path, body, kind) == f"{URL}\n\n{text}"


def test_what_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    for body, kind in ((b"%PDF", "application/pdf"), (b"\x89PNG\0", "")):
        named = kind or "application/octet-stream"
        told = f"ERROR: {URL}: is {named}, {len(body)} bytes, and no text"
        assert fetch(tmp_path, body, kind) == told


def test_an_error_of_the_server_is_one_of_the_call_with_what_it_says(tmp_path: Path) -> None:
    answer = fetch(tmp_path, b"<h1>Gone</h1>", status=404)
    assert answer == f"ERROR: {URL}: 404 Not Found\n# Gone"
    assert fetch(tmp_path, b"\0", "image/png", status=503).endswith("503 Service Unavailable")
    assert fetch(tmp_path, b"", "text/plain", status=499) == f"ERROR: {URL}: 499"


def test_a_page_that_came_compressed_is_read_within_bounds(tmp_path: Path) -> None:
    for coding, sent in (("gzip", gzip.compress(b"<p>x")), ("deflate", zlib.compress(b"<p>x"))):
        assert fetch(tmp_path, sent, coding=coding) == f"{URL}\n\nx"
    bomb = gzip.compress(b"a" * 200_000_000, 1)
    answer = fetch(tmp_path, bomb, "text/plain", coding="gzip")
    assert 8_000_000 < len(answer) < 9_000_000
    assert answer.endswith("[there is more: only its beginning was read]")
    parts = gzip.compress(b"<p>x") + gzip.compress(b"<p>y")
    assert fetch(tmp_path, parts, coding="gzip") == f"{URL}\n\nx\n\ny"
    assert fetch(tmp_path, parts + b"behind it", coding="gzip") == f"{URL}\n\nx\n\ny"
    assert "there is more" in fetch(tmp_path, gzip.compress(b"") * 200_000, coding="gzip")
    assert "damaged" in fetch(tmp_path, b"not gzip", coding="gzip")
    assert "compressed as br" in fetch(tmp_path, b"x", coding="br")


def test_a_page_that_was_cut_or_has_no_text_says_so(tmp_path: Path) -> None:
    answer = fetch(tmp_path, gzip.compress(b"<p>begins and" * 100)[:40], coding="gzip", cut=True)
    assert answer.endswith("[there is more: only its beginning was read]")
    assert "scripts" in fetch(tmp_path, b"<div id=app></div><script src=a.js></script>")


@pytest.mark.parametrize(
    "html",
    [
        "<div><p>x <b>y</b> " * 20_000, "<b>" * 50_000, "<a href=x>" * 50_000, "<!--" * 50_000,
        "<" * 50_000, "</p>" * 50_000, "<table><tr><td>" * 20_000, "<ul><li>" * 20_000,
        "<blockquote>" * 2_000 + "x", "&" * 50_000, "<!DOCTYPE" * 5_000, "<?" * 20_000, "\0\ud800",
        "<base href='http://[bad'><a href='http://[bad'>x</a><ol start=99999999999><li>y",
    ],
    ids=lambda html: html[:12].encode("ascii", "backslashreplace").decode(),
)  # fmt: skip
def test_a_page_that_is_made_to_hurt_ends_soon(tmp_path: Path, html: str) -> None:
    fetch(tmp_path, html.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "html",
    [
        "<blockquote>" * 490 + "a<br>" * 100_000,
        "<ul><li>" * 240 + "a<br>" * 100_000,
        f"<base href='https://a.example/{'b/' * 20_000}'>" + "<a href=x>y</a>" * 10_000,
        f"<base href='https://a.example/{'b/' * 1_500}'>" + "<a href=x>y</a>" * 10_000,
        f"<title>{'a<br>' * 1_000_000}",
        "\U0001f600" * 1_250_000,
    ],
    ids=lambda html: html[:12].encode("ascii", "backslashreplace").decode(),
)
def test_a_page_that_would_grow_stays_within_what_a_sandbox_lets_out(
    tmp_path: Path, html: str
) -> None:
    answer = fetch(tmp_path, html.encode())
    assert len(json.dumps(answer)) < SandboxSpec().output_bytes
    assert not answer.startswith("ERROR")
