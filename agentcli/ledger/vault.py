"""Where secrets go that the ledger must not hold but the run still needs, and big outputs."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from agentcli.core.event import Checked, Decision, Event, Failed, Redacted, ToolEnded
from agentcli.core.personal import Pii
from agentcli.core.record import Record, field_names
from agentcli.core.redact import Redactor, map_strings, mark_of, name_by, name_in, restore
from agentcli.errors import LedgerError

# What tools say is cleaned for good: the model sees the marks too. What undoes a call is not: it
# has to run with the exact values.
CLEANED_FOR_GOOD = (ToolEnded, Failed, Checked)

SALT_BYTES = 32
R = TypeVar("R", bound=Record)
NAME = re.compile(r"[0-9a-f]{16}")
FIELDS = field_names()  # a name of ours is no secret, even if a variable holds the same
OWN_WORDS = {"kind", "id", "step", "failure", "ending", "question", "bound", "scope", "why", "stop"}
# Who began a run and who said yes is compared, and must be known afterwards.
PEOPLE = {"requester", "by"}


class Vault:
    """The private folder of one run, 0700: each secret in a file of its mark's name.

    The file begins with a salt of its own, which the name is made with. Once it is deleted,
    nobody can guess from the marks that are left what it held, however short that was.

    sync_file: makes a written file safe; a record that names it is synced after it.
    pii: whether personal data goes there too.
    """

    def __init__(
        self,
        folder: Path,
        known: tuple[str, ...] = (),
        sync_file: Callable[[int], None] = os.fsync,
        pii: Pii = "keep",
    ) -> None:
        self.folder, self.sync_file = folder, sync_file
        self.cache: dict[str, str] = {}  # name -> secret
        self.names: dict[str, str] | None = None  # secret -> name, once they were looked for
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What has no file is marked with a salt that is never stored.
        self.redactor = Redactor(secrets.token_bytes(SALT_BYTES), known, self.name_of, pii)

    def clean(self, event: Event) -> Event:
        """Return the event as it may be stored.

        A decision follows from what is stored already: there is nothing in it to be cleaned. What
        names marks as such stays as it is.
        """
        if isinstance(event, Decision | Redacted):
            return event
        if isinstance(event, ToolEnded) and event.undo is not None:
            said = mapped(replace(event, undo=None), self.redactor.clean)
            return replace(said, undo=mapped(event.undo, self.clean_text))
        change = self.redactor.clean if isinstance(event, CLEANED_FOR_GOOD) else self.clean_text
        return mapped(event, change)

    def restore(self, event: Event) -> Event:
        """Return the event as it was before `clean`."""
        return restored(event, self.restore_text)

    def clean_text(self, text: str) -> str:
        return self.redactor.clean(text, self.keep)

    def restore_text(self, text: str) -> str:
        return restore(text, self.find)

    def keep(self, kind: str, secret: str) -> str:
        """Return the mark of a secret, which is kept in a file: equal ones have one."""
        name = self.name_of(secret)
        if name is None:
            salt = secrets.token_bytes(SALT_BYTES)
            name = name_by(salt, secret)
            write_private(self.folder / name, salt + encoded(secret), self.sync_file)
            self.cache[name] = secret
            self.loaded()[secret] = name
        return mark_of(kind, name)

    def name_of(self, secret: str) -> str | None:
        return self.loaded().get(secret)

    def loaded(self) -> dict[str, str]:
        if self.names is None:
            found = {name: find_secret(self.folder, name) for name in kept_in(self.folder)}
            self.names = {secret: name for name, secret in found.items() if secret is not None}
        return self.names

    def find(self, mark: str) -> str | None:
        """Return the secret behind a mark, or None where it is gone."""
        name = name_in(mark)
        if name not in self.cache:
            if (found := find_secret(self.folder, mark)) is None:
                return None
            self.cache[name] = found
        return self.cache[name]


def kept_in(folder: Path) -> list[str]:
    """Return the names of all secrets that a private folder holds."""
    try:
        return sorted(name for name in os.listdir(folder) if NAME.fullmatch(name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def encoded(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")


def find_secret(folder: Path, mark: str) -> str | None:
    """Return the secret that a private folder holds for a mark, or None; makes no folder.

    One that was changed is none: what stands there would go where the secret went, into the
    arguments of calls too. In a ledger of version 1 the salt of all is in the file `key`.
    """
    name = name_in(mark)
    try:
        data = (folder / name).read_bytes()
        if not is_salted(name, data):
            data = (folder / "key").read_bytes() + data
        secret = data[SALT_BYTES:] if is_salted(name, data) else None
        return None if secret is None else secret.decode("utf-8", "surrogatepass")
    except (OSError, UnicodeDecodeError):
        return None


def is_salted(name: str, data: bytes) -> bool:
    """Say whether a salt and a secret are those of a name."""
    salt = data[:SALT_BYTES]
    return hmac.digest(salt, data[SALT_BYTES:], "sha256").hex()[:16] == name


def restored(event: Event, change: Callable[[str], str]) -> Event:
    """Return an event with what is kept of it given back. change: gives a text back."""
    if isinstance(event, ToolEnded) and event.undo is not None:
        return replace(event, undo=mapped(event.undo, change))
    if isinstance(event, (*CLEANED_FOR_GOOD, Redacted)):
        return event
    return mapped(event, change)


def mapped(event: R, change: Callable[[str], str]) -> R:
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
    own = {name: plain[name] for name in (OWN_WORDS | PEOPLE) & plain.keys()}
    return msgspec.convert({**changed, **own}, type(event))


def write_private(path: Path, data: bytes, sync_file: Callable[[int], None] = os.fsync) -> None:
    """Write a new file, 0600 and safe, under its name only once it is whole.

    Raises LedgerError.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(file, data)
            sync_file(file)
        finally:
            os.close(file)
        os.replace(beside, path)
        sync_folder(path.parent, sync_file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        hint = "Mend its disk, or set AGENTCLI_HOME to a folder that can be written."
        raise LedgerError(f"{path}: cannot be written: {error.strerror}", hint=hint) from error


def write_all(file: int, data: bytes) -> None:
    """Write all of it: a nearly full disk takes a part before it says so. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


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

    def get(self, handle: str) -> str | None:
        """Return the text of a handle, None where it is gone."""
        try:
            return (self.folder / Path(handle).name).read_text("utf-8", "replace")
        except OSError:
            return None
