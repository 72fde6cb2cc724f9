"""Where a key can come from, and that it never stands in an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentcli.errors import ConfigError
from agentcli.model import key as keys
from agentcli.model.key import KeySource, has_credentials, read_key

KEY = "sk-ant-0123456789"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    path.chmod(0o600)
    return path


def test_a_key_is_read_from_its_file(file: Path) -> None:
    assert read_key(KeySource(file=file)) == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_can_read_is_refused_with_what_mends_it(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        read_key(KeySource(file=file))
    assert caught.value.hint == f"chmod 600 {file}"
    subprocess.run(caught.value.hint.split(), check=True)
    assert read_key(KeySource(file=file)) == KEY


@pytest.mark.parametrize("text", ["", " \n", f"{KEY} x", f"{KEY}\nmore", "ké", f"{KEY}\x00"])
def test_what_is_no_key_is_refused_and_not_shown(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_key(KeySource(file=file))
    assert "must hold the API key and nothing else" in str(caught.value)
    assert KEY not in str(caught.value) + caught.value.hint


def test_a_missing_file_a_folder_and_a_pipe_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, words in (("none", "No such file"), (".", "directory"), ("pipe", "regular file")):
        with pytest.raises(ConfigError, match=words):
            read_key(KeySource(file=tmp_path / name))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(file: Path) -> None:
    os.chown(file, 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        read_key(KeySource(file=file))


def test_a_key_is_what_a_command_prints() -> None:
    assert read_key(KeySource(command=("printf", f"{KEY}\\n"))) == KEY


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("no-such-program",), "cannot be run"),
        (("sh", "-c", f"echo {KEY}; exit 3"), "ended with 3 and no API key"),
        (("true",), "must hold the API key"),
        (("printf", "$HOME/abcdef"), "sk"),
        (("printf", "a\0b"), "cannot be run"),
        (("sh", "-c", "yes"), "more than an API key"),
    ],
)
def test_a_command_that_gives_none_is_told_without_what_it_printed(
    command: tuple[str, ...], words: str
) -> None:
    if command == ("printf", "$HOME/abcdef"):  # no shell reads the words
        assert read_key(KeySource(command=command)) == "$HOME/abcdef"
        return
    with pytest.raises(ConfigError, match=words) as caught:
        read_key(KeySource(command=command))
    assert KEY not in str(caught.value)


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COMMAND_S", 0.2)
    with pytest.raises(ConfigError, match=r"gave no API key within 0\.2 s"):
        read_key(KeySource(command=("sleep", "30")))


def test_a_key_is_read_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring

    kept = {("claude", "agentcli"): KEY}
    monkeypatch.setattr(keyring, "get_password", lambda *names: kept.get(names))
    assert read_key(KeySource(keyring="claude")) == KEY
    with pytest.raises(ConfigError) as caught:
        read_key(KeySource(keyring="other"))
    assert caught.value.hint == "keyring set other agentcli"


@pytest.mark.parametrize(
    ("package", "extra", "code"),
    [
        ("keyring", "keyring", "read_key(KeySource(keyring='x'))"),
        ("socksio", "socks", "open_client('k', 'http://127.0.0.1:9')"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    tmp_path: Path, package: str, extra: str, code: str
) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError('not here')")
    program = (
        "from agentcli.model.key import *\nfrom agentcli.model.claude import open_client\n"
        f"try:\n    {code}\nexcept Exception as error:\n    print(error)\n"
    )
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.getcwd()}", "ALL_PROXY": "socks5://x:1"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert ended.stdout.count("\n") == 1
    assert f"needs the extra `{extra}`: pip install 'agentcli[{extra}]'" in ended.stdout


def test_credentials_are_found_wherever_the_client_looks(tmp_path: Path) -> None:
    assert not has_credentials({}, tmp_path)
    assert not has_credentials({"ANTHROPIC_API_KEY": ""}, tmp_path)
    for name in keys.VARIABLES:
        assert has_credentials({name: "x"}, tmp_path)
    assert has_credentials({keys.HEADERS: "X-Api-Key: k"}, tmp_path)
    assert not has_credentials({keys.HEADERS: "X-Trace: 1"}, tmp_path)
    configs = tmp_path / ".config" / "anthropic" / "configs"
    configs.mkdir(parents=True)
    assert not has_credentials({}, tmp_path)
    (configs / "default.json").write_text("{}")
    assert has_credentials({}, tmp_path)


def test_the_client_looks_at_no_other_variable() -> None:
    from anthropic.lib.credentials import _constants

    found = {value for name, value in vars(_constants).items() if name.startswith("ENV_")}
    # These say more of a federation, or where to send the request, but are no credentials alone.
    more = {f"ANTHROPIC_{name}" for name in ("IDENTITY_TOKEN", "IDENTITY_TOKEN_FILE", "SCOPE")}
    more |= {f"ANTHROPIC_{name}" for name in ("ORGANIZATION_ID", "SERVICE_ACCOUNT_ID")}
    more |= {"ANTHROPIC_WORKSPACE_ID", "ANTHROPIC_BASE_URL"}
    assert found - more == set(keys.VARIABLES)
