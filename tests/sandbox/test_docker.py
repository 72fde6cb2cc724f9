"""What the Docker sandbox bounds beyond the common promise, against a real engine."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agentcli.core.sandbox import JobEnd, SandboxSpec
from agentcli.errors import UnavailableError
from agentcli.loop.port import Sandbox
from agentcli.sandbox import docker as backend
from agentcli.sandbox import engine
from tests.sandbox.box import IMAGE, RUN, in_box, opened, py, sh, wait_until
from tests.sandbox.test_worker import killed_owner

pytestmark = pytest.mark.docker

DENIED = """
import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
numbers = {
    "x86_64": dict(ptrace=101, io_uring_setup=425, keyctl=250, bpf=321, perf_event_open=298,
        userfaultfd=323, unshare=272, setns=308, mount=165, process_vm_readv=310, add_key=248,
        chroot=161, pivot_root=155, open_by_handle_at=304, kexec_load=246, init_module=175),
    "aarch64": dict(ptrace=117, io_uring_setup=425, keyctl=219, bpf=280, perf_event_open=241,
        userfaultfd=282, unshare=97, setns=268, mount=40, process_vm_readv=270, add_key=217,
        chroot=51, pivot_root=41, open_by_handle_at=265, kexec_load=104, init_module=105),
}[platform.machine()]
for name, number in numbers.items():
    ctypes.set_errno(0)
    libc.syscall(number, 0, 0, 0, 0, 0, 0)
    if ctypes.get_errno() != errno.EPERM:
        print(name, errno.errorcode.get(ctypes.get_errno()))
import socket
for family in (38, 40, 17):
    try:
        socket.socket(family, socket.SOCK_STREAM)
    except PermissionError:
        continue
    except OSError as error:
        print(family, error)
    else:
        print(family, "made")
"""


@pytest.fixture
def containers() -> Iterator[Callable[[], list[str]]]:
    """Return a search for the ids of the containers that these tests have made."""
    client = engine.connect()
    label = {"label": f"{engine.RUN_LABEL}={RUN}"}
    yield lambda: [each["Id"] for each in client.api.containers(all=True, filters=label)]
    client.close()


def test_dangerous_system_calls_are_refused(docker_spec: SandboxSpec) -> None:
    end = in_box(docker_spec, lambda box: py(box, DENIED))
    assert (end.exit, end.output) == (0, b"")


def test_threads_subprocesses_and_local_sockets_work(docker_spec: SandboxSpec) -> None:
    code = """
import asyncio, concurrent.futures, multiprocessing, socket, sqlite3, ssl, subprocess, tempfile
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(len, ["a", "bb"])))
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(
    server.getsockname()):
    pass
multiprocessing.Lock()
async def start():
    await (await asyncio.create_subprocess_exec("true")).wait()
