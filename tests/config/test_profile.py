"""Profiles and settings made of junk: an error of ours, or a run that asks as it must."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from agentcli.compose.plan import Overrides, make_plan
from agentcli.config.profile import Profile, ProfileFile
from agentcli.config.project import find_project, grant
from agentcli.config.settings import SettingsFile, load_config
from agentcli.core.plan import Plan
from agentcli.core.policy import Allow, Situation, judge
from agentcli.core.step import Agent, Call
from agentcli.core.tool import Facts
from agentcli.errors import AgentcliError, ConfigError, MissingFileError
from tests.fake.document import dumped, texts
from tests.fake.manifest import GOOD

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


def in_trusted_project(home: Path, **profiles: str) -> Profile:
    """Return the profile default where a trusted project brings these profiles."""
    work = home.parent / "work"
    (work / ".agentcli" / "profiles").mkdir(parents=True, exist_ok=True)
    for name, text in profiles.items():
        write(work / ".agentcli" / "profiles" / f"{name}.yaml", text)
    project = find_project(work)
    assert project is not None
    grant(project)
    return load_config(work, {"AGENTCLI_HOME": str(home)}).profile("default")


def test_a_profile_extends_by_its_own_name_the_one_whose_place_it_takes(home: Path) -> None:
    write(home / "profiles" / "default.yaml", "extends: default\nsystem: mine\nask: [shell]\n")
    found = in_trusted_project(home, default="extends: default\ntries: 7\n")
    assert (found.tries, found.system, found.ask) == (7, "mine", ("shell",))
    assert found.tools is not None, "the shipped one says which"
    assert "read_file" in found.tools
    (home / "profiles" / "default.yaml").unlink()
    found = in_trusted_project(home, default="extends: default\ntries: 8\n")
    assert (found.tries, found.ask) == (8, ("fetch",))
    assert found.tools is not None


@pytest.mark.parametrize(
    "profiles",
    [
        {"default": "extends: other\n", "other": "extends: default\n"},
        {"default": "extends: careful\n"},  # which extends what is called default here
    ],
)
def test_profiles_that_extend_each_other_are_a_circle(home: Path, profiles: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"extends: extends itself in a circle"):
        in_trusted_project(home, **profiles)


def test_a_profile_that_takes_nobodys_place_cannot_extend_its_own_name(home: Path) -> None:
    write(home / "profiles" / "p.yaml", "extends: p\n")
    with pytest.raises(ConfigError, match=r"p.yaml:1:10: extends: it takes the place of no other"):
        load_config(home.parent / "work", {"AGENTCLI_HOME": str(home)}).profile("p")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("unsafe: {injection: [plan]}\n", "unsafe: "),
        ("model: scripted:./x.yaml\n", "a project may name a model"),
        ("ask:\n", "ask: is empty"),
    ],
)
def test_a_projects_profile_may_say_no_more_for_extending_its_own_name(
    home: Path, text: str, says: str
) -> None:
    write(home / "profiles" / "default.yaml", "extends: default\n")
    with pytest.raises(ConfigError, match=says):
        in_trusted_project(home, default=f"extends: default\n{text}")
