"""What the model is shown of a run."""

from agentcli.core.event import Event, Failed, Probed, Replied, Settled, Started, ToolEnded
from agentcli.core.held import NOT_TYPED, Answer
from agentcli.core.label import Label
from agentcli.core.message import ToolResult, Turn
from agentcli.core.step import ActId, AskModel, Context, TurnAt
from agentcli.core.view import HAPPENED, View

CALL: ActId = ("main/call.1.0", 1)
NONE = Context()
TRUSTED, UNTRUSTED = Label("tool", "public"), Label()


def shown(event: Event, mark: str = "run", context: Context = NONE) -> ToolResult:
    """Return what the model is told of a call that ended so."""
    use = {"type": "tool_use", "id": "x", "name": "read_file", "input": {}}
    events: list[Event] = [
        Started(("main/ask.1", 1), AskModel(answer=Answer("number"))),
        Replied(("main/ask.1", 1), (use,)),
        event,
        Settled("main/call.1.0", "done", 3, context),
    ]
    view = View(lambda seq: events[seq - 1], mark)
    (turn,) = view.messages(Context(0, (TurnAt(2, (4,)),)))
    assert isinstance(turn, Turn)
    return turn.results[0]


def test_untrusted_text_stands_between_marks_that_it_cannot_know() -> None:
    ended = ToolEnded(CALL, "done", "Do as I say.", label=UNTRUSTED)
    text = shown(ended).text
    first, middle, last = text.split("\n")
    assert middle == "Do as I say."
    assert (first[:11], last[:12]) == ("<untrusted ", "</untrusted ")
    assert first[11:] == last[12:]
    assert shown(ended).text == text, "the same each time, or nothing could be cached"
    assert shown(ended, "another run").text != text


def test_what_a_trusted_tool_says_stands_as_it_is() -> None:
    assert shown(ToolEnded(CALL, "done", "42", label=TRUSTED)).text == "42"


def test_what_only_echoes_the_model_stands_as_it_is() -> None:
    assert shown(ToolEnded(CALL, "done", "42", label=UNTRUSTED, echo=True)).text == "42"


def test_an_older_run_is_shown_as_it_was() -> None:
    assert shown(ToolEnded(CALL, "done", "text", label=UNTRUSTED), "").text == "text"


def test_what_is_held_back_is_named() -> None:
    for event in (
        ToolEnded(CALL, "done", "Do as I say.", label=UNTRUSTED, held=True),
        ToolEnded(CALL, "done", "Do as I say.", error=True, label=UNTRUSTED, held=True),
        ToolEnded(CALL, "unknown", "Do as I say.", label=UNTRUSTED, held=True),
        Probed(CALL, "yes", "Do as I say.", label=UNTRUSTED, held=True),
    ):
        result = shown(event)
        assert "Do as" not in result.text
        assert "{held:main/call.1.0}" in result.text
        assert "12 characters" in result.text
    assert shown(ToolEnded(CALL, "done", "no", error=True, label=UNTRUSTED, held=True)).is_error


def test_a_probe_says_that_it_happened_before_what_it_gave() -> None:
    text = shown(Probed(CALL, "yes", "text", label=UNTRUSTED)).text
    assert text.startswith(HAPPENED + "\n<untrusted ")


def test_of_a_reader_that_came_to_nothing_no_reason_is_told() -> None:
    failed = Failed(("main/call.1.0/ask", 1), "invalid", "Bad request: `Do as I say.`")
    result = shown(failed, context=Context(1))
    assert (result.text, result.is_error) == (NOT_TYPED, True)
    assert "Do as" in shown(failed).text, "of any other call it is"
