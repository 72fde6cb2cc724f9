"""A conversation has what was said, called, allowed and answered, in the order it came to be."""

from pathlib import Path

from agentcli.compose.conversation import Called, Note, Words, conversation_of
from agentcli.core.event import Forked, Paused, Redacted, Replied, UserSaid
from agentcli.ledger.read import read_ledger
from tests.compose.test_database import EVENTS
from tests.fake.kept import RUN, keep_run


def test_a_run_reads_in_the_order_of_its_records(tmp_path: Path) -> None:
    more = (
        UserSaid("And now?"),
        Replied(("main/ask.2", 1), ({"type": "text", "text": "Done."},), "end_turn", model="m"),
        Paused("time"),
        Redacted(("m1",), (), "asked for"),
        Forked("r2", RUN, 9, 3),
    )
    folder = keep_run(tmp_path, *EVENTS, *more)
    folder.rename("Mine")
    found = conversation_of(folder, read_ledger(folder.ledger), is_running=False)
    assert found.title == "Mine"
    assert dict(found.facts)["by"] == "ada"
    assert dict(found.facts)["cost"] == "$0.0000"
    said = [(part.record, part.who, part.text) for part in found.parts if isinstance(part, Words)]
    assert said == [(1, "user", "Go."), (26, "user", "And now?"), (27, "m", "Done.")]
    assert [part.record for part in found.parts] == sorted(part.record for part in found.parts)
    calls = [part for part in found.parts if isinstance(part, Called)]
    assert [(call.tool, call.status) for call in calls] == [
        *(("pay", "done"), ("look", "open"), ("shel", "denied"), ("look", "open")),
        ("refund", "done"),
    ]
    assert calls[0].output == "paid"
    assert calls[0].facts == [
        ("allowed", "irreversible_asks: why; yes by ada, signed: fine"),
        ("failed", "busy"),
        ("came back", "done in 2,000 ms, 4 bytes"),
        ("undone", "done by refund in main/undo.1/call.16"),
    ]
    assert calls[2].facts == [("not allowed", "unknown_tool: There is none.")]
    assert calls[4].facts[:2] == [("proposed by", "undo"), ("undoes", "what ended in record 16")]
    notes = [part.text for part in found.parts if isinstance(part, Note)]
    assert notes == [
        "The run was resumed.",
        "Calls to be undone: 1, by ada.",
        "The run stopped: time.",
        "Values destroyed for good: 1, outputs: 0 (asked for).",
        f"From here on it is a fork of {RUN}, after its record 9.",
    ]
