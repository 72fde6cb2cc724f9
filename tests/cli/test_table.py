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
