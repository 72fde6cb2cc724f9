"""People with keys: alice and bob are allowed, mallory is not."""

import shutil
from pathlib import Path

import pytest

from tests.approval.keys import Keys


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen")
    folder = tmp_path / "keys"
    folder.mkdir()
    made = Keys(folder)
    for name in ("alice@example.com", "bob@example.com", "mallory@example.com"):
        made.make(name)
    return made
