"""The image that agentcli builds by itself, and the profile that it ships."""

import json
import uuid

import msgspec
import pytest

from agentcli.asset import shipped
from agentcli.core.sandbox import SandboxSpec
from agentcli.sandbox import docker as backend
from agentcli.sandbox import engine
from agentcli.sandbox.image import is_debian, split_tag
from tests.sandbox.box import in_box, sh


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("box", ("box", "latest")),
        ("box:1", ("box", "1")),
        ("there:5000/box", ("there:5000/box", "latest")),
        ("there:5000/box:1", ("there:5000/box", "1")),
    ],
)
def test_a_colon_before_a_slash_is_a_port(tag: str, parts: tuple[str, str]) -> None:
    assert split_tag(tag) == parts


def test_the_system_call_profile_allows_by_name_and_nothing_dangerous() -> None:
    profile = json.loads(shipped("sandboxes", "seccomp.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = [
        name
        for rule in profile["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
        for name in rule["names"]
    ]
    assert len(allowed) == len(set(allowed)) > 250
    assert not {
        *("io_uring_setup", "io_uring_enter", "io_uring_register", "ptrace", "process_vm_readv"),
        *("process_vm_writev", "keyctl", "add_key", "request_key", "bpf", "perf_event_open"),
        *("userfaultfd", "mount", "umount2", "move_mount", "open_tree", "fsopen", "fsconfig"),
        *("fsmount", "fspick", "mount_setattr", "pivot_root", "chroot", "unshare", "setns"),
        *("clone", "clone3", "pidfd_getfd", "kcmp", "open_by_handle_at", "syslog", "socket"),
    } & set(allowed)


@pytest.mark.docker
@pytest.mark.slow
def test_an_image_is_built_without_a_registry_and_works(docker_spec: SandboxSpec) -> None:
    if not is_debian():
        pytest.skip("only Debian and Ubuntu can build an image from their packages")
    tag = f"agentcli-test-build:{uuid.uuid4().hex[:12]}"
    said: list[str] = []
    try:
        backend.build_image(tag, said.append)
        assert "importing" in said
        spec = msgspec.structs.replace(docker_spec, image=tag)
        script = "python3 -c 'import json, ssl, sqlite3, ctypes'; git --version; echo $LANG; pwd"
        end = in_box(spec, lambda box: sh(box, script))
        assert end.exit == 0
        assert end.output.endswith(b"C.UTF-8\n/workspace\n")
    finally:
        client = engine.connect()
        if client.images.list(tag):
            client.api.remove_image(tag)
        client.close()
