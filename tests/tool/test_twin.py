"""Another name of a protected file is found, wherever the protected one stands."""

import os
from pathlib import Path

import pytest

from agentcli.tool import twin
from agentcli.tool.twin import twins_of

PROTECTED = (".envrc", ".git/config", ".git/hooks", ".ssh", "!*.example")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = tmp_path / "work"
    for folder in (made / "sub" / ".git" / "hooks", tmp_path / "home" / ".ssh"):
        folder.mkdir(parents=True)
    (made / "sub" / ".git" / "hooks" / "pre-push").write_text("")
    (made / "sub" / ".Envrc").write_text("")
    (tmp_path / "home" / ".ssh" / "key").write_text("")
    (made / "a").write_text("")
    return made


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("sub/.git/hooks/pre-push", "sub/.git/hooks/pre-push"),
        ("sub/.Envrc", "sub/.Envrc"),
        ("../home/.ssh/key", "{home}/.ssh/key"),
        ("a", None),
    ],
)
@pytest.mark.parametrize(
    "name", ["twin", "/workspace/twin", "./sub/../twin", "link", "{root}/twin"]
)
def test_a_twin_is_found_by_any_of_its_names(
    root: Path, file: str, told: str | None, name: str
) -> None:
    (root / "twin").hardlink_to(root / file)
    (root / "link").symlink_to("twin")
    name = name.replace("{root}", str(root))
    expected = {} if told is None else {name: told.replace("{home}", str(root.parent / "home"))}
    assert twins_of(root, [name, "sub", "absent", "x\0y"], PROTECTED) == expected


def test_a_file_outside_that_is_protected_at_its_place_is_found(root: Path) -> None:
    outside = root.parent / "state" / "one"
    outside.mkdir(parents=True)
    (outside / "ledger").write_text("")
    (root / "twin").hardlink_to(outside / "ledger")
    pattern = f"{root.parent}/state/*/ledger"
    assert twins_of(root, ["twin"], (pattern,)) == {"twin": str(outside / "ledger")}
    assert twins_of(root, ["twin"], PROTECTED) == {}


def test_nothing_is_searched_for_a_file_of_one_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin, "candidates", lambda *args: pytest.fail("searched"))
    assert twins_of(root, ["a", "sub", "sub/.Envrc"], PROTECTED) == {}
    (root / "twin").hardlink_to(root / "a")
    assert twins_of(root, ["twin"], ()) == {}, "nothing is protected"


def test_where_the_search_cannot_be_ended_it_is_not_known(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "twin").hardlink_to(root / "a")
    with monkeypatch.context() as patch:
        patch.setattr(twin, "ENTRIES_AT_MOST", 3)
        assert twins_of(root, ["twin", "sub"], PROTECTED) == {"twin": ""}

    def closed(path: str) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert twins_of(root, ["twin"], PROTECTED) == {"twin": ""}
