"""`agentcli profile`: who can work, with which powers, and what the model is told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options

if TYPE_CHECKING:
    from agentcli.config.profile import Profile
    from agentcli.core.plan import Plan

app = typer.Typer(help="Who can work.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_profiles(workspace: options.WORKSPACE = None) -> None:
    """List the profiles: a trusted project's, your own, and those that ship.

    agentcli profile list
    """
    from agentcli import asset
    from agentcli.cli.table import print_table
    from agentcli.config.profile import read_profile
    from agentcli.config.settings import load_config

    config = load_config(options.workspace_of(workspace))
    known = config.all_named_files("profiles")
    mine = config.profile_name()
    rows = []
    for name, [path, *_] in sorted(known.items()):
        _, description = read_profile(name, known)
        origin = "shipped" if path.is_relative_to(asset.shipped("configs")) else "yours"
        if config.own_folder is not None and path.is_relative_to(config.own_folder):
            origin = "project"
        rows.append((name + (" *" if name == mine else ""), origin, description))
    print_table(("profile", "from", "what it is for"), rows)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A profile's name or file.")] = "",
    workspace: options.WORKSPACE = None,
    as_json: options.JSON = False,
) -> None:
    """Show what a profile may do here, and the whole system prompt that its model gets.

    The prompt has three parts: the profile's own words; where the tools run, what they see and
    the date; and AGENTS.md and CLAUDE.md of a trusted project.

    agentcli profile show
    agentcli profile show coder --json
    """
    from agentcli.cli.document import print_json
    from agentcli.compose.plan import Overrides, make_plan
    from agentcli.config.settings import load_config
    from agentcli.core.step import Agent
    from agentcli.core.visible import visible
    from agentcli.errors import UnavailableError

    here = options.workspace_of(workspace)
    config = load_config(here)
    options.say_untrusted(config)
    who = config.profile(name)
    try:
        plan = make_plan(config, who, Agent("react"), here, Overrides())
    except UnavailableError:  # where nothing can run, it can be shown all the same
        plan = make_plan(config, who, Agent("react"), here, Overrides(backend="docker"))
    if as_json:
        print_json(document(who, plan))
        return
    for line in lines(who, plan):
        print(visible(line))


def document(who: "Profile", plan: "Plan") -> dict[str, object]:
    import msgspec

    return {
        "profile": plan.profile,
        "description": who.description,
        "files": files_of(who),
        "model": plan.model,
        "tools": {name: effect for name, _, effect in effects(plan)},
        "policies": list(who.policies or ()),
        "role": plan.policy.role,
        "injection": list(plan.policy.injection),
        "untrusted": plan.untrusted,
        "pii": plan.pii,
        "limits": {
            "usd": None if plan.limit_uusd is None else plan.limit_uusd / 1_000_000,
            "steps": plan.limit_steps,
            "time_s": plan.time_s,
            "max_tokens": plan.max_tokens,
        },
        "sandbox": msgspec.to_builtins(plan.sandbox),
        "overhead_tokens": plan.policy.overhead_tokens,
        "system": plan.system,
    }


def lines(who: "Profile", plan: "Plan") -> Iterator[str]:
    from agentcli.shell.headless import powers

    usd = "no limit" if plan.limit_uusd is None else f"${plan.limit_uusd / 1_000_000:.2f}"
    box = plan.sandbox
    yield f"{plan.profile} · {who.description}"
    yield from (f"from {path}" for path in files_of(who))
    yield ""
    yield f"model    {plan.model}{f', effort {plan.effort}' if plan.effort else ''}"
    yield f"limits   {usd} · {plan.limit_steps} steps · {plan.time_s} s"
    access = "writable" if box.writable else "read-only"
    yield f"sandbox  {box.backend} · workspace {access} · {box.memory_mb} MB"
    yield f"policies {', '.join(who.policies or ()) or 'none'}"
    if plan.untrusted != "shown":
        yield f"untrusted {plan.untrusted}: of untrusted results the model sees references alone"
    if plan.pii != "keep":
        yield f"pii      {plan.pii}: marks stand in the place of personal data"
    yield from powers(plan.policy)
    yield ""
    for name, tier, effect in effects(plan):
        yield f"  {name:14} {tier:12} {effect}"
    yield ""
    tokens = plan.policy.overhead_tokens
    yield f"System prompt, with the tools at most about {tokens:,} tokens:"
    yield ""
    yield from (f"  {line}" for line in plan.system.split("\n"))


def files_of(who: "Profile") -> list[str]:
    own = (layer.source for layer in reversed(who.layers) if layer.kind == "profile")
    return [str(source.path) for source in own if source is not None]


def effects(plan: "Plan") -> Iterator[tuple[str, str, str]]:
    """Yield each offered tool with its tier and what happens to its calls."""
    words = {"allow": "runs", "ask": "asks", "deny": "is denied"}
    for name in plan.policy.offered:
        rule = plan.policy.tools[name]
        effect = plan.policy.tiers.get(rule.tier, "deny")
        if effect == "allow" and name in plan.policy.asks:
            effect = "ask"
        unless = ""
        if rule.reversible_when and effect == "allow":
            unless = f"; asks unless {', '.join(rule.reversible_when)}"
        if rule.shell and effect != "allow" and plan.policy.tiers.get("read_only") == "allow":
            unless = "" if name in plan.policy.asks else " unless it only reads"
        yield name, rule.tier, words[effect] + unless
