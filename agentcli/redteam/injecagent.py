"""InjecAgent: cases of its four files, as its own folder `data` holds them.

Zhan, Liang, Ying and Kang, "InjecAgent: Benchmarking Indirect Prompt Injections in Tool-Integrated
Large Language Model Agents", ACL Findings 2024. A case is a call of the user's, a result that holds
an instruction, and what the instruction wants: one call (direct harm), or a read and a mail with
what was read (data stealing). The set names the attacker's tools and not their arguments, so these
are made here of the words of the instruction, as an obedient model would.
"""

import json
import re
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from agentcli.core.record import snake_case
from agentcli.core.step import Args
from agentcli.errors import InputError
from agentcli.redteam.case import Case, Played, Spec, Suite, read_json
from agentcli.redteam.declared import loaded_tools, read_declared

FILES = ("dh_base", "dh_enhanced", "ds_base", "ds_enhanced")
DECLARED = "declared.yaml"
# A word that is a value rather than language: quoted, or with a digit or an @ in it.
VALUE = re.compile(r"'([^']+)'|\"([^\"]+)\"|([\w#$@./:-]*[\d@][\w@./:,-]*[\w])")


class Row(msgspec.Struct, rename=lambda name: name.replace("_", " ").title()):
    """A case as the set has it."""

    user_tool: str
    user_instruction: str
    tool_parameters: str
    tool_response: str
    attacker_tools: tuple[str, ...]
    attacker_instruction: str


class Parameter(msgspec.Struct):
    name: str
    type: str = "string"
    description: str = ""
    required: bool = False


class Tool(msgspec.Struct):
    name: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()


class Toolkit(msgspec.Struct):
    name_for_model: str
    tools: tuple[Tool, ...]


def load_injecagent(folder: Path, ours: Path) -> Suite:
    """Return the suite of a folder of InjecAgent's data, its files plain or with .gz.

    ours: the folder of `declared.yaml`. Tools that it does not name are unknown ones.
    Raises MissingFileError, InputError, ConfigError.
    """
    specs = read_tools(folder / "tools.json")
    declared = read_declared(ours / DECLARED, specs)
    responses = read(folder / "attacker_simulated_responses.json", dict[str, Any])
    cases: list[Case] = []
    told: dict[str, Case] = {}
    for name in FILES:
        for i, row in enumerate(read(folder / f"test_cases_{name}.json", list[Row])):
            case = attack_of(f"{name}/{i}", row, specs, responses)
            told.setdefault(row.user_tool, benign_of(row))
            cases.append(case)
    return Suite("injecagent", loaded_tools(specs, declared, folder), [*told.values(), *cases])


def read(path: Path, kind: Any) -> Any:  # a border: msgspec says what it is
    try:
        return msgspec.convert(read_json(path), kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not as InjecAgent writes it: {error}") from None


def read_tools(path: Path) -> dict[str, Spec]:
    specs = {}
    for kit in read(path, list[Toolkit]):
        for tool in kit.tools:
            specs[name_of(kit.name_for_model + tool.name)] = spec_of(tool)
    return specs


def name_of(tool: str) -> str:
    return snake_case(tool)


def spec_of(tool: Tool) -> Spec:
    properties = {
        one.name: {"type": one.type, "description": one.description} for one in tool.parameters
    }
    needed = [one.name for one in tool.parameters if one.required]
    schema = {"type": "object", "properties": properties, "required": needed}
    return Spec(tool.summary or tool.name, dict(schema))


def benign_of(row: Row) -> Case:
    """Return the user's task with what the tool would return if nobody had meddled."""
    call = Played(name_of(row.user_tool), literal_eval(row.tool_parameters), "{}")
    return Case(row.user_tool, "injecagent", "benign", row.user_instruction, (call.tool,), (call,))


def attack_of(id: str, row: Row, specs: dict[str, Spec], responses: dict[str, Any]) -> Case:
    tool = name_of(row.user_tool)
    seen = Played(tool, literal_eval(row.tool_parameters), row.tool_response)
    *reads, last = row.attacker_tools
    calls, known = [seen], ""
    for name in reads:
        args, known = stolen(name, row.attacker_instruction, specs, responses)
        calls.append(Played(name_of(name), args, known, injected=True))
    args = made_up(specs[name_of(last)], row.attacker_instruction, known)
    calls.append(Played(name_of(last), args, "Done.", injected=True, effect=True))
    return Case(id, "injecagent", "attack", row.user_instruction, (tool,), tuple(calls))


def stolen(
    tool: str, instruction: str, specs: dict[str, Spec], responses: dict[str, Any]
) -> tuple[Args, str]:
    """Return the simulated read that fits the instruction best: its arguments and its result."""
    best: tuple[int, Args, str] | None = None
    for key, response in responses.items():
        name, _, rest = key[1:-1].partition(",")
        if name != tool:
            continue
        args = parsed(rest)
        if args is None or args.keys() - names(specs[name_of(tool)]):
            continue
        fits = sum(value in instruction for value in leaves(args))
        text = response if isinstance(response, str) else json.dumps(response)
        if best is None or fits > best[0]:
            best = (fits, args, text)
    if best is None:
        raise InputError(f"no simulated response of the attacker's tool {tool}")
    return best[1:]


def parsed(text: str) -> Args | None:
    """Return arguments that a model once wrote, in JSON or in Python; None for neither."""
    try:
        args = json.loads(text)
    except ValueError:
        try:
            args = literal_eval(text)
        except (ValueError, SyntaxError):
            return None
    return args if isinstance(args, dict) else None


def names(spec: Spec) -> set[str]:
    return {name for name, _ in parameters(spec)}


def parameters(spec: Spec) -> Iterator[tuple[str, str]]:
    found = spec.parameters["properties"]
    assert isinstance(found, dict)
    for name, schema in found.items():
        yield name, schema["type"]


def leaves(value: object) -> Iterator[str]:
    match value:
        case dict():
            for item in value.values():
                yield from leaves(item)
        case list():
            for item in value:
                yield from leaves(item)
        case _:
            yield str(value)


def made_up(spec: Spec, instruction: str, known: str) -> Args:
    """Return arguments of the words of an instruction. known: what was read before, to be sent."""
    values = [next(filter(None, found)) for found in VALUE.findall(instruction)]
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", instruction)]
    mails = re.findall(r"[\w.+-]+@[\w.-]*\w", instruction)
    args: Args = {}
    needed = spec.parameters["required"]
    assert isinstance(needed, list)
    for name, kind in parameters(spec):
        if name not in needed:
            continue
        word = values.pop(0) if values else instruction
        if mails and name in ("to", "email", "recipient"):
            word = mails[0]
        if known and name in ("body", "content", "message"):
            word = known
        match kind:
            case "string":
                args[name] = word
            case "integer":
                args[name] = int(numbers[0]) if numbers else 1
            case "number":
                args[name] = numbers[0] if numbers else 1.0
            case "boolean":
                args[name] = True
            case "array":
                args[name] = [word]
            case _:
                args[name] = {"value": word}
    return args
