"""A script stands in for Claude."""

import asyncio
import time
from pathlib import Path

import pytest

from agentcli.core.message import (
    Delta,
    Message,
    ModelError,
    Reply,
    Request,
    Said,
    ToolResult,
    Turn,
    Usage,
)
from agentcli.errors import InputError, MissingFileError
from agentcli.model.scripted import Scripted, load_script

HI = Said("Hi.")
EMPTY = Turn(())


def script(folder: Path, text: str) -> Scripted:
    path = folder / "script.yaml"
    path.write_text(text)
    return load_script(path)


def ask(model: Scripted, *messages: Message) -> tuple[Reply, list[Delta]]:
    shown: list[Delta] = []
    reply = asyncio.run(model.reply(Request("m", "", messages), shown.append))
    return reply, shown


def failure(model: Scripted, *messages: Message) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ask(model, *messages)
    return caught.value


def test_a_turn_thinks_speaks_and_calls_in_pieces(tmp_path: Path) -> None:
    model = script(
        tmp_path,
        """
        turns:
          - thinking: Let me see.
            text: I look twice.
            calls:
              - {tool: look, args: {path: a}}
              - {tool: wait}
        """,
    )
    reply, shown = ask(model, HI)
    assert reply.stop == "tool_use"
    assert reply.blocks == (
        {"type": "thinking", "thinking": "Let me see.", "signature": "scripted"},
        {"type": "text", "text": "I look twice."},
        {"type": "tool_use", "id": "toolu_script_1_2", "name": "look", "input": {"path": "a"}},
        {"type": "tool_use", "id": "toolu_script_1_3", "name": "wait", "input": {}},
    )
    assert shown == [
        *(Delta("thinking", word) for word in ("Let ", "me ", "see.")),
        *(Delta("text", word) for word in ("I ", "look ", "twice.")),
        Delta("tool", "look"),
        Delta("tool", "wait"),
    ]


def test_blocks_come_in_any_order(tmp_path: Path) -> None:
    model = script(tmp_path, "turns: [{blocks: [{call: {tool: look}}, {text: So.}]}]")
    assert [block["type"] for block in ask(model, HI)[0].blocks] == ["tool_use", "text"]


def test_the_history_chooses_the_turn_so_a_resumed_run_goes_on_at_its_place(
    tmp_path: Path,
) -> None:
    text = "turns: [{text: one}, {text: two}]\nafter: {text: over}"
    for turns, said in ((0, "one"), (1, "two"), (2, "over"), (7, "over")):
        # Each time from the file again, as another process would.
        reply, _ = ask(script(tmp_path, text), HI, *[EMPTY] * turns)
        assert reply.blocks == ({"type": "text", "text": said},)
        assert reply.stop == "end_turn"


def test_a_script_ends_with_words_of_its_own(tmp_path: Path) -> None:
    reply, _ = ask(script(tmp_path, "turns: []"), HI)
    assert reply.blocks == ({"type": "text", "text": "(the script has ended)"},)


def test_usage_is_made_up_the_same_each_time_or_given(tmp_path: Path) -> None:
    model = script(tmp_path, "turns: [{text: hello}, {usage: {input_tokens: 7}}]")
    first = ask(model, HI)[0].usage
    assert first == ask(model, HI)[0].usage
    assert first.input_tokens > 0
    assert first.output_tokens > 0
    assert ask(model, Said("Hi." * 100))[0].usage.input_tokens > first.input_tokens
    assert ask(model, HI, EMPTY)[0].usage == Usage(input_tokens=7)


def test_a_stop_reason_may_be_given(tmp_path: Path) -> None:
    model = script(tmp_path, "turns: [{calls: [{tool: look}], stop: max_tokens}]")
    assert ask(model, HI)[0].stop == "max_tokens"


@pytest.mark.parametrize(
    "told", [[Said("all is OK now")], [Turn(({"type": "tool_use"},), (ToolResult("OK"),))]]
)
def test_what_a_turn_expects_may_be_said_or_be_a_result(
    tmp_path: Path, told: list[Message]
) -> None:
    turn = "{expect: OK, text: fine}"
    model = script(tmp_path, f"turns: [{turn}, {turn}]")
    assert ask(model, *told)[0].stop == "end_turn"


