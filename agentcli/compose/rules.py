"""The rules of a run: its policy, and every pattern by its file's name."""

import importlib
import pkgutil

import agentcli.pattern
from agentcli.core.policy import Rules
from agentcli.core.step import Pattern
from agentcli.ledger.folder import Given


def patterns() -> dict[str, Pattern]:
    """Return every pattern by its file's name."""
    names = [module.name for module in pkgutil.iter_modules(agentcli.pattern.__path__)]
    return {name: importlib.import_module(f"agentcli.pattern.{name}").advance for name in names}


def rules_of(given: Given) -> Rules:
    return Rules(patterns(), given.first or given.plan.policy, given.policy, given.others)
