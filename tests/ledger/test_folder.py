import datetime
from pathlib import Path

import pytest

from agentcli.errors import InputError, MissingFileError
from agentcli.ledger.find import all_runs, find_run, new_run
from agentcli.ledger.folder import RunFolder

BEGIN = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)


def make_runs(state: Path, count: int) -> list[RunFolder]:
    runs = [new_run(state, BEGIN + datetime.timedelta(milliseconds=2 * i)) for i in range(count)]
    for run in runs:
        run.ledger.touch()
    return runs


def test_runs_of_one_second_are_listed_in_the_order_they_began(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, 30)
    assert list(all_runs(tmp_path)) == runs[::-1]
    assert find_run(tmp_path, "last") == runs[-1]


def test_a_run_is_found_by_its_id_a_unique_part_or_its_path(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, 3)
    for wanted in (runs[1].id, runs[1].id[-6:], str(runs[1].path), str(runs[1].ledger)):
        assert find_run(tmp_path, wanted) == runs[1]
    with pytest.raises(InputError, match="3 runs are named so"):
        find_run(tmp_path, "20261123")
    with pytest.raises(MissingFileError, match="no such run"):
        find_run(tmp_path, "2025")
    with pytest.raises(InputError, match="which run"):
        find_run(tmp_path, "")


def test_a_folder_that_is_named_without_its_path_is_pointed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for hint in ("List them: agentcli runs list", "A path is written ./here"):
        with pytest.raises(MissingFileError, match="here: no such run") as caught:
            find_run(tmp_path, "here")
        assert caught.value.hint == hint
        (tmp_path / "here").mkdir(exist_ok=True)


def test_a_run_s_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    run = new_run(tmp_path / "state", BEGIN)
    assert run.path.stat().st_mode & 0o777 == 0o700


def test_a_title_is_kept_privately_in_one_line_and_can_be_taken_away(tmp_path: Path) -> None:
    (run,) = make_runs(tmp_path, 1)
    assert run.label == ""
    run.rename(" Two\n  lines\t")
    assert (run.label, run.title.read_text()) == ("Two lines", "Two lines")
    assert run.title.stat().st_mode & 0o777 == 0o600
    run.rename("漢" * 200)
    assert run.label == "漢" * 200
    with pytest.raises(InputError, match="a title of 201 characters: at most 200"):
        run.rename("x" * 201)
    with pytest.raises(InputError, match="not UTF-8"):
        run.rename("\udcff")
    assert run.label == "漢" * 200
    run.rename("  ")
    run.rename("")
    assert (run.label, run.title.exists()) == ("", False)
    run.title.write_bytes(b"\xff" + b"x" * 10_000_000)
    assert len(run.label) == 800


def test_a_run_that_is_being_deleted_is_none(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, 2)
    runs[1].path.rename(runs[1].path.with_name(f".pruned-{runs[1].id}"))
    assert list(all_runs(tmp_path)) == runs[:1]
