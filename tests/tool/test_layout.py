import hashlib
import os
import stat
from pathlib import Path

import msgspec
import pytest

from agentcli.errors import AgentcliError, LedgerDamagedError, LedgerError, MissingFileError
from agentcli.tool.layout import lay_out
from agentcli.tool.snapshot import Kept, Snapshots


def put(store: Path, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    (store / digest[:2]).mkdir(parents=True, exist_ok=True)
    (store / digest[:2] / digest).write_bytes(data)
    return digest


def forged(store: Path, *kept: Kept) -> str:
    """Keep a list that no snapshot would make, as the content of a file in a workspace can be."""
    return put(store, msgspec.json.encode(list(kept)))


def test_a_snapshot_is_laid_out_as_it_was(tmp_path: Path) -> None:
    work, store = tmp_path / "work", tmp_path / "store"
    (work / "deep" / "er").mkdir(parents=True)
    (work / "deep" / "er" / "a.txt").write_bytes(b"\x00\xffbytes")
    (work / "run.sh").write_text("echo\n")
    (work / "run.sh").chmod(0o755)
    (work / "there").symlink_to("deep/er")
    (work / "lost").symlink_to("/nonexistent/x")
    (work / ".env").write_text("KEY=1\n")
    (work / "empty").mkdir(mode=0o500)
    os.mkdir(os.fsencode(work) + b"/\xff\xfe")
    (work / "big.sh").write_text("x")
    (work / "big.sh").chmod(0o4755)
    snapshots = Snapshots(work, store, (".env",))
    handle = snapshots.take()
    target = tmp_path / "new"
    assert lay_out(store, handle, target) == 9
    assert (target / "deep" / "er" / "a.txt").read_bytes() == b"\x00\xffbytes"
    assert os.readlink(target / "there") == "deep/er"
    assert os.readlink(target / "lost") == "/nonexistent/x"
    assert stat.S_IMODE((target / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "empty").stat().st_mode) == 0o500
    assert stat.S_IMODE((target / "big.sh").stat().st_mode) == 0o755, "no set-uid bit"
    assert not (target / ".env").exists()
    (work / "big.sh").chmod(0o755)
    assert Snapshots(target, store).take() == Snapshots(work, store, (".env",)).take()


@pytest.mark.parametrize(
    "path", [b"../out", b"/tmp/out", b"a/../../out", b".", b"", b"a\0b", b"a//b"]
)
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: bytes) -> None:
    store = tmp_path / "store"
    handle = forged(store, Kept(path, 0o644, put(store, b"evil")))
    with pytest.raises(LedgerDamagedError, match="is no path"):
        lay_out(store, handle, tmp_path / "new")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("link", ["..", "/tmp"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    store = tmp_path / "store"
    evil = Kept(b"a/evil.txt", 0o644, put(store, b"evil"))
    handle = forged(store, Kept(b"a", 0, link), evil)
    with pytest.raises(LedgerDamagedError):
        lay_out(store, handle, tmp_path / "new")
    twice = forged(store, Kept(b"a", 0, link), Kept(b"a", 0o755, ""), evil)
    with pytest.raises(LedgerDamagedError):
        lay_out(store, twice, tmp_path / "newer")
    assert not (tmp_path / "evil.txt").exists()
    assert not Path("/tmp/evil.txt").exists()


def test_only_what_was_kept_is_laid_out(tmp_path: Path) -> None:
    store = tmp_path / "store"
    content = put(store, b"one")
    handle = forged(store, Kept(b"a", 0o644, content))
    (store / content[:2] / content).write_bytes(b"two")
    with pytest.raises(LedgerDamagedError, match="not what was kept"):
        lay_out(store, handle, tmp_path / "new")
    (store / content[:2] / content).unlink()
    with pytest.raises(MissingFileError, match="not kept here"):
        lay_out(store, handle, tmp_path / "newer")
    for wrong in ("f" * 64, "../x", "", put(store, b"no list")):
        with pytest.raises(AgentcliError):
            lay_out(store, wrong, tmp_path / f"n{wrong[:3].replace('/', '_')}")


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    store, new = tmp_path / "store", tmp_path / "new"
    handle = forged(store, Kept(b"a", 0o755, ""))
    new.mkdir()
    (new / "mine").touch()
    with pytest.raises(LedgerError):
        lay_out(store, handle, new)
    assert [path.name for path in new.iterdir()] == ["mine"]
