"""What personal data looks like: rules as those for secrets, some with a sum to be checked."""

import re
from collections.abc import Callable
from typing import Literal

# Whether personal data is kept as it is, or marks stand in its place as in that of secrets.
Pii = Literal["keep", "redact"]
# What stands where a top-level domain would, and is none: `icon@2x.png`, `getty@tty1.service`.
NO_DOMAIN = (
    "png|jpe?g|gif|svg|webp|avif|js|ts|json|html|css|xml|csv|txt|log|pdf|lock|bak|db|yaml|yml|toml"
    "|ini|cfg|conf|env|pem|crt|key|service|socket|timer|mount|target"
)
# How long the bank account numbers of a country are, by the registry of ISO 13616.
IBAN_SIZES = {
    country: int(size)
    for country, size in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 "
        "DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 "
        "IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 "
        "MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 "
        "SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30",
    )
}
# The beginnings of the numbers that issuers of payment cards have, by how many digits they are.
ISSUERS = {
    14: r"3(?:0[0-5]|[689])",
    15: r"3[47]",
    16: r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|6(?:011|5|4[4-9]|2)|35(?:2[89]|[3-8])",
    19: r"4|6(?:011|5|4[4-9]|2)",
}
# Calling codes of countries, by the ITU's E.164: of one digit, of two, and others of three.
CALLING = re.compile(r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9]\d\d")
NORTH_AMERICAN = re.compile(r"1[2-9]\d\d[2-9]\d{6}")


def card_size(text: str) -> int:
    """Return the length of a text that is the number of a payment card, 0 for another.

    The last digit is that of ISO/IEC 7812, the Luhn sum.
    """
    digits = re.sub(r"\D", "", text)
    issuer = ISSUERS.get(len(digits))
    if issuer is None or not re.match(issuer, digits):
        return 0
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    total = sum(doubled) + sum(map(int, digits[-1::-2]))
    return 0 if total % 10 else len(text)


def iban_size(text: str) -> int:
    """Return how much of the beginning of a text is a bank account number, 0 for none.

    Its two check digits are those of ISO 13616, modulo 97.
    """
    wanted, number = IBAN_SIZES.get(text[:2], 0), ""
    for at, letter in enumerate(text):
        number += letter.strip()
        if len(number) == wanted:
            ends = text[at + 1 : at + 2].strip() == ""
            digits = "".join(str(int(one, 36)) for one in number[4:] + number[:4])
            return at + 1 if ends and int(digits) % 97 == 1 else 0
    return 0


def phone_size(text: str) -> int:
    """Return how much of the beginning of a text is a phone number with its country, 0 for none.

    What follows it behind a blank may be another number.
    """
    ends = [len(text), *(found.start() for found in re.finditer(r"(?<=\d)[ ./-]", text))]
    for end in sorted(ends, reverse=True):
        digits = re.sub(r"\(0\)|\D", "", text[:end]).removeprefix("00")
        if digits[0] == "1":
            if NORTH_AMERICAN.fullmatch(digits):
                return end
        elif 9 <= len(digits) <= 13 and CALLING.match(digits):
            return end
    return 0


# As the rules for secrets: type, looks, a word without which it cannot match; and what tells how
# much of the beginning of what was found is one.
RULES: tuple[tuple[str, str, str, Callable[[str], int]], ...] = (
    (
        "email",
        # None of `https://name@host`, `git@host:path`, `name@1.2.3`, `x@y.call()`, and no folder
        # of an account: rules about paths have to see that.
        r"(?<![\w.+-])(?<!://)(?<!/home/)(?<!/Users/)[\w+-][\w.+'-]{0,63}@(?!\d+\.\d)"
        rf"(?:[^\W_](?:[\w-]{{0,61}}[^\W_])?\.)+(?!(?:{NO_DOMAIN})\b)[^\W\d_]{{2,24}}"
        r"(?![\w(-]|\.\w|:~|:[\w.-]*/)",
        "@",
        len,
    ),
    (
        "email",  # in the query of an address
        r"(?<![\w.+-])[\w.+-]{1,64}%40(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-]|\.\w)",
        "%40",
        len,
    ),
    (
        "phone",
        r"(?<![\w.+-])\+(?!(?:19|20)\d\d-\d\d-\d\d)[1-9](?:[ ./()-]{0,3}\d){7,14}(?!\w|[.:]\d)",
        "+",
        phone_size,
    ),
    (
        "phone",
        r"(?<![\w.+/-])00[1-9]\d{0,2}(?:[ ./()-]{1,2}\d{2,}){2,5}(?!\w|[.:]\d)",
        "00",
        phone_size,
    ),
    (
        "phone",  # North America
        r"(?<![\w.+/-])(?:1[-. ])?(?:\([2-9]\d\d\) ?[2-9]\d\d[-. ]|[2-9]\d\d-[2-9]\d\d-"
        r"|[2-9]\d\d\.[2-9]\d\d\.)\d{4}(?![\w-]|[.:]\d)",
        "",
        len,
    ),
    (
        "phone",  # France, Britain, Germany
        r"(?<![\w.+/:-])(?:0[1-9](?:[ .]\d\d){4}|0(?:2\d \d{4} \d{4}|1\d\d \d{3} \d{4}"
        r"|1\d{3} \d{6}|7\d{3} (?:\d{6}|\d{3} \d{3}))|\(0\d{2,4}\) ?\d{5,8}|0\d{2,4}/\d{6,8})"
        r"(?![\w/-]|[ .:]\d)",
        "0",
        len,
    ),
    (
        "phone",  # after a word that says so
        r"(?:(?<![A-Za-z])(?i:tele?(?:phone|fon)?|phone|mobile|fax|whatsapp)|Phone|Mobile|Fax)"
        r"(?i:[ _-]?(?:number|num|no|nr))?\W{1,6}"
        r"(?P<secret>(?!\d{4}-\d\d-\d\d|\d{1,3}(?:\.\d{1,3}){3})\(?\d(?:[ ./()-]{0,2}\d){6,13})"
        r"(?!\w|[.:]\d)",
        "",
        len,
    ),
    (
        "card",
        r"(?<![\w.+-])(?:\d{4}(?: \d{4}){3}|\d{4}(?:-\d{4}){3}|\d{4} \d{6} \d{4,5}"
        r"|\d{4}-\d{6}-\d{4,5}|\d{14,16}|\d{19})(?![\w-]|\.\d)",
        "",
        card_size,
    ),
    ("iban", r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}", "", iban_size),
    (
        "ssn",
        r"(?<![\w.+-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-]|\.\d)",
        "-",
        len,
    ),
    (
        "ssn",  # after a word that says so
        r"(?<![A-Za-z])(?i:ssn|social[ _]?security(?:[ _]?(?:number|num|no))?)\W{1,6}"
        r"(?P<secret>(?!000|666|9)\d{3} ?(?!00)\d\d ?(?!0000)\d{4})(?![\w-]|\.\d)",
        "",
        len,
    ),
)
KINDS = tuple(dict.fromkeys(kind for kind, *_ in RULES))
MARK = re.compile(rf"\[REDACTED:(?:{'|'.join(KINDS)}):[0-9a-f]{{16}}\]")


def is_marked(text: str) -> bool:
    """Say whether marks in a text stand for personal data: rules cannot tell what that was."""
    return "[REDACTED:" in text and MARK.search(text) is not None
