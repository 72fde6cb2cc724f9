from agentcli.core.event import Answered, Failed, Prepared, Recorded, ToolEnded
from agentcli.core.step import Call
from agentcli.loop.past import Past
from tests.fake.world import SIX_SCRIPT, FakeJournal, World, make_rules, make_start, read_all


def records() -> list[Recorded]:
    world, lines = World(SIX_SCRIPT), list[bytes]()
    world.go(make_rules(), make_start(), FakeJournal(lines, world.now_us), [])
    return read_all(lines)


def test_a_call_is_found_with_its_facts_its_answer_and_its_last_try() -> None:
    past = Past(records())
    flaky = past.find("x", Call("flaky", {"n": 1}))
    assert flaky is not None
    assert isinstance(flaky.prepared, Prepared)
    assert isinstance(flaky.ended, ToolEnded)
    assert (flaky.ended.output, flaky.status) == ("third time lucky", "done")
    pay = past.find("y", Call("pay", {"eur": 3}))
    assert pay is not None
    answer = pay.answers["may_it_run"]
    assert isinstance(answer, Answered)
    assert answer.yes


def test_an_occurrence_is_given_once_and_to_its_own_step_again() -> None:
    past = Past([*records()])
    pay = Call("pay", {"eur": 3}, provider_id="other")
    first = past.find("x", pay)
    assert first is not None
    assert past.find("x", pay) is first
    assert past.find("y", pay) is None
    assert past.find("x", Call("pay", {"eur": 4})) is None


def test_every_cut_of_a_ledger_can_be_taken_in() -> None:
    whole = records()
    for at in range(len(whole)):
        past = Past(whole[:at])
        found = past.find("x", Call("flaky", {"n": 1}))
        assert found is None or not isinstance(found.ended, Failed) or found.status is None
