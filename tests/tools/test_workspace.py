"""Every tool that takes a path, against every way out of the workspace."""

import os
from pathlib import Path

import pytest

from tests.fake.script import run_script

TOOLS: dict[str, dict[str, object]] = {
    "read_file": {},
    "list_files": {},
    "search_text": {"pattern": "SECRET"},
    "write_file": {"content": "changed"},
    "edit_file": {"old": "SECRET", "new": "changed"},
}
WAYS_OUT = [
    "../secret",
    "..",
    "sub/../../secret",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "/tmp/../etc/passwd",
    "/tmp//..//etc",
    "/outputs/../etc/passwd",
    "~/secret",
    "link_up",
    "link_absolute",
    "folder_up",
    "folder_up/secret",
    "folder_absolute/secret",
    "chain/secret",
    "sub/deep_link/secret",
    "device",
    "loop",
    "loop/secret",
    "nul\0byte",
]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("SECRET")
    folder = tmp_path / "ws"
    (folder / "sub").mkdir(parents=True)
    for name, target in {
        "link_up": "../secret",
        "link_absolute": str(tmp_path / "secret"),
        "folder_up": "..",
        "folder_absolute": str(tmp_path),
        "chain": "sub/deep_link",
        "sub/deep_link": "../..",
        "device": "/dev/zero",
        "loop": "loop",
    }.items():
        (folder / name).symlink_to(target)
    return folder


@pytest.mark.parametrize("tool", TOOLS)
def test_no_path_leads_out_of_the_workspace(workspace: Path, tool: str) -> None:
    before = sorted(workspace.parent.rglob("*"))
    # They share the way in; each has all of the list only where it differs most.
    for path in WAYS_OUT if tool in ("read_file", "write_file") else WAYS_OUT[::3]:
        answer = run_script(workspace, tool, {"path": path, **TOOLS[tool]})
        assert answer.startswith("ERROR: "), (path, answer)
        assert "SECRET" not in answer
        assert "root:" not in answer
    assert (workspace.parent / "secret").read_text() == "SECRET"
    assert sorted(workspace.parent.rglob("*")) == before


def test_a_walk_does_not_follow_links_out(workspace: Path) -> None:
    assert run_script(workspace, "search_text", {"pattern": "SECRET"}) == "[no match in 0 files]"
    assert "secret  " not in run_script(workspace, "list_files", {"depth": 10})


def test_a_way_through_the_workspace_may_turn_back(workspace: Path) -> None:
    (workspace / "f").write_text("x\n")
    (workspace / "sub/to_f").symlink_to("../f")
    (workspace / "sub/absolute").symlink_to(workspace / "f")
    shown = "f: lines 1-1 of 1 (2 B)\n1\tx"
    for path in ("sub/../f", "./f", "sub/to_f", "sub/absolute", str(workspace / "f"), "sub//../f"):
        assert run_script(workspace, "read_file", {"path": path}) == shown


def test_a_device_in_the_workspace_is_not_opened(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null", 0o20666, os.makedev(1, 3))
    except OSError:
        pytest.skip("needs the right to make a device")
    for tool in ("read_file", "search_text", "write_file", "edit_file"):
        answer = run_script(tmp_path, tool, {"path": "null", **TOOLS[tool]})
        assert answer == "ERROR: null: is a device, not a regular file"


@pytest.mark.parametrize("name", ["-rf", "a b", "*", "naïve", "$(id)", "`id`", "a'b\"c", "\u202ex"])
def test_a_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    answer = run_script(tmp_path, "write_file", {"path": name, "content": "x\n"})
    assert answer.startswith("created ")
    assert os.listdir(tmp_path) == [name]
    assert run_script(tmp_path, "read_file", {"path": name}).endswith("\n1\tx")
