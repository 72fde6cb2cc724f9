"""Makes a plan: the profile, the task and the command line, resolved to what will be stored."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

import agentcli.sandbox
from agentcli import __version__, asset
from agentcli.approval.who import local_name
from agentcli.compose.judge import pattern_of
from agentcli.compose.mount import refuse_bad_workspace, resolve_mounts
from agentcli.compose.prompt import system_prompt
from agentcli.compose.role import role_of
from agentcli.compose.tools import schema_of, store_tool
from agentcli.config.policy import LoadedPolicy, is_here
from agentcli.config.profile import PriceSettings, Profile, SandboxSettings
from agentcli.config.settings import Config
from agentcli.core.held import ASK_TEXT
from agentcli.core.host import ANY
from agentcli.core.injection import LAYERS
from agentcli.core.plan import Plan
from agentcli.core.policy import Policy
from agentcli.core.price import ModelInfo, Prices
from agentcli.core.record import encode
from agentcli.core.rule import Effect, Limit, PolicyRule
from agentcli.core.sandbox import HIDDEN, SandboxSpec
from agentcli.core.step import Agent, Checks
from agentcli.core.tool import RiskTier
from agentcli.document import did_you_mean
from agentcli.errors import (
    ConfigError,
    InputError,
    MissingFileError,
    UsageError,
)
from agentcli.ledger.find import find_run
from agentcli.model.catalog import Catalog, load_catalog
from agentcli.sandbox.health import pick_backend
from agentcli.tool.load import load_tools
from agentcli.tool.manifest import LoadedTool
from agentcli.tool.schema import Arguments, SchemaError

UUSD = 1_000_000


@dataclass(frozen=True)
class Overrides:
    """What the command line says instead of the profile. None: nothing."""

    model: str | None = None
    backend: str | None = None
    usd: Decimal | None = None
    steps: int | None = None
    time_s: int | None = None
    mounts: tuple[str, ...] = ()
    role: str = ""


def make_plan(
    config: Config,
    profile: Profile,
    agent: Agent,
    workspace: Path,
    over: Overrides,
    *,
    title: str = "",
    output: str = "",
) -> Plan:
    """Return the plan of a new run.

    Raises ConfigError naming the profile's line, MissingFileError, UnavailableError.
    """
    with config.in_place():
        tools = load_tools(config.tool_folders())
    catalog = read_catalog()
    model = absolute(over.model or profile.model or catalog.default)
    info = model_info(catalog, model, profile)
    policy = policy_of(config, profile, tools, over.role)
    if profile.untrusted == "held" and policy.offered and ASK_TEXT in tools:
        policy = replace(policy, offered=tuple(sorted({*policy.offered, ASK_TEXT})))
    spec = sandbox_spec(profile, workspace, over.backend, over.mounts)
    limit = limit_uusd(profile, over)
    refuse_unknown_price(model, info, limit)
    max_tokens = cap_tokens(profile, info)
    refuse_bad_checks(agent.checks)
    plan = Plan(
        profile=profile.name,
        model=model,
        system=system_prompt(profile, spec, config),
        agent=agent,
        policy=replace(policy, model=info, max_tokens=max_tokens),
        sandbox=spec,
        tools={name: store_tool(tool) for name, tool in tools.items()},
        effort=profile.effort or "",
        max_tokens=max_tokens,
        limit_uusd=limit,
        limit_steps=over.steps or (profile.budget and profile.budget.steps) or 50,
        time_s=over.time_s or (profile.budget and profile.budget.time_s) or 1800,
        clip_chars=profile.output_chars or 30_000,
        output=output,
        title=title,
        program=__version__,
        untrusted=profile.untrusted or "shown",
        pii=profile.pii or "keep",
    )
    return replace(plan, policy=replace(plan.policy, overhead_tokens=overhead(plan)))


def policy_of(
    config: Config, profile: Profile, tools: Mapping[str, LoadedTool], role: str = ""
) -> Policy:
    """Return how a profile judges calls; the model's price is no part of that.

    role: the one to take, of those that the user has.
    Raises ConfigError naming the profile's line, UsageError, NotPermittedError.
    """
    policies = config.policies(profile)
    left_out = (profile.unsafe and profile.unsafe.injection) or ()
    with config.in_place():
        offered, asks = known_tools(profile, "tools", tools), known_tools(profile, "ask", tools)
    return Policy(
        tools={name: tool.rule for name, tool in tools.items()},
        offered=offered,
        asks=asks,
        tiers=tiers_of(profile),
        tries=profile.tries or 5,
        signers=config.allowed_signers(),
        separate=config.is_separate,
        injection=tuple(layer for layer in LAYERS if layer not in left_out),
        rules=tuple(rule for policy in policies for rule in rules_here(policy, config)),
        role=role_of(config.roles, role, local_name()),
        protected=tuple(dict.fromkeys(path for p in policies for path in p.protected)),
        domains=domains_of(policies),
        limits=limits_of(policies),
    )


def rules_here(policy: LoadedPolicy, config: Config) -> Iterator[PolicyRule]:
    """Yield the rules of a policy that are for this folder."""
    for written, rule in zip(policy.file.rules, policy.rules, strict=True):
        if is_here(written, config.workspace):
            yield rule


def domains_of(policies: Sequence[LoadedPolicy]) -> tuple[tuple[str, ...], ...]:
    """Return the lists that hold together, with what `*` takes in beside public hosts."""
    private = tuple(dict.fromkeys(host for policy in policies for host in policy.private_hosts))
    lists = [policy.domains for policy in policies if policy.domains]
    if private and not lists:
        lists = [(ANY,)]
    return tuple((*domains, *private) if ANY in domains else domains for domains in lists)


def limits_of(policies: Iterable[LoadedPolicy]) -> dict[str, Limit]:
    """Return the least of what any policy lets each tool be called."""
    found: dict[str, Limit] = {}
    for policy in policies:
        for name, limit in policy.limits.items():
            other = found.get(name, Limit())
            found[name] = Limit(
                least(other.calls, limit.calls), least(other.per_minute, limit.per_minute)
            )
    return found


def least(one: int | None, other: int | None) -> int | None:
    return min((number for number in (one, other) if number is not None), default=None)


def absolute(model: str) -> str:
    """Return a model's name that means the same in any folder. Raises UsageError."""
    kind, _, rest = model.partition(":")
    if kind == "scripted" and not rest:
        names = ", ".join(sorted(asset.named_files("scripts")))
        raise UsageError(
            "model scripted: which script? Only a task has one of its own name",
            hint=f"scripted:FILE, or one of scripted:NAME for {names}",
        )
    if kind == "recorded":
        return f"recorded:{find_run(asset.state_home(), rest).path}"
    if kind != "scripted":
        return model
    known = asset.named_files("scripts")
    path = known.get(rest) or Path(rest).absolute()
    if not path.exists() and not asset.is_path(rest):
        message = f"there is no script `{rest}`{did_you_mean(rest, known)}"
        raise MissingFileError(message, hint=f"Scripts: {', '.join(sorted(known))}, or a file")
    return f"scripted:{path}"


