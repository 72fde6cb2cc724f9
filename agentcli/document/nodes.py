"""From YAML text to plain values with their places, without the surprises of YAML 1.1."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agentcli.core.visible import escaped_line
from agentcli.document import Place, Source, Spot, joined
from agentcli.errors import AgentcliError

MAX_DEPTH = 64
MAX_NODES = 100_000  # after aliases are expanded

_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9_]*)?\.[0-9]*([eE][-+][0-9]+)?")
_LARGEST = 2**63 - 1
_TAG = "tag:yaml.org,2002:"


class _Stop(Exception):
    """Reading further makes no sense."""


def parse(path: Path, text: str, error: type[AgentcliError]) -> Source:
    """Return what the text holds. Raises `error` with a line for each thing that is wrong."""
    try:
        _check_events(text)
        reader = _Reader()
        node = yaml.compose(text, yaml.CSafeLoader)
        assert node is not None  # the events said that there is a mapping
        data = reader.value(node, (), None)
    except _Stop as wrong:
        raise error(f"{escaped_line(str(path))}:{wrong}") from None
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = escaped_line(", ".join(filter(None, [wrong.context, wrong.problem])))
        raise error(f"{escaped_line(str(path))}{place}: is not YAML: {what}") from None
    except yaml.YAMLError as wrong:
        raise error(f"{escaped_line(str(path))}: is not YAML: {escaped_line(str(wrong))}") from None
    if reader.wrong:
        raise error(joined([f"{escaped_line(str(path))}:{line}" for line in reader.wrong]))
    return Source(path, data, reader.spots)


def _check_events(text: str) -> None:
    """Refuse, before anything is built, what is not one mapping of bounded depth."""
    if found := _UNREADABLE.search(text):
        before = text[: found.start()]
        column = found.start() - before.rfind("\n")
        raise _Stop(f"{before.count(chr(10)) + 1}:{column}: must be text, got {found[0]!a}")
    depth = documents = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        here = _here(event)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Stop(f"{here}: must hold one document, here a second one starts")
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _Stop(f"{here}: is nested more than {MAX_DEPTH} deep")
            if depth == 1 and not isinstance(event, yaml.MappingStartEvent):
                raise _Stop(f"{here}: must be a mapping at the top, got a list")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent) and depth == 0:
            raise _Stop(f"{here}: must be a mapping at the top, got a single value")
    if not documents:
        raise _Stop("1:1: is empty, expected a mapping")


@dataclass
class _Reader:
    spots: dict[Place, Spot] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def value(self, node: yaml.Node, at: Place, key: yaml.Node | None) -> Any:
        if len(self.spots) >= MAX_NODES:
            raise _Stop(f"{_here(node)}: must hold at most {MAX_NODES:,} values, aliases expanded")
        if len(at) > MAX_DEPTH:
            raise _Stop(f"{_here(node)}: is nested more than {MAX_DEPTH} deep")
        mark, key_mark = node.start_mark, (key or node).start_mark
        got, value, switch = self._read(node, at)
        self.spots[at] = Spot(
            mark.line + 1, mark.column + 1, key_mark.line + 1, key_mark.column + 1, got, switch
        )
        match node:
            case yaml.MappingNode():
                return {k: self.value(v, (*at, k), key) for k, key, v in self._items(node, at)}
            case yaml.SequenceNode():
                return [self.value(item, (*at, i), None) for i, item in enumerate(node.value)]
        return value

    def _items(
        self, node: yaml.MappingNode, at: Place
    ) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            shown = escaped_line(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            if key.tag == f"{_TAG}merge":
                self._complain(key, at, "merge keys are not read here: write the keys out")
            elif not isinstance(key, yaml.ScalarNode):
                self._complain(key, at, "a key must be text, got a list or a mapping")
            elif key.tag not in (f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"):
                self._complain(
                    key, at, f'YAML reads the key `{shown}` not as text: write "{shown}"'
                )
            elif key.value in seen:
                first = seen[key.value].start_mark.line + 1
                self._complain(key, at, f"duplicate key `{shown}`, first on line {first}")
            else:
                seen[key.value] = key
                yield key.value, key, value

    def _read(self, node: yaml.Node, at: Place) -> tuple[str, Any, str]:
        """Return what was got, in words; a scalar's value; the switch that it is."""
        tag = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and tag == "map":
            return "a mapping", None, ""
        if isinstance(node, yaml.SequenceNode) and tag == "seq":
            return "a list", None, ""
        raw = node.value if isinstance(node, yaml.ScalarNode) else ""
        shown = f"`{escaped_line(raw, 60)}`"
        match tag:
            case "str" | "timestamp" | "value":
                return (f"the text {shown}" if raw else "empty text"), raw, ""
            case "null":
                return "nothing", None, ""
            case "bool" if raw.lower() in _BOOLEANS:
                plain = raw.lower() in ("true", "false")
                return f"the boolean {shown}", _BOOLEANS[raw.lower()], "" if plain else raw
            case "int" if _INTEGER.fullmatch(raw) and len(raw) < 100:
                number = int(raw.replace("_", ""), 0)
                if abs(number) <= _LARGEST:
                    return f"the number {shown}", number, ""
                self._complain(node, at, f"the number {shown} does not fit 64 bits: quote it")
            case "float" if _FLOAT.fullmatch(raw) and raw.strip("+-") != ".":
                decimal = float(raw.replace("_", ""))
                if abs(decimal) != float("inf"):
                    return f"the number {shown}", decimal, ""
                self._complain(node, at, f"the number {shown} is too large: quote it")
            case "int" | "float":
                self._complain(
                    node, at, f"YAML reads {shown} as a number of its own kind: "
                    "quote it if it is text, else write plain digits"
                )  # fmt: skip
            case _:
                self._complain(node, at, f"tags are not read here, got `{escaped_line(node.tag)}`")
        return "", None, ""

    def _complain(self, node: yaml.Node, at: Place, message: str) -> None:
        dotted = escaped_line(".".join(map(str, at)))
        self.wrong.append(f"{_here(node)}: {dotted + ': ' if dotted else ''}{message}")


_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _here(found: yaml.Node | yaml.Event) -> str:
    mark = found.start_mark
    return f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
