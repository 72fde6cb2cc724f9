"""Where secrets go that the ledger must not hold but the run still needs, and big outputs."""

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from agentcli.core.event import Checked, Decision, Event, Failed, ToolEnded
from agentcli.core.record import field_names
from agentcli.core.redact import Redactor, map_strings, restore
from agentcli.errors import LedgerError

# What tools say is cleaned for good: the model sees the marks too.
CLEANED_FOR_GOOD = (ToolEnded, Failed, Checked)


FIELDS = field_names()  # a name of ours is no secret, even if a variable holds the same
OWN_WORDS = {"kind", "id", "step", "failure", "ending", "question", "bound", "scope", "why", "stop"}


class Vault:
    """The private folder of one run, 0700: a key, and each secret in a file of its mark's hash.

    sync_file: makes a written file safe; a record that names it is synced after it.
    """

    def __init__(
        self,
        folder: Path,
        known: tuple[str, ...] = (),
        sync_file: Callable[[int], None] = os.fsync,
    ) -> None:
        self.folder, self.sync_file = folder, sync_file
        self.cache: dict[str, str] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = folder / "key"
        if not key.exists():
            write_private(key, secrets.token_bytes(32), sync_file)
        self.redactor = Redactor(key.read_bytes(), known)

    def clean(self, event: Event) -> Event:
        """Return the event as it may be stored.

        A decision follows from what is stored already: there is nothing in it to be cleaned.
        """
        if isinstance(event, Decision):
            return event
        change = self.redactor.clean if isinstance(event, CLEANED_FOR_GOOD) else self.clean_text
        return mapped(event, change)

    def restore(self, event: Event) -> Event:
        """Return the event as it was before `clean`."""
        if isinstance(event, CLEANED_FOR_GOOD):
            return event
        return mapped(event, self.restore_text)

    def clean_text(self, text: str) -> str:
        return self.redactor.clean(text, self.keep)

    def restore_text(self, text: str) -> str:
        return restore(text, self.find)

    def keep(self, mark: str, secret: str) -> None:
        if mark not in self.cache:
            path = self.path_of(mark)
            if not path.exists():
                write_private(path, secret.encode("utf-8", "surrogatepass"), self.sync_file)
            self.cache[mark] = secret

    def find(self, mark: str) -> str | None:
        """Return the secret behind a mark, or None where it is gone."""
        if mark not in self.cache:
            if (found := find_secret(self.folder, mark)) is None:
                return None
            self.cache[mark] = found
        return self.cache[mark]

    def path_of(self, mark: str) -> Path:
        return path_of(self.folder, mark)


def path_of(folder: Path, mark: str) -> Path:
    return folder / mark.rstrip("]").rpartition(":")[2]


def find_secret(folder: Path, mark: str) -> str | None:
    """Return the secret that a private folder holds for a mark, or None; makes no folder."""
    try:
        return path_of(folder, mark).read_bytes().decode("utf-8", "surrogatepass")
    except (FileNotFoundError, NotADirectoryError):
        return None


def mapped(event: Event, change: Callable[[str], str]) -> Event:
    """Return the event with its strings changed; the very same one if nothing changes."""
    seen: list[str] = []  # strings that change

    def noted(text: str) -> str:
        new = change(text)
        if new != text:
            seen.append(new)
        return new

    plain = msgspec.to_builtins(event)
    changed = map_strings(plain, noted, FIELDS)
    if not seen:
        return event
    # Words of our own, such as `transient`, are no secret, even if a variable holds the same.
    own = {name: plain[name] for name in OWN_WORDS & plain.keys()}
    return msgspec.convert({**changed, **own}, type(event))


def write_private(path: Path, data: bytes, sync_file: Callable[[int], None] = os.fsync) -> None:
    """Write a new file, 0600 and safe, under its name only once it is whole.

    Raises LedgerError.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
            sync_file(file)
        finally:
            os.close(file)
        os.replace(beside, path)
        sync_folder(path.parent, sync_file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        hint = "Mend its disk, or set AGENTCLI_HOME to a folder that can be written."
        raise LedgerError(f"{path}: cannot be written: {error.strerror}", hint=hint) from error


def sync_folder(folder: Path, sync_file: Callable[[int], None] = os.fsync) -> None:
    """Make the name of a new file as safe as its bytes."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file(file)
    finally:
        os.close(file)


class Outputs:
    """The whole outputs of tools, each in a file named by its content's hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, text: str) -> str:
        """Return the handle of a text: the name of its file."""
        data = text.encode("utf-8", "replace")
        handle = hashlib.sha256(data).hexdigest()[:24] + ".txt"
        path = self.folder / handle
        if not path.exists():
            write_private(path, data)
        return handle
