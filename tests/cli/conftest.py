"""The real program as a subprocess, in a home and a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentcli.core.event import LEDGER_VERSION

ROOT = Path(__file__).parents[2]
# What exists on every machine that can run the tests; Docker's own tests are marked so.
SANDBOX = "bubblewrap" if shutil.which("bwrap") else "local"


@dataclass
class Program:
    """Runs agentcli. `folder`: where it stands. `home`: where it keeps everything."""

    folder: Path
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def env(self) -> dict[str, str]:
        kept = ("PATH", "LANG", "DOCKER_HOST", "VIRTUAL_ENV", "HOME")
        base = {name: os.environ[name] for name in kept if name in os.environ}
        here = {"AGENTCLI_HOME": str(self.home), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        return {**base, **here, **self.environ}

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "agentcli", *words]

    def run(
        self, *words: str, stdin: str | bytes | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        ended = subprocess.run(
            self.argv(*words),
            cwd=self.folder,
            env=self.env(),
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        out, err = ended.stdout.decode(), ended.stderr.decode()
        assert "Traceback" not in out + err, out + err
        return subprocess.CompletedProcess(words, ended.returncode, out, err)

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start agentcli and return it while it runs, without a terminal."""
        return subprocess.Popen(
            self.argv(*words),
            cwd=self.folder,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def script(
        self,
        *turns: dict[str, Any],
        after: dict[str, Any] | None = None,
        readers: Sequence[dict[str, Any]] = (),
    ) -> str:
        """Write a script and return what --model is to be."""
        path = self.folder.parent / f"script-{len(list(self.folder.parent.iterdir()))}.yaml"
        content: dict[str, Any] = {"turns": list(turns), "readers": list(readers)}
        if after is not None:
            content["after"] = after
        path.write_text(yaml.safe_dump(content, allow_unicode=True))
        return f"scripted:{path}"

    def play(
        self,
        *turns: dict[str, Any],
        words: tuple[str, ...] = (),
        readers: Sequence[dict[str, Any]] = (),
    ) -> "Played":
        """Run a prompt against a script and return the JSON document and the ledger."""
        model = self.script(*turns, readers=readers)
        more = () if "--sandbox" in words else ("--sandbox", SANDBOX)
        ended = self.run("run", "--prompt", "Go.", "--model", model, "--json", *more, *words)
        return Played(json.loads(ended.stdout), ended.returncode, ended.stderr)


@dataclass
class Played:
    document: dict[str, Any]
    code: int
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = Path(self.document["ledger"]).read_text().splitlines()
        return [json.loads(line)["event"] for line in lines]

    def outputs(self) -> list[str]:
        return [event["output"] for event in self.events if event["kind"] == "tool_ended"]


NEWER = LEDGER_VERSION + 1


def of_newer_program(ledger: bytes) -> bytes:
    """Return a ledger as a later program might have written it."""
    now = b'"version":%d,' % LEDGER_VERSION
    assert now in ledger
    return ledger.replace(now, b'"version":%d,"new":1,' % NEWER)


def call(tool: str, **args: Any) -> dict[str, Any]:
    return {"calls": [{"tool": tool, "args": args}]}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    return Program(folder, home)
