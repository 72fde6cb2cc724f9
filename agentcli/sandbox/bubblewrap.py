"""Jobs in a bubblewrap sandbox: no daemon and no image, the machine's own /usr read-only.

Weaker than Docker: what all processes use together is not bounded.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from agentcli.core.sandbox import SandboxFacts, SandboxSpec
from agentcli.errors import UnavailableError
from agentcli.loop.port import Sandbox
from agentcli.sandbox.health import Health
from agentcli.sandbox.hidden import find_hidden, mask_file, notes_on, watch_over
from agentcli.sandbox.process import open_process
from agentcli.sandbox.workspace import check_mounts, find_owner

INSTALL = "sudo apt-get install bubblewrap python3"
CHECK_S = 10
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOTES: tuple[str, ...] = (
    "weaker than Docker: total memory, cpu and processes are not bounded, and system calls"
    " are not filtered",
    "the machine's installed programs can be read and run",
)
# What programs need to run and that tells nothing of the machine's people.
SETTINGS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/localtime")


async def open_sandbox(spec: SandboxSpec, run: str) -> Sandbox:
    """Return a sandbox in fresh namespaces, with no network and no capability.

    Raises UnavailableError when bubblewrap or python3 is missing, namespaces are forbidden, a
    mount is gone, or the files to keep out cannot all be found.
    """
    owner = find_owner(spec)
    check_mounts(spec)
    hidden = await asyncio.to_thread(find_hidden, spec, owner)
    user: tuple[int, int] | None = None
    notes = NOTES
    if os.geteuid() == 0 and owner[0]:
        user = owner
    elif os.geteuid() == 0:
        notes += ("the workspace belongs to root: jobs are root without any capability",)
    notes += notes_on(spec, hidden)
    facts = SandboxFacts(backend="bubblewrap", isolated=True, offline=True, notes=notes)
    with mask_file() as mask:
        return await open_process(
            [*wrap(*owner, spec, dict.fromkeys(hidden, mask)), find_python()],
            facts,
            spec,
            root="/workspace",
            env={},
            # Memory of each process alone: there is no total without a cgroup.
            limits={
                "NOFILE": spec.open_files,
                "CORE": 0,
                "FSIZE": spec.file_size_mb << 20,
                "AS": spec.memory_mb << 20,
            },
            user=user,
            watch=watch_over(hidden),
            hint="agentcli sandbox check",
        )


def wrap(uid: int, gid: int, spec: SandboxSpec, masks: Mapping[str, str]) -> list[str]:
    """Return the bwrap command up to the program that it runs. masks: put over which files."""
    if not (program := shutil.which("bwrap")):
        raise UnavailableError("bubblewrap is not installed", hint=INSTALL)
    argv = [program, "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1"]
    argv += ["--cap-drop", "ALL", "--uid", str(uid), "--gid", str(gid), "--hostname", "sandbox"]
    argv += ["--ro-bind", "/usr", "/usr"]
    for folder in ("/bin", "/sbin", "/lib", "/lib64"):
        if os.path.islink(folder):
            argv += ["--symlink", os.readlink(folder), folder]
        else:
            argv += ["--ro-bind-try", folder, folder]
    for path in SETTINGS:
        argv += ["--ro-bind-try", path, path]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    argv += ["--size", str(spec.tmp_mb << 20), "--tmpfs", "/tmp"]
    if spec.workspace:
        argv += ["--bind" if spec.writable else "--ro-bind", spec.workspace, "/workspace"]
    if spec.outputs:
        argv += ["--ro-bind", spec.outputs, "/outputs"]
    for mount in spec.mounts:
        argv += ["--bind" if mount.writable else "--ro-bind", mount.path, mount.inside]
    for path, mask in masks.items():
        argv += ["--ro-bind", mask, path]
    argv += ["--remount-ro", "/", "--clearenv", "--setenv", "PATH", PATH, "--chdir", "/", "--"]
    return argv


def find_python() -> str:
    """Return the python3 that is also there inside, which a virtual environment's is not."""
    for path in ("/usr/bin/python3", "/usr/local/bin/python3", "/bin/python3"):
        if Path(path).exists():
            return path
    raise UnavailableError("there is no python3 in /usr", hint=INSTALL)


def check(image: str) -> Health:
    """Return whether a sandbox can be made here, by making one."""
    try:
        argv = wrap(os.geteuid(), os.getegid(), SandboxSpec(), {})
        argv += [find_python(), "-I", "-S", "-c", ""]
        version = subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout
        done = subprocess.run(argv, capture_output=True, text=True, timeout=CHECK_S)
    except UnavailableError as error:
        return Health(False, str(error), fix=error.hint)
    except subprocess.TimeoutExpired:
        return Health(False, f"bubblewrap did not answer within {CHECK_S} s", fix=INSTALL)
    version = version.split()[-1] if version else ""
    if done.returncode:
        # Where user namespaces are switched off, nothing else can be wrong with it.
        fix = "sudo sysctl kernel.unprivileged_userns_clone=1"
        return Health(False, f"bubblewrap fails: {done.stderr.strip()}", fix=fix, version=version)
    return Health(True, "works; weaker than Docker", version=version)
