"""The engine of patterns in rules takes what it must, and cannot be made to hang."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcli.core.linear import TooMuchError, linear


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^/etc/", "/etc/passwd", True),
        (r"^/etc/", "x/etc/", False),
        (r"(?i)drop\s+table", "DROP \n table", True),
        (r"\.(pem|key)$", "a.pem", True),
        (r"\.(pem|key)$", "a.pem.txt", False),
    ],
)
def test_it_searches(pattern: str, text: str, found: bool) -> None:
    assert linear(pattern).found_in(text) == found


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_a_pattern_or_an_error(pattern: str, text: str) -> None:
    with suppress(ValueError):
        assert linear(pattern).found_in(text) in (True, False)


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+$", r"(a|a)*b", r"(.*)*x", r"a*a*a*a*a*b", r"(a?){50}b", r"a[ab]{200}c"],
)
def test_what_ruins_other_engines_takes_no_time(pattern: str) -> None:
    begun = time.process_time()
    assert not linear(pattern).found_in("a" * 200_000 + "\n")
    assert time.process_time() - begun < 10


def test_of_half_a_character_nothing_is_known() -> None:
    with pytest.raises(TooMuchError):
        linear("a").found_in("\ud800a")


@pytest.mark.parametrize(
    "pattern", [r"(?=a)", r"(a)\1", "(a", "a)", "[", "*", "\\", "a{9999}{999}"]
)
def test_what_it_does_not_take_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match="without look-around"):
        linear(pattern)
