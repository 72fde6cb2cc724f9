"""What a person sees of a reader, and of the text that the model knows by reference."""

from agentcli.core.event import Recorded, Replied, Started, TextDelta, ToolEnded
from agentcli.core.held import Answer
from agentcli.core.label import Label
from agentcli.core.message import Block
from agentcli.core.step import AskModel, Context, Prompt, ReadAt
from agentcli.shell.transcript import Transcript


class Lines:
    def __init__(self) -> None:
        self.text = ""

    def write_above(self, text: str) -> None:
        self.text += text

    def set_lines(self, lines: list[str]) -> None:
        pass


def rec(event: Started | Replied | ToolEnded) -> Recorded:
    return Recorded(1, 1, 0, event)


def words(text: str) -> tuple[Block, ...]:
    return ({"type": "text", "text": text},)


def test_a_readers_reply_has_a_line_of_its_own_and_its_text_stands_beside_an_answer() -> None:
    screen = Lines()
    transcript = Transcript(screen, lambda: 80, color=False)
    reader = ("main/call.2.0/ask", 1)
    ask = AskModel(Context(adds=(ReadAt(3), Prompt("What\nis it?"))), Answer("text"))
    transcript.publish(rec(Started(reader, ask)))
    reply = '{"answer": "a \\u202ebill"}'
    transcript.show(TextDelta(reader, reply))
    transcript.tick()
    assert screen.text == ""
    transcript.publish(rec(Replied(reader, words(reply))))
    assert "the reader on `What …`: " in screen.text
    screen.text = ""
    transcript.publish(rec(Replied(("main/ask.3", 1), words("See {held:main/call.2.0}."))))
    assert screen.text.endswith("{held:main/call.2.0} is:\n  a <U+202E>bill\n")


def test_a_held_result_is_shown_where_an_answer_names_it() -> None:
    screen = Lines()
    transcript = Transcript(screen, lambda: 80, color=False)
    held = ToolEnded(("main/call.1.0", 1), "done", "line 1\nline 2", label=Label(), held=True)
    transcript.publish(rec(held))
    transcript.publish(rec(Replied(("main/ask.2", 1), words("It is {held:main/call.1.0}."))))
    assert screen.text.endswith("{held:main/call.1.0} is:\n  line 1\n  line 2\n")
