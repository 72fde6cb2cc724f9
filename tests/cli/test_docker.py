"""The whole program on a real Docker engine."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from agentcli.sandbox.hidden import MASK
from tests.cli.conftest import Program, call
from tests.cli.test_fetch import allow
from tests.cli.test_run import wait_for
from tests.fake.site import Site, page
from tests.sandbox.box import IMAGE, wait_until, why_not

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


def test_a_page_is_read_for_a_container_that_has_no_network_itself(
    program: Program, words: tuple[str, ...]
) -> None:
    allow(program, private_hosts=["127.0.0.1"])
    (program.folder / "p.yaml").write_text(
        f"extends: default\nask: [write_file]\nsandbox: {{image: '{IMAGE}'}}\n"
    )
    with Site({"/": page(b"<p>Hello " * 500_000)}) as site:
        reach = f"import urllib.request; urllib.request.urlopen({site.url()!r})"
        played = program.play(
            call("fetch", url=site.url()),
            call("python", code=reach),
            {"text": "ok"},
            words=words,
        )
        read, refused = played.outputs()
        assert "Hello\n\nHello" in read
        assert "refused" in refused
        assert len(site.asked) == 1


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


@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_random_moments_leaves_no_container_and_ends_the_same(
    program: Program, words: tuple[str, ...], seed: int
) -> None:
    """The idempotent tool runs under one key; the one that is not runs at most once."""
    chance = random.Random(seed)
    turns = [
        call("write_file", path=f"{seed}.txt", content="whole\n"),
        call("shell", command="echo once >> log; sleep 0.3; echo end >> log"),
        {"delay_ms": 300, **call("read_file", path=f"{seed}.txt")},
        {"text": "All done.", "token_ms": 50},
    ]
    first = ("run", "--prompt", "Go.", "--model", program.script(*turns), *words)
    for _ in range(3):
        there = list(program.home.glob("runs/*/ledger.jsonl"))
        again = ("resume", "last", "--usd", "99") if there else first
        with program.start(*again) as running:
            time.sleep(chance.uniform(0.3, 3))
            running.kill()
            running.communicate()
        ledgers = list(program.home.glob("runs/*/ledger.jsonl"))
        assert wait_until(lambda: not containers_of(program, running=True))
        if ledgers and ledgers[0].stat().st_size:
            assert program.run("replay", "last", "--verify").returncode == 0
    there = list(program.home.glob("runs/*/ledger.jsonl"))
    ended = program.run(*(("resume", "last", "--usd", "99") if there else first), "--json")
    assert json.loads(ended.stdout)["answer"] == "All done."
    assert program.run("replay", "last", "--verify").returncode == 0
    assert (program.folder / f"{seed}.txt").read_text() == "whole\n"
    # One that was made and not yet started when its program was killed is left to be cleaned.
    assert program.run("sandbox", "clean").returncode == 0
    assert containers_of(program) == []
    log = program.folder / "log"
    assert (log.read_text() if log.exists() else "").count("once") <= 1


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


NO_NETWORK = """
import socket

def refuse(*args, **named):
    raise AssertionError("a replay wants the network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


def test_a_recorded_run_is_verified_without_docker_network_or_the_home_it_was_made_in(
    program: Program, words: tuple[str, ...]
) -> None:
    both = [{"tool": "shell", "args": {"command": f"echo {n} >> log; cat log"}} for n in range(2)]
    looks = [{"tool": "calculator", "args": {"expression": f"{n}*2"}} for n in range(3)]
    played = program.play(
        call("write_file", path="a.txt", content="alpha\n"),
        {"calls": [*both, *looks]},
        call("python", code="sorted(open('log'))"),
        {"text": "ok"},
        words=words,
    )
    assert played.code == 0, played.document
    run = str(played.document["run"])
    bundle = program.folder / "kept.agentrun"
    assert program.run("runs", "export", run, "--bundle", str(bundle)).returncode == 0
    program.environ["AGENTCLI_HOME"] = str(program.folder / "elsewhere")
    assert program.run("runs", "import", str(bundle)).returncode == 0
    elsewhere, program.environ = program.environ, {}

    blocked = program.folder / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(NO_NETWORK)
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "PATH": "/nowhere"}
    nowhere["PYTHONPATH"] = f"{blocked}:{program.env()['PYTHONPATH']}"
    for environ in ({}, elsewhere):
        program.environ = {**environ, **nowhere}
        verified = program.run("replay", run, "--verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert f"ok: {len(played.events)} records" in verified.stdout


def test_verify_needs_no_network_at_all_where_one_can_be_taken_away(
    program: Program, words: tuple[str, ...]
) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-n", "true"]).returncode:
        pytest.skip("a process cannot be cut off from the network here")
    played = program.play(call("shell", command="echo hi"), {"text": "ok"}, words=words)
    program.environ = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    verified = subprocess.run(
        ["unshare", "-n", *program.argv("replay", played.document["run"], "--verify")],
        cwd=program.folder,
        env=program.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"ok: {len(played.events)} records" in verified.stdout


def containers_of(program: Program, *, running: bool = False) -> list[str]:
    """Return the ids of the containers of all runs of a program, or of those that run."""
    runs = program.home.glob("runs/*")
    return [id for run in runs for id in containers(run.name, running=running)]


def containers(run: str, *, running: bool = False) -> list[str]:
    """Return the ids of a run's containers, or of those that run."""
    import docker

    client = docker.from_env()
    try:
        found = client.containers.list(all=not running, filters={"label": f"agentcli.run={run}"})
        return [str(container.id) for container in found]
    finally:
        client.close()
