"""What the rules say of one call that is only thought of, and whether rules do what they say."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from msgspec.structs import replace

from agentcli.config.policy import LoadedPolicy, RuleFile
from agentcli.core.label import Label
from agentcli.core.place import parts_of
from agentcli.core.policy import AuthzDecision, Policy, Situation, judge
from agentcli.core.protect import all_words, paths_in
from agentcli.core.rule import STRICTEST, PolicyRule, matches
from agentcli.core.sandbox import SandboxSpec, hidden_names
from agentcli.core.step import Call
from agentcli.core.tool import Facts, RiskTier, ToolRule, can_send, tier_of
from agentcli.core.trace import Passages
from agentcli.core.visible import escaped_line
from agentcli.document import did_you_mean
from agentcli.errors import InputError
from agentcli.tool.job import url_of
from agentcli.tool.manifest import LoadedTool
from agentcli.tool.named import inside_of
from agentcli.tool.reach import UnreachableError
from agentcli.tool.shell import parse

Tools = Mapping[str, LoadedTool]
IN_A_SANDBOX = Facts(sandboxed=True, offline=True, restorable=True)
TAINTED = Label()


@dataclass(frozen=True)
class Why:
    """What is said of a call: clean, before the model has seen anything untrusted, and after.

    unreached: what it names and would not get to, though the rules let it.
    """

    call: Call
    facts: Facts
    tier: RiskTier
    label: Label
    clean: AuthzDecision
    tainted: AuthzDecision
    unreached: tuple[str, ...]


def why(policy: Policy, tools: Tools, text: str, now_us: int, box: SandboxSpec) -> Why:
    """Return what a policy says of a call. box: where it would run; none is opened.

    Raises InputError for what is no call, or one that its tool does not take.
    """
    call = valid_call(text, tools)
    rule = policy.rule_of(call.tool)
    facts = facts_of(tools, call, rule, sandboxed=box.backend != "local")
    clean = Situation(now_us=now_us)
    tainted = replace(clean, label=TAINTED)
    return Why(
        call,
        facts,
        tier_of(rule, facts),
        rule.label,
        judge(policy, clean, call, facts),
        judge(policy, tainted, call, traced(facts, rule, call)),
        tuple(unreached(rule, call, facts, box)),
    )


def unreached(rule: ToolRule, call: Call, facts: Facts, box: SandboxSpec) -> Iterator[str]:
    """Yield what of the paths that a call names it would not get to. No link is followed."""
    is_hidden = hidden_names(box.hidden)
    for path in dict.fromkeys((*paths_in(rule, call.args), *all_words(facts.commands))):
        shown = escaped_line(path, 100)
        if rule.paths and leads_out(path, box):
            yield f"`{shown}` leads out of the workspace: a tool that ships refuses it"
        elif is_hidden(path.rpartition("/")[2]):
            yield f"a file `{shown}` is kept out of the sandbox: the call sees a note in its place"


def leads_out(path: str, box: SandboxSpec) -> bool:
    """Say whether a path is neither in the workspace nor in another folder that tools use."""
    parts = parts_of(inside_of(box.workspace, path) if box.backend == "local" else path)
    if parts[:1] == ("/",):
        return parts[1:2] not in (("tmp",), ("outputs",), *([("mnt",)] if box.mounts else ()))
    return parts[:1] == ("..",) or path.startswith("~")


def valid_call(text: str, tools: Tools) -> Call:
    """Return the call that a text names, checked as a real one is. Raises InputError."""
    name = text.strip().partition(" ")[0]
    if name and name not in tools:
        message = f"there is no tool `{escaped_line(name)}`{did_you_mean(name, tools)}"
        raise InputError(message, hint="List them: agentcli tools list")
    call = call_of(text, tools)
    if problems := tools[call.tool].arguments.problems(call.args):
        raise InputError("\n".join((f"Invalid arguments for {call.tool}:", *problems)))
    try:
        url_of(tools[call.tool], call.args)
    except UnreachableError as error:
        raise InputError(str(error)) from None
    return call


def facts_of(tools: Tools, call: Call, rule: ToolRule, *, sandboxed: bool) -> Facts:
    facts = IN_A_SANDBOX if sandboxed else Facts()
    tool = tools.get(call.tool)
    if tool is not None and tool.manifest.shell:
        found = parse(str(call.args.get(tool.manifest.shell, "")))
        facts = replace(facts, commands=found.commands, unparsed=found.problem)
    return facts


def traced(facts: Facts, rule: ToolRule, call: Call) -> Facts:
    """Return facts of where the user has said nothing of what is in the call."""
    return replace(facts, traces=Passages().trace(call.args, rule.sinks))


def call_of(text: str, tools: Tools) -> Call:
    """Return the call that a text names: a tool, and its arguments as JSON or the only one as text.

    Raises InputError.
    """
    name, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if not name:
        raise InputError("name a call: a tool and its arguments", hint="""shell git push""")
    if not rest:
        return Call(name)
    if rest.startswith("{"):
        try:
            args = json.loads(rest)
        except (ValueError, RecursionError) as error:
            raise InputError(f"the arguments are not JSON: {escaped_line(str(error))}") from None
        return Call(name, args)
    tool = tools.get(name)
    if tool is None:
        near = did_you_mean(name, tools)
        message = f"there is no tool `{escaped_line(name)}`{near}; of one that is not known, the "
        raise InputError(f"{message}arguments must be a JSON object")
    return Call(name, {only_argument(tool): rest})


def only_argument(tool: LoadedTool) -> str:
    """Return the argument that a text without a name is for. Raises InputError."""
    required = tool.manifest.parameters.get("required", ())
    if len(required) != 1:
        name = tool.manifest.name
        raise InputError(f"{name} takes more than one argument", hint=f'{name} {{"name": "value"}}')
    return str(required[0])


def faults(
    policy: LoadedPolicy, tools: Tools, roles: Iterable[str], now_us: int
) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with the rules of a policy: the number of the rule, and what."""
    rules = {name: tool.rule for name, tool in tools.items()}
    for number, (written, rule) in enumerate(zip(policy.file.rules, policy.rules, strict=True)):
        for text in wrong_examples(written, rule, tools, now_us):
            yield number, text
        for text in never(rule, tools, rules, roles, now_us):
            yield number, text
    for (one, rule), (two, other) in combinations(enumerate(policy.rules), 2):
        if policy.file.rules[one].folder != policy.file.rules[two].folder:
            continue
        if covers(rule, other, rules):
            yield two, beside(other, rule, policy.where(one))
        elif covers(other, rule, rules):
            yield one, beside(rule, other, policy.where(two))


