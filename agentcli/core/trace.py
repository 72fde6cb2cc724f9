"""Where the values of a call come from: the user, a trusted tool, untrusted text, or nowhere.

What decides is text alone: a value counts as the user's when it stands in what the user said, in
its own or in a normal form, between word boundaries.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal

from agentcli.core.label import Label
from agentcli.core.record import Record
from agentcli.core.visible import UNSAFE

Origin = Literal["user", "tool", "untrusted", "unknown"]
What = Literal["argument", "token", "private"]
CLIP = 60
SHINGLE = 5  # words in a row that tell a private text again

# What acts on the world by being named: it sends someone or something somewhere.
# A name with dots is taken for a machine's unless it ends like a file's, since programs that show a
# text make a link of it. There is no list of domains: new ones are sold each year.
FILE_ENDINGS = (
    "bak|bash|bat|bin|bmp|bz2|cfg|class|conf|cpp|css|csv|dat|db|diff|doc|docx|dll|eml|env|exe|gif"
    "|go|gz|hpp|htm|html|ics|ini|ipynb|jar|java|jpeg|jpg|js|json|jsonl|jsx|kt|lock|log|lua|md|mjs"
    "|mp3|mp4|odt|old|orig|parquet|patch|pdf|php|pkl|png|ppt|pptx|ps1|py|pyi|rb|rst|rtf|so|sql"
    "|sqlite|svg|tar|tex|tgz|tmp|toml|ts|tsv|tsx|ttf|txt|wav|webp|whl|xls|xlsx|xml|xz|yaml|yml"
)
# What acts on the world by being named: it sends someone or something somewhere.
ACTIVE = re.compile(
    rf"""(?P<url>\b[a-z][a-z0-9+.-]{{1,20}}://[^\s<>"'`]+)
    |(?P<scheme>\b(?:javascript|data|mailto|tel|sms|xmpp|sip|skype|facetime|whatsapp|magnet)
        :[^\s<>"'`]+)
    |(?P<mail>[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}})+)
    |(?P<iban>\b[a-z]{{2}}\d{{2}}(?:[\ .-]?[a-z0-9]{{4}}){{2,7}}(?:[\ .-]?[a-z0-9]{{1,3}})?\b)
    |(?P<address>\b\d{{1,3}}(?:\.\d{{1,3}}){{3}}\b)
    |(?P<address6>(?<![\w:.])(?:[a-f0-9]{{1,4}}:){{2,7}}:?[a-f0-9]{{0,4}}(?![\w:.]))
    |(?P<host>\b(?:localhost(?=:\d)|(?:[^\W_](?:[\w-]{{0,61}}[^\W_])?\.){{1,12}}
        (?!(?:{FILE_ENDINGS})\b)(?:xn--[a-z0-9-]{{2,59}}|[^\W\d_]{{2,24}})\b))
    |(?P<phone>(?<![\w.])\+?\d[\d ()./-]{{7,}}\d(?!\w))
    |(?P<wallet>\b(?:0x[a-f0-9]{{40}}|(?:bc1|[13])[a-z0-9]{{25,61}})\b)""",
    re.VERBOSE,
)
# A name as people write it so that no program makes a link of it: any in brackets; with a bare
# `dot` only such as end like most do and as no sentence goes on, since the rest are mere words.
ENDINGS = "com|net|org|edu|gov|info|biz|io|co|dev|xyz|ly|ai|ru|cn|uk|de|fr|nl"
BRACKETED_DOT = r"\ ?[\[({<]\ ?(?:\.|dot|,)\ ?[\])}>]\ ?"
DEFANGED = re.compile(
    rf"""(?P<mail>\b[\w.+-]{{1,64}}\ ?[\[({{<]\ ?(?:at|@)\ ?[\])}}>]\ ?[\w-]{{1,63}})
    |(?P<host>\b[\w-]{{1,63}}(?:(?:\.|{BRACKETED_DOT})[\w-]{{1,63}}){{0,8}}{BRACKETED_DOT}
        (?!(?:{FILE_ENDINGS})\b)[\w-]{{2,63}})
    |(?P<spoken>\b[\w-]{{2,63}}(?:\ dot\ [\w-]{{2,63}}){{0,3}}\ dot\ (?:{ENDINGS})\b)
    |(?P<url>\b[a-z]{{2,20}}(?:\[:\]|:\[)//[^\s<>"'`]+)""",
    re.VERBOSE,
)
# Somebody's name where people meet, not what stands before a function or in a package's name.
HANDLE = re.compile(
    r"(?<![\w.@/`])@[a-z_](?:[\w-]|\.(?=\w)){1,38}(?![\w(/-]|\.\w|\ (?:async|def|class)\b)"
)
WORD = re.compile(r"[^\W_]+(?:['’.,:/@+-][^\W_]+)*")
DATE = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
NAMED_DATE = re.compile(
    r"\b(?:(?P<d1>\d{1,2})(?:st|nd|rd|th)?(?: of)? (?P<m1>[a-z]{3,9})|"
    r"(?P<m2>[a-z]{3,9}) (?P<d2>\d{1,2})(?:st|nd|rd|th)?),? (?P<year>\d{4})\b"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
INVISIBLE = re.compile(f"[{UNSAFE}]")  # none of it changes where a name leads
IDEOGRAPHIC_STOP = re.compile("(?<=[a-z0-9-])\u3002(?=[a-z0-9])")  # a dot, in names of machines
# Not in what has more parts: of an address, a version, a path or a host's name each counts.
DECIMALS = re.compile(r"(?<![./])(?<!\w-)\b(\d+)\.(\d*?)0+\b(?!\.\w|-[^\W\d])")


class Trace(Record, frozen=True):
    """Where one value of a call comes from.

    path: of the argument, as `to` or `items.0.name`. what: the whole argument; an active token in
        it; or words of a private result.
    text: the value, clipped. seq, source: the record whose text holds it, and what gave that text.
    """

    path: str
    what: What
    origin: Origin
    text: str
    seq: int = 0
    source: str = ""


def normal(text: str) -> str:
    """Return the form in which texts are compared: one case, one space, one way for each date."""
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    text = NAMED_DATE.sub(dated, GROUPED.sub("", text))
    text = DATE.sub(lambda m: f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}", text)
    return DECIMALS.sub(lambda m: f"{m[1]}.{m[2]}".rstrip("."), text)


def dated(match: re.Match[str]) -> str:
    """Return a date in words as YYYY-MM-DD; as it is if it is none."""
    month = (match["m1"] or match["m2"])[:3]
    if month not in MONTHS:
        return match[0]
    day = int(match["d1"] or match["d2"])
    return f"{match['year']}-{MONTHS.index(month) + 1:02}-{day:02}"


def shapes_of(value: str) -> Iterator[str]:
    """Yield the normal forms under which a value may stand in a text."""
    plain = normal(value)
    yield plain
    bare = re.sub(r"^[a-z][a-z0-9+.-]*://(?:www\.)?", "", plain).rstrip("/")
    path = plain.removeprefix("./").rstrip("/")
    yield from dict.fromkeys(form for form in (bare, path) if form and form != plain)


def holds(text: str, form: str) -> bool:
    """Say whether a text in its normal form holds another one, between word boundaries."""
    at = text.find(form) if form else -1
    while at >= 0:
        before, after = text[max(0, at - 2) : at][::-1], text[at + len(form) : at + len(form) + 2]
        if not (goes_on(form[0], before) or goes_on(form[-1], after)):
            return True
        at = text.find(form, at + 1)
    return False


def goes_on(edge: str, beyond: str) -> bool:
    """Say whether a word or a number goes on beyond its edge: 1000 does in 1000.5."""
    if not beyond or not edge.isalnum():
        return False
    if edge.isdigit() and len(beyond) == 2 and beyond[0] in ".," and beyond[1].isdigit():
        return True
    return beyond[0].isalnum() or beyond[0] == "_"


@dataclass(frozen=True)
class Passage:
    """A text that the model has seen, in its normal form. seq: of its record. name: of its source.

    tells: what would tell it again, if it is private. is_answer: a number or a date that a reader
    gave, which can be said in other forms than this one.
    """

    text: str
    label: Label
    seq: int
    name: str
    tells: frozenset[str] = frozenset()
    is_answer: bool = False

    @classmethod
    def of(
        cls, text: str, label: Label, seq: int, name: str, *, is_answer: bool = False
    ) -> "Passage":
        plain = normal(text)
        private = label.confidentiality == "private"
        tells = frozenset(telling(plain)) if private else frozenset[str]()
        return cls(plain, label, seq, name, tells, is_answer)


@dataclass
class Passages:
    """All that the model of a run has seen, in order."""

    found: list[Passage] = field(default_factory=list)

    def add(self, text: str, label: Label, seq: int, name: str, *, is_answer: bool = False) -> None:
        self.found.append(Passage.of(text, label, seq, name, is_answer=is_answer))

    @property
    def is_tainted(self) -> bool:
        return any(passage.label.is_tainted for passage in self.found)

    def origin_of(self, value: str) -> tuple[Origin, int, str]:
        """Return where a value stands, with the most trusted first: record and name.

        Digits that stand nowhere count as an answer's in another form, if there is one.
        """
        forms = [form for form in shapes_of(value) if form]
        if not forms:
            return "user", 0, ""  # nothing can be said with nothing
        for origin in ("user", "tool", "untrusted"):
            for passage in self.found:
                if passage.label.integrity == origin and any(
                    holds(passage.text, form) for form in forms
                ):
                    return origin, passage.seq, passage.name
        answer = next((passage for passage in self.found if passage.is_answer), None)
        if answer is not None and any(map(str.isnumeric, value)):
            return "untrusted", answer.seq, answer.name
        return "unknown", 0, ""

    def may_tell(self, args: dict[str, Any], names: Set[str] | None = None) -> bool:
        """Say whether what repeats these arguments may tell what is untrusted. names: as below.

        The model's own words may, once it was shown such text: an answer alone has none for it.
        """
        if not self.is_tainted:
            return False
        is_shown = any(one.label.is_tainted and not one.is_answer for one in self.found)
        theirs = ("untrusted", "unknown") if is_shown else ("untrusted",)
        return any(self.origin_of(value)[0] in theirs for _, value in leaves_of(args, names))

    def trace(
        self, args: dict[str, Any], sinks: Sequence[str] | None, names: Set[str] | None = None
    ) -> tuple[Trace, ...]:
        """Return where the values of a call come from.

        sinks: the arguments that must be traced, None for all. Of the others only what could act
        or tell what is private is looked at.
        names: those that the tool's schema has for fields, None if it is not known. Any other is
        chosen by the model, so it is a value.
        """
        traces: list[Trace] = []
        for path, value in leaves_of(args, names):
            if sinks is None or path.partition(".")[0] in sinks:
                origin, seq, name = self.origin_of(value)
                traces.append(Trace(path, "argument", origin, clip(value), seq, name))
            traces += self.tokens(path, value)
            traces += self.private(path, value)
        return tuple(traces)

    def tokens(self, path: str, value: str) -> Iterator[Trace]:
        """Yield the active tokens of a value that neither the user nor a trusted tool named."""
        plain = IDEOGRAPHIC_STOP.sub(".", INVISIBLE.sub("", normal(value)))
        found = (m[0] for form in (ACTIVE, DEFANGED, HANDLE) for m in form.finditer(plain))
        for token in dict.fromkeys(found):
            origin, seq, name = self.origin_of(token.rstrip(".,;:!?)"))
            if origin not in ("user", "tool") and (whole := refanged(token)) != token:
                origin, seq, name = self.origin_of(whole)
            if origin not in ("user", "tool"):
                yield Trace(path, "token", origin, clip(token), seq, name)

    def private(self, path: str, value: str) -> Iterator[Trace]:
        """Yield what a value tells of private results that the user has not said."""
        theirs = [p for p in self.found if p.label.integrity == "user"]
        for form in telling(normal(value)):
            passage = next((one for one in self.found if form in one.tells), None)
            if passage is not None and not any(holds(p.text, form) for p in theirs):
                label, found = passage.label.integrity, clip(form)
                yield Trace(path, "private", label, found, passage.seq, passage.name)
                return  # one is enough to ask about


def refanged(token: str) -> str:
    """Return a name as programs know it."""
    token = re.sub(rf"{BRACKETED_DOT}|\ dot\ ", ".", token)
    return re.sub(r"\ ?[\[({<]\ ?(?:at|@)\ ?[\])}>]\ ?", "@", token)


def telling(text: str) -> Iterator[str]:
    """Yield what of a text would tell another one again: words with digits, and words in a row."""
    words = [match[0] for match in WORD.finditer(text)]
    for word in words:
        if len(word) >= 4 and (any(map(str.isdigit, word)) or "@" in word):
            yield word
    spans = [match.span() for match in WORD.finditer(text)]
    for first, last in zip(spans, spans[SHINGLE - 1 :], strict=False):
        yield text[first[0] : last[1]]


def leaves_of(
    value: Any, names: Set[str] | None = None, path: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield the values of arguments that can say something, as texts, and their paths."""
    match value:
        case dict():
            for name, item in value.items():
                below = f"{path}.{name}" if path else str(name)
                if names is not None and name not in names:
                    yield below, str(name)
                yield from leaves_of(item, names, below)
        case list() | tuple():
            for number, item in enumerate(value):
                yield from leaves_of(item, names, f"{path}.{number}")
        case bool() | None:
            return
        case _:
            yield path, str(value)


def clip(text: str) -> str:
    return text if len(text) <= CLIP else text[: CLIP - 1] + "…"
