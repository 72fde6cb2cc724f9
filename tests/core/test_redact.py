import base64
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.core.redact import (
    MARK,
    PERSONAL,
    RULES,
    CleanStream,
    Redactor,
    known_secrets,
    restore,
)
from agentcli.core.redact import (
    SECRETS as SECRET_RULES,
)
from agentcli.core.table import Rule, in_ascii
from tests.fake.secrets import harmless, samples

KEY = b"k" * 32
ASCII = st.characters(max_codepoint=127)
SECRETS = {
    "anthropic_key": "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWx",
    "aws_key_id": "AKIAIOSFODNN7EXAMPLE",
    "github_token": "ghp_" + "a1B2" * 9,
    "slack_token": "xoxb-1234567890-abcdefghij",
    "stripe_key": "sk_live_" + "a1B2c3D4" * 3,
    "google_key": "AIza" + "b" * 35,
    "npm_token": "npm_" + "c3" * 18,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.c2lnbmF0dXJlLTEyMw",
    "private_key": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "bearer": "Authorization: Bearer abcdefghijklmnopqrstuv",
    "url_password": "postgres://bob:hunter22@db/x",
    "password": 'password = "correct-horse-9"',
}


@pytest.mark.parametrize(("kind", "text"), SECRETS.items())
def test_a_secret_is_replaced_by_a_mark_of_its_kind(kind: str, text: str) -> None:
    cleaned = Redactor(KEY).clean(f"before {text} after")
    assert f"[REDACTED:{kind}:" in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


@pytest.mark.parametrize(
    "text",
    [
        "token = get_token()",
        "the password is wrong",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "0f8fad5b-d9cd-469f-a165-70867728950e",
        "https://example.com/a:b@c",
        "def secret_santa(names): ...",
    ],
)
def test_what_only_looks_secret_stays(text: str) -> None:
    assert Redactor(KEY).clean(text) == text


def test_known_values_are_found_plain_and_encoded() -> None:
    redactor = Redactor(KEY, known_secrets([("MY_TOKEN", "s3cr3t/värde"), ("HOME", "/root")]))
    for text in ("s3cr3t/värde", "czNjcjN0L3bDpHJkZQ==", "s3cr3t%2Fv%C3%A4rde"):
        assert text.rstrip("=") not in redactor.clean(f"x {text} y")
    assert redactor.clean("/root") == "/root"


@pytest.mark.parametrize("seed", [23, 11, 12, 13])
def test_nearly_every_made_up_secret_is_found_and_hardly_anything_else(seed: int) -> None:
    redactor = Redactor(KEY)
    made = list(samples(50, seed))
    missed = [one for one in made if one.secret in redactor.clean(one.text)]
    assert len({one.kind for one in made}) == 23
    assert len(missed) <= len(made) // 100, missed
    others = list(harmless(seed))
    marked = [text for text in others if redactor.clean(text) != text]
    assert len(others) >= 150
    assert len(marked) <= len(others) * 2 // 100, marked


@pytest.mark.parametrize("around", ["", "u:", "ab:", "x:y:"])
def test_a_known_value_is_found_encoded_with_what_stands_around_it(around: str) -> None:
    known = "s3cr3t-värde-77"
    raw = f"{around}{known}!".encode()
    cleaned = Redactor(KEY, [known])
    for text in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        assert "[REDACTED:known:" in cleaned.clean(f"Basic {text} ok")
    assert cleaned.clean(known.encode().hex()).startswith("[REDACTED:known:")
    assert cleaned.clean(known.encode().hex().upper()).startswith("[REDACTED:known:")


@settings(deadline=None)  # the first text waits for the engine
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_no_cut_of_a_stream_lets_a_secret_through(seed: int, size: int) -> None:
    made = list(samples(1, seed))
    text = "\n".join(one.text for one in made)
    redactor = Redactor(KEY)
    stream = CleanStream(redactor.clean)
    shown = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    whole = "".join([*shown, stream.finish()])
    assert [one.kind for one in made if len(one.secret) > 30 and one.secret in whole] == []