def beside(rule: PolicyRule, other: PolicyRule, where: str) -> str:
    if rule.effect == other.effect:
        return f"says no more than {other.name} ({where}): remove it"
    return f"never counts: {other.name} ({where}) is stricter and fits the same calls"


def wrong_examples(written: RuleFile, rule: PolicyRule, tools: Tools, now_us: int) -> Iterator[str]:
    """Yield the examples of a rule that it does not treat as they say."""
    role = rule.roles[0] if rule.roles else ""
    lasting = replace(rule, expires_us=0)
    both = ((written.examples.match, True), (written.examples.no_match, False))
    for texts, expected in both:
        for text in texts:
            try:
                call = call_of(text, tools)
            except InputError as error:
                yield f"example `{escaped_line(text)}`: {error}"
                continue
            about = tools[call.tool].rule if call.tool in tools else ToolRule()
            facts = facts_of(tools, call, about, sandboxed=True)
            tier, sends = tier_of(about, facts), can_send(about, facts)
            if matches(lasting, call, tier, facts, role, now_us, sends=sends) != expected:
                says = "must match" if expected else "must not match"
                yield f"example `{escaped_line(text)}`: {says}, and it is the other way round"


def never(
    rule: PolicyRule,
    tools: Tools,
    rules: Mapping[str, ToolRule],
    roles: Iterable[str],
    now_us: int,
) -> Iterator[str]:
    """Yield why a rule can fit no call, or why what it says never counts."""
    fitting = [name for name in tools if fits_tool(rule, name)]
    if rule.tools and not fitting:
        near = did_you_mean(rule.tools[0], tools)
        yield f"fits no tool: `{escaped_line(', '.join(rule.tools))}`{near}"
        return
    if rule.expires_us and now_us >= rule.expires_us:
        yield "has expired: agentcli policy tidy"
    tiers = {tier for name in fitting for tier in tiers_of(rules[name])}
    if rule.tiers and not tiers & set(rule.tiers):
        yield f"fits no call: its tools are never {', '.join(rule.tiers)}"
    if rule.egress is not None and not any(
        rule.egress in powers_of(rules[name]) for name in fitting
    ):
        yield f"fits no call: its tools {'never' if rule.egress else 'always'} send something out"
    if set(rule.tiers) == {"privileged"}:
        yield "never counts: privileged calls take a signature, whatever a rule says"
    is_high = bool(rule.tiers) and set(rule.tiers) <= {"irreversible", "privileged"}
    if rule.effect == "allow" and is_high and not rule.unsafe:
        yield "never counts: irreversible calls ask, unless the file says `unsafe: true`"
    known = set(roles)
    for role in rule.roles:
        if role not in known:
            near = did_you_mean(role, known)
            yield f"names the role `{escaped_line(role)}`, which nobody has{near}"
    for clause in rule.when:
        names = {name for tool in fitting for name in tools[tool].manifest.properties}
        name = clause.path[0]
        if rule.tools and name != "*" and name not in names:
            fits = "fits no call" if rule.effect == "allow" else "fits every call"
            near = did_you_mean(name, names)
            yield f"{fits}: its tools have no argument `{escaped_line(name)}`{near}"


