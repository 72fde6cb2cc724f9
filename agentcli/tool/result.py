"""What a job came to: the text for the model, and the values that the undo of its call may use."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentcli.core.sandbox import JobEnd
from agentcli.tool.manifest import Compensation, LoadedTool
from agentcli.tool.schema import not_json, shown


@dataclass(frozen=True)
class Result:
    """text: for the model. error: the call failed, by what is known of it.

    data: values by name, for what undoes the call; none that are in doubt.
    fits: False of a tool that says that it did its work, but returned what it does not declare.
    """

    text: str
    error: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    fits: bool = True


def result_of(tool: LoadedTool, end: JobEnd) -> Result:
    match end.ending:
        case "exit" if tool.script:
            return script_result(tool, end)
        case "exit":
            return command_result(tool, end)
        case "timeout":
            note = (
                f"stopped after {end.duration_ms / 1000:.0f} s with all that it had started; "
                "if it waited for input: there is none"
            )
        case "out_of_memory":
            note = "killed: out of memory"
        case "flood":
            note = "stopped: too much output"
        case "cancelled":
            note = "stopped by the user"
        case "lost":
            note = "the sandbox died while it ran"
    return Result(f"{decoded(end.output).rstrip()}\n[{note}]".lstrip(), error=True)


def script_result(tool: LoadedTool, end: JobEnd) -> Result:
    answer, doubt = read_answer(end)
    result = told(tool, end, answer)
    if result.error:
        return result
    if tool.output is not None and "data" not in answer:
        doubt = doubt or "$: there is no `data` in its answer"
    return checked(tool, end, result.text, answer.get("data"), doubt)


def told(tool: LoadedTool, end: JobEnd, answer: Mapping[str, Any]) -> Result:
    """Return what a script's one JSON object tells; anything else is a fault of the tool."""
    if isinstance(answer.get("text"), str):
        return Result(answer["text"] or "(no output)")
    if isinstance(answer.get("error"), str):
        return Result(answer["error"], error=True)
    said = decoded(end.output).strip()
    name = tool.manifest.name
    text = f"The tool {name} is broken: it ended with {end.exit} and no result.\n{said}"
    return Result(text, error=True)


def command_result(tool: LoadedTool, end: JobEnd) -> Result:
    text = decoded(end.output)
    if end.exit:
        return Result(f"{text.rstrip()}\n[exit {end.exit}]".lstrip(), error=True)
    text = text or "(no output)"
    # Of most commands nobody wants values, and to read what they print as JSON may take long.
    if tool.output is None and not isinstance(tool.manifest.compensate, Compensation):
        return Result(text)
    return checked(tool, end, text, *read_json(end.stdout))


def checked(tool: LoadedTool, end: JobEnd, text: str, value: object, doubt: str) -> Result:
    """Return the result of a call that did its work, by what the tool declares of its value."""
    if tool.output is None:
        sound = isinstance(value, dict) and not doubt and next(not_json(value), None) is None
        return Result(text, data=value if sound and isinstance(value, dict) else {})
    if misfits := [doubt] if doubt else tool.output.misfits(value):
        lines = (
            f"The tool {tool.manifest.name} is broken: it ran, but what it returned is not what "
            "it declares. Do not rely on it.",
            *misfits,
            "What it returned:",
            decoded(end.output).strip(),
        )
        return Result("\n".join(lines), fits=False)
    return Result(text, data=value if isinstance(value, dict) else {})


def answer_of(end: JobEnd) -> dict[str, Any]:
    """Return the one JSON object that a job wrote to stdout, an empty one if it wrote none."""
    return read_answer(end)[0]


def read_answer(end: JobEnd) -> tuple[dict[str, Any], str]:
    answer, doubt = read_json(end.stdout)
    return (answer, doubt) if isinstance(answer, dict) else ({}, doubt)


def read_json(text: bytes) -> tuple[object, str]:
    """Return the JSON value of a text, None if it has none, and what makes it doubtful or "".

    Of a key that is there twice the last one is taken; who else reads it may take the first.
    """
    doubts: list[str] = []

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs) and not doubts:
            [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
            doubts.append(f"$: an object has the key {shown(key)} twice")
        return found

    try:
        value = json.loads(text, object_pairs_hook=read_object)
    except (ValueError, RecursionError):
        return None, "$: is not JSON, or is nested too deep"
    return value, "".join(doubts)


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")
