"""What is read and written anew by several at once is changed by each of them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentcli.config.always import add_always, read_always
from agentcli.config.lock import locked
from agentcli.config.trust import read_trust
from agentcli.errors import LedgerError
from tests.config.test_project import found

MANY = 12
ADD = """
import sys
from agentcli.config.always import add_always
add_always({"name": f"always-{sys.argv[1]}", "effect": "allow", "tool": "shell", "command": ["ls"]})
"""
GRANT = """
import sys
from pathlib import Path
from agentcli.config.project import grant
from tests.config.test_project import found
grant(found(Path(sys.argv[1])))
"""


def at_once(code: str, arguments: list[str]) -> None:
    running = [subprocess.Popen([sys.executable, "-c", code, one]) for one in arguments]
    assert [one.wait(60) for one in running] == [0] * len(arguments)


def test_no_rule_is_lost_of_many_that_are_kept_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTCLI_HOME", str(tmp_path))
    at_once(ADD, [str(number) for number in range(MANY)])
    names = {rule["name"] for rule in read_always()["rules"]}
    assert names == {f"always-{number}" for number in range(MANY)}


def test_no_project_is_lost_of_many_that_are_trusted_at_once(root: Path) -> None:
    roots = [root.with_name(f"app{number}") for number in range(MANY)]
    for one in roots:
        shutil.copytree(root, one)
    at_once(GRANT, [str(one) for one in roots])
    assert read_trust().keys() == {str(one) for one in roots}
    assert all(found(one).is_trusted for one in roots)


def test_a_place_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policies").write_text("a file")
    monkeypatch.setenv("AGENTCLI_HOME", str(tmp_path))
    with pytest.raises(LedgerError, match=r"always\.yaml: cannot be written: "):
        add_always({"name": "a", "effect": "allow"})
    with pytest.raises(LedgerError), locked(tmp_path / "policies" / "x"):
        raise AssertionError("never here")
