"""A quick look into a ledger sees the records that it is for, and no others."""

from pathlib import Path

from agentcli.core.event import Event, Failed, Replied, UserSaid
from agentcli.ledger.line import Chain
from agentcli.ledger.read import read_ledger, records_of


def test_records_of_some_kinds_are_found_without_the_others(tmp_path: Path) -> None:
    path, chain = tmp_path / "ledger.jsonl", Chain()
    events: list[Event] = [
        UserSaid('{"event":{"kind":"replied"}}', ""),
        Replied(("a", 1), ({"event": {"kind": "failed"}},), "end_turn"),
        Replied(("a", 1), ({"event": {"kind": "replied"}},), "end_turn"),
        Failed(("a", 1), "transient", "m"),
    ]
    path.write_bytes(b"".join(chain.write(event, 1)[1] for event in events))
    records = read_ledger(path)
    assert list(records_of(path, Failed)) == records[3:]
    assert list(records_of(path, Replied, Failed)) == records[1:]
    assert list(records_of(path, Replied)) == records[1:3]
    with path.open("ab") as file:
        file.write(b'{"event":{"kind":"failed", and torn')
    assert list(records_of(path, Failed)) == records[3:]
