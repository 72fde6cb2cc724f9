import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcli.core.script import mixed_scripts


@pytest.mark.parametrize(
    ("value", "odd"),
    [
        ("https://p\u0430ypal.com/x", "\u0430 (Cyrillic)"),
        ("src/\u03bfs/p\u03bfsix.py", "\u03bf (Greek)"),
        ("https://\u0430\u0440\u0440.com", "\u0430 (Cyrillic), \u0440 (Cyrillic)"),
        ("http://xn--80ak6aa92e.com", "xn--80ak6aa92e is \u0430\u0440\u0440\u04cf\u0435"),
        ({"opts": [{"host\u0455": 1}]}, "\u0455 (Cyrillic)"),
        ("\uff47it", "\uff47 (Fullwidth)"),
        ("".join(f"a{chr(0x430 + i)}" for i in range(7)), "and 2 more"),
    ],
)
def test_letters_that_may_be_taken_for_others_are_named(value: object, odd: str) -> None:
    note = mixed_scripts(value)
    assert note.startswith("mixed scripts: ")
    assert note.endswith(odd)


@pytest.mark.parametrize(
    "value",
    [
        "/home/ann/\u0414\u043e\u043a\u0443\u043c\u0435\u043d\u0442\u044b/report.txt",
        "https://\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444/",
        "Stra\u00dfe caf\u00e9 na\u00efve",
        "Tokyo\u6771\u4eac \u30ab\u30bf\u3072\u3089 x\u00b2",
        "plain ASCII only",
        7,
        None,
    ],
)
def test_names_in_one_script_each_are_no_matter(value: object) -> None:
    assert mixed_scripts(value) == ""


@given(
    st.recursive(
        st.text(st.characters()) | st.integers(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_it_takes_whatever_json_there_is(value: object) -> None:
    assert mixed_scripts(value) == "" or mixed_scripts(value).startswith("mixed scripts: ")


def test_a_long_text_takes_no_longer_than_it_is_long() -> None:
    begun = time.monotonic()
    for text in ("漢" * 10**6, "1." * 10**5 + "é", "xn--" + "a" * 10**6, "\u0430" * 10**6 + "b"):
        mixed_scripts({"text": text})
    assert time.monotonic() - begun < 30  # an hour, where each letter looks at all that follow
