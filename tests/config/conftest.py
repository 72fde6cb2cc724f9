"""A project with files of its own, and a home for what is accepted of it."""

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTCLI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    root = tmp_path / "app"
    (root / ".agentcli" / "profiles").mkdir(parents=True)
    (root / ".agentcli" / "profiles" / "p.yaml").write_text("extends: default\n")
    return root
