"""What is destroyed is what the run itself has kept, and nothing else."""

from pathlib import Path

import pytest

from agentcli.core.event import Event, RunStarted, ToolEnded
from agentcli.core.step import Agent
from agentcli.errors import InputError
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.line import Chain
from agentcli.ledger.redaction import Found, Output, find_private
from agentcli.ledger.vault import Outputs


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "r1")
    folder.path.mkdir(parents=True)
    (folder.path / "plan.json").write_text("{}")
    return folder


def write(folder: RunFolder, *events: Event) -> None:
    chain = Chain()
    lines = [chain.write(event, 1)[1] for event in (RunStarted("r1", Agent("react")), *events)]
    folder.ledger.write_bytes(b"".join(lines))


def test_a_whole_output_is_found_by_its_handle(folder: RunFolder) -> None:
    handle = Outputs(folder.outputs).put("much")
    write(folder, ToolEnded(("main/call.1", 1), "done", full=handle))
    found = find_private(folder)
    assert found == Found([], [Output(handle, 4, 2)])
    assert found.chosen([f"outputs/{handle}"]) == found


@pytest.mark.parametrize(
    "name", ["../../../victim.txt", "../plan.json", "..", "{path}", "x" * 5_000]
)
def test_a_ledger_cannot_name_any_other_file_to_be_destroyed(
    folder: RunFolder, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    folder.outputs.mkdir()
    name = name.format(path=victim)
    write(folder, ToolEnded(("main/call.1", 1), "done", full=name))
    found = find_private(folder)
    assert found == Found([], [])
    with pytest.raises(InputError, match="no output of this run"):
        found.chosen([name])
