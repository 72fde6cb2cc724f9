"""Policies: rules about calls, as people write them in YAML."""

import datetime
import ipaddress
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from agentcli import asset
from agentcli.core.address import network_of
from agentcli.core.host import ANY, is_public, named
from agentcli.core.linear import linear
from agentcli.core.rule import HOWS, Clause, Effect, Limit, Origin, PolicyRule
from agentcli.core.state import STAMPS
from agentcli.core.tool import RiskTier
from agentcli.document import Document, Place, Source, joined, read_source
from agentcli.errors import ConfigError

ALWAYS = "always"  # the policy of the answers that hold beyond a session
RULES_AT_MOST = 5_000
NOT_A_PROJECTS = "is not a project's to say: only your own files can"
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Words = Text | Annotated[tuple[Text, ...], Field(min_length=1)]
Number = int | float
Scalar = str | int | float | bool | None


class ClauseFile(Document):
    """What must hold of one argument: all that is said.

    host: the host of a URL or an address is one of these or below it. path: it is one of these or
    below it, seen from the workspace. pattern: a regular expression that fits somewhere in it.
    """

    equals: Scalar = None
    one_of: Annotated[tuple[Scalar, ...], Field(min_length=1)] | None = None
    prefix: Text | None = None
    pattern: Text | None = None
    host: Words | None = None
    path: Words | None = None
    min: Number | None = None
    max: Number | None = None


class Examples(Document):
    """Calls that a rule fits, and some that it does not: a tool's name and its arguments."""

    match: tuple[Text, ...] = ()
    no_match: tuple[Text, ...] = ()


class RuleFile(Document):
    """One rule. What it leaves out fits any call.

    egress: whether the call may send something out.
    command: the first words of a shell command. when: by argument, as `to` or `items.*.name`.
    traced: all that the call could do comes from the user or a trusted tool. folder: only there.
    expires: the day on which it ends, in UTC.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    effect: Effect
    tool: Words | None = None
    tier: RiskTier | Annotated[tuple[RiskTier, ...], Field(min_length=1)] | None = None
    egress: bool | None = None
    role: Words | None = None
    origin: Origin | Annotated[tuple[Origin, ...], Field(min_length=1)] | None = None
    when: Annotated[dict[str, ClauseFile], Field(min_length=1)] | None = None
    command: Words | None = None
    traced: Literal[True] | None = None
    folder: Text | None = None
    reason: Annotated[str, Field(max_length=1_000)] = ""
    expires: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    examples: Examples = Examples()


class LimitFile(Document):
    """How often a tool may be called in a run, and in any minute of it."""

    calls: Annotated[int, Field(ge=0)] | None = None
    per_minute: Annotated[int, Field(ge=0, le=STAMPS)] | None = None


class PolicyFile(Document):
    """One `policies/NAME.yaml`.

    unsafe: its rules may let irreversible calls run unasked. protected: what no call writes and
    none reads unasked; `~` is the home folder, @config and @state the program's own. domains:
    where calls that can send something out may lead: names, with all below them, and networks,
    as 10.1.0.0/16; `*` is any name and address that is public. private_hosts: what `*` takes in of
    one's own network, in this policy and all others.
    """

    description: str = ""
    unsafe: bool = False
    rules: Annotated[tuple[RuleFile, ...], Field(max_length=RULES_AT_MOST)] = ()
    protected: tuple[Text, ...] = ()
    domains: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    private_hosts: tuple[Text, ...] = ()
    limits: dict[str, LimitFile] = {}

    @field_validator("rules")
    @classmethod
    def _one_name_each(cls, rules: tuple[RuleFile, ...]) -> tuple[RuleFile, ...]:
        seen = set[str]()
        for rule in rules:
            if rule.name in seen:
                raise ValueError(f"two rules are named {rule.name}")
            seen.add(rule.name)
        return rules


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy that was found sound. shown: how its file is called in what is stored and shown."""

    name: str
    file: PolicyFile
    source: Source
    shown: str
    rules: tuple[PolicyRule, ...]
    protected: tuple[str, ...]
    domains: tuple[str, ...]
    private_hosts: tuple[str, ...]
    limits: dict[str, Limit]

    def where(self, number: int) -> str:
        return f"{self.shown}:{self.source.spots['rules', number].line}"


def load_policy(path: Path, shown: str = "", *, of_project: bool = False) -> LoadedPolicy:
    """Return the policy in a file. shown: what the file is called, by default its path.

    of_project: whether it came with a project; then it may not take back what protects a person.
    Raises ConfigError with a line for each thing that is wrong; MissingFileError.
    """
    source = read_source(path)
    file = source.read(PolicyFile)
    shown = shown or str(path)
    wrong = [*problems(source, file), *(foreign_problems(source, file) if of_project else ())]
    if wrong:
        raise ConfigError(joined(wrong))
    rules = tuple(
        rule_of(rule, file.unsafe, f"{shown}:{source.spots['rules', number].line}")
        for number, rule in enumerate(file.rules)
    )
    return LoadedPolicy(
        path.stem,
        file,
        source,
        shown,
        rules,
        tuple(map(place_of, file.protected)),
        tuple(domain_of(domain) for domain in file.domains or ()),
        tuple(map(domain_of, file.private_hosts)),
        {name: Limit(limit.calls, limit.per_minute) for name, limit in file.limits.items()},
    )


