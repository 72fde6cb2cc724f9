"""Gives the text of a page that was read for it."""

import base64
import codecs
import http.client
import json
import re
import zlib
from typing import Any

from answer import Args, Problem, answer, deadline
from page import markdown_of

MOST_BYTES = 20_000_000  # of what a compressed page may grow to
MOST_PARTS = 100  # of a compressed page
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # by what it begins with
WORK_S = 20.0
ERROR_CHARS = 2000
KIND_CHARS = 100
ANSWER_BYTES = 9_000_000  # a sandbox stops whatever writes ten million
TEXT = re.compile(
    r"text/|application/(?:[\w.-]+\+)?(?:json|xml|yaml|javascript|toml)\b|application/x-(?:sh|ndjson)"
)
ENCODING = re.compile(
    r"(?:utf-(?:8|16|32)|ascii|iso8859|cp\d|koi8|mac-|tis|gb|hz|big5|euc_|shift_jis|iso2022|johab)"
)
META = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def fetch(given: Args) -> str:
    response: dict[str, Any] = given["response"]
    url, status, headers = response["url"], response["status"], response["headers"]
    body, more = decompressed(base64.b64decode(response["body"]), headers)
    kind, _, rest = headers.get("content-type", "").lower().partition(";")
    kind = kind.strip()[:KIND_CHARS] or kind_of(body)
    if not (TEXT.match(kind) or kind.endswith("html+xml")):
        if status >= 400:
            raise Problem(f"{url}: {said(status)}")
        raise Problem(f"{url}: is {kind}, {len(body):,} bytes, and no text")
    text = decoded(body, rest)
    title, full = "", False
    if "html" in kind:
        with deadline(WORK_S, "the page is too large or too deep to be read"):
            title, text, full = markdown_of(text, url)
    if status >= 400:
        raise Problem(f"{url}: {said(status)}\n{text[:ERROR_CHARS]}".rstrip())
    notes = []
    while len(json.dumps(text)) > ANSWER_BYTES:
        text, full = text[: len(text) * 3 // 4], True
    if response["cut"] or more or full:
        notes.append("[there is more: only its beginning was read]")
    if not text.strip():
        notes.append("[it has no text: it may be made by scripts, which do not run here]")
    head = f"{url}\n{title}".rstrip()
    return "\n\n".join([head, text.strip("\n"), *notes])


def said(status: int) -> str:
    return f"{status} {http.client.responses.get(status, '')}".rstrip()


def decompressed(body: bytes, headers: dict[str, str]) -> tuple[bytes, bool]:
    """Return a body as it was before it was compressed, cut at MOST_BYTES, and whether it was cut.

    It may consist of several parts. Raises Problem for one that is damaged, or compressed in
    another way.
    """
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return body, False
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Problem(f"the page is compressed as {coding[:KIND_CHARS]}, which was not asked for")
    found = bytearray()
    for _ in range(MOST_PARTS):
        if not body or len(found) >= MOST_BYTES:
            break
        reader = zlib.decompressobj(GZIP_OR_ZLIB)
        try:
            found += reader.decompress(body, MOST_BYTES - len(found))
        except zlib.error as wrong:
            if found:  # behind a part there may be anything
                return bytes(found), False
            raise Problem(f"the page is compressed as {coding}, and damaged: {wrong}") from wrong
        body = reader.unused_data
    return bytes(found), bool(body) or len(found) >= MOST_BYTES


def kind_of(body: bytes) -> str:
    """Return what a body is whose server does not say so."""
    if b"\0" in body[:8000]:
        return "application/octet-stream"
    return "text/html" if re.match(rb"\s*<(?:!doctype html|html)\b", body, re.I) else "text/plain"


def decoded(body: bytes, parameters: str) -> str:
    """Return a body as text: by its mark, by its server, by itself, or as most pages are."""
    named = re.search(r"charset=[\"']?([\w.:-]+)", parameters)
    meta = META.search(body[:2000])
    names = [name for mark, name in MARKS if body.startswith(mark)]
    names += [named[1]] if named else []
    # Whoever could be read as far as here wrote in no units of two or four bytes.
    names += [meta[1].decode()] if meta and not meta[1].lower().startswith(b"utf-") else []
    names = [name for name in names if is_known(name)]
    for name in (*names, "utf-8"):
        try:
            return body.decode(name)
        except UnicodeError:
            continue
    return body.decode(names[0] if names else "cp1252", "replace")


def is_known(name: str) -> bool:
    """Say whether a name is that of an encoding of pages; Python has others, and slow ones."""
    try:
        return bool(ENCODING.match(codecs.lookup(name).name))
    except (LookupError, ValueError):
        return False


answer(fetch)
