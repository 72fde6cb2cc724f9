"""Documents for machines, which a person may also look at."""

import json
import re
from typing import Any

from agentcli.core.visible import UNSAFE

# JSON escapes C0 by itself, and neither C1, which terminals obey, nor what hides or reorders text.
ODD = re.compile(f"[{UNSAFE}]")


def print_json(document: Any) -> None:
    """Print one JSON document."""
    print(json_text(document, indent=2))


def json_text(document: Any, indent: int | None = None) -> str:
    """Return a JSON document. What a terminal must not get is escaped, so no value changes.

    A decimal is text, so that it stays exact.
    """
    return escaped_json(json.dumps(document, ensure_ascii=False, indent=indent, default=str))


def escaped_json(text: str) -> str:
    """Return JSON text of the same values, without what a terminal must not get."""
    return ODD.sub(lambda odd: json.dumps(odd[0])[1:-1], text)
