"""A conversation as a page: Markdown, or one HTML file that needs nothing and runs nothing."""

import base64
import hashlib
import re
from html import escape

from agentcli.compose.conversation import Called, Conversation, Note, Words
from agentcli.core.visible import visible

OUTPUT_CHARS = 4_000
# What could begin something else than text within a line, a bare address among it.
MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&!$@]|:(?=//))")
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem;
  color: light-dark(#1f2328, #e6edf3); background: light-dark(#ffffff, #0d1117); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }
dt { color: light-dark(#59636e, #9198a1); }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
section { border-left: 3px solid light-dark(#d1d9e0, #3d444d); padding: 0 1rem; margin: 1.5rem 0; }
section.user { border-color: light-dark(#0969da, #4493f8); }
section.call { border-color: light-dark(#8250df, #ab7df8); }
h1, h2 { overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0; }
h2 small, p.note { color: light-dark(#59636e, #9198a1); font-weight: normal; }
pre, .text { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { padding: .5rem; font: 13px/1.45 ui-monospace, monospace; margin: .5rem 0;
  background: light-dark(#f6f8fa, #151b23); }
"""


def markdown_page(conversation: Conversation) -> str:
    """Return a page of Markdown in which all that is foreign is text: escaped, or in a fence."""
    rows = [f"# {inline(conversation.title)}", ""]
    rows += [f"- {name}: {inline(text)}" for name, text in conversation.facts]
    for part in conversation.parts:
        rows.append("")
        match part:
            case Words():
                rows += [f"## {inline(part.who)} (record {part.record})", "", fence(part.text)]
            case Called():
                name = f"{inline(part.tool)}: {part.status}"
                where = f"({inline(part.step)}, record {part.record})"
                rows += [f"### Call of {name} {where}", "", fence(part.args, "json"), ""]
                rows += [f"- {name}: {inline(text)}" for name, text in part.facts]
                if part.output:
                    rows += ["", fence(clipped(part))]
            case Note():
                rows.append(f"*{inline(part.text)}* (record {part.record})")
    return "\n".join(rows) + "\n"


def inline(text: str) -> str:
    """Return a foreign text as one line of Markdown that means nothing but itself."""
    line = one_line(text)
    return MARKUP.sub(r"\\\1", line)


def one_line(text: str) -> str:
    return " ".join(visible(text).split())


def fence(text: str, language: str = "text") -> str:
    """Return a text between fences that are longer than any in it."""
    text = visible(text)
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks}{language}\n{text}\n{ticks}"


def clipped(part: Called) -> str:
    """Return an output with its beginning and its end, and where the whole of it is."""
    text, left = part.output, len(part.output) - OUTPUT_CHARS
    if left > 0:
        half = OUTPUT_CHARS // 2
        text = f"{text[:half]}\n[… {left:,} characters are left out here …]\n{text[-half:]}"
    return f"{text}\n[the whole output: outputs/{part.full}]" if part.full else text


def html_page(conversation: Conversation) -> str:
    """Return one file of HTML: no script, nothing from elsewhere, every value escaped."""
    title = safe_line(conversation.title)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    rows = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        f"<h1>{title}</h1>",
        listed(conversation.facts),
        *(html_part(part) for part in conversation.parts),
        "</body>",
        "</html>",
    ]
    return "\n".join(rows) + "\n"


def html_part(part: Words | Called | Note) -> str:
    where = f"<small>record {part.record}</small>"
    match part:
        case Words(who=who, text=text):
            kind = "user" if who == "user" else "model"
            head = f'<section class="{kind}">\n<h2>{safe_line(who)} {where}</h2>'
            return f'{head}\n<div class="text">{safe(text)}</div>\n</section>'
        case Called():
            head = f'<section class="call">\n<h2>{safe_line(part.tool)}: {part.status} {where}</h2>'
            output = f"\n<pre>{safe(clipped(part))}</pre>" if part.output else ""
            body = f"<pre>{safe(part.args)}</pre>\n{listed([('step', part.step), *part.facts])}"
            return f"{head}\n{body}{output}\n</section>"
        case Note(text=text):
            return f'<p class="note">{safe_line(text)} {where}</p>'


def listed(facts: list[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{safe(name)}</dt><dd>{safe_line(text)}</dd>" for name, text in facts)
    return f"<dl>{rows}</dl>"


def safe_line(text: str) -> str:
    return escape(one_line(text))


def safe(text: str) -> str:
    return escape(visible(text))
