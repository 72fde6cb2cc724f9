"""Tasks made of junk: an error of ours, or a task."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings

from agentcli.config.settings import shipped_config
from agentcli.config.task import TaskFile, load_task
from agentcli.errors import AgentcliError
from tests.fake.document import texts

CONFIG = shipped_config()
BASE = {"goal": "Say ${a}.", "variables": {"a": {"default": "x"}}}


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(texts(TaskFile, BASE))
def test_any_text_is_a_task_or_an_error_of_ours(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    for given_ in ({}, {"a": "y"}):
        try:
            task = load_task(str(path), given_, CONFIG)
            task.files()
        except AgentcliError:
            continue
        assert bool(task.agent.text) != bool(task.agent.steps)
        assert "${a}" not in task.agent.text
