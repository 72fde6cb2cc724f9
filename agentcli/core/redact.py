"""Finds secrets in text and puts a mark in their place, from which the owner can get them back."""

import base64
import hmac
import re
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Sequence
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from agentcli.core import personal
from agentcli.core.personal import Pii
from agentcli.core.table import Rule, Table, in_ascii

KEY_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
MARK = re.compile(r"\[REDACTED:[a-z_]+:[0-9a-f]{16}\]")
SHORTEST_KNOWN = 8
SHORTEST_PERSONAL = 6  # a@b.cc

# Each rule: its type, what it looks like, and a lower-case word without which it cannot match.
# Formats are those that the issuers document; the group `secret`, or else all, is the secret.
# Whoever writes a text must not choose how long it is searched: from no two places may a rule look
# over the same long stretch, so a beginning cannot stand in the middle of what may follow it, or
# what follows has a bound.
RULES: tuple[tuple[str, str, str], ...] = (
    ("anthropic_key", r"sk-ant-[A-Za-z0-9_-]{20,}", "sk-ant-"),
    ("openai_key", r"(?<![A-Za-z0-9])sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}", "sk-"),
    ("aws_key_id", r"\bASIA[A-Z2-7]{16}\b", "asia"),
    ("aws_key_id", r"\bAKIA[A-Z0-9]{16}\b", "akia"),
    (
        "aws_secret",
        r"(?i:aws_?secret_?(?:access_?)?key|secret_?access_?key)\W{1,8}"
        r"(?P<secret>[A-Za-z0-9/+=]{40})",
        "secret",
    ),
    ("github_token", r"\bgh[pousr]_[A-Za-z0-9]{36,}", "gh"),
    ("github_token", r"github_pat_[A-Za-z0-9_]{40,}", "github_pat_"),
    (
        "gitlab_token",
        r"\bgl(?:pat|dt|rt|ptt|soat|cbt|ft|imt|agent|oas)-[A-Za-z0-9_-]{20,}",
        "gl",
    ),
    ("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", "xox"),
    ("slack_token", r"xapp-\d-[A-Za-z0-9-]{20,}", "xapp-"),
    (
        "slack_hook",
        r"https://[^\s/]{0,99}slack[^\s/]{0,99}/services/[A-Za-z0-9/]{20,}",
        "/services/",
    ),
    ("stripe_key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}", "k_"),
    ("stripe_key", r"whsec_[A-Za-z0-9]{32,}", "whsec_"),
    ("google_key", r"GOCSPX-[A-Za-z0-9_-]{28}", "gocspx-"),
    ("google_key", r"AIza[A-Za-z0-9_-]{35}", "aiza"),
    ("npm_token", r"npm_[A-Za-z0-9]{36}", "npm_"),
    ("pypi_token", r"pypi-[A-Za-z0-9_-]{50,}", "pypi-"),
    ("hf_token", r"\bhf_[A-Za-z0-9]{30,}", "hf_"),
    ("sendgrid_key", r"\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{40,}", "sg."),
    ("digitalocean_token", r"\bdo[opr]_v1_[a-f0-9]{64}", "_v1_"),
    ("telegram_token", r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}", ":aa"),
    (
        "azure_key",
        r"(?i:account_?key|storage_?key|shared_?access_?key)\W{1,8}"
        r"(?P<secret>[A-Za-z0-9+/]{40,}={0,2})",
        "key",
    ),
    (
        "jwt",
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        "eyj",
    ),
    (
        "private_key",
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----BEGIN ))*?"
        r"-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----",
        "private key",
    ),
    ("bearer", r"(?i:bearer)\s+(?P<secret>[A-Za-z0-9._~+/-]{20,}=*)", "bearer"),
    ("url_password", r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@]+:(?P<secret>[^\s/@]{3,})@", "://"),
    (
        "password",
        # No variable, `$NAME_2`, and nothing that is looked up, `settings.token_2`.
        r"(?i:passwo?r?d|secret|token|api_?key)[\"']?\s*(?:[:=]>?|\bis\b:?)\s*[\"']?"
        r"(?!\$[A-Z_][A-Z0-9_]*\b|[A-Za-z_]+(?:\.[A-Za-z_]\w*)+(?![\w!@#$%^&*+/=~-]))"
        r"(?P<secret>(?=[^\s\"']{0,127}\d)[A-Za-z0-9_!@#$%^&*+/.=~-]{12,})",
        "",
    ),
)
# A private key whose last line has not ended: none of it may be shown yet.
KEY_BEGUN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"(?:(?!-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[^\r\n]*[\r\n])[\s\S])*\Z"
)
MOST_HELD = 65_536


SECRETS = Table(Rule(*rule) for rule in RULES)
PERSONAL = Table(Rule(*rule) for rule in personal.RULES)


