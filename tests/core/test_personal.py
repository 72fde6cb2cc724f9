"""Personal data is told from what only looks so, and is found however it is cut."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.core.personal import KINDS, card_size, iban_size, is_marked, phone_size
from agentcli.core.redact import MARK, PERSONAL, CleanStream, Redactor
from tests.fake.personal import card, iban, lookalikes, luhn, samples

KEY = b"k" * 32
ON = Redactor(KEY, pii="redact")


def kinds(text: str) -> str:
    """Return a text as it is cleaned, with the kind alone of each mark."""
    return re.sub(r"\[REDACTED:(\w+):[0-9a-f]{16}\]", r"<\1>", ON.clean(text))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Mail ann@example.com, or o'brien+x@mail.example.co.uk.", "Mail <email>, or <email>."),
        ("<müller@bücher.de>", "<<email>>"),
        ("/?u=ann%40example.com&x=1", "/?u=<email>&x=1"),
        ("+44 20 7946 0958; (+49) 30 1234567", "<phone>; (<phone>"),
        ("+49 30 1234567 2026", "<phone> 2026"),
        ("+49 (0)1512 3456789, +44 (0)20 7946 0958", "<phone>, <phone>"),
        ("212-555-2368, (212) 555-2368 and 0049 151 12345678", "<phone>, <phone> and <phone>"),
        ('"phone": "5551234567", Fax: 7946 0958', '"phone": "<phone>", Fax: <phone>'),
        ("4111 1111 1111 1111 12/27, 378282246310005", "<card> 12/27, <card>"),
        ("1234 4111 1111 1111 1111", "1234 <card>"),
        ("GB82 WEST 1234 5698 7654 32 AND ES9121000418450200051332", "<iban> AND <iban>"),
        ("SSN 078-05-1120, ssn: 078051120", "SSN <ssn>, ssn: <ssn>"),
        ("user,ann@example.com,+4915112345678,2026-01-02", "user,<email>,<phone>,2026-01-02"),
    ],
)
def test_personal_data_is_replaced_by_a_mark_of_its_kind(text: str, cleaned: str) -> None:
    assert kinds(text) == cleaned
    assert Redactor(KEY).clean(text) == text, "off by default"


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # the last digit is wrong
        "4111111111111",  # as long as an EAN
        "1234567812345670",  # right, but of no issuer
        "GB83 WEST 1234 5698 7654 32",
        "XX82 WEST 1234 5698 7654 32",
        "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 123-45-0000",
        "+1 123 456 7890, +1700000000",
        "git@github.com:acme/shop.git, https://ann@git.example.com/x, icon@2x.png",
        "/home/ann@example.com/projects/shop",
        "cert@prod.pem",
        "phone: 2026-01-02, phone 192.168.100.100",
    ],
)
def test_what_only_looks_personal_stays(text: str) -> None:
    assert ON.clean(text) == text


@pytest.mark.parametrize("seed", [23, 11, 12, 13])
def test_nearly_all_made_up_personal_data_is_found_and_hardly_anything_else(seed: int) -> None:
    made = list(samples(50, seed))
    missed = [one for one in made if one.secret in ON.clean(one.text)]
    assert len(missed) <= len(made) // 50, missed
    others = list(lookalikes(seed))
    marked = [text for text in others if ON.clean(text) != text]
    assert len(others) >= 2_000
    assert len(marked) <= len(others) // 100, marked


@given(st.randoms(use_true_random=False), st.integers(1, 9), st.data())
def test_one_wrong_digit_makes_no_card_and_no_account(
    random: object, by: int, data: st.DataObject
) -> None:
    for made, size in ((card(random), card_size), (iban(random), iban_size)):  # type: ignore[arg-type]
        assert size(made) == len(made)
        places = [at for at, one in enumerate(made) if one.isdigit()]
        at = data.draw(st.sampled_from(places))
        wrong = made[:at] + str((int(made[at]) + by) % 10) + made[at + 1 :]
        assert size(wrong) == 0


@given(st.text(string.digits, min_size=14, max_size=19))
def test_a_number_with_a_wrong_sum_is_no_card(number: str) -> None:
    assert card_size(number) in (0, len(number))
    if luhn(number):
        assert card_size(number) == 0


@given(st.text(string.digits + " -./()", max_size=30).map(lambda rest: f"+4{rest}"))
def test_a_phone_number_has_as_many_digits_as_there_can_be(text: str) -> None:
    size = phone_size(text)
    assert size == 0 or 9 <= sum(one.isdigit() for one in text[:size]) <= 14


@settings(deadline=None)
@given(
    st.sampled_from(PERSONAL.rules).flatmap(
        lambda rule: st.from_regex(rule.written, alphabet=st.characters(max_codepoint=127))
    )
)
def test_the_quick_look_lets_nothing_pass_that_a_rule_would_find(text: str) -> None:
    assert PERSONAL.linear.found_in(text)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_no_cut_of_a_stream_lets_personal_data_through(seed: int, size: int) -> None:
    made = list(samples(1, seed))
    text = "\n".join(one.text for one in made)
    stream = CleanStream(ON.clean)
    shown = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    whole = "".join([*shown, stream.finish()])
    assert whole.splitlines() == [ON.clean(line) for line in text.splitlines()]


def test_marks_of_personal_data_are_told_from_others() -> None:
    assert {rule.kind for rule in PERSONAL.rules} == set(KINDS)
    assert all(MARK.fullmatch(ON.mark(kind, "x")) for kind in KINDS)
    assert is_marked(f"to {ON.mark('email', 'ann@example.com')}")
    assert not is_marked(ON.mark("jwt", "x"))
