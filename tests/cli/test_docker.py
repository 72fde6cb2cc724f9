"""The whole program on a real Docker engine."""

import json
import os
import signal
import time

import pytest

from agentcli.sandbox.hidden import MASK
from tests.cli.conftest import Program, call
from tests.cli.test_run import wait_for
from tests.sandbox.box import IMAGE, why_not

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(bool(why_not("docker")), reason=why_not("docker") or "docker works"),
]


@pytest.fixture
def words(program: Program) -> tuple[str, ...]:
    # The sandbox's user comes by way of these folders.
    for folder in (program.folder.parent, program.folder.parent.parent):
        folder.chmod(0o711)
    (program.folder / "p.yaml").write_text(f"extends: default\nsandbox: {{image: '{IMAGE}'}}\n")
    return ("--profile", "./p.yaml", "--sandbox", "docker")


def test_tools_run_in_a_container_that_is_gone_afterwards(
    program: Program, words: tuple[str, ...]
) -> None:
    played = program.play(
        call("shell", command="grep CapEff /proc/self/status; cat /proc/net/dev | wc -l; touch /x"),
        call("python", code="x = 1"),
        call("python", code="x + 1"),
        {"text": "ok"},
        words=words,
    )
    first, _, last = played.outputs()
    assert "CapEff:\t0000000000000000\n3\n" in first
    assert "Read-only file system" in first
    assert last.strip() == "2"
    assert containers(played.document["run"]) == []


def test_a_run_killed_in_mid_tool_leaves_no_container_resumes_and_verifies(
    program: Program, words: tuple[str, ...]
) -> None:
    slow = call("shell", command="echo begun >> log; sleep 30; echo ended >> log")
    model = program.script(slow, {"expect": "not known", "text": "Went on."})
    with program.start("run", "--prompt", "Go.", "--model", model, *words) as running:
        wait_for(program.folder / "log")
        os.kill(running.pid, signal.SIGKILL)
    run = next((program.home / "runs").iterdir()).name
    for _ in range(100):
        if not containers(run):
            break
        time.sleep(0.1)
    assert containers(run) == []
    resumed = program.run("resume", "last", "--json")
    assert json.loads(resumed.stdout)["answer"] == "Went on."
    assert (program.folder / "log").read_text() == "begun\n"
    assert program.run("replay", "last", "--verify").returncode == 0


def test_a_missing_image_is_said_with_the_command_that_builds_it(
    program: Program, words: tuple[str, ...]
) -> None:
    (program.folder / "p.yaml").write_text("extends: default\nsandbox: {image: 'nope:1'}\n")
    played = program.play(call("shell", command="true"), {"text": "ok"}, words=words)
    assert played.code == 69
    assert "agentcli sandbox build" in played.document["hint"]


def test_what_works_here_is_said_and_nothing_is_left_to_clean(program: Program) -> None:
    checked = program.run("sandbox", "check", "--image", IMAGE)
    assert "✓ docker" in checked.stdout
    assert program.run("sandbox", "clean").returncode == 0


def test_mounts_and_secret_files_are_in_a_container_what_they_are_said_to_be(
    program: Program, words: tuple[str, ...]
) -> None:
    data = program.folder.parent / "data"
    data.mkdir()
    (data / "a").write_text("from outside")
    for folder in (program.folder, data):
        (folder / ".env").write_text("TOKEN=hunter2")
    script = "cat .env /mnt/data/.env /mnt/data/a; echo x > /mnt/data/new; rm -f .env; cat .env"
    played = program.play(
        call("shell", command=script),
        call("read_file", path="/mnt/data/a"),
        {"text": "ok"},
        words=(*words, "--mount", str(data)),
    )
    shell, read = played.outputs()
    assert shell.count(MASK) == 3
    assert "from outside" in shell
    assert "Read-only file system" in shell
    assert "from outside" in read
    assert "hunter2" not in shell + read
    assert sorted(path.name for path in data.iterdir()) == [".env", "a"]
    assert (program.folder / ".env").read_text() == "TOKEN=hunter2"


def containers(run: str) -> list[str]:
    """Return the ids of a run's containers."""
    import docker

    client = docker.from_env()
    try:
        found = client.containers.list(all=True, filters={"label": f"agentcli.run={run}"})
        return [str(container.id) for container in found]
    finally:
        client.close()
