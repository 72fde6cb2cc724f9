"""Plain text that fits the terminal: paragraphs, and names beside what they are."""

import os
import shutil
import textwrap
from collections.abc import Sequence

WIDEST = 100
NARROWEST = 20


def width() -> int:
    """Return the columns to write in: the terminal's or COLUMNS, 80 in a pipe, 100 at most."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def filled(text: str, columns: int, indent: str = "", hanging: str | None = None) -> str:
    """Return one paragraph, broken at blanks only, so that paths and options stay whole.

    hanging: the indent of all lines but the first, the same one by default.
    """
    return textwrap.fill(
        " ".join(text.split()),
        columns,
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def listed(rows: Sequence[tuple[str, str]], columns: int, indent: str = "  ") -> str:
    """Return names in one column and what they are in another; long names have a line alone."""
    most = max(10, columns * 2 // 5)
    fitting = [len(name) for name, _ in rows if len(name) <= most]
    second = len(indent) + max(fitting, default=4) + 2
    lines = []
    for name, about in rows:
        first = indent + name
        text = filled(about, columns, " " * second)
        if not text:
            lines.append(first)
        elif len(first) + 2 <= second:
            lines.append(first.ljust(second) + text[second:])
        else:
            lines += [first, text]
    return "\n".join(lines)


def section(title: str, rows: Sequence[tuple[str, str]], columns: int) -> str:
    """Return a titled list, "" for an empty one."""
    return f"{title}:\n{listed(rows, columns)}" if rows else ""


def joined(parts: Sequence[str]) -> str:
    """Return the parts that are not empty, a blank line between them."""
    return "\n\n".join(filter(None, parts))


def short(path: str) -> str:
    """Return a path for one line of the screen, the home folder as ~."""
    from agentcli.core.visible import visible_line

    home = os.path.expanduser("~")
    inside = home != "/" and (path == home or path.startswith(f"{home}/"))
    shown = f"~{path[len(home) :]}" if inside else path
    return visible_line(shown)
