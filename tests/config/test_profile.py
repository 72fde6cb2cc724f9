"""Profiles and settings made of junk: an error of ours, or a run that asks as it must."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from agentcli.compose.plan import Overrides, make_plan
from agentcli.config.profile import ProfileFile
from agentcli.config.settings import SettingsFile, load_config
from agentcli.core.plan import Plan
from agentcli.core.policy import Allow, Situation, judge
from agentcli.core.step import Agent, Call
from agentcli.core.tool import Facts
from agentcli.errors import AgentcliError, ConfigError, MissingFileError
from tests.fake.document import dumped, texts
from tests.tool.test_manifest import GOOD

FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ALWAYS_ASK = ("irreversible", "privileged")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a tool of each tier that no profile may let run unasked."""
    monkeypatch.setenv("AGENTCLI_HOME", str(tmp_path / "home"))
    for folder in ("home/profiles", "home/tools", "work"):
        (tmp_path / folder).mkdir(parents=True)
    for tier in ALWAYS_ASK:
        manifest = {**GOOD, "name": tier, "tier": tier, "reversible_when": [], "compensate": "none"}
        (tmp_path / "home" / "tools" / f"{tier}.yaml").write_text(dumped(manifest))
    (tmp_path / "home" / "tools" / "greet.py").write_text("print('{}')\n")
    return tmp_path / "home"


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="surrogatepass")


@FUZZ
@given(
    texts(ProfileFile, {"extends": "default", "tools": [*ALWAYS_ASK, "shell"]}),
    texts(SettingsFile, {"tries": 3}),
)
def test_no_profile_and_no_settings_crash_or_let_run_what_cannot_be_undone(
    home: Path, profile: str, own: str
) -> None:
    write(home / "profiles" / "p.yaml", profile)
    for text in ("tries: 3\n", own):
        write(home / "settings.yaml", text)
        over = Overrides(model="scripted:median", backend="local")
        try:
            config = load_config(home.parent / "work", {"AGENTCLI_HOME": str(home)})
            agent = Agent("react", "Go.")
            plan = make_plan(config, config.profile("p"), agent, home.parent / "work", over)
        except AgentcliError:
            continue
        assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
        for tool in (*ALWAYS_ASK, "shell"):
            for facts in (Facts(), Facts(sandboxed=True, offline=True)):
                call = Call(tool, {"who": "Ann", "command": "touch a"})
                verdict = judge(plan.policy, Situation(now_us=1), call, facts)
                assert not isinstance(verdict, Allow), "none of these can be undone"


@pytest.mark.parametrize(
    "key",
    [
        *("ask", "budget", "budget.steps", "sandbox", "sandbox.writable", "sandbox.hidden"),
        *("tiers", "tiers.reversible"),
    ],
)
def test_a_key_that_is_left_empty_takes_nothing_away(home: Path, key: str) -> None:
    below, _, above = key.rpartition(".")
    text = dumped({below: {above: None}} if below else {above: None})
    for path in (home / "profiles" / "p.yaml", home / "settings.yaml"):
        write(home / "settings.yaml", "tiers: {reversible: ask}\nbudget: {usd: 1}\nask: [shell]\n")
        write(path, text)
        with pytest.raises(ConfigError, match=rf"{path}:\d+:\d+: {key}: is empty: write a value"):
            load_config(home.parent / "work", {"AGENTCLI_HOME": str(home)}).profile("p")


def test_a_profile_that_is_extended_and_not_there_is_named(home: Path) -> None:
    write(home / "profiles" / "p.yaml", "extends: ../x\n")
    with pytest.raises(MissingFileError, match="/x: there is no such file"):
        load_config(home.parent / "work", {"AGENTCLI_HOME": str(home)}).profile("p")
