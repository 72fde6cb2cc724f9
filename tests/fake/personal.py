"""Made-up personal data of five kinds, as people and programs write it.

Written apart from the rules that find it. The same seed gives the same texts; names, numbers and
accounts are nobody's.
"""

import string
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from tests.fake.secrets import WORDS, Sample, filled_lines, some

LOOKALIKES = Path(__file__).parents[1] / "data" / "redaction" / "lookalikes.txt"
FIRST = ("ann", "kim", "josé", "zoë", "liam", "o'brien", "mary-jane", "wei", "anna.maria", "x")
LAST = ("smith", "miller", "garcía", "novak", "li", "van.dijk", "okafor", "kowalska", "7")
HOSTS = (
    "example.com", "mail.example.co.uk", "uni-example.de", "example.museum", "sub.dept.example.org",
    "163.com", "bücher.example", "example.io",
)  # fmt: skip
# X is a digit, N one from 2 to 9.
PHONES = (
    "+1 NXX-NXX-XXXX", "+1 (NXX) NXX-XXXX", "+1NXXNXXXXXX", "(NXX) NXX-XXXX", "NXX-NXX-XXXX",
    "NXX.NXX.XXXX", "1-NXX-NXX-XXXX", "+44 20 XXXX XXXX", "+44 7XXX XXXXXX", "+44 (0)20 XXXX XXXX",
    "020 XXXX XXXX", "07XXX XXXXXX", "+49 30 XXXXXXXX", "+49 1N1 XXXXXXX", "+4915NXXXXXXXX",
    "0049 30 XXXXXXX", "(030) XXXXXXX", "+33 N XX XX XX XX", "+33NXXXXXXXX", "06 XX XX XX XX",
    "+34 6XX XXX XXX", "+39 06 XXXX XXXX", "+31 6 XXXXXXXX", "+41 44 NXX XX XX", "+48 NXX XXX XXX",
    "+46 70-XXX XX XX", "+353 1 XXX XXXX", "+420 NXX XXX XXX", "+91 9XXXX XXXXX",
    "+86 13X XXXX XXXX", "+81 90-XXXX-XXXX", "+61 4XX XXX XXX", "+55 11 9XXXX-XXXX",
)  # fmt: skip
# The beginning of a number and how many digits it has, with the groups in which it is written.
CARDS = (
    ("4", (4, 4, 4, 4)), ("51", (4, 4, 4, 4)), ("2221", (4, 4, 4, 4)), ("34", (4, 6, 5)),
    ("37", (4, 6, 5)), ("6011", (4, 4, 4, 4)), ("3530", (4, 4, 4, 4)), ("36", (4, 6, 4)),
    ("6212", (4, 4, 4, 4)),
)  # fmt: skip
# By country what follows the check digits: a is a letter, 0 a digit.
ACCOUNTS = {
    "DE": "0" * 18, "GB": "aaaa" + "0" * 14, "FR": "0" * 23, "ES": "0" * 20, "NO": "0" * 11,
    "NL": "aaaa" + "0" * 10, "PL": "0" * 24, "CH": "0" * 17, "BE": "0" * 12, "IT": "a" + "0" * 22,
    "MT": "aaaa" + "0" * 23, "AT": "0" * 16, "IE": "aaaa" + "0" * 14,
}  # fmt: skip


def email(r: Random) -> str:
    first, last, host = r.choice(FIRST), r.choice(LAST), r.choice(HOSTS)
    local = r.choice((first, f"{first}.{last}", f"{first}_{last}", f"{last}{some(r, '0123', 2)}"))
    return r.choice((f"{local}@{host}", f"{local}+{r.choice(WORDS)}@{host}", f"{local}@{host}"))


def phone(r: Random) -> str:
    digits = {"X": string.digits, "N": "23456789"}
    return "".join(r.choice(digits[one]) if one in digits else one for one in r.choice(PHONES))


def bare_phone(r: Random) -> str:
    return some(r, "23456789", 1) + some(r, string.digits, r.choice((6, 9, 10)))


def card(r: Random) -> str:
    head, groups = r.choice(CARDS)
    number = head + some(r, string.digits, sum(groups) - len(head) - 1)
    number += next(d for d in string.digits if luhn(number + d) == 0)
    between, at, parts = r.choice((" ", "-", "", "")), 0, []
    for size in groups:
        parts.append(number[at : at + size])
        at += size
    return between.join(parts)


def luhn(number: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10


def iban(r: Random) -> str:
    country = r.choice(sorted(ACCOUNTS))
    account = "".join(
        r.choice(string.ascii_uppercase if one == "a" else string.digits)
        for one in ACCOUNTS[country]
    )
    as_number = "".join(str(int(one, 36)) for one in f"{account}{country}00")
    whole = f"{country}{98 - int(as_number) % 97:02}{account}"
    if r.random() < 0.5:
        return whole
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))


def ssn(r: Random) -> str:
    return f"{r.randint(1, 665):03}-{r.randint(1, 99):02}-{r.randint(1, 9999):04}"


def bare_ssn(r: Random) -> str:
    return ssn(r).replace("-", r.choice(("", " ")))


EVERYWHERE = (
    "{}", "value: {}\n", 'x = "{}"', "'{}'", "({})", "{},", "Reach me at {}.", "a;{};b",
    "<td>{}</td>",
    '{{"id": 17, "value": "{}", "n": 1}}', "2026-01-02T03:04:05Z INFO saved {} for order 4711",
    "| 17 | {} | open |", "ann,{},2026-01-02", "it is {}; write soon", "id=7&v={}&page=2", "{}\t17",
    "{}\n2026-01-02",
)  # fmt: skip
AFTER_A_PHONE = (
    "phone: {}", '"phone": "{}"', "Tel. {}", "tel:{}", "mobile_number={}", "Fax: {}",
    "phone no. {}", "homePhone: '{}'", "customer_phone = {}",
)  # fmt: skip
AFTER_AN_SSN = ("SSN: {}", '"ssn": "{}"', "social security number {}", "social_security_no={}")
IN_MAIL = (
    *EVERYWHERE, "From: Ann <{}>", "Author: Ann <{}>  2026", "mailto:{}", "https://example.com/u/{}",
    "user:{}",
)  # fmt: skip

TYPES: dict[str, tuple[Callable[[Random], str], tuple[str, ...]]] = {
    "email": (email, IN_MAIL),
    "phone": (phone, EVERYWHERE),
    "phone after a word": (bare_phone, AFTER_A_PHONE),
    "card": (card, (*EVERYWHERE, "{} 12/27 123", "card={}")),
    "iban": (iban, (*EVERYWHERE, "IBAN {} BIC COBADEFFXXX", "IBAN: {}")),
    "ssn": (ssn, EVERYWHERE),
    "ssn after a word": (bare_ssn, AFTER_AN_SSN),
}


def samples(each: int, seed: int = 23) -> Iterator[Sample]:
    """Yield so many of each kind, each where such a one stands."""
    for kind, (make, places) in TYPES.items():
        random = Random(f"{seed} {kind}")
        for _ in range(each):
            value = make(random)
            yield Sample(kind, value, random.choice(places).format(value))


def lookalikes(seed: int = 23) -> Iterator[str]:
    """Yield texts that are no personal data, each template of the data file 20 times."""
    random = Random(seed)
    for _ in range(20):
        yield from filled_lines(random, LOOKALIKES)
