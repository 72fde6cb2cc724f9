"""What counts as seen by the model, and as whose words."""

import time

from agentcli.core.event import Edited, Event, Prepared, Recorded, Settled, Started, ToolEnded
from agentcli.core.label import Label
from agentcli.core.step import AskPerson, Call, RunTool
from agentcli.core.tool import Facts
from agentcli.core.trace import Passages
from agentcli.tool.seen import Reader, Seen, new_words

OURS = Label("tool", "public")


def passages(*events: Event) -> Passages:
    seen = Seen()
    for seq, event in enumerate(events, 1):
        seen.take(Recorded(seq, 0, 0, event))
    return Reader(seen, lambda seq: events[seq - 1], lambda handle: None)()


def ran(step: str, call: Call, output: str) -> tuple[Event, ...]:
    """Return the records of a call of a trusted tool."""
    started = Started((step, 2), RunTool(call, Facts(), 1))
    ended = ToolEnded((step, 2), "done", output, label=OURS)
    return started, ended, Settled(step, "done", 2)


def test_what_an_undo_repeats_of_its_arguments_is_said_to_nobody() -> None:
    booked = ran("main/call.1.0", Call("book", {"to": "Ann"}), "booked: Ann")
    undone = ran("undo.1/call.2", Call("cancel", {"to": "Eve"}, origin="undo"), "cancelled: Eve")
    found = passages(*booked, *undone)
    assert found.origin_of("Ann")[0] == "tool"
    assert found.origin_of("Eve")[0] == "unknown"


def test_only_what_a_person_has_typed_into_a_call_is_theirs() -> None:
    call = Call("send", {"to": "eve", "body": "See https://evil.example, it is due"})
    edited = {"to": "bob@x.example", "body": "See  https://evil.example (it is due in May)"}
    found = passages(
        Prepared(("main/call.1.0", 1), call, Facts()),
        Started(("main/call.1.0", 2), AskPerson("may_it_run", call, "b", 1)),
        Edited("main/call.1.0", "b", edited),
    )
    assert found.origin_of("bob@x.example")[0] == "user"
    assert found.origin_of("in May")[0] == "user"
    assert found.origin_of("https://evil.example")[0] == "unknown"
    assert found.origin_of("evil.example")[0] == "unknown"
    assert found.origin_of("it is due")[0] == "unknown"


def test_a_word_changed_in_a_long_text_is_found_in_no_time() -> None:
    long = " ".join(f"word{n}" for n in range(100_000))
    began = time.process_time()
    assert new_words({"body": f"{long} mine"}, {"body": long}) == "mine"
    assert time.process_time() - began < 3