def read_catalog() -> Catalog:
    own = asset.config_home() / "models.yaml"
    paths = [asset.shipped("configs", "models.yaml"), *([own] if own.exists() else [])]
    return load_catalog(paths)


def model_info(catalog: Catalog, model: str, profile: Profile) -> ModelInfo | None:
    """Return what is known of a model, None if nothing is.

    A scripted or recorded one costs what the default would, so that budgets show what they do.
    """
    if profile.price is not None:
        return ModelInfo(model, prices_of(profile.price))
    played = model.startswith(("scripted:", "recorded:"))
    return catalog.find(catalog.default if played else model)


def prices_of(price: PriceSettings) -> Prices:
    write = price.cache_write if price.cache_write is not None else price.input * 2
    read = price.cache_read if price.cache_read is not None else price.input
    figures = (price.input, price.output, write, write, read)
    return Prices(*(int(figure * UUSD) for figure in figures))


def refuse_unknown_price(model: str, info: ModelInfo | None, limit: int | None) -> None:
    if info is None and limit is not None:
        raise ConfigError(
            f"model {model}: its price is not known, so a budget in dollars cannot be kept",
            hint="Give the profile a `price:`, set `budget: {usd: null}`, or use a known model.",
        )


def refuse_bad_checks(checks: Checks) -> None:
    try:
        if checks.answer_schema is not None:
            Arguments(checks.answer_schema)
        pattern_of(checks.answer_pattern)
    except SchemaError as error:
        field = "schema" if checks.answer_schema is not None else "pattern"
        message = f"answer: not a {field} that can be used: {error}"
        raise InputError(message, hint="No look-around or back-references.") from None


def known_tools(
    profile: Profile, key: Literal["tools", "ask"], tools: Mapping[str, LoadedTool]
) -> tuple[str, ...]:
    """Return the tools that a key of the profile names, sorted. Raises ConfigError."""
    names: tuple[str, ...] = getattr(profile, key) or ()
    for i, name in enumerate(names):
        if name not in tools:
            near = did_you_mean(name, tools)
            raise profile.error_at(f"{key}.{i}", f"there is no tool `{name}`{near}")
    return tuple(sorted(set(names)))