def problems(source: Source, file: PolicyFile) -> Iterator[str]:
    """Yield what is wrong beyond what the model says, each with its place."""
    for number, rule in enumerate(file.rules):
        at: Place = ("rules", number)
        if rule.traced and rule.effect != "allow":
            yield source.line_at((*at, "traced"), "goes only with `effect: allow`")
        if rule.expires is not None:
            try:
                expiry(rule.expires)
            except ValueError:
                yield source.line_at((*at, "expires"), "must be a day, such as 2026-12-31")
        if rule.folder is not None and not rule.folder.startswith(("/", "~")):
            yield source.line_at((*at, "folder"), "must begin with / or ~/")
        for name, clause in (rule.when or {}).items():
            yield from clause_problems(source, (*at, "when", name), name, clause)
        for word in listed(rule.command):
            if not word.split():
                yield source.line_at((*at, "command"), "has no word")
    for number, domain in enumerate(file.domains or ()):
        try:
            domain_of(domain)
        except ValueError:
            message = (
                f"must be a domain, such as example.com, a network, such as 10.1.0.0/16, or {ANY} "
                "for any that is public"
            )
            yield source.line_at(("domains", number), message)
    for number, host in enumerate(file.private_hosts):
        try:
            named_so = domain_of(host)
            if named_so == ANY or (network_of(named_so) is None and is_public(named_so)):
                message = "is public, so it belongs under domains"
                yield source.line_at(("private_hosts", number), message)
        except ValueError:
            message = "must be a host that is not public, such as wiki.lan, or a network"
            yield source.line_at(("private_hosts", number), message)


def foreign_problems(source: Source, file: PolicyFile) -> Iterator[str]:
    """Yield what a project's policy says that only a person's own may."""
    for key in ("unsafe", "private_hosts"):
        if key in file.model_fields_set:
            yield source.line_at(key, NOT_A_PROJECTS)
    for number, pattern in enumerate(file.protected):
        if pattern.startswith("!"):  # it would hold for the paths of all other policies too
            yield source.line_at(("protected", number), f"an exception {NOT_A_PROJECTS}")


def clause_problems(source: Source, at: Place, name: str, clause: ClauseFile) -> Iterator[str]:
    said = clause.model_fields_set
    if not said:
        yield source.line_at(at, f"needs one of {', '.join(HOWS)}")
    if not all(name.removeprefix("$.").split(".")):
        yield source.line_at(at, "must be the path of an argument, as `to` or `items.*.name`")
    for how in sorted(said - {"equals"}):
        if getattr(clause, how) is None:
            yield source.line_at((*at, how), "must not be empty")
    try:
        linear(clause.pattern or "")
    except ValueError as error:
        yield source.line_at((*at, "pattern"), f"cannot be used: {error}")
    for host in listed(clause.host):
        try:
            domain_of(host)
        except ValueError:
            yield source.line_at((*at, "host"), f"must be a host, got `{host}`")


def rule_of(rule: RuleFile, unsafe: bool, at: str) -> PolicyRule:
    """Return a rule as calls are judged by it. at: its file and line."""
    return PolicyRule(
        name=rule.name,
        effect=rule.effect,
        tools=listed(rule.tool),
        tiers=listed(rule.tier),
        roles=listed(rule.role),
        origins=listed(rule.origin),
        when=tuple(
            clause for name, file in (rule.when or {}).items() for clause in clauses_of(name, file)
        ),
        commands=tuple(tuple(words.split()) for words in listed(rule.command)),
        traced=bool(rule.traced),
        reason=rule.reason,
        expires_us=expiry(rule.expires) if rule.expires is not None else 0,
        at=at,
        unsafe=unsafe,
        egress=rule.egress,
    )


def clauses_of(name: str, file: ClauseFile) -> Iterator[Clause]:
    path = tuple(name.removeprefix("$.").split("."))
    for how in HOWS:
        if how not in file.model_fields_set:
            continue
        value: Any = getattr(file, how)
        if how == "host":
            value = [domain_of(host) for host in listed(value)]
        elif how == "path":
            value = [os.path.expanduser(one) for one in listed(value)]
        elif how == "one_of":
            value = list(value)
        yield Clause(path, how, value)


def listed(value: Any) -> tuple[Any, ...]:
    """Return what may be one or several as several."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def domain_of(text: str) -> str:
    """Return a domain in the form in which hosts are compared. Raises ValueError."""
    if (network := network_of(text)) is not None:
        return str(network)
    with suppress(ValueError):
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    return ANY if text == ANY else named(text.removeprefix("*."))


def place_of(pattern: str) -> str:
    """Return a protected path with the folders in the place of their short names."""
    mark, pattern = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    for name, folder in (("@config", asset.config_home), ("@state", asset.state_home)):
        if pattern == name or pattern.startswith(f"{name}/"):
            pattern = str(folder().resolve()) + pattern.removeprefix(name)
    return mark + os.path.expanduser(pattern)


def expiry(day: str) -> int:
    """Return the beginning of a day in UTC, in microseconds since 1970. Raises ValueError."""
    at = datetime.datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    return int(at.timestamp()) * 1_000_000


def is_here(rule: RuleFile, workspace: Path | None) -> bool:
    """Say whether a rule is for this workspace, or for any."""
    if rule.folder is None:
        return True
    folder = Path(os.path.expanduser(rule.folder)).resolve()
    return workspace is not None and workspace.resolve().is_relative_to(folder)
