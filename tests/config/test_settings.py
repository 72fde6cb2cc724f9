"""Which settings hold, who says so, and what they override."""

from decimal import Decimal
from pathlib import Path

import pytest

from agentcli.config import project
from agentcli.config.layer import merge, setters
from agentcli.config.profile import Budget
from agentcli.config.settings import Config, all_keys, find_key, load_config
from agentcli.core.sandbox import HIDDEN
from agentcli.errors import ConfigError, UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTCLI_HOME", str(tmp_path / "home"))
    for name in ("PROFILE", "MODEL", "SANDBOX", "USD", "STEPS", "TIME"):
        monkeypatch.delenv(f"AGENTCLI_{name}", raising=False)
    (tmp_path / "home" / "profiles").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    return tmp_path / "home"


def here(home: Path, **environ: str) -> Config:
    return load_config(home.parent / "work", {"AGENTCLI_HOME": str(home), **environ})


def give_project(home: Path, settings: str, *, trust: bool) -> None:
    folder = home.parent / "work" / ".agentcli"
    folder.mkdir()
    (folder / "settings.yaml").write_text(settings)
    if trust:
        found = project.find_project(home.parent / "work")
        assert found is not None
        project.grant(found)


def test_the_strongest_layer_wins_and_the_others_are_told(home: Path) -> None:
    (home / "settings.yaml").write_text("budget: {steps: 2}\nsandbox: {memory_mb: 64}\n")
    give_project(home, "budget: {steps: 3}\n", trust=True)
    (home / "profiles" / "p.yaml").write_text("budget: {steps: 4}\n")
    config = here(home, AGENTCLI_STEPS="6")
    profile = config.profile("p", limits=Budget(steps=5))
    assert profile.budget is not None
    assert profile.budget.steps == 6
    found = [(layer.kind, value) for layer, value in setters(profile.layers, "budget.steps")]
    assert found == [
        ("environment", 6),
        ("task", 5),
        ("profile", 4),
        ("project", 3),
        ("user", 2),
        ("shipped", 50),
    ]
    assert profile.sandbox is not None
    assert (profile.sandbox.memory_mb, profile.sandbox.processes) == (64, 256)


def test_each_layer_says_where_a_key_is_set(home: Path) -> None:
    (home / "settings.yaml").write_text("# mine\nmodel: opus\n")
    layers = here(home, AGENTCLI_USD="$1.50").profile("reader").layers
    places = {key: next(setters(layers, key))[0].where(key) for key in ("model", "budget.usd")}
    assert places == {"model": f"{home}/settings.yaml:2:8", "budget.usd": "AGENTCLI_USD"}


@pytest.mark.parametrize(
    ("flag", "environ", "task", "who"),
    [
        ("coder", "reader", "careful", "coder"),
        ("", "reader", "careful", "reader"),
        ("", "", "careful", "careful"),
        ("", "", None, "mine"),
    ],
)
def test_who_works_is_said_by_flag_environment_task_or_settings(
    home: Path, flag: str, environ: str, task: str | None, who: str
) -> None:
    (home / "settings.yaml").write_text("profile: mine\n")
    assert here(home, AGENTCLI_PROFILE=environ).profile_name(flag, task) == who


def test_an_untrusted_project_changes_nothing(home: Path) -> None:
    before = here(home)
    give_project(home, "tiers: {reversible: deny}\napi: {base_url: http://evil}\n", trust=False)
    after = here(home)
    assert after.project is not None
    assert (after.layers, after.own_folder) == (before.layers, None)
    assert after.api.base_url is None


