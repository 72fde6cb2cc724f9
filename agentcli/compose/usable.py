"""Finds what would keep a run from starting in what it reads first, without starting one."""

from collections.abc import Iterable, Iterator

from agentcli.approval.who import local_name
from agentcli.compose.mount import resolve_mounts
from agentcli.compose.plan import (
    Overrides,
    absolute,
    limit_uusd,
    model_info,
    named_backend,
    policy_of,
    read_catalog,
    refuse_unknown_price,
)
from agentcli.compose.role import own_roles
from agentcli.config.profile import Profile, SandboxSettings
from agentcli.config.settings import Config
from agentcli.core.sandbox import HIDDEN
from agentcli.errors import AgentcliError, ConfigError, UsageError
from agentcli.model.catalog import Catalog
from agentcli.tool.load import load_tools
from agentcli.tool.manifest import LoadedTool


def faults(config: Config, names: Iterable[str]) -> Iterator[AgentcliError]:
    """Yield what is wrong with all tools, the known models, and all that these profiles name.

    names: of profiles, "" for the one that works where none is named.
    """
    tools: dict[str, LoadedTool] | None = None
    catalog: Catalog | None = None
    try:
        with config.in_place():
            tools = load_tools(config.tool_folders())
    except AgentcliError as error:
        yield error
    try:
        catalog = read_catalog()
    except AgentcliError as error:
        yield error
    for name in names:
        try:
            profile = config.profile(name)
            if tools is None:
                config.policies(profile)
            else:
                role = next(iter(own_roles(config.roles, local_name())), "")  # any: all are sound
                policy_of(config, profile, tools, role)
            with config.in_place():
                refuse_unusable(profile, catalog)
        except AgentcliError as error:
            yield error


def refuse_unusable(profile: Profile, catalog: Catalog | None) -> None:
    """Refuse a model or a sandbox with which no run could start. Raises AgentcliError."""
    box = profile.sandbox or SandboxSettings()
    try:
        backend = named_backend(box)
    except UsageError as error:  # which has the command line in mind
        raise profile.error_at("sandbox.backend", str(error)) from None
    resolve_mounts(profile, (), backend, HIDDEN if box.hidden is None else box.hidden)
    if catalog is not None:
        model = absolute(profile.model or catalog.default)
        info = model_info(catalog, model, profile)
        try:
            refuse_unknown_price(model, info, limit_uusd(profile, Overrides()))
        except ConfigError as error:
            raise profile.error_at("model", str(error)) from None
