"""Holds an answer and a workspace against what a task asks of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agentcli.core.event import Checked, Replied, Started
from agentcli.core.message import text_of
from agentcli.core.step import Check, Checks
from agentcli.core.view import Read


class Judge(Protocol):
    """Judges texts in a time that grows with their length alone, whatever a model wrote."""

    def problems(self, schema: dict[str, Any], text: str) -> list[str]:
        """Return all that is wrong with a JSON text by a JSON Schema."""

    def matches(self, pattern: str, text: str) -> bool: ...


@dataclass(frozen=True)
class Checker:
    workspace: Path
    read: Read
    judge: Judge

    def __call__(self, start: Started, check: Check) -> Checked:
        if check.what == "files":
            return Checked(start.id, tuple(self.missing_files(check.checks)))
        replied = self.read(check.reply)
        text = text_of(replied.blocks) if isinstance(replied, Replied) else ""
        return Checked(start.id, tuple(self.wrong_in_answer(check.checks, text)))

    def missing_files(self, checks: Checks) -> list[str]:
        return [f"{name}: not there" for name in checks.files if not self.is_file(name)]

    def is_file(self, name: str) -> bool:
        path = (self.workspace / name).resolve()
        return path.is_relative_to(self.workspace.resolve()) and path.exists()

    def wrong_in_answer(self, checks: Checks, text: str) -> list[str]:
        wrong: list[str] = []
        if checks.answer_schema is not None:
            wrong += self.judge.problems(checks.answer_schema, text)
        if checks.answer_pattern and not self.judge.matches(checks.answer_pattern, text):
            wrong.append(f"the answer must match the pattern {checks.answer_pattern}")
        return wrong
