from msgspec.structs import replace

from agentcli.core.event import (
    Event,
    Judged,
    Prepared,
    Recorded,
    Replied,
    Settled,
    Started,
    ToolEnded,
)
from agentcli.core.policy import Deny
from agentcli.core.step import Call
from agentcli.ledger.compare import (
    Parting,
    Side,
    first_field,
    first_lines,
    first_parting,
    steps_in,
    traits_of,
)
from tests.fake.world import SIX_SCRIPT, FakeJournal, World, make_rules, make_start, read_all


def six(seed: int = 0) -> list[Recorded]:
    world, lines = World(SIX_SCRIPT, seed), list[bytes]()
    world.now = seed * 1000
    world.go(make_rules(), make_start(), FakeJournal(lines, world.now_us), [])
    return read_all(lines)


RECORDS = six()


def changed(kind: type[Event], **fields: object) -> tuple[list[Recorded], int]:
    """Return the records with the first event of a kind changed, and which record that is."""
    at = next(i for i, rec in enumerate(RECORDS) if isinstance(rec.event, kind))
    rec = RECORDS[at]
    other = replace(rec, event=replace(rec.event, **fields))
    return [*RECORDS[:at], other, *RECORDS[at + 1 :]], at + 1


def parting(records: list[Recorded]) -> Parting | None:
    return first_parting(traits_of(RECORDS), traits_of(records))


def test_calls_that_end_in_another_order_make_no_other_run() -> None:
    other = next(
        run
        for run in map(six, range(1, 20))
        if [type(r.event) for r in run] != [type(r.event) for r in RECORDS]
    )
    assert parting(other) is None
    assert steps_in(traits_of(other)) == 9


def test_times_numbers_ids_and_costs_do_not_count() -> None:
    later = [replace(rec, seq=rec.seq + 7, at_us=rec.at_us + 9, epoch=3) for rec in RECORDS]
    assert parting(later) is None
    other, _ = changed(Replied, cost_uusd=1, request_id="other", model="other")
    assert parting(other) is None
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
    other, at = changed(Replied)
    replied = RECORDS[at - 1].event
    assert isinstance(replied, Replied)
    assert parting(changed(Replied, blocks=(thinking, *replied.blocks))[0]) is None


def test_each_kind_of_difference_is_found_where_it_is() -> None:
    other, at = changed(Replied, blocks=({"type": "text", "text": "I leap."},))
    assert parting(other) == Parting("main/ask.1", "said", Side(at, "I look."), Side(at, "I leap."))
    other, at = changed(Prepared, call=Call("look", {"at": "z"}))
    shown = Side(at, 'look {"at":"a"}'), Side(at, 'look {"at":"z"}')
    assert parting(other) == Parting("main/call.1.0", "call", *shown)
    other, at = changed(Judged, verdict=Deny("no"))
    shown = Side(at, "allow · read_only_runs"), Side(at, "deny · no")
    assert parting(other) == Parting("main/call.1.0", "verdict", *shown)
    other, at = changed(ToolEnded, output="saw nothing")
    shown = Side(at, "saw a"), Side(at, "saw nothing")
    assert parting(other) == Parting("main/call.1.0", "result", *shown)
    other, at = changed(Settled, status="failed")
    shown = Side(at, "done"), Side(at, "failed")
    assert parting(other) == Parting("main/ask.1", "settled", *shown)


def test_a_run_that_ends_before_the_other_parts_from_it_there() -> None:
    at = next(i for i, rec in enumerate(RECORDS) if isinstance(rec.event, Started))
    found = parting(RECORDS[:at])
    assert found is not None
    assert (found.step, found.what, found.other) == ("main/ask.1", "said", Side())
    back = first_parting(traits_of(RECORDS[:at]), traits_of(RECORDS))
    assert back is not None
    assert (back.step, back.what, back.one) == ("main/ask.1", "said", Side())


def test_one_mark_of_a_secret_is_like_another_since_each_run_makes_its_own() -> None:
    one, _ = changed(ToolEnded, output="key [REDACTED:jwt:0123456789abcdef]")
    other, at = changed(ToolEnded, output="key [REDACTED:mark:fedcba9876543210]")
    assert first_parting(traits_of(one), traits_of(other)) is None
    third, _ = changed(ToolEnded, output="my key [REDACTED:jwt:0123456789abcdef]")
    found = first_parting(traits_of(one), traits_of(third))
    assert found is not None
    assert found.other == Side(at, "my key [REDACTED:jwt]")


def test_the_first_line_that_differs() -> None:
    assert first_lines("a\nb\nc", "a\nx\nc") == (2, "b", "x")
    assert first_lines("a", "a\nb") == (2, "", "b")
    assert first_lines("a\n", "a") == (2, "", "")
    assert first_lines("", "x") == (1, "", "x")


def test_the_first_field_that_differs() -> None:
    one = {"a": 1, "b": {"c": [1, 2], "d": 3}}
    assert first_field(one, one) is None
    assert first_field(one, {"a": 1, "b": {"c": [1, 5], "d": 4}}) == ("b.c.1", 2, 5)
    assert first_field(one, {"a": 1, "b": {"c": [1], "d": 3}}) == ("b.c", [1, 2], [1])
    assert first_field(one, {"a": 1, "b": one["b"], "e": 2}) == ("e", None, 2)
