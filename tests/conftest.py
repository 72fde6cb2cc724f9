"""What the command line of the tests can say."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("agentcli")
    group.addoption("--kills", type=int, default=25, help="how often test_kill.py kills a run")
    group.addoption("--kill-seed", type=int, default=1, help="the first seed of test_kill.py")
