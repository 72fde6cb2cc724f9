"""A manifest of a tool that is sound, written to a folder."""

from pathlib import Path
from typing import Any

import yaml

GOOD: dict[str, Any] = {
    "name": "greet",
    "version": 1,
    "description": "Greet a person by name, in the way that the place asks for, and return it.",
    "tier": "reversible",
    "reversible_when": ["sandboxed"],
    "egress": False,
    "idempotent": True,
    "labels": {"integrity": "tool", "confidentiality": "public"},
    "compensate": {"restore": ["file"]},
    "parameters": {
        "type": "object",
        "required": ["who"],
        "properties": {
            "who": {"type": "string", "description": "The person."},
            "file": {"type": "string", "description": "Where to write it."},
            "wait_s": {"type": "integer", "description": "How long it may take."},
        },
    },
    "examples": [{"who": "Ann"}],
    "run": {"script": "greet.py"},
}


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "greet.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    (folder / "greet.py").write_text("print('{}')\n")
    (folder / "words.py").write_text("HELLO = 'hello'\n")
    return path


def gets(url: str, **changes: Any) -> dict[str, Any]:
    return {"egress": True, "run": {"script": "greet.py", "get": url}, **changes}
