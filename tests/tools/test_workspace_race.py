"""A folder of the workspace turns into a link that leads out of it, again and again."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake.script import run_script

CALLS: dict[str, dict[str, object]] = {
    "read_file": {"path": "d/secret"},
    "search_text": {"path": "d", "pattern": "."},
    "list_files": {"path": "d"},
    "write_file": {"path": "d/new/file", "content": "owned"},
    "edit_file": {"path": "d/secret", "old": "SECRET", "new": "owned"},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A workspace in which `d` is by turns an empty folder, nothing, and a link to the outside."""
    outside, inside = tmp_path / "outside", tmp_path / "work"
    outside.mkdir()
    (outside / "secret").write_text("SECRET")
    (inside / "folder").mkdir(parents=True)
    (inside / "link").symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name in ("folder", "link"):
                try:
                    os.rename(inside / name, inside / "d")
                    os.rename(inside / "d", inside / name)
                except OSError:  # a call has made a `d` of its own
                    stop.wait(0.001)

    swapper = threading.Thread(target=swap)
    swapper.start()
    yield inside
    stop.set()
    swapper.join()


@pytest.mark.parametrize("tool", CALLS)
def test_no_call_reaches_what_is_outside(workspace: Path, tool: str) -> None:
    for _ in range(8):
        answer = run_script(workspace, tool, CALLS[tool])
        assert "SECRET" not in answer
    outside = workspace.parent / "outside"
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("secret", "SECRET")]
