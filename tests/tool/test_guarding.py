"""What code changed of protected paths is put back; what git and people do each day is left."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agentcli.tool.guarding import keep_protected
from agentcli.tool.snapshot import Snapshots

PROTECTED = (".agentcli", ".git/hooks", ".git/config", ".envrc", "!*.example")
Act = Callable[[Path], object]
EVIL = "#!/bin/sh\nevil\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    for path in (work, work / "sub"):
        git(path.parent, "init", path.name)
    git(work, "remote", "add", "origin", "https://git.example.org/ours")
    (work / ".git" / "hooks" / "pre-push").write_text("#!/bin/sh\nours\n")
    (work / ".envrc").write_text("ours")
    (work / "plain").write_text("ours")
    (work / "evil").mkdir()
    (work / "evil" / "config").write_text("[core]\n\tfsmonitor = evil\n")
    return work


def git(folder: Path, *words: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env=env)


def after(root: Path, act: Act) -> tuple[list[str], list[str], list[str]]:
    """Return what was put back, what could not be, and what is otherwise than before the act."""
    snapshots = Snapshots(root, root.parent / "store")
    before = snapshots.take()
    act(root)
    done, failed, now = keep_protected(snapshots, before, snapshots.take(), PROTECTED)
    assert now == snapshots.take(), "what is told of the state is so"
    return done, failed, snapshots.changes(before)


def write(name: str, text: str = EVIL) -> Act:
    def act(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return act


def set_config(text: str) -> Act:
    def act(root: Path) -> None:
        config = root / ".git" / "config"
        config.write_text(config.read_text() + text)

    return act


def as_link(name: str, target: str) -> Act:
    def act(root: Path) -> None:
        if (root / name).exists():
            (root / name).rename(root / "moved")
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(target)

    return act


@pytest.mark.parametrize(
    "act",
    [
        write(".git/hooks/pre-commit"),
        write(".git/hooks/pre-push"),
        write(".agentcli/settings.yaml"),
        write(".envrc"),
        write("sub/.envrc"),
        write("sub/.ENVRC"),
        write("deep/new/.git/hooks/post-checkout"),
        write("deep/.git/config", "[core]\n\tfsmonitor = evil\n"),
        write("deep/.git", "gitdir: ../evil\n"),
        lambda root: (root / ".envrc").unlink(),
        lambda root: shutil.rmtree(root / ".git"),
        lambda root: (root / ".git" / "hooks" / "pre-push").chmod(0o777),
        lambda root: (root / ".git" / "hooks" / "pre-commit").hardlink_to(root / "plain"),
        as_link(".git/hooks/post-merge", "../../plain"),
        as_link(".git/hooks", "../evil"),
        as_link(".git/config", "../evil/config"),
        as_link("deep/.git", "../evil"),
        as_link(".git", "evil"),
        set_config("[core]\n\thooksPath = /workspace/evil\n"),
        set_config("[alias]\n\tst = !evil\n"),
        set_config("[include]\n\tpath = ../evil/config\n"),
        set_config('[remote "origin"]\n\turl = https://evil.example\n'),
        set_config('[remote "other"]\n\turl = ext::sh -c evil\n'),
        set_config('[remote "other"]\n\turl = ext":":sh -c evil\n'),
        set_config('[remote "other"]\n\tuploadpack = evil\n'),
        set_config('[branch "main"]\n\tremote = https://evil.example\n'),
        set_config('[user "x"]\n\tname = a \\\n b\n'),
        lambda root: git(root, "remote", "remove", "origin"),
        lambda root: git(root, "config", "core.sshCommand", "evil"),
    ],
)
def test_what_code_changed_of_protected_paths_is_put_back(root: Path, act: Act) -> None:
    done, failed, changes = after(root, lambda root: (act(root), write("plain", "theirs")(root)))
    assert done
    assert failed == []
    # What is left beside it leads nowhere.
    left = [path for path in changes if path.partition("/")[0] not in ("moved", "deep", ".git")]
    assert not [path for path in changes if path.startswith((".git/hooks", ".git/config"))]
    assert left == ["plain"], "what else it did stays"
    assert not (root / "deep" / ".git").is_symlink()
    assert not any((root / "deep").rglob("config"))


@pytest.mark.parametrize(
    "act",
    [
        write("plain"),
        write(".envrc.example"),
        write(".git/HEAD", "ref: refs/heads/x\n"),
        write(".git/info/exclude", "x\n"),
        lambda root: git(root, "init", "fresh"),
        lambda root: git(root, "clone", "sub", "fresh"),
        lambda root: git(root, "remote", "add", "other", "git@git.example.org:ours"),
        lambda root: git(root, "config", "user.name", "Me"),
        set_config('[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n'),
        lambda root: shutil.rmtree(root / "sub"),
        lambda root: (root / "sub").rename(root / "dir"),
        lambda root: shutil.copytree(root / ".git", root / "copy" / ".git"),
    ],
)
def test_what_git_and_people_do_each_day_is_left(root: Path, act: Act) -> None:
    done, failed, changes = after(root, act)
    assert (done, failed) == ([], [])
    assert changes


def test_it_is_found_too_where_the_workspace_has_become_too_big_to_be_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = Snapshots(root, root.parent / "store")
    before = snapshots.take()
    monkeypatch.setattr("agentcli.tool.snapshot.FILES_AT_MOST", 120)
    for number in range(100):
        (root / f"many{number}").touch()
    write(".git/hooks/pre-commit")(root)
    write("sub/.git/config", "[core]\n\tfsmonitor = evil\n")(root)
    (root / ".envrc").unlink()
    assert snapshots.take() == ""
    done, failed, _ = keep_protected(snapshots, before, "", PROTECTED)
    assert done == [".envrc", ".git/hooks/pre-commit", "sub/.git/config"]
    assert failed == []
    assert (root / ".envrc").read_text() == "ours"
    assert not (root / ".git" / "hooks" / "pre-commit").exists()
    assert (root / "many99").exists()


def test_what_cannot_be_put_back_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object) -> None:
        raise PermissionError

    monkeypatch.setattr("agentcli.tool.restore.put", denied)
    done, failed, _ = after(root, write(".envrc"))
    assert (done, failed) == ([], [".envrc"])