def fits_tool(rule: PolicyRule, name: str) -> bool:
    return matches(PolicyRule("", "deny", tools=rule.tools), Call(name), "read_only", Facts(), "")


def tiers_of(rule: ToolRule) -> tuple[RiskTier, ...]:
    """Return the tiers that calls of a tool can have."""
    if rule.tier != "reversible":
        return (rule.tier,)
    found: list[RiskTier] = ["reversible"]
    if rule.shell:
        found.append("read_only")
    if rule.reversible_when:
        found.append("irreversible")
    return tuple(found)


def powers_of(rule: ToolRule) -> set[bool]:
    """Return whether calls of a tool may send something out, with a network or without."""
    return {can_send(rule, Facts(offline=offline)) for offline in (True, False)}


def covers(one: PolicyRule, other: PolicyRule, rules: Mapping[str, ToolRule]) -> bool:
    """Say whether a rule is at least as strict as another one, and fits all that it fits."""
    if STRICTEST.index(one.effect) > STRICTEST.index(other.effect):
        return False
    if one.effect == other.effect == "allow" and other.unsafe and not one.unsafe:
        return False
    if one.traced and not other.traced:
        return False
    theirs = {name for name in rules if fits_tool(other, name)} or {"?"}
    ours = {name for name in rules if fits_tool(one, name)} or {"?"}
    same_tools = not one.tools or one.tools == other.tools or (bool(other.tools) and theirs <= ours)
    clauses = [repr(clause) for clause in other.when]
    return (
        same_tools
        and wider(one.tiers, other.tiers)
        and wider(one.roles, other.roles)
        and wider(one.origins, other.origins)
        and one.egress in (None, other.egress)
        and wider(one.commands, other.commands)
        and all(repr(clause) in clauses for clause in one.when)
        and (not one.expires_us or one.expires_us >= (other.expires_us or one.expires_us + 1))
    )


def wider(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    """Say whether what one names holds all that the other one does; nothing is everything."""
    return not ours or (bool(theirs) and set(theirs) <= set(ours))
