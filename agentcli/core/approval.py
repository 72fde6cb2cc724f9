"""What a yes is to: the exact text that is signed for a privileged call, and what changed of it."""

import json
from typing import Any, Literal

import msgspec

from agentcli.core.event import Answered, Prepared
from agentcli.core.step import BOUND, Call, StepId
from agentcli.core.tool import Facts, RiskTier

NAMESPACE = "agentcli-approval"
HEAD = "agentcli approval 1: this call may run"
# A fact in the words of a person, by its name.
WORDS = {
    "tool": "the tool",
    "sandbox": "the sandbox's settings",
    "sandboxed": "whether it runs in a sandbox",
    "offline": "whether it has a network",
    "restorable": "whether the workspace can be put back",
    "preview": "what would change",
    "undo": "how it is undone",
    "image": "what the sandbox runs on",
}


def approval_text(run: str, step: StepId, call: Call, bound: str, facts: Facts) -> str:
    """Return the text whose signature is a yes to this call, the same wherever it is made.

    Of what the ledger holds: where a secret was taken out, its mark stands. In ASCII, so that
    nothing in it can be invisible or look like something else.
    """
    plain = msgspec.to_builtins({name: getattr(facts, name) for name in BOUND})
    told: dict[str, Any] = {
        "run": run,
        "step": step,
        "tool": call.tool,
        "arguments": call.args,
        "facts": {**plain, "preview": facts.preview.split("\n")},
        "bound": bound,
    }
    return f"{HEAD}\n{json.dumps(told, indent=1, sort_keys=True)}\n"


def lacks_signature(answer: Answered, tier: RiskTier | Literal[""]) -> bool:
    """Say whether a yes to a call of this tier counts for nothing, since nobody has signed it.

    Whether a signature is good is found out outside.
    """
    if tier != "privileged" or not answer.yes or answer.question != "may_it_run":
        return False
    return not (answer.signature and answer.by)


def changes(seen: Prepared, now: Prepared) -> list[str]:
    """Return in words what is no longer as it was shown."""
    found = []
    if (seen.call.tool, seen.call.args) != (now.call.tool, now.call.args):
        found.append("the arguments")
    for path in sorted(seen.facts.files.keys() | now.facts.files.keys()):
        if seen.facts.files.get(path) != now.facts.files.get(path):
            found.append(f"the content of {path}")
    found += [
        w for name, w in WORDS.items() if getattr(seen.facts, name) != getattr(now.facts, name)
    ]
    return found or ["the rules of the run"]
