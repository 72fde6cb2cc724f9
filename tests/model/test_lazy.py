"""The client that is imported lazily is the client, told apart only by what it costs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentcli.model.lazy import is_tried
from tests.fake.server import FakeClaude, answer, error, sse_reply

ROOT = Path(__file__).parents[2]
BOTH = ("1", "0")

# What our adapter makes of good and bad servers, and what the client itself does.
USE = """
import asyncio, json, socket, sys
from agentcli.core.message import ModelError, Request, Said
from agentcli.model.claude import Claude, warm

async def ask(**where):
    claude, shown = Claude(api_key="k", **where), []
    try:
        request = Request("claude-fake", "Be brief.", (Said("Hi."),))
        reply = await claude.reply(request, shown.append)
        return [repr(reply), repr(shown)]
    except ModelError as failed:
        return [failed.failure, str(failed), type(failed.__cause__).__name__]
    finally:
        await claude.close()

def refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"

base = sys.argv[1]
seen = [asyncio.run(ask(base_url=base)) for _ in range(4)]
seen.append(asyncio.run(ask(base_url=refused()))[0])

import anthropic
from anthropic import AsyncAnthropic
import httpx2

async def create(base_url):
    said = {"model": "claude-fake", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    client = AsyncAnthropic(api_key="k", base_url=base_url, max_retries=0)
    async with client:
        try:
            async with client.messages.stream(**said) as stream:
                message = await stream.get_final_message()
            return [type(message).__mro__[1] is anthropic.types.Message, message.to_json()]
        except anthropic.APIError as failed:
            kinds = ["AuthenticationError", "RateLimitError", "InternalServerError"]
            kinds += ["APIStatusError", "APIConnectionError", "AnthropicError"]
            return [str(failed), [n for n in kinds if isinstance(failed, getattr(anthropic, n))]]

seen += [asyncio.run(create(base)) for _ in range(4)]
seen.append(asyncio.run(create(refused())))
seen.append([anthropic.__version__, anthropic.AuthenticationError.__mro__.__repr__()])
print(json.dumps(seen))
"""

# Every package inside, and every name that it exports: last things first, as none would load them.
NAMES = """
import importlib, json, pkgutil, sys, types
from agentcli.model.claude import warm
warm()
import anthropic

def told(value):
    if not isinstance(value, (type, types.FunctionType)):
        return repr(type(value))
    return [value.__module__, value.__qualname__]

packages = ["anthropic"]
packages += [m.name for m in pkgutil.walk_packages(anthropic.__path__, "anthropic.") if m.ispkg]
found = {}
for package in sorted(packages, reverse=True):
    try:
        module = importlib.import_module(package)
    except ImportError as failed:  # it needs what is not installed
        found[package] = str(failed)
        continue
    inside = {m.name for m in pkgutil.iter_modules(module.__path__)}
    names = {n for n in dir(module) if n.strip("_") == n or n in ("__version__", "__all__")}
    found[package] = {n: getattr(module, n) for n in sorted(names - inside, reverse=True)}
for package, values in found.items():
    if isinstance(values, dict):
        found[package] = {n: told(value) for n, value in values.items()}
print(json.dumps(found))
"""

STATE = """
import sys
from agentcli.model.claude import warm
warm()
import anthropic
from agentcli.model.lazy import Finder
lazy = Finder in sys.meta_path
print(lazy, len([n for n in sys.modules if n.startswith("anthropic.")]))
"""


def python(code: str, *words: str, lazy: str = "1", path: str = "") -> str:
    """Run code in a process of its own; return what it prints."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    paths = os.pathsep.join(filter(None, (path, str(ROOT))))
    env = {**kept, "PYTHONPATH": paths, "AGENTCLI_LAZY_SDK": lazy}
    argv = [sys.executable, "-c", code, *words]
    ended = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def state(**how: Any) -> tuple[bool, int]:
    lazy, modules = python(STATE, **how).split()
    return lazy == "True", int(modules)


# A newer client is imported plainly: name its version in TRIED, and see what these tests say.
pytestmark = pytest.mark.skipif(not is_tried(), reason="the installed client is newer than TRIED")


def test_the_client_asks_and_fails_alike_both_ways() -> None:
    script = [
        sse_reply("Hello.", [("look", {"at": 1})], thinking="Hm."),
        error(401, "authentication_error", "no"),
        error(429, "rate_limit_error", "slow", retry_after="3"),
        answer(500, "<html><title>Oops</title></html>"),
    ] * 2
    seen, asked = [], []
    for lazy in BOTH:
        with FakeClaude(*script) as fake:
            seen.append(json.loads(python(USE, fake.base_url, lazy=lazy)))
            for request in fake.requests:
                request.headers["host"] = "this one"
            asked.append(
                [[r.path, list(r.headers.items()), json.dumps(r.body)] for r in fake.requests]
            )
    assert seen[0] == seen[1]
    assert asked[0] == asked[1]
    assert len(asked[0]) == len(script)
    kinds = [outcome[-1] for outcome in seen[0][6:10]]
    assert [kind[0] for kind in kinds] == [
        *("AuthenticationError", "RateLimitError", "InternalServerError", "APIConnectionError")
    ]


def test_every_exported_name_is_the_same_both_ways() -> None:
    lazy, plain = (json.loads(python(NAMES, lazy=way)) for way in BOTH)
    assert len(plain["anthropic.types"]) > 100
    assert lazy == plain


def test_the_lazy_way_loads_a_part_and_the_switch_loads_all() -> None:
    is_lazy, modules = state(lazy="1")
    is_plain, all_modules = state(lazy="0")
    assert (is_lazy, is_plain) == (True, False)
    assert modules < all_modules / 2


def package(folder: Path, version: str = "2.12.0", lines: str = "", deep: str = "") -> str:
    """Make a package that passes for the client; return the folder that it is in.

    lines: more of it. deep: of what loads when its first name is used.
    """
    home = folder / "anthropic"
    (home / "resources" / "messages").mkdir(parents=True)
    (home / "resources" / "__init__.py").touch()
    (home / "_version.py").write_text(f'__version__ = "{version}"\n')
    (home / "deep.py").write_text(f"import anthropic\n{deep}\nclass AsyncAnthropic: ...\n")
    names = "DefaultAsyncHttpxClient AnthropicError APIError APIConnectionError APIStatusError"
    (home / "rest.py").write_text(f"{names.replace(' ', ' = ')} = AsyncMessages = Exception\n")
    top = "from .deep import AsyncAnthropic\nfrom .rest import *\nfrom .unused import Unused\n"
    (home / "__init__.py").write_text(top + lines)
    (home / "unused.py").write_text("class Unused: ...\n")
    inner = "from ...rest import AsyncMessages\n"
    (home / "resources" / "messages" / "__init__.py").write_text(inner)
    return str(folder)


def test_a_version_that_nobody_tried_is_loaded_plainly(tmp_path: Path) -> None:
    assert state(path=package(tmp_path / "tried", "2.12.9")) == (True, 4)
    assert state(path=package(tmp_path / "new", "3.0.0")) == (False, 5)
    assert state(path=package(tmp_path / "odd", "two")) == (False, 5)


LAZY = "'__getattr__' in vars(__import__('sys').modules['anthropic'])"


def test_what_fails_lazily_is_loaded_plainly(tmp_path: Path) -> None:
    assert state(path=package(tmp_path / "top", lines=f"assert not {LAZY}\n")) == (False, 5)
    assert state(path=package(tmp_path / "deep", deep=f"assert not {LAZY}\n")) == (False, 5)
    # A function sees the names of its module alone.
    uses = "def use(): return Unused\nuse()\n"
    assert state(path=package(tmp_path / "uses", lines=uses)) == (True, 5)


def test_only_the_client_is_loaded_so(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "part.py").write_text("y = 1\n")
    (other / "__init__.py").write_text("from .part import y\n")
    (tmp_path / "anthropic_other.py").touch()
    code = f"""{STATE}
before = [*sys.meta_path]
assert Finder.find_spec("other") is None and Finder.find_spec("anthropic_other") is None
import other, anthropic_other
assert "y" in vars(other) and "__getattr__" not in vars(other)
assert sys.modules["other.part"]
assert vars(anthropic)["__builtins__"]["__import__"] is __import__
"""
    assert python(code, path=str(tmp_path)).startswith("True")


def test_threads_that_import_at_once_find_one_client() -> None:
    code = """
import threading
from agentcli.model.claude import warm
def go():
    warm()
    import anthropic
    found.add((anthropic.AsyncAnthropic, anthropic.resources.messages.AsyncMessages))
    found.add((anthropic.types.Message, anthropic.beta_tool))
found = set()
threads = [threading.Thread(target=go) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(found))
"""
    assert python(code) == "2\n"


def test_a_run_that_ends_early_waits_for_no_import(tmp_path: Path) -> None:
    path = package(tmp_path / "slow", lines="import time\ntime.sleep(600)\n")
    (work := tmp_path / "work").mkdir()
    words = ("run", "--prompt", "x", "--model", "claude-haiku-4-5", "--usd", "0.0000001")
    ended = subprocess.run(
        [sys.executable, "-m", "agentcli", *words, "--profile", "reader"],
        cwd=work,
        env={
            **os.environ,
            "PYTHONPATH": f"{path}:{ROOT}",
            "AGENTCLI_HOME": str(tmp_path / "home"),
            "ANTHROPIC_API_KEY": "k",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (76, "")
    assert "money limit" in ended.stderr
