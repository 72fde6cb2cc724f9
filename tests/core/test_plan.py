"""What a run was given, and by which digests two runs are told apart."""

from msgspec.structs import replace

from agentcli.core.plan import Plan
from agentcli.core.policy import Policy
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import Agent

PLAN = Plan("p", "m", "", Agent("react"), Policy(), SandboxSpec())


def test_what_is_chosen_for_the_sake_of_safety_has_a_digest_of_its_own() -> None:
    plain = PLAN.digests()
    for chosen in ({"untrusted": "held"}, {"pii": "redact"}):
        found = replace(PLAN, **chosen).digests()
        assert found.items() > plain.items(), "the other parts are the same"
        assert found.keys() - plain.keys() == chosen.keys()