def test_a_changed_file_of_a_trusted_project_counts_no_more(home: Path) -> None:
    give_project(home, "budget: {steps: 3}\n", trust=True)
    assert len(here(home).layers) == 2
    (home.parent / "work" / ".agentcli" / "settings.yaml").write_text("budget: {steps: 4}\n")
    assert len(here(home).layers) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modle: x\n", "settings.yaml:1:1: modle: unknown key; did you mean `model`?"),
        ("api: {key: x}\n", "settings.yaml:1:7: api.key: unknown key"),
        ("budget: {usd: 0}\n", "budget.usd: must be above 0"),
        ("extends: default\n", "extends: unknown key"),
    ],
)
def test_a_wrong_settings_file_names_the_place(home: Path, text: str, says: str) -> None:
    (home / "settings.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        here(home)
    assert says in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("STEPS", "0"), ("USD", "many"), ("TIME", "1.5")])
def test_a_wrong_variable_is_named(home: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"AGENTCLI_{name}: must be .* above 0, got `{value}`"):
        here(home, **{f"AGENTCLI_{name}": value})


def test_only_one_source_of_the_key_can_hold(home: Path) -> None:
    (home / "settings.yaml").write_text("api:\n  key_file: k\n  keyring: claude\n")
    with pytest.raises(ConfigError, match=r"settings.yaml:3:12: of key_file and keyring only one"):
        _ = here(home).api


def test_a_key_file_is_seen_from_the_settings_that_name_it(home: Path) -> None:
    (home / "settings.yaml").write_text("api: {key_file: keys/claude}\n")
    assert here(home).api.key_file == str(home / "keys" / "claude")


def test_a_key_is_found_by_its_last_part_or_the_nearest_is_named() -> None:
    assert find_key("memory_mb") == "sandbox.memory_mb"
    assert find_key("budget.usd") == "budget.usd"
    with pytest.raises(UsageError, match=r"did you mean `sandbox\.memory_mb`"):
        find_key("sandbox.memry_mb")
    assert "api.key_command" in list(all_keys())


def test_what_is_wrong_is_blamed_on_the_file_that_says_it(home: Path) -> None:
    (home / "settings.yaml").write_text("sandbox: {mounts: [relative]}\n")
    wrong = here(home).profile("coder").error_at("sandbox.mounts.0", "bad")
    assert str(wrong) == f"{home}/settings.yaml:1:20: sandbox.mounts.0: bad"


def test_merging_replaces_all_but_mappings() -> None:
    below = {"a": {"x": 1, "y": 2}, "b": [1], "c": {"z": 1}}
    above = {"a": {"y": 3}, "b": [2], "c": None}
    assert merge(below, above) == {"a": {"x": 1, "y": 3}, "b": [2], "c": None}


def test_every_shipped_default_is_in_the_shipped_settings(home: Path) -> None:
    (shipped,) = here(home).layers
    profile = here(home).profile("default")
    assert profile.budget == Budget(usd=Decimal(2), steps=50, time_s=1800)
    assert shipped.sets("tiers.irreversible")
    assert profile.sandbox is not None
    assert (profile.sandbox.hidden, profile.sandbox.mounts) == (HIDDEN, ())


def test_only_the_user_says_who_may_approve(home: Path) -> None:
    (home / "signers").write_text("alice ssh-ed25519 AAAA\n")
    (home / "signers").chmod(0o644)
    words = "approval: {allowed_signers: signers, key: ~/k, separate: true}\n"
    (home / "settings.yaml").write_text(words)
    config = here(home)
    assert config.allowed_signers() == "alice ssh-ed25519 AAAA\n"
    assert config.signing_key == Path("~/k").expanduser()
    assert config.is_separate
    config.profile("reader")  # which they are no part of
    assert {"approval.allowed_signers", "approval.key", "approval.separate"} <= {*all_keys()}
    give_project(home, "approval: {separate: false}\n", trust=True)
    with pytest.raises(ConfigError, match=r"settings.yaml:1:\d+: approval: is not a project's"):
        here(home)


