"""Layers of settings: who sets a key, where, and what that overrides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agentcli.document import Document, Source

# From the weakest to the strongest; a flag is stronger than all of these.
LayerKind = Literal["shipped", "user", "project", "profile", "task", "environment"]


# Keys of which the strictest value holds, whichever layer says it: none takes it back, so that
# neither a project nor a profile that it picks can.
STRICTEST = {"pii": "redact", "untrusted": "held"}


@dataclass(frozen=True)
class Layer:
    """What one file, or the environment, sets.

    data: values as the file's model read them, only those that it sets.
    source: the file. variables: of the environment, the variable of each dotted key.
    """

    kind: LayerKind
    data: Mapping[str, Any]
    source: Source | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def sets(self, key: str) -> bool:
        return value_at(self.data, key) is not MISSING

    def where(self, key: str) -> str:
        """Return where the key is set: `file:line:column`, or a variable's name."""
        if self.source is not None:
            return self.source.where(key)
        return self.variables.get(key, self.kind)


class Missing:
    """Stands for a value that is not set, which null is not."""


MISSING = Missing()


def set_fields(file: Document) -> dict[str, Any]:
    return file.model_dump(exclude_unset=True)


def value_at(data: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key, MISSING if it is not set."""
    value: Any = data
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return MISSING
        value = value[part]
    return value


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, field by field: mappings are merged, anything else is replaced."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def merge_all(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return what all layers say together. layers: the weakest first."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.data)
    for key, strictest in STRICTEST.items():
        if any(value_at(layer.data, key) == strictest for layer in layers):
            merged[key] = strictest
    return merged


def setters(layers: Sequence[Layer], key: str) -> Iterator[tuple[Layer, Any]]:
    """Yield the layers that set a key, with its value in each, the strongest first."""
    values = ((layer, value_at(layer.data, key)) for layer in reversed(layers))
    found = [(layer, value) for layer, value in values if value is not MISSING]
    if key in STRICTEST:
        found.sort(key=lambda pair: pair[1] != STRICTEST[key])
    yield from found
