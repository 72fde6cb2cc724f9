"""What is allowed in a manifest but serves the model or its user badly."""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from agentcli.tool.manifest import Compensation, LoadedTool, RunCommand

# What the Messages API takes as the name of a property, and refuses at the top of a schema.
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_REFUSED_ON_TOP = ("oneOf", "anyOf", "allOf", "not", "if")
_NESTED_REPEAT = re.compile(r"\([^()]*[+*][^()]*\)[+*{]|\([^()]*\|[^()]*\)[+*]")
_CHOICES = re.compile(r"(?i)\bone of\b|\beither\b|(?:[`'\"][\w-]+[`'\"](?:,| or|, or) ){1,}[`'\"]")


def lint(tool: LoadedTool) -> list[str]:
    """Return findings, a line each; [] when there is nothing to mend."""
    return [f"{tool.manifest.name}: {finding}" for finding in _findings(tool)]


def _findings(tool: LoadedTool) -> Iterator[str]:
    manifest = tool.manifest
    words = len(manifest.description.split())
    if words < 12:
        yield f"description has {words} words: say what it does, when to use it and what it returns"
    if words > 250:
        yield f"description has {words} words: the model reads it at every turn, keep below 250"
    for keyword in _REFUSED_ON_TOP:
        if keyword in manifest.parameters:
            yield f"parameters.{keyword}: the API refuses this at the top of a schema"
    yield from _about_properties("parameters", manifest.parameters)
    if not manifest.examples and manifest.properties:
        yield "examples: give at least one object of arguments"
    if manifest.tier == "read_only" and manifest.compensate != "none":
        yield "compensate: a tool that only reads has nothing to undo"
    if manifest.tier in ("irreversible", "privileged") and manifest.compensate != "none":
        yield f"compensate: the tier {manifest.tier} says that it cannot be undone"
    if manifest.tier == "reversible" and manifest.compensate == "none":
        yield "compensate: a reversible tool should say how it is undone"
    if manifest.output is None and takes_result(manifest.compensate):
        yield "output: say what it returns, as what undoes a call takes {result.NAME} from it"
    if isinstance(manifest.run, RunCommand):
        yield from _about_command(manifest.run.command)
    if tool.script:
        try:
            ast.parse(tool.script)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as wrong:
            yield f"run.script: is not Python: {wrong}"


def _about_properties(at: str, schema: Mapping[str, Any]) -> Iterator[str]:
    properties = schema.get("properties")
    for name, about in properties.items() if isinstance(properties, dict) else ():
        here = f"{at}.{name}"
        if not _PROPERTY.fullmatch(name):
            yield f"{here}: the API takes only names that match {_PROPERTY.pattern}"
        if not isinstance(about, dict):
            continue
        description = str(about.get("description", ""))
        if not description:
            yield f"{here}: has no description"
        if _CHOICES.search(description) and about.get("type") == "string" and "enum" not in about:
            yield f"{here}: the description lists the choices: make them an enum"
        if _NESTED_REPEAT.search(str(about.get("pattern", ""))):
            yield f"{here}.pattern: a repeat inside a repeat is slow in most engines"
        if "properties" in about and "additionalProperties" not in about:
            yield f"{here}: say additionalProperties: false, or unknown keys pass unseen"
        yield from _about_properties(here, about)
        if isinstance(about.get("items"), dict):
            yield from _about_properties(f"{here}[]", about["items"])


def takes_result(undo: object) -> bool:
    values = undo.call.args.values() if isinstance(undo, Compensation) else ()
    return any(isinstance(value, str) and value.startswith("{result.") for value in values)


def _about_command(command: tuple[str, ...]) -> Iterator[str]:
    for before, part in pairwise(command):
        if part.startswith("{") and not before.startswith("-") and "--" not in command:
            yield f"run.command: put -- before {part}, or a value such as -x is read as an option"
