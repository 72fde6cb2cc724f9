"""`agentcli policy`: the rules that people have written about calls, and what they say."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentcli.cli import options
from agentcli.cli.words import counted
from agentcli.errors import ConfigError, InputError, LedgerBusyError, MissingFileError

if TYPE_CHECKING:
    from agentcli.compose.why import Why
    from agentcli.config.policy import LoadedPolicy
    from agentcli.config.settings import Config
    from agentcli.core.policy import AuthzDecision

app = typer.Typer(help="What may run, by rules.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_policies(
    profile: options.PROFILE = "",
    workspace: options.WORKSPACE = None,
    as_json: options.JSON = False,
) -> None:
    """List the policies: those that ship, your own and a trusted project's. A * holds here.

    agentcli policy list
    """
    from agentcli.cli.document import print_json
    from agentcli.cli.table import print_table

    config = config_here(workspace)
    holding = {policy.shown for policy in config.policies(config.profile(profile))}
    found = [config.policy_at(path) for paths in config.policy_files().values() for path in paths]
    if as_json:
        print_json([{**about(policy), "holds": policy.shown in holding} for policy in found])
        return
    rows = [
        (
            policy.name + (" *" if policy.shown in holding else ""),
            counted(len(policy.rules), "rule"),
            policy.file.description,
        )
        for policy in found
    ]
    print_table(("policy", "rules", "what it is for"), rows)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A policy's name.")],
    workspace: options.WORKSPACE = None,
    as_json: options.JSON = False,
) -> None:
    """Show what a policy says.

    agentcli policy show default
    """
    from agentcli.cli.document import print_json
    from agentcli.core.visible import visible
    from agentcli.document import did_you_mean

    config = config_here(workspace)
    known = config.policy_files()
    if name not in known:
        message = f"there is no policy `{name}`{did_you_mean(name, known)}"
        raise MissingFileError(message, hint="List them: agentcli policy list")
    found = [config.policy_at(path) for path in known[name]]
    if as_json:
        print_json([about(policy) for policy in found])
        return
    for policy in found:
        print(visible("\n".join(lines(policy))))


@app.command("check")
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Policies' files; by default all that are found.")
    ] = None,
    workspace: options.WORKSPACE = None,
    as_json: options.JSON = False,
) -> int:
    """Check policies: what cannot be read, examples that do not hold, rules that never count.

    agentcli policy check
    agentcli policy check .agentcli/policies/ours.yaml

    Without files, also profiles that name a policy that is not there. The exit code is 78 where a
    file cannot be used, 65 where a rule does not do what it says.
    """
    import time

    from agentcli.cli.document import print_json
    from agentcli.compose.why import faults
    from agentcli.core.visible import visible
    from agentcli.tool.load import load_tools

    config = config_here(workspace)
    tools = load_tools(config.tool_folders())
    paths = files or [path for paths in config.policy_files().values() for path in paths]
    wrong, found, rules = list[str](), list[str](), 0
    for path in paths:
        try:
            policy = config.policy_at(path)
        except ConfigError as error:
            wrong += str(error).splitlines()
            continue
        rules += len(policy.rules)
        found += [*unprotected(policy), *limits_of_nothing(policy, tools)]
        for number, text in faults(policy, tools, config.roles, time.time_ns() // 1000):
            found.append(f"{policy.where(number)}: {policy.rules[number].name}: {text}")
    if not files:
        wrong += [line for line in named_and_missing(config) if line not in wrong]
    code = ConfigError.exit_code if wrong else InputError.exit_code if found else 0
    if as_json:
        print_json({"files": len(paths), "rules": rules, "unusable": wrong, "findings": found})
        return code
    for line in (*wrong, *found):
        print(visible(line))
    count = counted(len(wrong) + len(found), "finding")
    print(f"{counted(len(paths), 'file')}, {counted(rules, 'rule')}, {count}")
    return code


def limits_of_nothing(policy: "LoadedPolicy", tools: Collection[str]) -> Iterator[str]:
    """Yield a finding for each limit of a tool that there is not."""
    from agentcli.document import did_you_mean

    for name in policy.limits:
        if name not in tools:
            text = f"no tool is named `{name}`{did_you_mean(name, tools)}"
            yield policy.source.line_at(("limits", name), text)


def unprotected(policy: "LoadedPolicy") -> list[str]:
    """Return a finding for a policy that drops what the shipped one of its name protects."""
    from agentcli import asset
    from agentcli.config.policy import load_policy

    shipped = asset.shipped("configs", "policies", f"{policy.name}.yaml")
    if "protected" in policy.file.model_fields_set or not shipped.exists():
        return []
    if not load_policy(shipped).protected:
        return []
    why = "copy them, or say `protected: []` if that is meant, or give it another name"
    text = f"it takes the place of {shipped}, whose protected paths it leaves out: {why}"
    return [f"{policy.source.path}: {text}"]


def named_and_missing(config: "Config") -> list[str]:
    """Return what keeps the policies that any profile names from being found, in lines."""
    lines: list[str] = []
    for name in ("", *config.named_files("profiles")):
        try:
            config.policies(config.profile(name))
        except (ConfigError, MissingFileError) as error:
            lines += str(error).splitlines()
    return list(dict.fromkeys(lines))


@app.command("why")
def why(
    call: Annotated[str, typer.Argument(help="A tool and its arguments, as text or JSON.")],
    role: Annotated[str, typer.Option("--as", help="In this role, whoever has it.")] = "",
    profile: options.PROFILE = "",
    workspace: options.WORKSPACE = None,
    sandbox: options.SANDBOX = "",
    as_json: options.JSON = False,
) -> None:
    """Say what would become of a call, by which rule, and what is assumed for that.

    agentcli policy why 'shell git push'
    agentcli policy why 'read_file {"path": ".ssh"}' --as dev
    """
    import time

    from msgspec.structs import replace

    from agentcli.cli.document import print_json
    from agentcli.compose.plan import policy_of, wished_sandbox
    from agentcli.compose.why import why as find_why
    from agentcli.core.visible import visible
    from agentcli.document import did_you_mean
    from agentcli.tool.load import load_tools

    config = config_here(workspace)
    if role and role not in config.roles:
        near = did_you_mean(role, config.roles)
        raise InputError(f"--as {role}: nobody has that role{near}")
    tools = load_tools(config.tool_folders())
    who = config.profile(profile)
    policy = policy_of(config, who, tools)
    if role:
        policy = replace(policy, role=role)
    box = wished_sandbox(who, options.workspace_of(workspace), sandbox)
    found = find_why(policy, tools, call, time.time_ns() // 1000, box)
    if as_json:
        print_json(document(found, who.name, policy.role, box.backend))
        return
    for line in told(found, who.name, policy.role, box.backend):
        print(visible(line))


@app.command("tidy")
def tidy(
    yes: Annotated[bool, typer.Option("--yes", help="Do it without being asked.")] = False,
) -> None:
    """Clear up the rules that came of answers with always: those that have expired, and twins.

    agentcli policy tidy
    """
    import difflib
    import time

    from agentcli.cli.consent import agree
    from agentcli.config.always import always_file, read_always, tidied, write_always
    from agentcli.config.lock import locked
    from agentcli.core.visible import visible
    from agentcli.document.write import to_yaml

    data = read_always()
    less = tidied(data, time.time_ns() // 1000)
    before, after = (to_yaml(one).splitlines() for one in (data, less))
    changes = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
    if not changes:
        print("There is nothing to tidy.")
        return
    print(visible("\n".join([str(always_file()), *changes])))
    if not yes:
        agree("Write it so?", hint="Say yes beforehand: agentcli policy tidy --yes")
    with locked(always_file()):
        if read_always() != data:
            raise LedgerBusyError(f"{always_file()}: has changed meanwhile", hint="Look again.")
        write_always(less)
    print(f"{counted(len(less['rules']), 'rule')} left.")


def config_here(workspace: options.WORKSPACE) -> "Config":
    from agentcli.config.settings import load_config

    config = load_config(options.workspace_of(workspace))
    options.say_untrusted(config)
    return config


def about(policy: "LoadedPolicy") -> dict[str, Any]:
    return {
        "name": policy.name,
        "file": str(policy.source.path),
        **policy.file.model_dump(mode="json", exclude_unset=True),
    }


def lines(policy: "LoadedPolicy") -> Iterator[str]:
    yield f"{policy.name} · {policy.file.description}"
    yield f"from {policy.source.path}"
    if policy.file.unsafe:
        yield "unsafe: its rules may let irreversible calls run unasked"
    for number, rule in enumerate(policy.rules):
        yield ""
        yield f"{rule.effect:5}  {rule.name}  ({policy.where(number)})"
        written = policy.file.rules[number].model_dump(mode="json", exclude_unset=True)
        for key in ("name", "effect", "examples"):
            written.pop(key, None)
        for key, value in written.items():
            yield f"         {key}: {plain(value)}"
    if policy.protected:
        yield ""
        yield "never written by a call, and read only after a yes:"
        yield from (f"  {path}" for path in policy.protected)
    if policy.domains:
        yield ""
        yield f"what can send data out may lead to: {', '.join(policy.domains)}"
    if policy.private_hosts:
        yield ""
        yield f"not public, and taken in by `*` all the same: {', '.join(policy.private_hosts)}"
    for tool, limit in policy.file.limits.items():
        yield ""
        yield f"limit of {tool}: {plain(limit.model_dump(exclude_none=True))}"


def plain(value: Any) -> str:
    from agentcli.cli.config import plain as in_yaml

    return in_yaml(value)


def verdict(decision: "AuthzDecision") -> dict[str, str]:
    from agentcli.compose.whatif import verdict_document

    return {**verdict_document(decision), "at": decision.at}


def document(found: "Why", profile: str, role: str, backend: str) -> dict[str, Any]:
    import msgspec

    return {
        "call": {"tool": found.call.tool, "args": found.call.args},
        "profile": profile,
        "role": role,
        "tier": found.tier,
        "label": msgspec.to_builtins(found.label),
        "clean": verdict(found.clean),
        "tainted": verdict(found.tainted),
        "assumed": list(assumed(found, backend)),
        "unreached": list(found.unreached),
    }


def told(found: "Why", profile: str, role: str, backend: str) -> Iterator[str]:
    from agentcli.compose.whatif import word_of
    from agentcli.shell.headless import call_line

    yield call_line(found.call, 100)
    yield f"profile {profile}{f', role {role}' if role else ''}"
    yield f"tier    {found.tier}"
    label = found.label
    yield f"label   what it gives is {label.integrity}, {label.confidentiality}"
    yield ""
    clean, tainted = found.clean, found.tainted
    yield f"{word_of(clean):7} {by_which(clean)}"
    if tainted != clean:
        yield "once the model has read untrusted text, of which the call may be made:"
        yield f"{word_of(tainted):7} {by_which(tainted)}"
    yield ""
    yield from (f"assumed: {line}" for line in assumed(found, backend))
    yield from (f"note: {line}" for line in found.unreached)


def by_which(decision: "AuthzDecision") -> str:
    reason = getattr(decision, "reason", "")
    where = decision.at or "built in"
    return f"{decision.rule} ({where}){f': {reason}' if reason else ''}"


def assumed(found: "Why", backend: str) -> Iterator[str]:
    if found.facts.sandboxed:
        yield f"a sandbox ({backend}) without a network, and a workspace that can be put back"
    else:
        yield "no sandbox: on this machine itself"
    yield "the model proposes it, and no call of this tool has been made"
    yield "no path in it is a link that leads elsewhere"
    if found.facts.unparsed:
        yield f"what the command does cannot be told: {found.facts.unparsed}"
    for command in found.facts.commands:
        words = " ".join(command.words)
        yield f"`{words}` is in it: {command.why or 'that only reads'}"
