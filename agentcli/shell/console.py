"""What may be written to a stream: colours or none, and how a text gets one."""

from collections.abc import Mapping
from typing import Literal, TextIO

ColorChoice = Literal["auto", "always", "never"]

# The sixteen colours, so that the person's own palette applies.
SGR_CODES = {
    "bold": "1", "dim": "2", "italic": "3", "underline": "4", "reverse": "7", "strike": "9",
    "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36",
}  # fmt: skip


def wants_color(stream: TextIO, environ: Mapping[str, str], choice: ColorChoice = "auto") -> bool:
    """Return whether escapes may be written to the stream; where not, none at all are.

    An explicit choice wins. Then NO_COLOR (no-color.org), CLICOLOR_FORCE and CLICOLOR
    (bixense.com/clicolors), CI, TERM=dumb and whether the stream is a terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    if environ.get("TERM", "dumb") == "dumb" or environ.get("CLICOLOR") == "0":
        return False
    return environ.get("CI", "") in ("", "0", "false") and stream.isatty()


def style(text: str, *names: str, color: bool) -> str:
    """Return the text in these styles of SGR_CODES, or as it is without colour.

    The text is not made visible here: it may already hold styles of ours.
    """
    if not color or not text or not names:
        return text
    return f"\x1b[{';'.join(SGR_CODES[name] for name in names)}m{text}\x1b[0m"
