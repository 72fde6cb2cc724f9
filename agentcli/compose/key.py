"""Where the key of the API comes from, and what a first user is told where there is none."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agentcli import asset
from agentcli.config.settings import NAME, Config
from agentcli.core.redact import known_secrets
from agentcli.errors import ConfigError
from agentcli.model.key import KeySource, has_credentials, read_key

# The variables that say on purpose which key is meant; they go before the settings.
VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE")
PLAYED = ("scripted", "recorded")


class MissingKeyError(ConfigError):
    """There is no key, and three ways on."""

    def __init__(self) -> None:
        settings = asset.config_home() / NAME
        super().__init__(
            "there is no API key, so Claude cannot answer. Three ways on:\n"
            "  export ANTHROPIC_API_KEY=...      a key for this shell\n"
            f"  api: {{key_file: ~/.keys/claude}}   a key for good, in {settings}\n"
            "  agentcli demo                     no key: see the program at work\n"
            "A shipped task runs without one too: agentcli run median --model scripted:median",
            hint="More: agentcli help keys, agentcli doctor",
        )


@dataclass(frozen=True)
class Credentials:
    """How the API is reached. api_key, base_url: None for what the environment says.

    source: where the key comes from, in words; "" where there is none.
    """

    api_key: str | None = None
    base_url: str | None = None
    source: str = ""

    @property
    def known(self) -> tuple[str, ...]:
        """The exact secrets of this process, which no record may hold."""
        key = () if self.api_key is None else (self.api_key,)
        return (*known_secrets(os.environ.items()), *key)


def find_credentials(config: Config, environ: Mapping[str, str] = os.environ) -> Credentials:
    """Return the key that holds here: the environment's, the settings', or the client's own.

    Raises ConfigError for a key that is named and cannot be read.
    """
    api = config.api
    base_url = None if environ.get("ANTHROPIC_BASE_URL") else api.base_url
    for name in VARIABLES:
        if environ.get(name):
            return Credentials(None, base_url, name)
    if api.key_file or api.key_command or api.keyring:
        path = Path(api.key_file) if api.key_file else None
        key = read_key(KeySource(path, api.key_command or (), api.keyring or ""))
        named = api.key_file or (api.key_command or ("",))[0] or f"the keyring's {api.keyring}"
        return Credentials(key, base_url, named)
    if has_credentials(environ):
        return Credentials(None, base_url, "the API client's own files")
    return Credentials(None, base_url)


def credentials_for(model: str, config: Config) -> Credentials:
    """Return what a model needs to be asked. Raises MissingKeyError, ConfigError."""
    if model.partition(":")[0] in PLAYED:
        # No key is needed, but one in a file is a secret that no record may hold.
        with suppress(ConfigError):
            if config.api.key_file:
                return Credentials(read_key(KeySource(Path(config.api.key_file))))
        return Credentials()
    found = find_credentials(config)
    if not found.source:
        raise MissingKeyError
    return found