def test_nobody_may_approve_where_nothing_is_said(home: Path) -> None:
    config = here(home)
    assert (config.allowed_signers(), config.signing_key, config.is_separate) == ("", None, False)


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("", 0o600, "not a list of allowed signers"),
        ("# nobody\n\n", 0o600, "not a list of allowed signers"),
        ("ssh-ed25519 AAAA\n", 0o600, "not a list of allowed signers"),
        ("alice ssh-ed25519 AAAA\n", 0o666, "can be changed by others"),
        ("alice ssh-ed25519 AAAA\n" * 5_000, 0o600, "has more than 100,000 bytes"),
        (None, 0o600, "No such file"),
    ],
)
def test_signers_that_cannot_be_trusted_are_an_error(
    home: Path, text: str | None, mode: int, why: str
) -> None:
    if text is not None:
        (home / "signers").write_text(text)
        (home / "signers").chmod(mode)
    (home / "settings.yaml").write_text("approval: {allowed_signers: signers}\n")
    with pytest.raises(ConfigError, match=rf"settings.yaml:1:\d+: .*signers.*{why}"):
        here(home).allowed_signers()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("api: {key_file: k}\n", "1:17: api.key_file: is not a project's to say"),
        ("api: {key_command: [id]}\n", "1:20: api.key_command: is not a project's to say"),
        ("api: {keyring: k}\n", "1:16: api.keyring: is not a project's to say"),
        ("unsafe: {injection: [plan]}\n", "1:9: unsafe: is not a project's to say"),
        ("roles: {ops: [me]}\n", "1:8: roles: is not a project's to say"),
    ],
)
def test_trusted_settings_of_a_project_say_nothing_about_keys_and_what_is_unsafe(
    home: Path, settings: str, told: str
) -> None:
    give_project(home, settings, trust=True)
    with pytest.raises(ConfigError, match=f"settings.yaml:{told}"):
        here(home)


def test_a_project_names_no_unsafe_policy_that_its_user_does_not_name(home: Path) -> None:
    give_project(home, "policies: [default, open-traceable]\n", trust=True)
    config = here(home)
    told = r"settings.yaml:1:21: policies.1: `open-traceable` is unsafe: only your own files"
    with pytest.raises(ConfigError, match=told):
        config.policies(config.profile())
    (home / "settings.yaml").write_text("policies: [open-traceable]\n")
    config = here(home)
    assert any(policy.file.unsafe for policy in config.policies(config.profile()))


def test_a_trusted_policy_that_is_unsafe_is_refused_as_a_whole(home: Path) -> None:
    folder = home.parent / "work" / ".agentcli" / "policies"
    folder.mkdir(parents=True)
    (folder / "default.yaml").write_text("unsafe: true\n")
    found = project.find_project(home.parent / "work")
    assert found is not None
    project.grant(found)
    config = here(home)
    with pytest.raises(ConfigError, match=r"default.yaml:1:9: unsafe: is not a project's to say"):
        config.policies(config.profile())


@pytest.mark.parametrize(
    ("strict", "said"),
    [
        ("pii: redact", "pii: keep\n"),
        ("pii: redact", "pii: null\n"),
        ("pii: redact", "profile: lax\n"),
        ("untrusted: held", "untrusted: shown\n"),
        ("untrusted: held", "profile: lax\n"),
    ],
)
def test_no_project_and_no_profile_takes_back_what_its_user_is_strict_about(
    home: Path, strict: str, said: str
) -> None:
    (home / "settings.yaml").write_text(f"{strict}\n")
    (home / "profiles" / "lax.yaml").write_text("pii: keep\nuntrusted: shown\n")
    give_project(home, said, trust=True)
    profile = here(home).profile()
    key, _, value = strict.partition(": ")
    assert getattr(profile, key) == value
    layer, found = next(setters(profile.layers, key))
    assert (layer.kind, found) == ("user", value)


@pytest.mark.parametrize("trust", [True, False])
def test_a_trusted_project_may_have_personal_data_redacted(home: Path, trust: bool) -> None:
    assert here(home).profile().pii == "keep"
    give_project(home, "pii: redact\n", trust=trust)
    assert here(home).profile().pii == ("redact" if trust else "keep")