asyncio.run(start())
print(subprocess.run(["git", "--version"], capture_output=True).returncode)
made = sqlite3.connect("/workspace/x.db").execute("create table t (a)")
"""
    assert in_box(docker_spec, lambda box: py(box, code)).output == b"3\n0\n"


def test_it_has_no_rights_no_network_and_a_root_that_cannot_be_written(
    docker_spec: SandboxSpec,
) -> None:
    script = (
        "grep -E 'Cap(Eff|Bnd|Prm|Amb)|NoNewPrivs|Seccomp:' /proc/self/status;"
        " touch /x /usr/x; ls /sys/class/net; ls /var/run/docker.sock; findmnt -no OPTIONS /tmp"
    )
    text = in_box(docker_spec, lambda box: sh(box, script)).output.decode()
    assert text.count("\t0000000000000000") == 4
    assert "NoNewPrivs:\t1" in text
    assert "Seccomp:\t2" in text
    assert text.count("Read-only file system") == 2
    assert "\nlo\n" in text
    assert "eth0" not in text
    assert "nosuid,nodev" in text


def test_out_of_memory_is_told_and_the_sandbox_goes_on(docker_spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> list[JobEnd]:
        eat = "x = b'x' * 400_000_000"
        return [
            await sh(box, f'python3 -c "{eat}"'),
            await sh(box, f'python3 -c "{eat}" | cat; exit ${{PIPESTATUS[0]}}'),
            await py(box, eat),
            await sh(box, "kill -9 $$"),
            await sh(box, "echo on"),
        ]

    ends = in_box(docker_spec, act)
    assert [end.ending for end in ends] == [*["out_of_memory"] * 3, "exit", "exit"]


def test_a_fork_bomb_ends_at_the_limit_of_processes(docker_spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> bytes:
        bomb = "f() { f | f & }; f; sleep 20"
        end = await sh(box, bomb, timeout_ms=1500)
        assert end.ending == "timeout"
        return (await sh(box, "ls /proc | grep -c '^[0-9]'")).stdout

    assert int(in_box(docker_spec, act)) < 8


def test_files_memory_disk_and_descriptors_are_bounded(docker_spec: SandboxSpec) -> None:
    small = msgspec.structs.replace(docker_spec, tmp_mb=8, file_size_mb=4, open_files=64)
    script = (
        "head -c 20M /dev/zero > /workspace/big; stat -c %s /workspace/big;"
        "for n in 1 2 3; do head -c 4M /dev/zero > /tmp/$n; done; du -sm /tmp | cut -f1;"
        "ulimit -n; ulimit -c"
    )
    end = in_box(small, lambda box: sh(box, script))
    assert end.stdout == b"4194304\n8\n64\n0\n"


def test_a_workspace_can_be_read_only_and_outputs_always_are(
    docker_spec: SandboxSpec, tmp_path: Path
) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    (outputs / "old").write_text("kept")
    spec = msgspec.structs.replace(docker_spec, writable=False, outputs=str(outputs))
    text = in_box(spec, lambda box: sh(box, "cat /outputs/old; touch x /outputs/x")).output
    assert text.startswith(b"kept")
    assert text.count(b"Read-only file system") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_jobs_are_the_workspaces_owner(docker_spec: SandboxSpec, workspace: Path) -> None:
    os.chown(workspace, 12345, 12346)
    end = in_box(docker_spec, lambda box: sh(box, "id -u; id -g; touch made"))
    made = (workspace / "made").stat()
    assert (end.stdout, made.st_uid, made.st_gid) == (b"12345\n12346\n", 12345, 12346)


def test_a_root_workspace_is_said_to_be_one(docker_spec: SandboxSpec) -> None:
    async def main() -> None:
        async with opened(docker_spec) as box:
            assert box.facts.isolated
            assert box.facts.offline
            assert box.facts.image.startswith("sha256:")
            if os.geteuid() == 0:
                assert "without any capability" in box.facts.notes[0]

    asyncio.run(main())


def test_closing_removes_the_container(
    docker_spec: SandboxSpec, containers: Callable[[], list[str]]
) -> None:
    async def main() -> None:
        async with opened(docker_spec):
            assert len(containers()) == 1

    asyncio.run(main())
    assert containers() == []


def test_a_killed_owner_leaves_no_container(
    docker_spec: SandboxSpec, containers: Callable[[], list[str]]
) -> None:
    killed_owner(docker_spec, f"79{os.getpid()}.5")
    assert wait_until(lambda: containers() == [])


def test_a_container_removed_by_others_loses_its_jobs(
    docker_spec: SandboxSpec, containers: Callable[[], list[str]]
) -> None:
    async def act(box: Sandbox) -> str:
        running = asyncio.create_task(sh(box, "sleep 60"))
        await sh(box, "true")
        client = engine.connect()
        client.api.kill(containers()[0])
        client.close()
        return (await running).ending

    assert in_box(docker_spec, act) == "lost"


def test_leftovers_are_those_whose_owner_is_gone(docker_spec: SandboxSpec) -> None:
    client = engine.connect()
    mine = json.loads(engine.owner_label(os.getpid()))
    owners = {
        "living": mine,
        "reused": [mine[0], mine[1], mine[2], "1"],
        "rebooted": [mine[0], "another-boot", *mine[2:]],
        "elsewhere": ["another-host", *mine[1:]],
    }
    made = {}
    try:
        for name, owner in owners.items():
            labels = {engine.OWNER_LABEL: json.dumps(owner), engine.RUN_LABEL: "left"}
            made[name] = client.api.create_container(IMAGE, ["true"], labels=labels)["Id"]
        found = set(backend.find_leftovers()) & set(made.values())
        assert found == {made["reused"], made["rebooted"]}
        assert found <= set(backend.remove_leftovers())
        assert not found & set(backend.find_leftovers())
    finally:
        for each in made.values():
            engine.remove_container(client, each)
        client.close()


def test_a_missing_image_names_the_command_that_builds_it(docker_spec: SandboxSpec) -> None:
    spec = msgspec.structs.replace(docker_spec, image="agentcli-no-such-image:latest")
    with pytest.raises(
        UnavailableError, match=r"agentcli-no-such-image:latest is missing"
    ) as caught:
        in_box(spec, lambda box: sh(box, "true"))
    assert caught.value.hint == "agentcli sandbox build"
    assert backend.check(spec.image).fix == "agentcli sandbox build"


def test_an_engine_that_is_not_there_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    health = backend.check(IMAGE)
    assert (health.ok, health.fix) == (False, "unset DOCKER_HOST")
    assert "does not answer" in health.detail


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use any socket")
def test_a_socket_that_may_not_be_used_names_the_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/d.sock")
        os.chmod(f"{tmp_path}/d.sock", stat.S_IRUSR)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/d.sock")
        assert "usermod" in backend.check(IMAGE).fix
