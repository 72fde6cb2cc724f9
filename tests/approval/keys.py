"""Real keys of people, made for a test."""

import asyncio
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agentcli.approval.signed import sign


@dataclass
class Keys:
    """allowed: the text of the file that allows all but mallory."""

    folder: Path
    allowed: str = ""

    def make(self, name: str) -> Path:
        path = self.folder / name.partition("@")[0]
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(words, check=True, capture_output=True)
        if not name.startswith("mallory"):
            kind, key, _ = path.with_suffix(".pub").read_text().split()
            self.allowed += f"{name} {kind} {key}\n"
        return path

    def sign(self, name: str, text: str) -> str:
        return asyncio.run(sign(self.folder / name, text))
