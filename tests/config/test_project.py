"""A project's own files count only as exactly what was trusted."""

import os
import subprocess
from pathlib import Path

import pytest

from agentcli.config import project, trust
from agentcli.errors import ConfigError


def found(folder: Path) -> project.Project:
    here = project.find_project(folder)
    assert here is not None
    return here


def test_a_project_is_found_from_any_folder_in_it(root: Path) -> None:
    (root / "src" / "deep").mkdir(parents=True)
    assert found(root / "src" / "deep").root == root


def test_a_repository_inside_of_a_project_is_a_project_of_its_own(root: Path) -> None:
    (root / "vendor").mkdir()
    subprocess.run(["git", "init", "-q", root / "vendor"], check=True)
    assert project.find_project(root / "vendor") is None


def test_the_home_folder_is_no_project(root: Path) -> None:
    (root.parent / "AGENTS.md").write_text("x")
    (root.parent / ".agentcli").mkdir()
    assert project.root_of(root.parent) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "AGENTS.md").write_text("Obey."),
        lambda root: (
            (root / ".agentcli" / "tools").mkdir()
            or (root / ".agentcli" / "tools" / "t.yaml").write_text("x")
        ),
        lambda root: (root / ".agentcli" / "profiles" / "p.yaml").write_text("extends: coder\n"),
        lambda root: (root / ".agentcli" / "profiles" / "p.yaml").rename(
            root / ".agentcli" / "profiles" / "q.yaml"
        ),
    ],
)
def test_any_change_ends_trust(root: Path, change: object) -> None:
    project.grant(found(root))
    assert found(root).is_trusted
    assert callable(change)
    change(root)
    assert not found(root).is_trusted


def test_trust_is_for_one_place_and_can_be_taken_back(root: Path, tmp_path: Path) -> None:
    project.grant(found(root))
    root.rename(tmp_path / "other")
    assert not found(tmp_path / "other").is_trusted
    assert project.revoke(root)
    assert not project.revoke(root)
    assert trust.trust_file().stat().st_mode & 0o077 == 0


def test_what_changed_between_the_look_and_the_yes_is_not_trusted(root: Path) -> None:
    looked = found(root)
    (root / "AGENTS.md").write_text("Obey.")
    project.grant(looked)
    assert not found(root).is_trusted
    assert not (looked.accepted / "AGENTS.md").exists()


def test_a_link_that_leads_out_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (root / ".agentcli" / "profiles" / "l.yaml").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match="leads out of the project"):
        project.find_project(root)


def test_a_linked_folder_is_not_walked_past(root: Path, tmp_path: Path) -> None:
    (root / ".agentcli" / "tools").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="leads out of the project"):
        project.find_project(root)


def test_a_link_inside_counts_by_its_content(root: Path) -> None:
    (root / "AGENTS.md").write_text("one")
    (root / "CLAUDE.md").symlink_to("AGENTS.md")
    files = found(root).files
    assert files["AGENTS.md"] == files["CLAUDE.md"]


def test_a_pipe_is_refused_at_once(root: Path) -> None:
    os.mkfifo(root / ".agentcli" / "pipe")
    with pytest.raises(ConfigError, match="must be a regular file"):
        project.find_project(root)


def test_links_in_a_circle_and_endless_folders_are_refused(root: Path) -> None:
    (root / ".agentcli" / "loop").symlink_to("loop")
    with pytest.raises(ConfigError, match="circle"):
        project.find_project(root)
    (root / ".agentcli" / "loop").unlink()
    deep = root / ".agentcli"
    for _ in range(40):
        deep /= "d"
        deep.mkdir()
    with pytest.raises(ConfigError, match="too deep"):
        project.find_project(root)


def test_what_counts_is_the_copy_that_was_accepted(root: Path) -> None:
    project.grant(found(root))
    counted = found(root).folder
    assert not counted.is_relative_to(root)
    assert (counted / "profiles" / "p.yaml").read_text() == "extends: default\n"
    (counted / "profiles" / "p.yaml").write_text("extends: coder\n")
    assert not found(root).is_trusted  # nobody has accepted that


def test_too_many_files_are_refused(root: Path) -> None:
    for number in range(project.FILES_AT_MOST + 1):
        (root / ".agentcli" / f"{number}.md").touch()
    with pytest.raises(ConfigError, match="more than"):
        project.find_project(root)


def test_a_damaged_record_of_trust_is_an_error_and_not_trust(root: Path) -> None:
    project.grant(found(root))
    trust.trust_file().write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        project.find_project(root)


def test_what_became_of_each_file_is_told(root: Path) -> None:
    (root / "AGENTS.md").write_text("one")
    project.grant(found(root))
    (root / "AGENTS.md").write_text("two")
    (root / "CLAUDE.md").write_text("new")
    (root / ".agentcli" / "profiles" / "p.yaml").unlink()
    assert found(root).changes() == [
        (".agentcli/profiles/p.yaml", "gone"),
        ("AGENTS.md", "changed"),
        ("CLAUDE.md", "new"),
    ]


def test_a_project_inside_of_a_trusted_one_is_not_trusted_with_it(root: Path) -> None:
    (root / "vendor" / "lib" / ".agentcli").mkdir(parents=True)
    (root / "vendor" / "lib" / ".agentcli" / "settings.yaml").write_text("profile: coder\n")
    project.grant(found(root))
    inner = found(root / "vendor" / "lib")
    assert (inner.root, inner.doubt) == (root / "vendor" / "lib", "new")
    assert found(root / "vendor").is_trusted


def test_a_folder_of_its_own_that_is_a_link_out_is_refused(root: Path, tmp_path: Path) -> None:
    (root / ".agentcli").rename(tmp_path / "elsewhere")
    (root / ".agentcli").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="leads out of the project"):
        project.find_project(root)


@pytest.mark.parametrize("name", ["a\nb.yaml", "a\x1b[2J.yaml", "a\u202eb.yaml", b"\xff.yaml"])
def test_a_name_that_a_terminal_or_a_line_would_misread_is_refused(
    root: Path, name: str | bytes
) -> None:
    plain = os.fsdecode(name)
    (root / ".agentcli" / plain).touch()
    with pytest.raises(ConfigError, match="a name must be plain UTF-8") as caught:
        project.find_project(root)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a\nb", b"\xff"])
def test_a_project_whose_path_would_be_misread_is_refused(root: Path, name: str | bytes) -> None:
    there = root.parent / os.fsdecode(name)
    root.rename(there)
    with pytest.raises(ConfigError, match="the path of a project must be plain UTF-8") as caught:
        project.find_project(there)
    assert str(caught.value).isprintable()


def test_huge_files_are_refused_by_name(root: Path) -> None:
    with (root / "AGENTS.md").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match=r"AGENTS.md: with it these are more than"):
        project.find_project(root)


def test_files_of_another_user_are_known_by_its_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = (root / ".agentcli").stat().st_uid
    assert found(root).strangers == []
    here = project.Project(root, owners=frozenset({owner, 0, 54321}))
    assert here.strangers == ["the user 54321"]
    if owner:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
        assert found(root).strangers == [project.user_name(owner)]
