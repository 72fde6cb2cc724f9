"""What the rules know of a tool, and what is found out about one call before it is judged."""

from typing import Any, Literal, get_args

from agentcli.core.command import Command, only_reads
from agentcli.core.label import Label
from agentcli.core.record import Record
from agentcli.core.trace import Trace

RiskTier = Literal["read_only", "reversible", "irreversible", "privileged"]
TIERS: tuple[RiskTier, ...] = get_args(RiskTier)
Condition = Literal["sandboxed", "offline", "restorable"]


class ToolRule(Record, frozen=True):
    """A tool as the rules see it. An unknown tool is all that the defaults say.

    digest: of its manifest and script: another version of a tool is another tool.
    reversible_when: unless all of these hold for a call, it counts as irreversible.
    idempotent: may run again under the same key without a second effect.
    probe: can be asked whether a call under a key had its effect.
    sinks: the arguments through which something can be changed or sent; None means all.
    shell: its calls are shell commands, each judged by what it was found to do.
    paths: the arguments that name files; None means all that could.
    code: its calls hold code that runs, of a shell or another interpreter.
    host: where its calls lead whatever their arguments say, "" for nowhere by itself.
    """

    digest: str = ""
    version: int = 0
    tier: RiskTier = "irreversible"
    reversible_when: tuple[Condition, ...] = ()
    egress: bool = True
    idempotent: bool = False
    label: Label = Label()
    probe: bool = False
    sinks: tuple[str, ...] | None = None
    shell: bool = False
    paths: tuple[str, ...] | None = None
    code: bool = False
    host: str = ""


RESTORE_RULE = ToolRule(tier="reversible", egress=False, idempotent=True)


# A call of it says which tools are to be used, before anything untrusted is read.
PLAN = "plan"
# What undoes a call by putting files back. No manifest can have this name.
RESTORE = "workspace.restore"


class Undo(Record, frozen=True):
    """The call that undoes another one.

    Before that one has ended, an argument may still be `{result.NAME}`: a value of its result.
    """

    tool: str
    args: dict[str, Any] = {}


class Facts(Record, frozen=True):
    """What was found out about one call. Observed once, stored, never looked up again.

    tool: digest of the tool. sandbox: digest of the sandbox's spec.
    snapshot: handle of the workspace's state before the call, "" where none was needed.
    preview: what the call would change, as a person is to see it, clipped.
    notes: of the sandbox, for people.
    files: what the files that the call names hold, and for git the config of its repositories:
        path to content's hash, "" for none.
    undo: how the call would be undone, None if it cannot be.
    image: what the sandbox really runs on.
    traces: where the values of the call come from, of a call that can do something out there.
    commands: of a shell command, all that it was found to run. unparsed: why that is not all.
    places: where a path that the call names really leads, where links make it another place;
        "" where that could not be found out.
    page: the URL that is read for its script, just as it will be asked for, "" for none.
    """

    tool: str = ""
    sandbox: str = ""
    sandboxed: bool = False
    offline: bool = False
    restorable: bool = False
    snapshot: str = ""
    preview: str = ""
    notes: tuple[str, ...] = ()
    files: dict[str, str] = {}
    undo: Undo | None = None
    image: str = ""
    traces: tuple[Trace, ...] = ()
    commands: tuple[Command, ...] = ()
    unparsed: str = ""
    places: dict[str, str] = {}
    page: str = ""

    @property
    def is_contained(self) -> bool:
        """Whether the call can do nothing that cannot be undone here, whoever wants it."""
        return self.sandboxed and self.offline and self.restorable


def can_send(rule: ToolRule, facts: Facts) -> bool:
    """Say whether a call may send something out: by its tool, or where it could reach a network."""
    return rule.egress or (rule.tier != "read_only" and not facts.offline)


def tier_of(rule: ToolRule, facts: Facts) -> RiskTier:
    """Return the tier of one call: a reversible tool is so only where its conditions hold.

    A shell command of which all is known, and all only reads, is read_only in a sandbox. Nothing
    else that was found in one makes its tier another.
    """
    can_be_less = rule.shell and rule.tier == "reversible" and facts.sandboxed
    if can_be_less and not facts.unparsed and only_reads(facts.commands):
        return "read_only"
    if rule.tier == "reversible" and not all(getattr(facts, name) for name in rule.reversible_when):
        return "irreversible"
    return rule.tier
