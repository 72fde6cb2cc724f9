"""What each call of a run gave when its tools ran again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentcli.core.event import Recorded
from agentcli.core.step import StepId
from agentcli.ledger.compare import Side, Traits, first_lines, side, traits_of

# A call that gave no result is known by the first of these that there is.
RESULTS = ("result", "failure", "settled")


@dataclass(frozen=True)
class Drift:
    """One call: what came of it then and now. call: in words."""

    step: StepId
    call: str
    then: Side
    now: Side
    same: bool

    def document(self) -> dict[str, Any]:
        line, then, now = first_lines(self.then.text, self.now.text)
        differs = {} if self.same else {"line": line, "then": then, "now": now}
        records = {"record": self.then.record, "record_now": self.now.record}
        return {"step": self.step, "call": self.call, "same": self.same, **records, **differs}


def drift_of(then: Iterable[Recorded], now: Iterable[Recorded]) -> list[Drift]:
    """Return for each call that was prepared in the first run what it gave in both."""
    old, new = traits_of(then), traits_of(now)
    found = []
    for step, what in old:
        if what == "call":
            (word, mine), (other, theirs) = result_of(old, step), result_of(new, step)
            same = (word, endings(old, step)) == (other, endings(new, step))
            same = same and text_same(old, new, step, word)
            found.append(Drift(step, old[step, what].text, mine, theirs, same))
    return found


def result_of(traits: Traits, step: StepId) -> tuple[str, Side]:
    for what in RESULTS:
        if (trait := traits.get((step, what))) is not None:
            return what, side(trait)
    return "", Side()


def endings(traits: Traits, step: StepId) -> object:
    trait = traits.get((step, "ending"))
    return trait.value if trait else None


def text_same(old: Traits, new: Traits, step: StepId, what: str) -> bool:
    if not what:
        return True
    return old[step, what].value == new[step, what].value
