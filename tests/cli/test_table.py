import io

import pytest

from agentcli.cli.table import print_table


class Wide(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_last_column_alone_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Wide()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(("run", "status", "title"), [("20261123-113000", "done", "words " * 20)])
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert [line.split()[:2] for line in lines] == [["run", "status"], ["20261123-113000", "done"]]
    assert lines[1].rstrip().endswith("…")


def test_on_a_narrow_terminal_the_second_column_goes_before_the_first_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = Wide()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    run = "20261123-113000-abc123"
    names = ("run", "began", "status", "turns", "cost", "title")
    print_table(names, [(run, "2026-11-23 11:30", "waiting", "4", "$0.0184", "words " * 20)])
    head, row = out.getvalue().splitlines()
    assert head.split() == ["run", "status", "turns", "cost", "title"]
    assert row.split()[:4] == [run, "waiting", "4", "$0.0184"]
    assert max(len(head), len(row)) <= 60
