"""The host's folder that a sandbox works on."""

import os

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
