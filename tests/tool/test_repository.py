import subprocess
from pathlib import Path

import pytest

from agentcli.core.command import only_reads
from agentcli.tool.repository import WHY, is_plain_config, with_repositories
from agentcli.tool.shell import parse


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    subprocess.run(["git", "init", "-q", str(root / "nested" / "deep")], check=True)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / "plain").mkdir()
    return root


def runs(repository: Path, command: str) -> bool:
    """Return whether git is found to run code in it."""
    found = with_repositories(parse(command), repository).commands
    assert all(command.power == "reads" or command.why == WHY for command in found)
    return not only_reads(found)


COMMANDS = (
    "cd /workspace/plain; git log",
    "git status",
    "git -C plain diff",
    "cd plain && git log",
    "env git show",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_git_only_reads_in_a_repository_as_it_is_made(repository: Path, command: str) -> None:
    with (repository / ".git/config").open("a") as file:
        file.write('[remote "origin"]\n\turl = x\n\tfetch = y\n[user]\n\tname = a # b\n')
    assert not runs(repository, command)
    assert not runs(repository, "cd /workspace/plain; git log"), "as the sandbox calls it"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "config",
    [
        '[filter "x"]\n\tclean = rm a\n',
        '[diff "x"]\n\ttextconv = rm a\n',
        "[diff]\n\texternal = rm a\n",
        "[include]\n\tpath = ../evil\n",
        '[core] worktree = ..\n[FILTER "x"] clean = rm a\n',
        "[core]\n\tSSHCommand = rm a\n",
        '[remote "origin"]\n\tuploadpack = rm a\n',
        "[core]\n\tbare = \\\n[diff]\n",
        "[extensions]\n\tpartialClone = origin\n",
    ],
)
def test_git_runs_code_where_the_repository_may_name_it(
    repository: Path, command: str, config: str
) -> None:
    with (repository / ".git/config").open("a") as file:
        file.write(config)
    assert runs(repository, command)
    assert not runs(repository, "ls plain"), "only git is meant"


@pytest.mark.parametrize(
    "command",
    [
        "git -C .. log",
        "cd /tmp; git log",
        "cd plain; cd ..; git log",
        "cd -; git log",
        "popd; git log",
    ],
)
def test_a_repository_that_is_elsewhere_is_not_trusted(repository: Path, command: str) -> None:
    assert runs(repository, command)


def test_a_repository_in_the_workspace_is_looked_at_where_the_command_goes(
    repository: Path,
) -> None:
    config = repository / "nested/deep/.git/config"
    config.write_text(f"{config.read_text()}[diff]\n\texternal = rm a\n")
    assert runs(repository, "git -C nested/deep diff")
    assert runs(repository, "cd nested/deep/.git && git diff")
    assert not runs(repository, "cd nested && git diff")


@pytest.mark.parametrize("name", ["modules", "commondir", "config.worktree"])
def test_a_repository_with_more_config_is_not_trusted(repository: Path, name: str) -> None:
    (repository / ".git" / name).mkdir()
    assert runs(repository, "git status")


def test_a_git_that_leads_elsewhere_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    assert not runs(tmp_path / "work", "git status"), "there is none"
    (tmp_path / "work/.git").write_text("gitdir: ../evil\n")
    assert runs(tmp_path / "work", "git status")
    (tmp_path / "work/.git").unlink()
    (tmp_path / "work/.git").symlink_to("../evil")
    assert runs(tmp_path / "work", "git status")


def test_a_config_that_is_not_understood_is_not_plain() -> None:
    assert is_plain_config("; a\n[core]\n\tbare = false\n\n# b\n")
    for text in ("[core] bare = false", "bare", "[a.b]\n", "[core]\n= x", "\ufeff[core]"):
        assert not is_plain_config(text), text