def known_secrets(environ: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the values of an environment whose names say that they are secret."""
    return tuple(
        value for name, value in environ if KEY_NAME.search(name) and len(value) >= SHORTEST_KNOWN
    )


class Redactor:
    """Knows the rules, the exact secrets of this process, and the key of its marks.

    A mark is keyed, so that equal secrets stay comparable and small ones cannot be guessed.
    name_of: the name that a secret has already, None if it has none.
    pii: whether personal data counts as a secret.
    """

    def __init__(
        self,
        key: bytes,
        known: Iterable[str] = (),
        name_of: Callable[[str], str | None] = lambda secret: None,
        pii: Pii = "keep",
    ) -> None:
        self.key, self.name_of = key, name_of
        self.tables = (SECRETS, PERSONAL) if pii == "redact" else (SECRETS,)
        forms = {form for value in known for form in forms_of(value)}
        longest_first = sorted(forms, key=len, reverse=True)
        self.known = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        # No rule finds anything in less: most strings of a record are shorter words of our own.
        shortest = SHORTEST_PERSONAL if pii == "redact" else SHORTEST_KNOWN
        self.shortest = min([shortest, *map(len, forms)])

    def mark(self, kind: str, secret: str) -> str:
        return mark_of(kind, self.name_of(secret) or name_by(self.key, secret))

    def clean(self, text: str, keep: Callable[[str, str], str] | None = None) -> str:
        """Return the text with a mark for each secret.

        keep: is given each kind and secret, and returns the mark, so that `restore` can undo it.
        Marks that stand in the text already are then marked as well, or they would be restored as
        if ours.
        """
        if len(text) < self.shortest:
            return text
        spans = self.find(text, marks=keep is not None)
        if not spans:
            return text
        parts: list[str] = []
        at = 0
        for start, end, kind in spans:
            secret = text[start:end]
            mark = (keep or self.mark)(kind, secret)
            parts += (text[at:start], mark)
            at = end
        return "".join((*parts, text[at:]))

    def find(self, text: str, *, marks: bool) -> list[tuple[int, int, str]]:
        """Return where secrets are, in order, as (start, end, kind); what overlaps is one.

        marks: whether marks are to be found too, or else left as they are.
        """
        found: list[tuple[int, int, str]] = []
        literal = [match.span() for match in MARK.finditer(text)] if "[REDACTED:" in text else []
        if marks:
            found += [(start, end, "mark") for start, end in literal]
        if self.known is not None:
            found += [(*match.span(), "known") for match in self.known.finditer(text)]
        plain = in_ascii(text)
        for table in self.tables:
            found += table.find(text, plain)
        if not marks:
            found = [span for span in found if not overlaps(span, literal)]
        return merged(sorted(found))


class CleanStream:
    """Takes secrets out of a text that comes in pieces, cut anywhere.

    clean: for a whole text. A line is given back once it has ended, a private key once it is whole.
    """

    def __init__(self, clean: Callable[[str], str]) -> None:
        self.clean = clean
        self.held = ""

    def feed(self, text: str) -> str:
        """Return what of the text so far can be shown and has not been, without its secrets."""
        self.held += text
        end = max(self.held.rfind("\n"), self.held.rfind("\r")) + 1
        begun = KEY_BEGUN.search(self.held)
        if begun is not None:
            end = min(end, begun.start())
        if len(self.held) > MOST_HELD:
            end = len(self.held)
        ready, self.held = self.held[:end], self.held[end:]
        return self.clean(ready)

    def finish(self) -> str:
        """Return the rest."""
        rest, self.held = self.held, ""
        return self.clean(rest)


def name_by(key: bytes, secret: str) -> str:
    """Return what a secret is called: nothing can be told from it without the key."""
    return hmac.digest(key, secret.encode("utf-8", "surrogatepass"), "sha256").hex()[:16]


def mark_of(kind: str, name: str) -> str:
    return f"[REDACTED:{kind}:{name}]"


def name_in(mark: str) -> str:
    """Return the name in a mark, or a bare name as it is."""
    return mark.rstrip("]").rpartition(":")[2]


def overlaps(span: tuple[int, int, str], others: Sequence[tuple[int, int]]) -> bool:
    """Say whether a span overlaps one of these, which stand in order."""
    before = bisect_left(others, span[1], key=itemgetter(0))
    return before > 0 and others[before - 1][1] > span[0]


def merged(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    whole: list[tuple[int, int, str]] = []
    for start, end, kind in spans:
        if whole and start < whole[-1][1]:
            first, last, name = whole[-1]
            whole[-1] = (first, max(last, end), name)
        elif start < end:
            whole.append((start, end, kind))
    return whole


def restore(text: str, find: Callable[[str], str | None]) -> str:
    """Return the text as it was before `clean` kept its secrets; `find` gives a mark's secret."""
    if "[REDACTED:" not in text:
        return text

    def secret_of(match: re.Match[str]) -> str:
        found = find(match.group())
        return match.group() if found is None else found

    return MARK.sub(secret_of, text)


def forms_of(secret: str) -> set[str]:
    """Return a secret as it is, in base64, in hex and percent-encoded.

    In base64 also as it stands in the midst of more, as in `user:password`.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, quote(secret, ""), raw.hex(), raw.hex().upper()}
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        # The first and last letters hold bits of the neighbours.
        inner = whole[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
        if not before:
            forms |= {whole, whole.replace("+", "-").replace("/", "_")}
    return {form for form in forms if form == secret or len(form) >= SHORTEST_KNOWN}


def map_strings(value: Any, change: Callable[[str], str], names: Container[str] = ()) -> Any:
    """Return plain JSON data with every string changed, keys too but for these names."""
    match value:
        case str():
            return change(value)
        case list() | tuple():
            return [map_strings(item, change, names) for item in value]
        case dict():
            return {
                name if name in names else change(name): map_strings(item, change, names)
                for name, item in value.items()
            }
        case _:
            return value
