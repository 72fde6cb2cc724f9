import pytest

from agentcli import asset
from agentcli.compose.plan import policy_of
from agentcli.config.settings import shipped_config
from agentcli.core.policy import Policy
from agentcli.tool.load import load_tools


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Return the policy of the profile that is used when nothing else is named."""
    config = shipped_config()
    return policy_of(config, config.profile("default"), load_tools([asset.shipped("tools")]))
