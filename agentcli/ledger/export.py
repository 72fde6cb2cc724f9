"""Puts a file where its user wants it: whole or not at all, and over nothing."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from agentcli.errors import InputError, LedgerError

PRIVATE, SHARED = 0o600, 0o666  # the umask takes away from these


@contextlib.contextmanager
def exported(path: Path, mode: int, *, force: bool) -> Iterator[BinaryIO]:
    """Yield a file to write, which stands under its name only once it is whole.

    force: a file that is there is replaced; nothing else ever is.
    Raises InputError for a name that is taken, LedgerError.
    """
    try:
        # Found before any work is done. What comes later is found when it gets its name.
        if os.path.lexists(path) and not (force and path.is_file()):
            raise taken(path)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with open(file, "wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            if force:
                os.replace(beside, path)
            else:
                put(beside, path, mode)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError as error:
        raise taken(path) from error
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder that is there only for as long as it is worked in. Raises LedgerError."""
    try:
        place = tempfile.TemporaryDirectory(prefix="agentcli-")
    except OSError as error:
        hint = "Set TMPDIR to a folder that can be written."
        raise LedgerError(f"no temporary folder: {error.strerror}", hint=hint) from error
    with place as folder:
        yield Path(folder)


def taken(path: Path) -> InputError:
    return InputError(f"{path}: is there already", hint="Another name, or --force.")


def put(beside: Path, path: Path, mode: int) -> None:
    """Give a file its name. Raises FileExistsError if it is taken, if only since a moment."""
    try:
        os.link(beside, path)
    except FileExistsError:
        raise
    except OSError:
        copy(beside, path, mode)  # a file system without links, as on most sticks


def copy(beside: Path, path: Path, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(file, "wb") as out, beside.open("rb") as source:
            shutil.copyfileobj(source, out)
            out.flush()
            os.fsync(out.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
