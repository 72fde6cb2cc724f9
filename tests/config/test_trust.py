"""What was accepted is kept for its user alone, and only as long as it is needed."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcli.config import project, trust
from tests.config.test_project import found


@pytest.fixture
def permissive() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> set[tuple[bool, int]]:
    """Return for all in a folder, and itself, whether it is one and its mode."""
    all_in = [folder, *folder.rglob("*")]
    return {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in all_in}


def copies() -> list[Path]:
    return sorted((trust.trust_file().parent / "trust").iterdir())


@pytest.mark.usefixtures("permissive")
def test_what_is_kept_is_for_its_user_alone_even_under_a_permissive_umask(root: Path) -> None:
    (root / "AGENTS.md").write_text("one")
    project.grant(found(root))
    assert modes(trust.trust_file().parent / "trust") == {(True, 0o700), (False, 0o600)}
    assert stat.S_IMODE(trust.trust_file().stat().st_mode) == 0o600


def test_a_copy_with_something_beside_what_was_accepted_does_not_count(root: Path) -> None:
    project.grant(found(root))
    planted = found(root).folder / "tools"
    planted.mkdir()
    assert found(root).is_trusted  # an empty folder says nothing
    (planted / "t.yaml").write_text("name: t\n")
    assert found(root).doubt == "lost"


def test_a_link_to_a_folder_in_a_copy_does_not_count(root: Path, tmp_path: Path) -> None:
    project.grant(found(root))
    (tmp_path / "tools").mkdir()
    (found(root).folder / "tools").symlink_to(tmp_path / "tools")
    assert found(root).doubt == "lost"


def test_a_copy_that_is_gone_is_asked_for_anew(root: Path) -> None:
    project.grant(found(root))
    shutil.rmtree(found(root).accepted)
    assert (found(root).doubt, found(root).before()) == ("lost", {})
    project.grant(found(root))
    assert found(root).is_trusted


def test_only_the_copy_of_what_counts_is_kept_and_none_after_a_revoke(root: Path) -> None:
    project.grant(found(root))
    (first,) = copies()
    (root / "AGENTS.md").write_text("one")
    assert copies() == [first]  # it says what has changed
    project.grant(found(root))
    (second,) = copies()
    assert second != first
    assert project.revoke(root)
    assert copies() == []


def test_a_copy_that_another_project_needs_stays(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / root.name
    shutil.copytree(root, other)
    project.grant(found(root))
    project.grant(found(other))
    assert len(copies()) == 1
    project.revoke(root)
    assert found(other).is_trusted


def test_the_same_files_at_another_place_are_not_trusted(root: Path, tmp_path: Path) -> None:
    project.grant(found(root))
    shutil.copytree(root, tmp_path / "copy")
    assert found(tmp_path / "copy").doubt == "new"
    (tmp_path / "link").symlink_to(root)
    assert found(tmp_path / "link").is_trusted  # it is that place


def test_what_was_accepted_can_be_compared_with_what_is_there(root: Path) -> None:
    (root / "AGENTS.md").write_text("one")
    project.grant(found(root))
    (root / "AGENTS.md").write_text("two")
    assert found(root).before()["AGENTS.md"] == b"one"
    (copies()[0] / "AGENTS.md").write_text("three")
    assert "AGENTS.md" not in found(root).before()  # nobody has accepted that


def test_a_no_is_remembered_for_exactly_what_was_refused(root: Path) -> None:
    project.refuse(found(root))
    assert (found(root).doubt, found(root).is_refused) == ("new", True)
    assert list(project.standings()) == []
    assert not project.revoke(root)
    project.refuse(found(root))
    (root / "AGENTS.md").write_text("one")
    assert not found(root).is_refused


def test_a_no_to_a_change_keeps_what_it_is_compared_with(root: Path) -> None:
    project.grant(found(root))
    (root / "AGENTS.md").write_text("one")
    project.refuse(found(root))
    (root / "AGENTS.md").write_text("two")
    assert found(root).changes()[-1] == ("AGENTS.md", "new")
    assert list(found(root).before()) == [".agentcli/profiles/p.yaml"]


def test_what_became_of_each_trusted_project_is_known(root: Path, tmp_path: Path) -> None:
    def make(name: str) -> Path:
        shutil.copytree(root, tmp_path / name)
        project.grant(found(tmp_path / name))
        return tmp_path / name

    make("a")
    (make("b") / "AGENTS.md").write_text("new")
    shutil.rmtree(make("c"))
    os.mkfifo(make("d") / "AGENTS.md")
    (make("e") / ".agentcli" / "profiles" / "p.yaml").unlink()
    (found(make("f")).folder / "profiles" / "p.yaml").unlink()
    states = {one.root.name: one.state for one in project.standings()}
    assert states == {
        **{"a": "in force", "b": "changed", "c": "gone"},
        **{"d": "unusable", "e": "changed", "f": "lost"},
    }
