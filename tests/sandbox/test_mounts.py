"""Folders and files of the host beside the workspace: what holds for each, in a real sandbox."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agentcli.core.sandbox import HIDDEN, JobEnd, Mount, SandboxSpec
from agentcli.errors import UnavailableError
from agentcli.loop.port import Sandbox
from tests.sandbox.box import in_box, sh


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_text("from outside")
    return folder


def with_mounts(spec: SandboxSpec, *mounts: Mount) -> SandboxSpec:
    return msgspec.structs.replace(spec, mounts=mounts)


def said(spec: SandboxSpec, script: str) -> str:
    return in_box(spec, lambda box: sh(box, script)).output.decode()


def test_mounts_are_seen_by_their_names_and_said(boxed: SandboxSpec, data: Path) -> None:
    spec = with_mounts(
        boxed,
        Mount("in.1", str(data)),
        Mount("out", str(data / "sub"), writable=True),
        Mount("one", str(data / "a")),
    )

    async def act(box: Sandbox) -> tuple[JobEnd, tuple[str, ...]]:
        script = "ls /mnt; cat /mnt/in.1/a /mnt/one; echo new > /mnt/out/made; cat /mnt/in.1/sub/*"
        return await sh(box, script), box.facts.notes

    end, notes = in_box(spec, act)
    assert end.output.decode() == "in.1\none\nout\nfrom outsidefrom outsidenew\n"
    made = data / "sub" / "made"
    assert (made.read_text(), made.stat().st_uid) == ("new\n", data.stat().st_uid)
    assert f"/mnt/in.1 is {data}, read-only" in notes
    assert f"/mnt/out is {data / 'sub'}, writable: what is changed there cannot be undone" in notes


@pytest.mark.parametrize(
    "way",
    [
        "echo x > /mnt/data/a",
        "echo x > /mnt/data/new",
        "rm -rf /mnt/data/a /mnt/data/sub",
        "mv /mnt/data/a /mnt/data/b",
        "touch /mnt/data/a; chmod 777 /mnt/data/a",
        "ln /mnt/data/a /workspace/twin; echo x >> /workspace/twin",
        "mount -o remount,rw,bind /mnt/data; echo x > /mnt/data/a",
        "unshare -Urm sh -c 'mount -o remount,rw,bind /mnt/data; echo x > /mnt/data/a'",
        "cd /mnt/data/..; rm -rf data/a; echo x > new",
        "echo x > /proc/self/root/mnt/data/a",
        "echo x > /mnt/one; rm -f /mnt/one",
    ],
)
def test_what_is_mounted_read_only_cannot_be_changed(
    boxed: SandboxSpec, data: Path, way: str
) -> None:
    before = (data / "a").stat()
    mounts = Mount("data", str(data)), Mount("one", str(data / "a"))
    said(with_mounts(boxed, *mounts), way)
    assert sorted(path.name for path in data.iterdir()) == ["a", "sub"]
    assert (data / "a").read_text() == "from outside"
    assert (data / "a").stat().st_mtime_ns == before.st_mtime_ns
    assert (data / "a").stat().st_mode == before.st_mode


def test_links_in_a_mount_do_not_lead_to_the_host(boxed: SandboxSpec, data: Path) -> None:
    (data.parent / "secret").write_text("hunter2")
    (data / "up").symlink_to("../secret")
    (data / "absolute").symlink_to(data.parent / "secret")
    text = said(with_mounts(boxed, Mount("data", str(data))), "cat /mnt/data/up /mnt/data/absolute")
    assert "hunter2" not in text


def test_a_mount_that_is_gone_or_was_swapped_for_a_link_keeps_the_sandbox_shut(
    boxed: SandboxSpec, data: Path, tmp_path: Path
) -> None:
    spec = with_mounts(boxed, Mount("data", str(data / "sub")))
    (data / "sub").rmdir()
    with pytest.raises(UnavailableError, match=f"mount data is gone: {data}/sub"):
        said(spec, "true")
    (data / "sub").symlink_to(tmp_path)
    with pytest.raises(UnavailableError, match="is now a link"):
        said(spec, "true")
    (data / "sub").unlink()
    os.mkfifo(data / "sub")
    with pytest.raises(UnavailableError, match="no folder or regular file"):
        said(spec, "true")
    shutil.rmtree(data)
    (tmp_path / "elsewhere" / "sub").mkdir(parents=True)
    data.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="is now a link"):
        said(spec, "true")


def test_a_tool_cannot_swap_one_mount_for_a_way_to_the_host(
    boxed: SandboxSpec, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter2")
    both = Mount("all", str(data), writable=True), Mount("sub", str(data / "sub"))
    spec = with_mounts(boxed, *both)
    said(spec, f"rmdir /mnt/all/sub; ln -s {tmp_path} /mnt/all/sub")
    assert (data / "sub").is_symlink()
    with pytest.raises(UnavailableError, match="is now a link"):
        said(spec, "cat /mnt/sub/secret")


@pytest.fixture
def disk(data: Path) -> Iterator[Path]:
    """A file system of its own, mounted inside of what is mounted."""
    made = ["mount", "-t", "tmpfs", "none", str(data / "sub")]
    if os.geteuid() or subprocess.run(made, capture_output=True).returncode:
        pytest.skip("mounts nothing here")
    (data / "sub" / "a").write_text("on the disk")
    (data / "sub" / ".env").write_text("hunter2")
    yield data / "sub"
    subprocess.run(["umount", str(data / "sub")], check=True)


def test_another_file_system_in_a_read_only_mount_cannot_be_changed_either(
    boxed: SandboxSpec, data: Path, disk: Path
) -> None:
    spec = msgspec.structs.replace(with_mounts(boxed, Mount("data", str(data))), hidden=HIDDEN)
    text = said(spec, "cat /mnt/data/a /mnt/data/sub/.env; echo x > /mnt/data/sub/a")
    assert "from outside" in text
    assert "hunter2" not in text
    assert (disk / "a").read_text() == "on the disk"
