"""Where a key can come from: what the API client finds by itself, and what the settings name."""

import os
import shlex
import stat
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentcli.errors import ConfigError, MissingExtraError

COMMAND_S = 10
SHORTEST, LONGEST = 8, 4096
# The variables by which the client finds credentials, beside those of a federation.
VARIABLES = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_PROFILE",
    "ANTHROPIC_CONFIG_DIR",
    "ANTHROPIC_FEDERATION_RULE_ID",
)
HEADERS = "ANTHROPIC_CUSTOM_HEADERS"


@dataclass(frozen=True)
class KeySource:
    """One of these holds the key.

    command: its words; it prints the key. keyring: the service under which it is kept.
    """

    file: Path | None = None
    command: tuple[str, ...] = ()
    keyring: str = ""


def has_credentials(environ: Mapping[str, str], home: Path | None = None) -> bool:
    """Return whether the API client may find credentials by itself. Cheap, and never wrongly no.

    home: the user's folder, if it is not that of this process.
    """
    if any(environ.get(name) for name in VARIABLES):
        return True
    headers = environ.get(HEADERS, "").lower()
    if "authorization" in headers or "x-api-key" in headers:
        return True
    try:
        folder = (home or Path.home()) / ".config" / "anthropic"
    except RuntimeError:  # a user without a home
        return False
    return (folder / "active_config").exists() or any((folder / "configs").glob("*.json"))


def read_key(source: KeySource) -> str:
    """Return the key. Raises ConfigError, in which the key never stands."""
    if source.file is not None:
        where, text = str(source.file), from_file(source.file)
    elif source.command:
        where, text = f"the command {source.command[0]}", from_command(source.command)
    else:
        where, text = f"the keyring's {source.keyring}", from_keyring(source.keyring)
    key = text.strip()
    # A shorter one would be found everywhere, and blotted out there.
    if len(key) < SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{where}: must hold the API key and nothing else")
    return key


def from_file(path: Path) -> str:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"{path}: the API key's file must be a regular file")
            if found.st_uid not in (os.geteuid(), 0):
                raise ConfigError(f"{path}: the API key's file belongs to somebody else")
            if found.st_mode & 0o077:
                hint = f"chmod 600 {shlex.quote(str(path))}"
                raise ConfigError(f"{path}: others can read the API key", hint=hint)
            return file.read(LONGEST).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        message = f"{path}: the API key cannot be read: {why}"
        raise ConfigError(message, hint="Set api.key_file: agentcli config paths") from error


def from_command(command: tuple[str, ...]) -> str:
    name = command[0]
    try:
        # Its stderr and stdin stay the terminal's: it may ask for a passphrase.
        running = subprocess.Popen(command, stdout=subprocess.PIPE)
    except (OSError, ValueError) as error:  # the latter for a null byte in a word
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{name}: cannot be run for the API key: {why}") from error
    late = threading.Timer(COMMAND_S, running.kill)
    late.start()
    try:
        assert running.stdout
        with running.stdout as output:
            said = output.read(LONGEST + 1)
        if len(said) > LONGEST:
            running.kill()
            raise ConfigError(f"{name}: printed more than an API key")
        code = running.wait()
    finally:
        in_time = late.is_alive()
        late.cancel()
        running.kill()
        running.wait()
    if not in_time:
        hint = "Set api.key_command, or unlock what it asks"
        raise ConfigError(f"{name}: gave no API key within {COMMAND_S} s", hint=hint)
    if code:
        raise ConfigError(f"{name}: ended with {code} and no API key")
    return said.decode("utf-8", "replace")


def from_keyring(service: str) -> str:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise MissingExtraError("a key from the keyring", "keyring") from None
    try:
        key = keyring.get_password(service, "agentcli")
    except keyring.errors.KeyringError as error:
        raise ConfigError(f"the keyring does not answer: {error}") from error
    if not key:
        hint = f"keyring set {service} agentcli"
        raise ConfigError(f"the keyring has no key for {service}", hint=hint)
    return key
