"""The injection rule: what untrusted text could have brought about asks a person."""

from collections.abc import Collection
from typing import Literal, get_args

from agentcli.core.held import reference
from agentcli.core.label import Label
from agentcli.core.step import Call
from agentcli.core.tool import Facts, RiskTier, ToolRule, Undo
from agentcli.core.trace import Trace

Layer = Literal["plan", "argument", "token", "private"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
UNDONE: tuple[RiskTier, ...] = ("read_only", "reversible")  # no rule is needed to let these run
MOST_TOLD = 3


def suspect(
    layers: tuple[Layer, ...],
    rule: ToolRule,
    label: Label,
    plan: Collection[str],
    call: Call,
    facts: Facts,
    tier: RiskTier,
) -> tuple[str, str] | None:
    """Return the first part of the injection rule that a call fails, and all of it in words.

    It holds for calls that can change or send something beyond what can be undone here: for all of
    them once the model has seen untrusted text, before that for values that come from such text,
    by reference or as the answer of a reader.
    layers: the parts that are held. label: of all that the model has seen. plan: the tools that
    were to be used, said before it had seen anything untrusted.
    """
    reaches_out = rule.egress or (tier != "read_only" and not facts.is_contained)
    if call.origin != "model" or not reaches_out:
        return None
    found: dict[str, tuple[str, str]] = {}  # by the argument, once for each
    if label.is_tainted and "plan" in layers and call.tool not in plan:
        told = f"untrusted text was read, and {call.tool} was not in the plan before that"
        found[""] = ("untrusted_unplanned", told)
    for trace in facts.traces:
        if label.is_tainted or trace.origin == "untrusted":
            name, told = fault_of(trace, rule)
            if name.removeprefix("untrusted_") in layers:
                found.setdefault(trace.path, (name, told))
    if not found:
        return None
    words = [told for _, told in found.values()]
    more = [f"and {len(words) - MOST_TOLD} more arguments"] if len(words) > MOST_TOLD else []
    return next(iter(found.values()))[0], "; ".join(words[:MOST_TOLD] + more)


def suspect_code(layers: tuple[Layer, ...], rule: ToolRule, call: Call) -> tuple[str, str] | None:
    """Return that untrusted text would run as code, though nobody has seen it; None if not."""
    if not (rule.code and call.held and "argument" in layers):
        return None
    texts = ", ".join(map(reference, call.held))
    return "untrusted_code", f"what would run has untrusted text in it: {texts}"


def suspect_undo(
    rule: ToolRule, undoing: ToolRule, call: Call, undo: Undo
) -> tuple[str, str] | None:
    """Return that what undoes a call would take its values from untrusted text, None if not.

    It is not asked about when it runs, so where it reaches out this call must not run unasked.
    rule: of the call's tool. undoing: of the one that undoes it.
    """
    if call.origin != "model" or not rule.label.is_tainted:
        return None
    if not undoing.egress and undoing.tier in UNDONE and not undoing.reversible_when:
        return None
    for name, value in undo.args.items():
        if isinstance(value, str) and value.startswith("{result."):
            told = f"`{name}` of {undo.tool}, which undoes it, would be what {call.tool} says"
            return "untrusted_undo", f"{told}, and that is untrusted"
    return None


def fault_of(trace: Trace, rule: ToolRule) -> tuple[str, str]:
    """Return by which part of the injection rule a value must not go unasked, and why."""
    seen = ", and stands in nothing that was read"
    if trace.seq:
        seen = f", first seen in record {trace.seq}: {trace.source}"
    about = f"{trace.path} `{trace.text}`"
    match trace.what:
        case "private" if rule.egress:
            return "untrusted_private", f"{about} is from a private result{seen}"
        case "token":
            return "untrusted_token", f"{about} is not from the user{seen}"
        case "argument" if trace.origin in ("untrusted", "unknown"):
            return "untrusted_argument", f"{about} is not from the user{seen}"
    return "", ""
