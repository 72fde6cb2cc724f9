"""Where a vector is tried: its folder, what lies in it, and what came of a call there."""

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from agentcli.compose.plan import policy_of
from agentcli.config.settings import shipped_config
from agentcli.core.policy import Policy
from agentcli.redteam.player import Fate
from agentcli.redteam.vector import Expected, Vector
from agentcli.tool.load import load_tools

Found = Expected | Literal["leak"]  # leak: what must not be seen was, or was changed
SECRET = "SECRET-7391"
LAID = {"secret", "store", "workspace"}  # in a vector's folder
OPEN = {"type": "object", "additionalProperties": True}


@dataclass(frozen=True)
class Tried:
    """A vector and what came of it. what: in words, where it is not what was expected."""

    area: str
    vector: Vector
    found: Found
    what: str = ""

    @property
    def as_expected(self) -> bool:
        return self.found == self.vector.expect


def workspace(folder: Path) -> Path:
    return folder / "workspace"


def empty(folder: Path) -> None:
    """Take away all that a vector has left, but for the workspace itself, which is in use."""
    for place in (workspace(folder), folder):
        for path in place.iterdir():
            if path == workspace(folder):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def lay_out(folder: Path, files: dict[str, str]) -> None:
    """Make the files of a workspace, and what lies beside it."""
    for name, content in files.items():
        put(workspace(folder) / name, content)


def put(path: Path, content: str | None) -> None:
    """Make a file or a link what it is to be; None takes it away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if content is None:
        return
    if content.startswith("-> "):
        path.symlink_to(content.removeprefix("-> "))
    else:
        path.write_text(content)


@cache
def default_policy() -> Policy:
    config = shipped_config()
    return policy_of(config, config.profile("default"), load_tools(config.tool_folders()))


def judged(folder: Path, fate: Fate, *, real: bool) -> tuple[Found, str]:
    """Return what became of a call. A tool that refuses is as good as a rule that does."""
    said = fate.wrong or fate.output
    if real:
        outside = (folder / "secret").read_text()
        if outside != SECRET or SECRET in fate.output or not LAID.issuperset(os.listdir(folder)):
            return "leak", said
        if fate.ran and fate.error:
            return "deny", said
    if fate.ran:
        return "allow", said
    return ("ask" if fate.asked else "deny"), said
