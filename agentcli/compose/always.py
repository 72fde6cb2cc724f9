"""Makes of an answer to one call a rule for calls like it."""

import datetime
from pathlib import Path

from agentcli.config.always import DAYS, add_always
from agentcli.config.project import root_of
from agentcli.core.always import in_words, is_offered, narrow
from agentcli.core.plan import Plan
from agentcli.core.policy import Ask
from agentcli.core.question import Always
from agentcli.core.step import Call
from agentcli.core.tool import Facts


def always_of(plan: Plan, call: Call, facts: Facts, ask: Ask, *, tainted: bool) -> Always | None:
    """Return the rule that a person may keep of an answer, None where none is offered."""
    rule = plan.policy.rule_of(call.tool)
    if not is_offered(rule, facts, ask.tier, ask.rule, tainted=tainted):
        return None
    found = narrow(rule, call, facts)
    if found is None:
        return None
    workspace = Path(plan.sandbox.workspace)
    ends = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=DAYS)
    written = {
        **found,
        "folder": str(root_of(workspace) or workspace),
        "expires": ends.isoformat(),
    }

    def save() -> str:
        return f"Kept in {add_always(written)}; it holds from the next run on."

    return Always(in_words(written), save)
