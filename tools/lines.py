"""Text files line by line, however large they or their lines are."""

from collections.abc import Iterator
from typing import BinaryIO

PROBE_BYTES = 8192
PIECE_BYTES = 65_536

_MAGIC = [
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (or a docx, xlsx, jar, wheel)"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\x7fELF", "an ELF program or library"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xff\xfe\0\0", "UTF-32 text"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"PAR1", "a Parquet table"),
    (b"\xca\xfe\xba\xbe", "a Java class or a Mach-O program"),
]


def binary_kind(start: bytes) -> str:
    """Return what a file is by its first bytes; "" for text."""
    for magic, kind in _MAGIC:
        if start.startswith(magic) and (magic != b"BZh" or b"\0" in start):
            return kind
    return "binary data" if b"\0" in start else ""


def lines(file: BinaryIO, keep_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Yield each line as (its first bytes with the line end if that is near, its whole length)."""
    kept, length = b"", 0
    while piece := file.readline(PIECE_BYTES):
        if len(kept) < keep_bytes:
            kept += piece[: keep_bytes - len(kept)]
        length += len(piece)
        if piece.endswith(b"\n"):
            yield kept, length
            kept, length = b"", 0
    if length:
        yield kept, length