@given(st.sampled_from(RULES).flatmap(lambda rule: st.from_regex(rule[1], alphabet=ASCII)))
def test_the_quick_look_lets_nothing_pass_that_a_rule_would_find(text: str) -> None:
    assert SECRET_RULES.linear.found_in(text)


@settings(deadline=None)
@given(
    st.sampled_from((*SECRET_RULES.rules, *PERSONAL.rules)).flatmap(
        lambda rule: st.tuples(st.just(rule), st.from_regex(rule.written))
    ),
    st.text(max_size=3),
)
def test_the_quick_look_takes_any_letters(case: tuple[Rule, str], around: str) -> None:
    rule, text = case
    text = f"{around}{text}{around}"
    plain = in_ascii(text)
    assert plain.isascii()
    assert len(plain) == len(text)
    assert rule.linear.found_in(plain) or rule.pattern.search(text) is None


@pytest.mark.parametrize("text", ["\u017fecret: abc-123-def-4", "to\u212aen: abc-123-def-4"])
def test_letters_that_are_ascii_in_another_case_are_taken_for_it(text: str) -> None:
    (rule,) = (rule for rule in SECRET_RULES.rules if rule.kind == "password")
    assert rule.pattern.search(text)
    assert rule.linear.found_in(in_ascii(text))
    assert in_ascii("\u017f\u212a\u0130\u0131").lower() == "skii"


def test_equal_secrets_have_equal_marks_and_another_key_gives_others() -> None:
    text = SECRETS["aws_key_id"]
    assert Redactor(KEY).clean(text) == Redactor(KEY).clean(text)
    assert Redactor(KEY).clean(text) != Redactor(b"x" * 32).clean(text)


def keeper(redactor: Redactor, kept: dict[str, str]) -> Callable[[str, str], str]:
    def keep(kind: str, secret: str) -> str:
        mark = redactor.mark(kind, secret)
        kept[mark] = secret
        return mark

    return keep


pieces = st.one_of(
    st.text(max_size=20),
    st.sampled_from([*SECRETS.values(), "[REDACTED:jwt:0123456789abcdef]", "KNOWN-value-1"]),
)


@given(st.lists(pieces, max_size=8).map(" ".join))
def test_what_is_kept_comes_back_exactly(text: str) -> None:
    kept: dict[str, str] = {}
    redactor = Redactor(KEY, ["KNOWN-value-1"])
    cleaned = redactor.clean(text, keeper(redactor, kept))
    assert restore(cleaned, kept.get) == text


@given(st.lists(pieces, max_size=8).map(" ".join))
def test_a_mark_that_someone_typed_never_turns_into_a_secret(text: str) -> None:
    kept: dict[str, str] = {}
    redactor = Redactor(KEY)
    secret = SECRETS["aws_key_id"]
    redactor.clean(secret, keeper(redactor, kept))
    forged = f"{text} {redactor.mark('aws_key_id', secret)}"
    back = restore(redactor.clean(forged, keeper(redactor, kept)), kept.get)
    assert back == forged
    assert MARK.search(back)


GITHUB = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("", "api_key="),
        ("", f"[REDACTED:email:0123456789abcdef] {GITHUB} "),
        ("x://a:bbb@ ", "a."),
        ("https://hooks.slack.com/services/" + "a" * 24 + " https://", "slack"),
        (f"-----BEGIN PRIVATE KEY-----\n{GITHUB}\n-----END PRIVATE KEY-----\n",
         "-----BEGIN PRIVATE KEY-----\n"),
        (f"eyJ{'a' * 20}.eyJ{'a' * 20}.{'a' * 20} ", "eyJ"),
    ],
    ids=["password", "marks", "url", "hook", "key", "jwt"],
)  # fmt: skip
def test_no_text_is_searched_over_and_over(first: str, again: str) -> None:
    """Whoever wrote a page or a file could else keep the whole program busy for hours."""
    redactor = Redactor(KEY)
    text = first + again * (1_500_000 // len(again))
    began = time.process_time()
    redactor.clean(text)
    assert time.process_time() - began < 5
