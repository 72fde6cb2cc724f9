"""How steps are named."""

import pytest

from agentcli.core.step import ends_with


@pytest.mark.parametrize(
    ("end", "fits"),
    [
        ("main/turn.2/call.11.0", True),
        ("turn.2/call.11.0", True),
        ("call.11.0", True),
        ("1.0", False),
        ("call.1.0", False),
        ("2/call.11.0", False),
        ("", False),
    ],
)
def test_a_step_is_called_by_whole_parts_of_its_id(end: str, fits: bool) -> None:
    assert ends_with("main/turn.2/call.11.0", end) is fits