def tiers_of(profile: Profile) -> dict[RiskTier, Effect]:
    tiers = profile.tiers
    assert tiers is not None
    return {
        "read_only": tiers.read_only or "allow",
        "reversible": tiers.reversible or "allow",
        "irreversible": tiers.irreversible or "ask",
    }


def limit_uusd(profile: Profile, over: Overrides) -> int | None:
    usd = over.usd
    if usd is None and profile.budget is not None:
        usd = profile.budget.usd
    return None if usd is None else int(usd * UUSD)


def cap_tokens(profile: Profile, info: ModelInfo | None) -> int:
    wanted = profile.max_tokens or 16_000
    most = info.max_output_tokens if info is not None else 0
    return min(wanted, most) if most else wanted


def sandbox_spec(
    profile: Profile, workspace: Path, backend: str | None, mounts: tuple[str, ...] = ()
) -> SandboxSpec:
    """Return the sandbox of a run. Raises MissingFileError, ConfigError, UnavailableError."""
    if not workspace.is_dir():
        raise MissingFileError(f"{workspace}: there is no such folder to work in")
    refuse_bad_workspace(workspace.resolve())
    spec = wished_sandbox(profile, workspace, backend, mounts)
    return spec if spec.backend != "auto" else replace(spec, backend=pick_backend())


def wished_sandbox(
    profile: Profile, workspace: Path, backend: str | None, mounts: tuple[str, ...] = ()
) -> SandboxSpec:
    """Return the sandbox that is asked for, whether or not it answers; `auto` for any that does.

    Raises MissingFileError, ConfigError or UsageError for a backend or a mount that cannot be.
    """
    settings, usual = profile.sandbox or SandboxSettings(), SandboxSpec()
    chosen = named_backend(settings, backend)
    hidden = HIDDEN if settings.hidden is None else settings.hidden
    return SandboxSpec(
        backend=chosen,
        image=settings.image or usual.image,
        workspace=str(workspace.resolve()),
        writable=settings.writable is not False,
        memory_mb=settings.memory_mb or usual.memory_mb,
        cpu_milli=int((settings.cpus or 1) * 1000),
        processes=settings.processes or usual.processes,
        file_size_mb=settings.file_size_mb or usual.file_size_mb,
        tmp_mb=settings.tmp_mb or usual.tmp_mb,
        mounts=resolve_mounts(profile, mounts, chosen, hidden),
        hidden=() if chosen == "local" else hidden,
    )


def named_backend(settings: SandboxSettings, backend: str | None = None) -> str:
    """Return the sandbox backend that is asked for, `auto` for the best. Raises UsageError."""
    chosen = backend or settings.backend or "auto"
    if chosen != "auto" and chosen not in backends():
        near = did_you_mean(chosen, backends())
        raise UsageError(f"there is no sandbox backend `{chosen}`{near}")
    return chosen


def with_other_model(plan: Plan, model: str) -> Plan:
    """Return the plan of a new run with another model, and what is known of its price.

    Raises ConfigError where that is not known though money is limited.
    """
    if model.startswith(("scripted:", "recorded:")):
        return replace(plan, model=model)
    info = read_catalog().find(model)
    refuse_unknown_price(model, info, plan.limit_uusd)
    most = info.max_output_tokens if info is not None else 0
    max_tokens = min(plan.max_tokens, most) if most else plan.max_tokens
    policy = replace(plan.policy, model=info, max_tokens=max_tokens)
    return replace(plan, model=model, policy=policy, max_tokens=max_tokens)


def refuse_other_price(plan: Plan, model: str) -> None:
    """Refuse a model whose price the limits of the run were not made for."""
    catalog = read_catalog()
    if model.startswith(("scripted:", "recorded:")) or plan.limit_uusd is None:
        return
    known, info = plan.policy.model, catalog.find(model)
    if info is None or known is None or info.prices != known.prices:
        raise ConfigError(
            f"model {model}: its price is not that of {plan.model}, by which the run is limited",
            hint="Begin a new run with it.",
        )


def backends() -> list[str]:
    """Return the names of the sandbox backends: the files that can open one."""
    names = [module.name for module in pkgutil.iter_modules(agentcli.sandbox.__path__)]
    found = (importlib.import_module(f"agentcli.sandbox.{name}") for name in names)
    pairs = zip(names, found, strict=True)
    return [name for name, module in pairs if hasattr(module, "open_sandbox")]


def overhead(plan: Plan) -> int:
    """Return a high estimate of the tokens of the system prompt and the tools."""
    told = [plan.tools[name].manifest for name in plan.policy.offered]
    size = len(plan.system) + sum(len(m["description"]) + len(encode(schema_of(m))) for m in told)
    return size // 3 + 500
