"""The project's own vectors, tried on the real thing; and that a hole would be seen."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from agentcli.cli.document import json_text
from agentcli.config.project import find_project, grant
from agentcli.core.visible import visible_line
from agentcli.errors import ConfigError
from agentcli.redteam.bench import brought, try_all
from agentcli.redteam.ground import SECRET, judged
from agentcli.redteam.player import Fate
from agentcli.redteam.shown import shown
from agentcli.redteam.suites import home
from agentcli.redteam.vector import Shown, Vectors, read_vectors

FILES = read_vectors(home() / "vectors")
ALL = [(group, vector) for group in FILES for vector in group.vectors]


@pytest.mark.slow
@pytest.mark.parametrize("group", FILES, ids=[group.area for group in FILES])
def test_every_vector_comes_out_as_it_must(group: Vectors) -> None:
    wrong = [
        (tried.vector.id, tried.vector.expect, tried.found, tried.what)
        for tried in try_all([group])
        if not tried.as_expected
    ]
    assert wrong == []


def test_there_are_many_of_each_area_and_controls_that_must_run() -> None:
    areas = Counter(group.area for group, vector in ALL if not vector.harmless)
    assert min(areas.values()) >= 9
    assert sum(areas.values()) >= 400
    controls = [(group.area, vector) for group, vector in ALL if vector.harmless]
    assert len(controls) >= 50
    assert {vector.expect for _, vector in controls} == {"allow"}
    assert {area for area, _ in controls} == {*areas} == {group.area for group in FILES}


@pytest.mark.parametrize(
    "text", [vector.do.text for _, vector in ALL if isinstance(vector.do, Shown)]
)
def test_no_text_rules_a_terminal_by_a_table_or_by_json(text: str) -> None:
    for shown_text in (visible_line(text), json_text({"text": text})):
        assert not set(shown_text) & {"\x1b", "\x9b", "\x07", "\x08", "\r", "\u202e", "\u200b"}


def test_an_outside_that_was_changed_or_read_is_a_leak(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    assert judged(tmp_path, Fate(ran=True, output="fine"), real=True)[0] == "allow"
    assert judged(tmp_path, Fate(ran=True, output="no", error=True), real=True)[0] == "deny"
    assert judged(tmp_path, Fate(ran=True, output=f"1\t{SECRET}"), real=True)[0] == "leak"
    (tmp_path / "new").touch()
    assert judged(tmp_path, Fate(asked=True), real=True)[0] == "leak"
    (tmp_path / "new").unlink()
    (tmp_path / "secret").write_text("changed")
    assert judged(tmp_path, Fate(asked=True), real=True)[0] == "leak"


def test_a_project_that_is_trusted_does_change_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the vectors that no untrusted one does would show nothing."""
    monkeypatch.setenv("AGENTCLI_HOME", str(tmp_path / "home"))
    workspace = tmp_path / "workspace"
    (workspace / ".agentcli").mkdir(parents=True)
    (workspace / ".agentcli/settings.yaml").write_text("profile: reader\n")
    project = find_project(workspace)
    assert project is not None
    files = {"AGENTS.md": "Hi.\n"}  # more than was accepted
    grant(project)
    assert brought(tmp_path, files)[0] == "allow"
    assert brought(tmp_path, files)[0] == "deny"


def test_a_variable_that_tools_are_given_is_seen() -> None:
    """PATH is on the list of what they get."""
    [found] = try_all([group_of({"variable": "PATH"})])
    assert (found.found, f"PATH={SECRET}" in found.what) == ("leak", True)


@pytest.mark.parametrize(
    ("do", "found"),
    [
        ({"command": "ls", "power": "writes"}, "leak"),
        ({"command": "rm a", "power": "writes"}, "ask"),
        ({"typed": "y"}, "allow"),
        ({"typed": "y", "when": "at_once"}, "allow"),  # one key that comes at once is a key
        ({"typed": "yy", "when": "at_once"}, "ask"),
        ({"tool": "read_file", "args": {"path": "a"}, "swaps": ["same"]}, "deny"),  # no such file
    ],
)
def test_each_kind_can_come_out_otherwise(do: dict[str, object], found: str) -> None:
    assert try_all([group_of(do)])[0].found == found


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("plain", "screen", "allow"),
        ("a\x1b[2Jb", "screen", "sanitise"),
        ("p\u0430ypal", "screen", "allow"),
        ("p\u0430ypal", "card", "sanitise"),
        ("a\x1b[2Jb", "output", "sanitise"),
    ],
)
def test_where_a_text_is_shown_counts(tmp_path: Path, text: str, where: str, found: str) -> None:
    assert asyncio.run(shown(tmp_path, text, where))[0] == found


def test_a_file_is_told_with_all_that_is_wrong_in_it(tmp_path: Path) -> None:
    one = "{id: a, tries: x, do: {hidden: x}, expect: allow, why: y}"
    (tmp_path / "a.yaml").write_text(f"area: paths\nvectors:\n  - {one}\n")
    (tmp_path / "b.yaml").write_text(f"area: paths\nvectors:\n  - {one}\n")
    with pytest.raises(ConfigError, match=r"b\.yaml:3:.*`a` is also in .*a\.yaml"):
        read_vectors(tmp_path)
    (tmp_path / "b.yaml").write_text("area: roads\nvectors: []\n")
    with pytest.raises(ConfigError, match=r"b\.yaml:1:.*area"):
        read_vectors(tmp_path)


def group_of(do: dict[str, object]) -> Vectors:
    vector = {"id": "a", "tries": "x", "do": do, "expect": "deny", "why": "y"}
    return Vectors.model_validate({"area": "environment", "vectors": [vector]}, strict=False)
