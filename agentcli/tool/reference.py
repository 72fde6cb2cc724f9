"""Calls whose arguments name texts that the model has not seen."""

from collections.abc import Callable, Iterator, Set

from msgspec.structs import replace

from agentcli.core.held import filled, reference, references_in
from agentcli.core.label import Label
from agentcli.core.step import Call, StepId
from agentcli.core.trace import Passages
from agentcli.tool.seen import HeldText

MOST_CHARS = 2_000_000  # of the arguments of one call

Holds = Callable[[StepId], HeldText | None]


def with_texts(call: Call, held: Holds) -> Call:
    """Return a call as the model meant it: with the texts that its arguments name.

    Only once: what stands in a text is no reference, nor is what a person has typed.
    Raises LookupError with what to tell the model.
    """
    if call.origin != "model" or call.held:
        return call
    named = references_in(call.args)
    steps = tuple(dict.fromkeys(named))
    texts: dict[StepId, str] = {}
    for step in steps:
        found = held(step)
        if found is None:
            raise LookupError(f"{reference(step)} stands for nothing: no text is held under it.")
        if not found.is_whole:
            raise LookupError(f"{reference(step)}: the whole text is gone. Read it anew, in parts.")
        texts[step] = found.text
    if sum(len(texts[step]) for step in named) > MOST_CHARS:
        raise LookupError(f"The texts are too long: at most {MOST_CHARS:,} characters in a call.")
    return replace(call, args=filled(call.args, texts), held=steps) if steps else call


def label_of(
    own: Label, call: Call, names: Set[str], held: Holds, seen: Passages
) -> tuple[Label, bool]:
    """Return the label of what a call gives, and whether it may only echo the model's own words.

    It is its tool's own, joined with that of each text which went into the call. A trusted tool
    may repeat its arguments, so its word is no better than they are.
    names: those that the tool's schema has for fields.
    """
    label = own
    for text in texts_of(call, held):
        label = label.join(text.label)
    if label.is_tainted or not seen.may_tell(call.args, names):
        return label, False
    return replace(label, integrity="untrusted"), True


def texts_of(call: Call, held: Holds) -> Iterator[HeldText]:
    """Yield the texts that stand in a call's arguments."""
    for step in call.held:
        if (text := held(step)) is not None:
            yield text
