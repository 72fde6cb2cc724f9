"""Gives the text of a page that was read for it."""

import base64
import codecs
import http.client
import re
import zlib
from typing import Any

from answer import Args, Problem, answer, deadline
from page import markdown_of

MOST_BYTES = 20_000_000  # of what a compressed page may grow to
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # by what it begins with
WORK_S = 20.0
ERROR_CHARS = 2000
TEXT = re.compile(
    r"text/|application/(?:[\w.-]+\+)?(?:json|xml|yaml|javascript|toml)\b|application/x-(?:sh|ndjson)"
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
    body, longer = decompressed(base64.b64decode(response["body"]), headers)
    notes = []
    if response["cut"] or longer:
        notes.append("[there is more: only its beginning was read]")
    kind, _, rest = headers.get("content-type", "").lower().partition(";")
    kind = kind.strip() or kind_of(body)
    if not (TEXT.match(kind) or kind.endswith("html+xml")):
        if status >= 400:
            raise Problem(f"{url}: {said(status)}")
        raise Problem(f"{url}: is {kind}, {len(body):,} bytes, and no text")
    text = decoded(body, rest)
    title = ""
    if "html" in kind:
        with deadline(WORK_S, "the page is too large or too deep to be read"):
            title, text = markdown_of(text, url)
    if status >= 400:
        raise Problem(f"{url}: {said(status)}\n{text[:ERROR_CHARS]}".rstrip())
    if not text.strip():
        notes.append("[it has no text: it may be made by scripts, which do not run here]")
    head = f"{url}\n{title}".rstrip()
    return "\n\n".join([head, text.strip("\n"), *notes])


def said(status: int) -> str:
    return f"{status} {http.client.responses.get(status, '')}".rstrip()


def decompressed(body: bytes, headers: dict[str, str]) -> tuple[bytes, bool]:
    """Return a body as it was before it was compressed, cut at MOST_BYTES, and whether it was cut.

    Raises Problem for one that is damaged, or compressed in another way.
    """
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return body, False
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Problem(f"the page is compressed as {coding}, which was not asked for")
    try:
        reader = zlib.decompressobj(GZIP_OR_ZLIB)
        text = reader.decompress(body, MOST_BYTES)
    except zlib.error as wrong:
        raise Problem(f"the page is compressed as {coding}, and damaged: {wrong}") from wrong
    return text, bool(reader.unconsumed_tail)


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
    names += [meta[1].decode()] if meta else []
    for name in (*names, "utf-8"):
        try:
            return body.decode(name)
        except (LookupError, UnicodeError):
            continue
    return body.decode(names[0] if names and known(names[0]) else "cp1252", "replace")


def known(name: str) -> bool:
    try:
        return bool(codecs.lookup(name)) and isinstance(b"".decode(name), str)
    except (LookupError, UnicodeError):
        return False


answer(fetch)
