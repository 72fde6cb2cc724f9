"""The policy of answers that hold beyond a session: a file of the user's own."""

import os
from pathlib import Path
from typing import Any

from agentcli import asset
from agentcli.config.lock import locked
from agentcli.config.policy import ALWAYS, expiry, load_policy
from agentcli.document import read_source
from agentcli.document.write import to_yaml
from agentcli.errors import LedgerError

DESCRIPTION = "What you have answered with always."
DAYS = 30


def always_file() -> Path:
    return asset.config_home() / "policies" / f"{ALWAYS}.yaml"


def read_always() -> dict[str, Any]:
    """Return what the file says, that of an empty one if there is none. Raises ConfigError."""
    path = always_file()
    if not path.exists():
        return {"description": DESCRIPTION, "rules": []}
    load_policy(path)
    return read_source(path).data


def add_always(rule: dict[str, Any]) -> Path:
    """Keep one more rule, in the place of one of the same name.

    Raises ConfigError where the file as it is cannot be read; LedgerError.
    """
    with locked(always_file()):
        data = read_always()
        others = [one for one in data.get("rules", []) if one["name"] != rule["name"]]
        write_always({**data, "rules": [*others, rule]})
    return always_file()


def write_always(data: dict[str, Any]) -> None:
    """Write the file whole, once it can be read back. Raises ConfigError, LedgerError."""
    path = always_file()
    beside = path.with_name(f".{ALWAYS}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.touch(mode=0o600)
        beside.write_text(to_yaml(data), encoding="utf-8")
        load_policy(beside)
        os.replace(beside, path)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def tidied(data: dict[str, Any], now_us: int) -> dict[str, Any]:
    """Return the rules that still hold, each once: of twins the one that holds longest."""
    best: dict[str, dict[str, Any]] = {}
    for rule in data.get("rules", []):
        ends = end_of(rule)
        if ends is not None and ends <= now_us:
            continue
        what = to_yaml({k: rule[k] for k in sorted(rule) if k not in ("name", "expires")})
        other = best.get(what)
        if other is None or lasts_longer(rule, other):
            best[what] = rule
    return {**data, "rules": list(best.values())}


def lasts_longer(rule: dict[str, Any], other: dict[str, Any]) -> bool:
    ends, others = end_of(rule), end_of(other)
    return others is not None and (ends is None or ends > others)


def end_of(rule: dict[str, Any]) -> int | None:
    return expiry(rule["expires"]) if rule.get("expires") else None
