"""A bundle may come from anybody: what it may not hold, and what is left out of ours."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import random
import resource
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcli.core.event import RunStarted
from agentcli.core.plan import Plan
from agentcli.core.policy import Policy
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import Agent
from agentcli.errors import (
    AgentcliError,
    InputError,
    LedgerDamagedError,
    LedgerError,
    MissingFileError,
)
from agentcli.ledger import bundle
from agentcli.ledger.bundle import import_run, opened_run, unpack, write_bundle
from agentcli.ledger.find import find_run
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.line import Chain
from agentcli.ledger.vault import Outputs, Vault

RUN = "20261123-113000-123abc"
SECRET = "sk-ant-api03-" + "aB3" * 9


def make_run(state: Path, text: str = "Go.") -> RunFolder:
    folder = RunFolder(state / "runs" / RUN)
    folder.path.mkdir(parents=True, mode=0o700)
    agent = Agent("react", text)
    plan = Plan("default", "m", "", agent, Policy(), SandboxSpec(), title="A title")
    folder.keep_plan(plan, ())
    started = RunStarted(RUN, agent, plan=plan.digest(), title="A title")
    vault = Vault(folder.private)
    folder.ledger.write_bytes(Chain().write(vault.clean(started), 1_000_000)[1])
    Outputs(folder.outputs).put("a whole output")
    return folder


def export(folder: RunFolder, path: Path, *, with_private: bool = False) -> Path:
    write_bundle(folder, path, with_private=with_private, force=False)
    return path


def members(path: Path) -> dict[str, bytes]:
    """Return what a bundle holds, as any tar would unpack it."""
    with tarfile.open(path) as tar:
        found = {}
        for info in tar:
            file = tar.extractfile(info)
            assert file
            found[info.name] = file.read()
        return found


def tar_of(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def entry(name: str, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def test_a_bundle_holds_the_run_and_a_digest_of_each_file(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    path = export(folder, tmp_path / "x.agentrun")
    held = members(path)
    manifest = json.loads(held.pop("manifest.json"))
    (output,) = folder.outputs.iterdir()
    assert list(held) == ["ledger.jsonl", "plan.json", f"outputs/{output.name}"]
    assert manifest["run"] == RUN
    assert manifest["files"] == {
        name: {
            "kind": "member",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_bytes": len(data),
        }
        for name, data in held.items()
    }
    assert path.stat().st_mode & 0o777 == 0o600
    again = export(folder, tmp_path / "y.agentrun")
    assert again.read_bytes() == path.read_bytes()


def test_secrets_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one", f"Use {SECRET}.")
    without = export(folder, tmp_path / "x.agentrun")
    assert not [name for name in members(without) if name.startswith("private")]
    assert all(SECRET.encode() not in data for data in members(without).values())
    taken = export(folder, tmp_path / "y.agentrun", with_private=True)
    assert any(SECRET.encode() in data for data in members(taken).values())
    with opened_run(tmp_path, str(taken)) as found:
        assert found.given() == folder.given()
        assert found.given().missing == 0
    with opened_run(tmp_path, str(without)) as found:
        assert found.given().missing == 1
        assert not found.private.exists(), "looking makes no folder"


def test_a_plan_whose_secrets_are_gone_does_not_go_on(tmp_path: Path) -> None:
    folder = make_run(tmp_path, f"Use {SECRET}.")
    for file in folder.private.iterdir():
        if file.name != "key":
            file.unlink()
    with pytest.raises(InputError, match="1 secrets of it are gone"):
        folder.plan()


def test_an_imported_run_is_the_same_and_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    path = export(folder, tmp_path / "x.agentrun")
    imported, is_new = import_run(tmp_path / "two", path)
    assert (imported.id, is_new) == (RUN, True)
    for name in ("ledger.jsonl", "plan.json"):
        assert (imported.path / name).read_bytes() == (folder.path / name).read_bytes()
    assert [file.name for file in imported.outputs.iterdir()] == [
        file.name for file in folder.outputs.iterdir()
    ]
    assert imported.path.stat().st_mode & 0o777 == 0o700
    assert imported.ledger.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="not resumed"):
        imported.plan()
    assert import_run(tmp_path / "two", path) == (imported, False)
    assert import_run(tmp_path / "one", path) == (folder, False)
    assert not folder.imported.exists(), "one's own run stays one's own"
    assert sorted(file.name for file in (tmp_path / "two").iterdir()) == ["runs"]


def test_last_is_never_an_imported_run(tmp_path: Path) -> None:
    path = export(make_run(tmp_path / "one"), tmp_path / "x.agentrun")
    import_run(tmp_path / "two", path)
    own = RunFolder(tmp_path / "two" / "runs" / "20250101-000000-123abc")
    own.path.mkdir()
    own.ledger.touch()
    assert find_run(tmp_path / "two", "last") == own


def test_an_id_that_is_taken_by_another_content_is_refused(tmp_path: Path) -> None:
    path = export(make_run(tmp_path / "one"), tmp_path / "x.agentrun")
    other = make_run(tmp_path / "two", "Something else.")
    before = other.ledger.read_bytes()
    with pytest.raises(InputError, match="is there already, with another"):
        import_run(tmp_path / "two", path)
    assert other.ledger.read_bytes() == before


def test_nothing_is_written_over_and_nothing_is_left_behind(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    path = tmp_path / "x.agentrun"
    path.write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        write_bundle(folder, path, with_private=False, force=False)
    assert path.read_text() == "mine"
    write_bundle(folder, path, with_private=False, force=True)
    assert "ledger.jsonl" in members(path)
    with pytest.raises(InputError):
        write_bundle(folder, tmp_path, with_private=False, force=True)
    with pytest.raises(AgentcliError, match="cannot be written"):
        write_bundle(folder, tmp_path / "no" / "x.agentrun", with_private=False, force=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one", "x.agentrun"]


def test_a_torn_end_is_left_out_and_a_damaged_ledger_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    whole = folder.ledger.read_bytes()
    folder.ledger.write_bytes(whole + b'{"hash":"12')
    assert members(export(folder, tmp_path / "x.agentrun"))["ledger.jsonl"] == whole
    folder.ledger.write_bytes(whole + b"junk\n")
    with pytest.raises(LedgerDamagedError):
        export(folder, tmp_path / "y.agentrun")


def test_a_link_among_the_outputs_is_not_followed(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    mine = tmp_path / "mine"
    mine.write_text("mine alone")
    (folder.outputs / f"{'a' * 24}.txt").symlink_to(mine)
    assert b"mine alone" not in members(export(folder, tmp_path / "x.agentrun")).values()


def hostile(change: Callable[[dict[str, bytes], dict[str, Any]], list[Any] | None]) -> Any:
    """Return what makes a bundle whose manifest fits its files but for one wicked change."""

    def make(path: Path) -> bytes:
        held = members(path)
        manifest = json.loads(held.pop("manifest.json"))
        extra = change(held, manifest) or []
        entries = [entry("manifest.json", json.dumps(manifest).encode())]
        return tar_of([*entries, *(entry(name, data) for name, data in held.items()), *extra])

    return make


def add(name: str, **more: Any) -> Any:
    """Add a file that the manifest names as well."""

    def change(held: dict[str, bytes], manifest: dict[str, Any]) -> list[Any]:
        data = b"" if more else b"owned"
        size = {"kind": "member", "sha256": hashlib.sha256(data).hexdigest()}
        manifest["files"][name] = {**size, "size_bytes": len(data)}
        return [entry(name, data, **more)]

    return hostile(change)


def swap(name: str, data: bytes) -> Any:
    return hostile(lambda held, manifest: held.update({name: data}))


def declare(**values: Any) -> Any:
    return hostile(lambda held, manifest: manifest.update(values))


def huge(held: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["files"]["plan.json"]["size_bytes"] = 1 << 40


def many(held: dict[str, bytes], manifest: dict[str, Any]) -> None:
    one = manifest["files"]["plan.json"]
    manifest["files"] |= {f"outputs/{n:024x}.txt": one for n in range(20_000)}


def one_word(held: dict[str, bytes], manifest: dict[str, Any]) -> None:
    held["plan.json"] = held["plan.json"].replace(b"A title", b"B title")


def no_plan(held: dict[str, bytes], manifest: dict[str, Any]) -> None:
    del held["plan.json"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (add("../evil.txt"), "no run has a file"),
        (add("outputs/../../evil.txt"), "no run has a file"),
        (add("/tmp/evil.txt"), "no run has a file"),
        (add("imported/../x"), "no run has a file"),
        (add("workspace/a"), "no run has a file"),
        (add("outputs/" + "0" * 24 + ".txt\n"), "no run has a file"),
        (add("private/key", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "not a plain file"),
        (add("private/key", type=tarfile.LNKTYPE, linkname="plan.json"), "not a plain file"),
        (add("private/key", type=tarfile.FIFOTYPE), "not a plain file"),
        (add("private/key", type=tarfile.CHRTYPE), "not a plain file"),
        (add("private/key", type=tarfile.DIRTYPE), "not a plain file"),
        (hostile(lambda h, m: [entry("../evil.txt", b"x")]), "not what the manifest says"),
        (hostile(lambda h, m: [entry("plan.json", h["plan.json"])]), "not what the manifest"),
        (hostile(lambda h, m: [entry("x" * 300, b"x")]), "not a plain file"),
        (hostile(huge), "a bundle holds at most"),
        (hostile(many), "a bundle holds at most"),
        (hostile(no_plan), "is missing|not what the manifest"),
        (hostile(one_word), "plan.json was changed"),
        (swap("plan.json", b"{}"), "not what the manifest says"),
        (declare(run="../../evil"), "no run's id"),
        (declare(run="20261123-113000-999zzz"), "another run's"),
        (declare(version=2), "made as version 2; this program knows 1"),
        (declare(files={}), "not what the manifest says"),
        (declare(files=[]), "manifest is none"),
        (declare(more=1), "manifest is none"),
        (lambda path: tar_of([entry("ledger.jsonl", b"x")]), "begin with a manifest"),
        (lambda path: gzip.compress(b""), "cut off"),
        (lambda path: gzip.compress(bytes(1 << 20)), "begin with a manifest"),
        (lambda path: b"not gzip at all", "not a bundle"),
        (lambda path: b"", "cut off"),
        (lambda path: path.read_bytes()[:-100], "cut off"),
        (lambda path: path.read_bytes()[: len(path.read_bytes()) // 2], "cut off"),
    ],
)
def test_what_no_export_writes_is_refused_and_nothing_of_it_stays(
    tmp_path: Path, make: Callable[[Path], bytes], says: str
) -> None:
    path = export(make_run(tmp_path / "one"), tmp_path / "x.agentrun")
    path.write_bytes(make(path))
    into = tmp_path / "deep" / "into"
    into.mkdir(parents=True)
    with pytest.raises(InputError, match=says) as caught:
        unpack(path, into)
    assert caught.value.exit_code == 65
    with pytest.raises(InputError):
        import_run(tmp_path / "two", path)
    assert list((tmp_path / "two" / "runs").iterdir()) == []
    assert not list(tmp_path.rglob("evil*"))


def test_a_small_file_that_unpacks_to_a_huge_one_is_not_unpacked(tmp_path: Path) -> None:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as file:
        info = tarfile.TarInfo("manifest.json")
        info.size = 1 << 33
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(50 << 20))
    path = tmp_path / "bomb.agentrun"
    path.write_bytes(out.getvalue())
    with pytest.raises(InputError, match="begin with a manifest"):
        unpack(path, tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_a_changed_byte_is_found_or_harms_nothing(tmp_path: Path, seed: int) -> None:
    """The gzip and tar headers hold bytes that mean nothing; whatever is unpacked is the run."""
    folder = make_run(tmp_path / "one")
    path = export(folder, tmp_path / "x.agentrun")
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[random.Random(seed).randrange(len(plain))] ^= 1 << (seed % 8)
    path.write_bytes(gzip.compress(bytes(plain)))
    try:
        found = unpack(path, tmp_path)
    except InputError:
        return
    assert found.ledger.read_bytes() == folder.ledger.read_bytes()
    assert found.given() == folder.given()


def test_what_is_not_there_or_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError), opened_run(tmp_path, "nope.agentrun"):
        pass
    (tmp_path / "a.agentrun").mkdir()
    os.mkfifo(tmp_path / "b.agentrun")
    for name in ("a.agentrun", "b.agentrun"):
        with (
            pytest.raises(InputError, match="no bundle"),
            opened_run(tmp_path, str(tmp_path / name)),
        ):
            pass


@contextlib.contextmanager
def no_file_above(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_room_for_what_is_unpacked_is_said_of_the_place_that_has_none(tmp_path: Path) -> None:
    path = export(make_run(tmp_path / "one"), tmp_path / "x.agentrun")
    into = tmp_path / "into"
    into.mkdir()
    with no_file_above(10), pytest.raises(LedgerError) as caught:
        unpack(path, into)
    assert str(caught.value) == f"{into}: cannot be written: File too large"
    with no_file_above(10), pytest.raises(LedgerError, match=r"\.import-.*File too large"):
        import_run(tmp_path / "two", path)
    assert list((tmp_path / "two" / "runs").iterdir()) == []


def test_without_a_temporary_folder_a_bundle_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export(make_run(tmp_path / "one"), tmp_path / "x.agentrun")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(LedgerError, match="no temporary folder"), opened_run(tmp_path, str(path)):
        pass


def test_a_bundle_is_opened_by_any_name_and_its_copy_goes_away(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    for name in ("x.agentrun", "x.tar.gz", "odd name"):
        path = export(folder, tmp_path / name)
        with opened_run(tmp_path, str(path)) as found:
            assert (found.id, found.started()) == (RUN, folder.started())
        assert not found.path.exists()
    with opened_run(tmp_path / "one", "last") as found:
        assert found == folder


def test_a_run_that_is_too_big_is_not_bundled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path / "one")
    monkeypatch.setattr(bundle, "MOST_BYTES", 100)
    with pytest.raises(InputError, match="a bundle holds at most"):
        export(folder, tmp_path / "x.agentrun")


def test_a_changed_plan_is_damage_also_with_a_manifest_that_fits(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    plan = folder.path / "plan.json"
    plan.write_bytes(plan.read_bytes().replace(b"A title", b"B title"))
    with pytest.raises(LedgerDamagedError, match="not what the run began with"):
        import_run(tmp_path / "two", export(folder, tmp_path / "x.agentrun"))
