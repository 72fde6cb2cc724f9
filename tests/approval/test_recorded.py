"""A recording answers what it was asked, as often as a person did."""

from agentcli.approval.recorded import RecordedAnswers
from agentcli.core.event import Answered, Edited, Event, Input, Prepared, Recorded, Started
from agentcli.core.step import AskPerson, Call, Prepare
from agentcli.core.tool import Facts
from agentcli.loop.past import NOT_RECORDED, Past

STEP, PAY = "main/call.1.0", Call("pay", {"eur": 3})


def test_a_call_that_was_changed_to_itself_is_not_changed_for_ever() -> None:
    events: tuple[Event, ...] = (
        Started((STEP, 1), Prepare(PAY)),
        Prepared((STEP, 1), PAY, Facts()),
        Started((STEP, 2), AskPerson("may_it_run", PAY, "b", 2)),
        Edited(STEP, "b", PAY.args),
    )
    told: list[Input] = []
    past = Past(Recorded(n, 1, n, event) for n, event in enumerate(events, start=1))
    answers = RecordedAnswers(past, told.append, lambda step, asked: "")
    for number, bound in enumerate(("x", "y"), start=1):
        question = AskPerson("may_it_run", PAY, bound, 2)
        answers.ask(Started((STEP, number), question), question)
    no = Answered(STEP, "may_it_run", "y", False, f"{NOT_RECORDED}: an answer to it")
    assert told == [Edited(STEP, "x", PAY.args), no]
