"""What is said of a call that is only thought of."""

import pytest

from agentcli.compose.why import leads_out
from agentcli.core.sandbox import Mount, SandboxSpec

HERE = "/home/ann/work"
MOUNTED = SandboxSpec(workspace=HERE, mounts=(Mount("data", "/srv/data"),))


@pytest.mark.parametrize(
    ("path", "box", "out"),
    [
        (f"{HERE}/a", SandboxSpec("local", workspace=HERE), False),
        (f"{HERE}/../a", SandboxSpec("local", workspace=HERE), True),
        (f"{HERE}/a", SandboxSpec(workspace=HERE), True),
        ("/mnt/data/a", MOUNTED, False),
        ("/mnt/data/../../etc/passwd", MOUNTED, True),
        ("/outputs/a.txt", MOUNTED, False),
        ("..", MOUNTED, True),
        (".", MOUNTED, False),
    ],
)
def test_a_path_leads_out_by_where_the_call_would_run(
    path: str, box: SandboxSpec, out: bool
) -> None:
    assert leads_out(path, box) is out
