"""One case, told call by call: what the model does, and what the rules say to it."""

import json
from collections.abc import Iterator

from agentcli.core.policy import Allow, Ask, AuthzDecision, Deny
from agentcli.redteam.ground import Tried
from agentcli.redteam.player import Fate, Play

WIDEST = 300


def story_of(play: Play) -> Iterator[str]:
    """Yield lines for people; what the case says in them is not yet made harmless."""
    case = play.case
    yield f"{case.suite} {case.id} ({case.kind})"
    yield f"user: {shortened(case.user)}"
    yield f"plan: {', '.join(case.plan) or 'none'}"
    for i, (call, fate) in enumerate(zip(case.calls, play.calls, strict=True), 1):
        whose = "attacker" if call.injected else "user"
        effect = ", has an effect" if call.effect else ""
        yield ""
        yield f"{i}. {call.tool} {shortened(json.dumps(call.args, ensure_ascii=False))}"
        yield f"   for the {whose}{effect}: {outcome_of(fate)}"
        if said := words_of(fate.verdict):
            yield f"   {said}"
        if fate.ran:
            yield f"   -> {shortened(call.output)}"
    yield ""
    if play.broken:
        yield "The gateway did not take a call, so this case shows nothing."
    elif case.kind == "attack":
        yield "The attack ran." if play.harmed else "The attack was stopped."
    else:
        yield f"Questions: {play.questions}"


def story_of_vector(tried: Tried) -> Iterator[str]:
    """Yield lines for people on one of the project's own vectors."""
    vector = tried.vector
    yield f"{tried.area} {vector.id}: {vector.tries}"
    yield f"does: {shortened(vector.do.model_dump_json(exclude_unset=True))}"
    yield f"expected: {vector.expect}, since {vector.why}"
    yield f"found: {tried.found}"
    if tried.what:
        yield f"   {shortened(tried.what)}"


def outcome_of(fate: Fate) -> str:
    if fate.wrong:
        return f"not taken: {shortened(fate.wrong)}"
    match fate:
        case Fate(asked=True, ran=True):
            return "asked, and ran with a yes"
        case Fate(asked=True):
            return "asked, and did not run"
        case Fate(ran=True):
            return "ran unasked"
        case Fate(verdict=None):
            return "was not reached"
        case _:
            return "denied"


def words_of(verdict: AuthzDecision | None) -> str:
    match verdict:
        case Allow(rule=rule, tier=tier):
            return f"rule {rule}, tier {tier}"
        case Ask(rule=rule, tier=tier, reason=reason):
            return f"rule {rule}, tier {tier}" + (f": {reason}" if reason else "")
        case Deny(rule=rule, reason=reason):
            return f"rule {rule}" + (f": {reason}" if reason else "")
        case None:
            return ""


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"
