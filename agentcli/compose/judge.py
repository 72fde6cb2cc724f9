"""Holds an answer against the checks of its task."""

import json
from typing import Any

from agentcli.tool.schema import Arguments


class Judge:
    """Holds texts against schemas and patterns, both on an engine that cannot be made to hang."""

    def problems(self, schema: dict[str, Any], text: str) -> list[str]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            return [f"$: the answer must be one JSON value and nothing else: {error}"]
        return Arguments(schema).problems(value)

    def matches(self, pattern: str, text: str) -> bool:
        return not pattern_of(pattern).problems(text)


def pattern_of(pattern: str) -> Arguments:
    """Return what holds a text against a pattern. Raises SchemaError."""
    return Arguments({"type": "string", "pattern": pattern})
