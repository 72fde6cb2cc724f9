"""What happens when either end of a sandbox goes away, or speaks nonsense."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentcli.core.sandbox import SandboxFacts, SandboxSpec
from agentcli.errors import UnavailableError
from agentcli.loop.port import Sandbox
from agentcli.sandbox import bubblewrap
from agentcli.sandbox.process import open_process
from tests.sandbox.box import RUN, in_box, processes_of, sh, wait_until, why_not

OWNER = """
import asyncio, sys
from agentcli.core.sandbox import Job, SandboxSpec
from agentcli.sandbox.{backend} import open_sandbox
async def main():
    box = await open_sandbox(SandboxSpec(image={image!r}, workspace={workspace!r}), {run!r})
    script = "setsid sleep {word} & sleep {word}"
    await box.run(Job(("bash", "-c", "echo up; " + script)), lambda data: print("up", flush=True))
asyncio.run(main())
"""


def killed_owner(spec: SandboxSpec, word: str) -> None:
    """Open a sandbox in another process, start a job in it and kill that process outright."""
    code = OWNER.format(
        backend=spec.backend, image=spec.image, workspace=spec.workspace, word=word, run=RUN
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"up\n"
        assert wait_until(lambda: len(processes_of(word)) >= 2)
        owner.kill()


def test_a_sandbox_ends_with_its_owner_even_if_that_was_killed(spec: SandboxSpec) -> None:
    word = f"77{os.getpid()}.5"
    killed_owner(spec, word)
    assert wait_until(lambda: not processes_of(word))


def test_a_worker_that_dies_loses_its_jobs_and_leaves_none() -> None:
    word = f"78{os.getpid()}.5"
    spec = SandboxSpec(backend="local", workspace="/tmp")

    async def act(box: Sandbox) -> str:
        running = asyncio.create_task(sh(box, f"setsid sleep {word} & sleep {word}"))
        assert await asyncio.to_thread(wait_until, lambda: len(processes_of(word)) >= 2)
        supervisor = parent_of(processes_of(word)[0], above="bash")
        os.kill(parent_of(supervisor), signal.SIGKILL)
        end = await running
        assert processes_of(word) == []
        with pytest.raises(UnavailableError, match="gone"):
            await sh(box, "true")
        return end.ending

    assert in_box(spec, act) == "lost"


def parent_of(pid: int, above: str = "") -> int:
    """Return the parent of a process, or the first one above all that run `above`."""
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    if above and Path(f"/proc/{parent}/comm").read_text().strip() == above:
        return parent_of(parent)
    return parent


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo '{}'", "cannot be understood"),
        ("echo nonsense", "cannot be understood"),
        ("head -c 300000 /dev/zero; cat", "a line without an end"),
        ("echo broken >&2; exit 1", "broken"),
    ],
)
def test_a_worker_that_speaks_nonsense_is_unavailable(script: str, said: str) -> None:
    async def main() -> None:
        facts = SandboxFacts(backend="local", isolated=False, offline=False)
        argv = ["/bin/bash", "-c", f"read -r boot; {script}"]
        await open_process(argv, facts, SandboxSpec(), root="/", env={}, limits={}, hint="mend it")

    with pytest.raises(UnavailableError, match=said) as caught:
        asyncio.run(main())
    assert caught.value.hint == "mend it"


def test_nobody_asks_the_docker_sdk_before_a_sandbox_is_opened() -> None:
    code = "import sys, agentcli.sandbox.docker; sys.exit('docker' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_bubblewrap_takes_the_uid_of_the_workspaces_owner(workspace: Path) -> None:
    if reason := why_not("bubblewrap"):
        pytest.skip(reason)
    os.chown(workspace, 12345, 12345)
    spec = SandboxSpec(backend="bubblewrap", workspace=str(workspace))
    end = in_box(spec, lambda box: sh(box, "id -u; touch made"))
    assert end.output == b"12345\n"
    assert (workspace / "made").stat().st_uid == 12345


def test_bubblewrap_hides_the_machine_and_has_no_network() -> None:
    if reason := why_not("bubblewrap"):
        pytest.skip(reason)
    spec = SandboxSpec(backend="bubblewrap", workspace="/tmp", writable=False)
    script = (
        "ls /root /home /var /etc/passwd; touch /workspace/x; touch /usr/x /x;"
        " grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; tail -n +3 /proc/net/dev | wc -l"
    )
    text = in_box(spec, lambda box: sh(box, script)).output.decode()
    assert text.count("No such file") == 4
    assert text.count("Read-only file system") == 3
    assert "CapEff:\t0000000000000000" in text
    assert "CapBnd:\t0000000000000000" in text
    assert "NoNewPrivs:\t1" in text


def test_a_missing_bubblewrap_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    health = bubblewrap.check("")
    assert (health.ok, health.fix) == (False, bubblewrap.INSTALL)
