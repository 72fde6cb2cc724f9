"""Specs of sandboxes in a real folder; a backend that cannot be tried here says why."""

import os
import tempfile
from pathlib import Path

import pytest

from agentcli.core.sandbox import SandboxSpec
from tests.sandbox.box import IMAGE, why_not


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    # Backends that drop from root to another owner must be able to come here.
    for folder in (tmp_path, *tmp_path.parents):
        if os.geteuid() == 0 and folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o111)
    made = tmp_path / "workspace"
    made.mkdir()
    return made


DOCKER = pytest.param("docker", marks=pytest.mark.docker)


@pytest.fixture(params=[DOCKER, "bubblewrap", "local"])
def spec(request: pytest.FixtureRequest, workspace: Path) -> SandboxSpec:
    return spec_of(str(request.param), workspace)


@pytest.fixture(params=[DOCKER, "bubblewrap"])
def boxed(request: pytest.FixtureRequest, workspace: Path) -> SandboxSpec:
    """A spec of a backend that keeps anything out."""
    return spec_of(str(request.param), workspace)


def spec_of(backend: str, workspace: Path) -> SandboxSpec:
    if reason := why_not(backend):
        pytest.skip(reason)
    return SandboxSpec(backend=backend, image=IMAGE, workspace=str(workspace), memory_mb=512)


@pytest.fixture
def docker_spec(workspace: Path) -> SandboxSpec:
    if reason := why_not("docker"):
        pytest.skip(reason)
    return SandboxSpec(image=IMAGE, workspace=str(workspace), memory_mb=128, processes=64)
