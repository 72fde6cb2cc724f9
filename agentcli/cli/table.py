"""Rows for people: a table on a terminal, lines of aligned columns elsewhere."""

import os
import sys
from collections.abc import Sequence

from agentcli.core.visible import visible_line

NARROWEST = 8


def print_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their names. The first column, by which one goes on, is never cut.

    Where not even narrow columns have room, the second is left out.
    """
    if not sys.stdout.isatty():
        widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names))]
        for row in rows:
            cells = (visible_line(cell).ljust(widths[i]) for i, cell in enumerate(row))
            print("  ".join(cells).rstrip())
        return
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from agentcli.shell.console import wants_color

    color = wants_color(sys.stdout, os.environ)
    console = Console(no_color=not color, highlight=False, markup=False, emoji=False)
    table = Table(box=None, pad_edge=False, header_style="bold" if color else "")
    shown = [[visible_line(cell) for cell in row] for row in [names, *rows]]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    while not fit(widths, console.width - 2 * (len(widths) - 1)) and len(widths) > 2:
        shown = [[row[0], *row[2:]] for row in shown]
        widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    for name, width in zip(shown[0], widths, strict=True):
        table.add_column(name, no_wrap=True, overflow="ellipsis", width=width)
    for row in shown[1:]:
        # Text, never markup: a title may hold anything.
        table.add_row(*map(Text, row))
    console.print(table)


def fit(widths: list[int], room: int) -> bool:
    """Narrow columns until they fit, and return whether they do.

    First the last one, then the widest; never the first.
    """
    widths[-1] = min(widths[-1], max(NARROWEST, room - sum(widths[:-1])))
    while sum(widths) > room and max(widths[1:]) > NARROWEST:
        widest = max(range(1, len(widths)), key=widths.__getitem__)
        widths[widest] -= 1
    return sum(widths) <= room