def test_what_a_turn_misses_is_named(tmp_path: Path) -> None:
    model = script(tmp_path, "turns: [{text: a}, {expect: OK, text: b}]")
    failed = failure(model, Said("OK"), EMPTY, Said("no" * 500))
    assert failed.failure == "invalid"
    assert str(failed).startswith("turn 2 of the script expects `OK`, got 'nono")
    assert len(str(failed)) < 300


@pytest.mark.parametrize("kind", ["transient", "auth", "permission", "too_large"])
@pytest.mark.parametrize("form", ["{kind: %s, message: so it is}", "{%s: so it is}"])
def test_a_fault_fails_once_and_then_the_turn_comes(tmp_path: Path, kind: str, form: str) -> None:
    model = script(tmp_path, f"turns: [{{text: fine, fault: {form.replace('%s', kind)}}}]")
    failed = failure(model, HI)
    assert (failed.failure, str(failed), failed.begun) == (kind, "so it is", False)
    assert ask(model, HI)[0].stop == "end_turn"


def test_a_fault_may_last_and_is_counted_for_each_request(tmp_path: Path) -> None:
    fault = "{kind: transient, times: 2, retry_after_ms: 70}"
    model = script(tmp_path, f"turns: [{{text: fine, fault: {fault}}}]")
    for _ in range(2):
        assert failure(model, HI).retry_after_ms == 70
        assert failure(model, Said("Another branch.")).failure == "transient"
    assert ask(model, HI)[0].stop == "end_turn"


@pytest.mark.parametrize(
    ("fault", "words"), [("{kind: cut, after_words: 1}", 1), ("cut", 2), ("{cut: gone}", 2)]
)
def test_a_cut_comes_after_some_words(tmp_path: Path, fault: str, words: int) -> None:
    model = script(tmp_path, f"turns: [{{text: one two three four, fault: {fault}}}]")
    shown: list[Delta] = []
    with pytest.raises(ModelError) as caught:
        asyncio.run(model.reply(Request("m", "", (HI,)), shown.append))
    assert (caught.value.failure, caught.value.begun) == ("transient", True)
    assert [delta.text for delta in shown] == ["one ", "two "][:words]


def test_a_turn_takes_its_time_and_can_be_cancelled(tmp_path: Path) -> None:
    model = script(
        tmp_path, "turns: [{text: a b c, delay_ms: 20, token_ms: 10}, {delay_ms: 60000}]"
    )
    began = time.monotonic()
    ask(model, HI)
    assert time.monotonic() - began >= 0.05

    async def stop() -> None:
        async with asyncio.timeout(0.01):
            await model.reply(Request("m", "", (HI, EMPTY)), lambda delta: None)

    with pytest.raises(TimeoutError):
        asyncio.run(stop())


@pytest.mark.parametrize(
    ("turn", "complaint"),
    [
        ("{tex: a}", "turns.0.tex: unknown key; did you mean `text`?"),
        ("{text: yes}", 'turns.0.text: must be text, got the boolean `yes`: quote it, "yes"'),
        ("{delay_ms: -1}", "turns.0.delay_ms: must be at least 0, got the number `-1`"),
        ("{calls: [{args: {}}]}", "turns.0.calls.0.tool: is missing"),
        ("{calls: [{tool: a b}]}", "turns.0.calls.0.tool: must match"),
        ("{text: a, blocks: [{text: b}]}", "turns.0: must have either `blocks` or"),
        ("{blocks: [{text: b, thinking: c}]}", "turns.0.blocks.0: must have exactly one of"),
        ("{fault: autth}", "turns.0.fault: must be "),
        ("{fault: {kind: autth}}", "did you mean `auth`?"),
        ("{fault: {times: 2}}", "turns.0.fault: must have a `kind` or exactly one of"),
        ("{fault: {auth: a, cut: b}}", "turns.0.fault: must have a `kind` or exactly one of"),
        ("{fault: {auth: 3}}", "turns.0.fault: `auth` must be text, its message"),
        ("{fault: {kind: auth, after_words: 1}}", "`after_words` goes with the kind `cut` alone"),
    ],
)
def test_what_is_wrong_with_a_script_is_named_with_its_place(
    tmp_path: Path, turn: str, complaint: str
) -> None:
    with pytest.raises(InputError) as caught:
        script(tmp_path, f"turns:\n  - {turn}")
    assert "script.yaml:2:" in str(caught.value)
    assert complaint in str(caught.value)


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        load_script(tmp_path / "nowhere.yaml")
