"""Where files are, also for a user without a home folder, as in some containers."""

from pathlib import Path

import pytest

from agentcli import asset
from agentcli.config.project import root_of
from agentcli.errors import ConfigError
from agentcli.model.key import has_credentials
from agentcli.sandbox.endpoint import DEFAULT, engine_sockets, find_endpoint


@pytest.fixture
def _homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)


@pytest.mark.usefixtures("_homeless")
def test_without_a_home_one_folder_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTCLI_HOME", str(tmp_path / "own"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert asset.state_home() == asset.config_home() == tmp_path / "own"
    assert root_of(tmp_path) == tmp_path
    assert not has_credentials({})
    assert find_endpoint({}) == DEFAULT
    assert list(engine_sockets())


@pytest.mark.usefixtures("_homeless")
def test_without_a_home_and_a_folder_it_is_said_what_to_set() -> None:
    for find in (asset.config_home, asset.state_home):
        with pytest.raises(ConfigError) as caught:
            find({})
        assert "AGENTCLI_HOME" in caught.value.hint
