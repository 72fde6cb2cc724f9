"""What undoes a call: known in outline before it runs, in full once it has ended."""

from collections.abc import Mapping
from typing import Any

from agentcli.core.step import Args
from agentcli.core.tool import RESTORE, Undo
from agentcli.tool.manifest import PLACE, CallOf, Compensation, Manifest, Restore


def undo_of(manifest: Manifest, args: Args) -> Undo | None:
    """Return how a call with these arguments will be undone, None if it cannot be."""
    match manifest.compensate:
        case Restore():
            return Undo(RESTORE)
        case Compensation(call=CallOf(tool=tool, args=wanted)):
            return Undo(tool, filled(wanted, {"args": args}))
        case _:
            return None


def with_result(undo: Undo, result: Mapping[str, Any]) -> Undo:
    """Return what undoes a call that came to this result."""
    return Undo(undo.tool, filled(undo.args, {"result": result}))


def filled(wanted: Args, known: Mapping[str, Mapping[str, Any]]) -> Args:
    """Return arguments with the values that are known in their places; the others stay."""
    found = {}
    for name, value in wanted.items():
        place = PLACE.fullmatch(value) if isinstance(value, str) else None
        source = known.get(place["of"], {}) if place else {}
        found[name] = source.get(place["name"], value) if place else value
    return found


def missing(args: Args) -> list[str]:
    """Return the places that nothing was found for."""
    places = (PLACE.fullmatch(value) for value in args.values() if isinstance(value, str))
    return [f"{place['of']}.{place['name']}" for place in places if place]
