"""The engine of patterns in rules agrees with Python's, and cannot be made to hang."""

import random
import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcli.core.linear import MOST_TEXT, Linear, TooMuchError

ATOMS = ["a", "b", "-", ".", r"\d", r"\W", r"\b", r"\.", "[ab]", "[^a]", "[a-c_]", "^", r"\s", "é"]
TEXTS = st.text(st.sampled_from("abAc1_ .-\né"), max_size=12)


def grouped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    counted = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{0,}"])
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, counted).map(lambda pair: f"({pair[0]}){pair[1]}"),
    )


EXPRESSIONS = st.recursive(st.sampled_from(ATOMS), grouped, max_leaves=12)


@given(EXPRESSIONS, TEXTS, st.booleans())
def test_it_finds_what_python_finds(pattern: str, text: str, folds: bool) -> None:
    pattern = f"(?i){pattern}" if folds else pattern
    assert Linear(pattern).found_in(text) == bool(re.search(pattern, text))


@given(st.lists(st.sampled_from([*ATOMS, "a*", "ab", "b?", "c+", "1{0,2}"]), max_size=6), TEXTS)
def test_the_short_cut_by_a_needed_text_changes_nothing(parts: list[str], text: str) -> None:
    pattern = "".join(parts)
    assert Linear(pattern).found_in(text) == bool(re.search(pattern, text))


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_a_pattern_or_an_error(pattern: str, text: str) -> None:
    with suppress(ValueError):
        assert Linear(pattern).found_in(text) in (True, False)


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|a)*b", r"(.*)*x", r"a*a*a*a*a*b", r"(a?){50}b", r"(\w+\s?)*!"]
)
def test_what_ruins_other_engines_takes_no_time(pattern: str) -> None:
    begun = time.process_time()
    with suppress(TooMuchError):
        assert not Linear(pattern).found_in("a" * 20_000 + "\n")
    assert time.process_time() - begun < 10


def test_a_text_that_is_too_long_is_not_searched() -> None:
    with pytest.raises(TooMuchError):
        Linear("b").found_in("ab" * MOST_TEXT)


def test_a_text_made_to_need_ever_new_states_is_given_up() -> None:
    compiled = Linear(r"a[ab]{200}c")
    chance = random.Random(7)
    text = "".join(chance.choice("ab") for _ in range(20_000))
    begun = time.process_time()
    for _ in range(2):  # and no sooner or later the second time, or a replay would differ
        with pytest.raises(TooMuchError):
            compiled.found_in(text)
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(?=a)", "no look-around"),
        (r"(a)\1", r"\1 is not known"),
        ("(a", "not closed"),
        ("a)", "nothing is open"),
        ("[a", "not closed"),
        ("*a", "nothing to repeat"),
        ("a**", "repeats what is repeated"),
        ("a{2", "expected {m}"),
        ("a{600}", "at most 500"),
        ("((a{400}){400})", "too large"),
        ("[z-a]", "ends before"),
        ("(" * 60 + ")" * 60, "nested"),
        ("(?P<n>a)", "no look-around"),
    ],
)
def test_what_cannot_be_read_is_named(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Linear(pattern)
