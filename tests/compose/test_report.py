"""What is said of a run's cost is the sum over its ledger, whatever stands in it."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.compose.report import glance_at, report_of
from agentcli.core.event import Event, Failed, Paused, Replied, RunResumed, Settled, ToolEnded
from agentcli.core.message import Usage
from agentcli.ledger.read import read_ledger
from tests.fake.kept import keep_run

few = st.integers(0, 10**12)
costs = st.none() | few
usages = st.builds(Usage, few, few, few, few, few, few)
ids = st.tuples(st.sampled_from(["main/ask.1", "main/call.1.0", "main", "x"]), st.integers(1, 3))
# Texts that look like records: a quick look must not count them.
texts = st.sampled_from(["", 'x"event":{"kind":"replied"', '{"cost_uusd":7}', "\n", "é"])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Replied,
        ids,
        st.just(()),
        usage=usages,
        cost_uusd=costs,
        whole=st.booleans(),
        note=texts,
    ),
    st.builds(Failed, ids, st.sampled_from(["transient", "invalid"]), texts, cost_uusd=costs),
    st.builds(ToolEnded, ids, st.sampled_from(["done", "unknown"]), texts),
    st.builds(RunResumed, st.just(1)),
    st.builds(Settled, st.sampled_from(["main", "y"]), st.just("done"), st.integers(0, 99)),
    st.builds(Paused, st.just("time")),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(events, max_size=20))
def test_costs_and_tokens_shown_are_the_sums_over_the_ledger(found: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as state:
        folder = keep_run(Path(state), *found)
        replies = [event for event in found if isinstance(event, Replied)]
        paid = [event.cost_uusd for event in found if isinstance(event, Replied | Failed)]
        known = sum(cost for cost in paid if cost is not None)
        report = report_of(read_ledger(folder.ledger), is_running=False)
        glance = glance_at(folder)
        for tally in (report.tally, glance.tally):
            assert tally is not None
            assert (tally.spent_uusd, tally.unpriced) == (known, None in paid)
            assert tally.replies == len(replies)
            for name in Usage.__struct_fields__:
                assert getattr(tally.usage, name) == sum(getattr(r.usage, name) for r in replies)
        dollars = f"{known / 1e6:.6f}"
        shown = {"cost_usd": None if None in paid else dollars}
        if None in paid and known:
            shown["cost_usd_at_least"] = dollars
        assert {key: glance.document()[key] for key in shown} == shown
        assert report.tally.money == shown
