"""Regular expressions that cannot hang: rules are held against what a model writes.

The engine is that of the JSON Schemas: linear in the text, without look-around and references back.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jsonschema_rs


class TooMuchError(ValueError):
    """Nothing is known of the text: it is none that the engine takes."""


class Linear:
    """A compiled expression. Raises ValueError for what is none."""

    def __init__(self, pattern: str) -> None:
        self.engine = compiled(pattern)

    def found_in(self, text: str) -> bool:
        """Say whether it is found anywhere in a text. Raises TooMuchError."""
        try:
            return self.engine.is_valid(text)
        except ValueError as error:  # halves of characters
            raise TooMuchError(str(error)) from error


def compiled(pattern: str) -> "jsonschema_rs.Draft202012Validator":
    import jsonschema_rs

    try:
        return jsonschema_rs.Draft202012Validator(
            {"type": "string", "pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (jsonschema_rs.ValidationError, ValueError) as error:
        message = "not an expression without look-around and references back"
        raise ValueError(message) from error


@lru_cache(maxsize=2_000)
def linear(pattern: str) -> Linear:
    """Return a compiled expression. Raises ValueError."""
    return Linear(pattern)
