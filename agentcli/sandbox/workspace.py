"""The host's folders and files that a sandbox works on."""

import os
import stat

from agentcli.core.sandbox import SandboxSpec
from agentcli.errors import UnavailableError


def find_owner(spec: SandboxSpec) -> tuple[int, int]:
    """Return the uid and gid of the workspace's owner, or nobody's when there is none.

    Raises UnavailableError when the folder is not there.
    """
    if not spec.workspace:
        return 65534, 65534
    try:
        found = os.stat(spec.workspace)
    except OSError as error:
        raise UnavailableError(
            f"the workspace {spec.workspace} cannot be used: {error.strerror}",
            hint=f"mkdir -p {spec.workspace}",
        ) from error
    return found.st_uid, found.st_gid


def check_mounts(spec: SandboxSpec) -> None:
    """Raise UnavailableError unless each mount is still what it was when it was allowed."""
    for mount in spec.mounts:
        hint = "Put it back, or begin a new run without it."
        try:
            mode = os.lstat(mount.path).st_mode
        except OSError as error:
            message = f"the mount {mount.name} is gone: {mount.path}: {error.strerror}"
            raise UnavailableError(message, hint=hint) from error
        # A tool that can write beside it may have put a link in its place.
        if os.path.realpath(mount.path) != mount.path:
            message = f"the mount {mount.name} is not what it was: {mount.path} is now a link"
            raise UnavailableError(message, hint=hint)
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            message = f"the mount {mount.name} is no folder or regular file now: {mount.path}"
            raise UnavailableError(message, hint=hint)
