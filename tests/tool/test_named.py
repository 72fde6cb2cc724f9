"""What the files that a call names hold; nothing out of the workspace is ever read."""

import hashlib
import os
from pathlib import Path

import pytest

from agentcli.core.sandbox import HIDDEN, hidden_names
from agentcli.tool.named import named_files, names_in, places_of
from tests.fake.script import shipped

ONE = hashlib.sha256(b"one").hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    (made / "sub").mkdir(parents=True)
    (made / "a").write_text("one")
    (made / ".env").write_text("one")
    (made / "link").symlink_to("sub/../a")
    (made / "to-env").symlink_to(".env")
    (made / "out").symlink_to(tmp_path / "outside")
    (made / "up").symlink_to("..")
    (tmp_path / "outside").write_text("one")
    os.mkfifo(made / "pipe")
    return made


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a", ONE),
        ("./sub/../a", ONE),
        ("/workspace/a", ONE),
        ("link", ONE),
        ("none", ""),
        ("sub", ""),
        ("pipe", ""),
        (".env", ""),
        ("to-env", ""),
        ("out", ""),
        ("up/outside", ""),
        ("../outside", ""),
        ("/workspace/../outside", ""),
        ("a\0b", ""),
        ("\udc80\ud800", ""),
    ],
)
def test_only_plain_files_below_the_workspace_are_read(root: Path, name: str, content: str) -> None:
    assert named_files(root, [name], hidden_names(HIDDEN)) == {name: content}


def test_a_path_that_is_elsewhere_is_not_looked_at(root: Path) -> None:
    assert named_files(root, ["/tmp/a", "/etc/passwd"], hidden_names(())) == {}
    assert named_files(root, [f"{root}/a"], hidden_names(())) == {f"{root}/a": ONE}


def test_a_file_of_two_names_is_known_by_its_stamp_and_not_read(root: Path) -> None:
    os.link(root / ".env", root / "twin")
    found = named_files(root, ["twin"], hidden_names(HIDDEN))
    assert found["twin"] not in ("", ONE)
    assert found == named_files(root, ["twin"], hidden_names(HIDDEN))
    (root / "twin").write_text("two!")
    assert found != named_files(root, ["twin"], hidden_names(HIDDEN))


def test_what_the_undo_of_a_tool_puts_back_is_what_it_names() -> None:
    named = names_in(shipped("write_file").manifest, {"path": "a", "content": "b"})
    assert named == ["a"]
    assert names_in(shipped("shell").manifest, {"command": "ls"}) == []


def test_where_a_path_leads_is_told_only_where_links_make_it_another_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    (tmp_path / "link").symlink_to("a/file")
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "lost").symlink_to(".env")
    names = ["a/file", "a/../a/file", "/workspace/a/file", "absent", "link", "out/passwd", "lost"]
    found = places_of(tmp_path, [*names, f"{tmp_path}/a/file", "x\0y"])
    assert found == {
        "link": "a/file",
        "out/passwd": "/etc/passwd",
        "lost": ".env",
        f"{tmp_path}/a/file": "a/file",
        "x\0y": "",
    }
