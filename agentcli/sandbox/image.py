"""Building the image of the Docker sandbox, with or without a registry."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentcli.asset import shipped
from agentcli.errors import UnavailableError
from agentcli.sandbox.engine import connect, translated

if TYPE_CHECKING:
    import docker

BUILD_S = 600
SETTINGS = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8",
    "WORKDIR /workspace",
    'CMD ["/bin/bash"]',
    'LABEL agentcli.image="debian packages"',
)


def build_image(tag: str, say: Callable[[str], None]) -> None:
    """Build the sandbox image; `say` is told each line.

    On Debian and Ubuntu from the installed packages, with no registry; elsewhere from the
    Dockerfile, whose base the engine fetches.

    Raises UnavailableError when it cannot be done.
    """
    client = connect(BUILD_S)
    try:
        if is_debian():
            build_from_packages(client, tag, say)
        else:
            build_from_dockerfile(client, tag, say)
    finally:
        client.close()


def is_debian() -> bool:
    return Path("/etc/debian_version").exists() and bool(shutil.which("apt-cache"))


def build_from_dockerfile(
    client: "docker.DockerClient", tag: str, say: Callable[[str], None]
) -> None:
    # The file alone is sent: nothing else beside it is for the engine.
    with translated(), shipped("sandboxes", "Dockerfile").open("rb") as file:
        for note in client.api.build(fileobj=file, tag=tag, rm=True, decode=True):
            if problem := note.get("error"):
                raise UnavailableError(
                    f"the image {tag} cannot be built: {str(problem).strip()}",
                    hint="docker pull python:3.12-slim",
                )
            if line := str(note.get("stream") or note.get("status") or "").strip():
                say(line)


def build_from_packages(
    client: "docker.DockerClient", tag: str, say: Callable[[str], None]
) -> None:
    """Import the installed files of a few Debian packages as an image."""
    name, version = split_tag(tag)
    with tempfile.NamedTemporaryFile(prefix="agentcli-image-", suffix=".tar") as archive:
        said = ""
        with subprocess.Popen(
            ["bash", str(shipped("sandboxes", "base-image.sh"))],
            stdin=subprocess.DEVNULL,
            stdout=archive,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as building:
            assert building.stderr
            for line in building.stderr:
                if line := line.strip():
                    said = line
                    say(line)
        if building.returncode:
            # What is missing comes last, as the command that installs it.
            hint = said if said.startswith("sudo ") else ""
            raise UnavailableError(f"the image {tag} cannot be built: {said}", hint=hint)
        say("importing")
        with translated():
            answer = client.api.import_image(
                archive.name, repository=name, tag=version, changes=list(SETTINGS)
            )
    for line in answer.splitlines():
        if problem := json.loads(line).get("error"):
            raise UnavailableError(f"the image {tag} cannot be imported: {problem}")


def split_tag(tag: str) -> tuple[str, str]:
    """Return an image's name and its tag; a colon before the last slash is a registry's port."""
    name, colon, version = tag.rpartition(":")
    return (name, version) if colon and "/" not in version else (tag, "latest")
