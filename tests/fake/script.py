"""A shipped tool's script, run as the gateway runs it, without a sandbox around."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from agentcli.tool.job import given_of, job_of
from agentcli.tool.load import load_manifest
from agentcli.tool.manifest import LoadedTool
from agentcli.tool.web import Response

TOOLS = Path(__file__).parents[2] / "tools"


@cache
def shipped(name: str) -> LoadedTool:
    return load_manifest(TOOLS / f"{name}.yaml")


def run_script(
    folder: Path,
    name: str,
    args: dict[str, object],
    *,
    preview: bool = False,
    put: tuple[str, str] = ("", ""),
    response: Response | None = None,
) -> str:
    """Return the answer of a script whose workspace is `folder`; `ERROR: ...` for an error.

    put: a piece of the script, and what to put in its place, such as a shorter time limit.
    response: what was read for it.
    """
    tool = shipped(name)
    assert tool.arguments.problems(args) == []
    *start, script = job_of(tool, args).argv
    assert start == ["python3", "-I", "-S", "-c"]
    assert put[0] in script
    ended = subprocess.run(
        [sys.executable, *start[1:], script.replace(*put) if put[0] else script],
        input=job_of(tool, args).stdin if response is None else given_of(args, response),
        capture_output=True,
        cwd=folder,
        env={"PATH": os.defpath, **({"AGENTCLI_PREVIEW": "1"} if preview else {})},
        timeout=30,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    answer = json.loads(ended.stdout)
    [(kind, text)] = answer.items()
    assert kind in ("text", "error")
    return str(text) if kind == "text" else f"ERROR: {text}"
