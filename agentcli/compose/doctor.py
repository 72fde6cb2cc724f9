"""Finds out whether all that a run needs is there, and what mends what is not."""

import asyncio
import datetime
import email.utils
import locale
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentcli import asset, version_line
from agentcli.compose.key import Credentials, find_credentials
from agentcli.compose.outcome import EXIT_OF_FAILURE
from agentcli.compose.usable import faults
from agentcli.config.project import find_project
from agentcli.config.settings import Config, load_config, shipped_config
from agentcli.core.redact import Redactor
from agentcli.core.sandbox import SandboxSpec
from agentcli.errors import AgentcliError, ConfigError, LedgerError, UnavailableError
from agentcli.ledger.find import all_runs
from agentcli.ledger.folder import last_event
from agentcli.model.claude import Claude, Reached
from agentcli.model.route import Route
from agentcli.sandbox import bubblewrap, docker

GIB = 1 << 30
DISK_ENOUGH, DISK_LEAST = 2 * GIB, GIB // 5
CLOCK_S = 60
RUNS_AT_MOST = 500


@dataclass(frozen=True)
class Finding:
    """What one check found. state: "warn" hinders nothing. fix: what mends it, "" if nothing need.

    exit_code: what a run would end with for it.
    """

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = ""
    exit_code: int = 0


def failed(name: str, error: AgentcliError) -> Finding:
    return Finding(name, "fail", str(error), error.hint, error.exit_code)


def examine(workspace: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Yield what each check finds, as it is found. None of them needs a network or raises."""
    yield Finding("program", "ok", f"{version_line()}; no telemetry, no update check")
    config = shipped_config()  # for the rest, where the user's own cannot be read
    try:
        config = load_config(workspace, environ)
        yield from settings(config)
    except AgentcliError as error:
        yield failed("settings", error)
    yield project(workspace)
    yield from api(config, environ)
    yield terminal(environ)
    yield encoding(environ)
    yield from sandboxes(config)
    yield disk(asset.state_home(environ))
    yield ledgers(asset.state_home(environ))


def settings(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with all that a run reads before it starts, else where it reads it."""
    wrong = [failed("settings", error) for error in faults(config, [""])]
    files = [str(layer.source.path) for layer in reversed(config.layers) if layer.source]
    named = sorted(config.environment.variables[key] for key in set_keys(config))
    yield from wrong or [Finding("settings", "ok", ", then ".join([*named, *files]))]


def set_keys(config: Config) -> Iterator[str]:
    for key in config.environment.variables:
        if config.environment.sets(key):
            yield key


def project(workspace: Path) -> Finding:
    try:
        found = find_project(workspace)
    except AgentcliError as error:
        return failed("project", error)
    if found is None:
        return Finding("project", "ok", "brings no files of its own")
    names = ", ".join(found.names)
    if found.is_trusted:
        return Finding("project", "ok", f"{names} in {found.root}: trusted")
    was = {
        "changed": "changed since it was trusted",
        "lost": "no longer proved to be what was trusted",
    }
    detail = f"{names} in {found.root}: {was.get(found.doubt, 'not trusted')}, so not used"
    return Finding("project", "warn", detail, "agentcli trust show")


def api(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is known of the key, the endpoint and the clock."""
    found = Credentials()
    try:
        found = find_credentials(config, environ)
    except AgentcliError as error:
        yield failed("key", error)
    else:
        yield named_key(found.source)
    key = found.api_key if found.source else "none"
    reached = asyncio.run(reach(key, found.base_url))
    yield proxy(reached.route)
    yield endpoint(reached, Redactor(b"", found.known).clean, has_key=bool(found.source))
    yield clock(reached.date)


def named_key(source: str) -> Finding:
    if source:
        return Finding("key", "ok", f"from {source}")
    fix = "export ANTHROPIC_API_KEY=...; without one: agentcli demo"
    return Finding("key", "fail", "there is none", fix, ConfigError.exit_code)


async def reach(key: str | None, base_url: str | None) -> Reached:
    claude = Claude(api_key=key, base_url=base_url)
    try:
        return await claude.check()
    finally:
        await claude.close()


def endpoint(reached: Reached, clean: Callable[[str], str], *, has_key: bool) -> Finding:
    """Return what a server answered. clean: takes the key out of it, which it may have echoed."""
    problem = reached.problem
    if problem is None or (problem.failure == "auth" and not has_key):
        tried = "it takes the key" if reached.key_tried else "the key was not tried"
        return Finding("endpoint", "ok", f"{reached.host} answers in {reached.took_ms} ms; {tried}")
    message, _, hint = clean(str(problem)).partition("\n")
    if "agentcli doctor" in hint:  # that is us
        hint = "see that this machine is online and that ANTHROPIC_BASE_URL is right"
    code = EXIT_OF_FAILURE.get(problem.failure, 70)
    return Finding("endpoint", "fail", message, hint, code)


def clock(date: str) -> Finding:
    """Return whether the time is that of the server. date: of its answer, "" for none."""
    now = datetime.datetime.now(datetime.UTC)
    try:
        then = email.utils.parsedate_to_datetime(date)
        off_s = abs((now - then.astimezone(datetime.UTC)).total_seconds())
    except (ValueError, TypeError):
        return Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC, compared with no other")
    if off_s > CLOCK_S:
        detail = f"{off_s:,.0f} s from the server's: TLS and signatures may fail"
        return Finding("clock", "warn", detail, "sudo timedatectl set-ntp true")
    return Finding("clock", "ok", f"within {off_s:.0f} s of the server's")


def proxy(route: Route | None) -> Finding:
    if route is None:
        return Finding("proxy", "ok", "not tried")
    if not route.proxy:
        return Finding("proxy", "ok", "none")
    return Finding("proxy", "ok", f"{route.proxy} on the way to {route.host}, by {route.variable}")


def terminal(environ: Mapping[str, str]) -> Finding:
    kind = environ.get("TERM", "")
    size = shutil.get_terminal_size()
    if not sys.stdout.isatty():
        return Finding("terminal", "ok", "none: output goes to a file or a pipe")
    detail = f"{kind or 'no TERM'}, {size.columns} by {size.lines}"
    if kind in ("", "dumb"):
        fix = "export TERM=xterm-256color"
        return Finding("terminal", "warn", f"{detail}: neither colours nor live lines", fix)
    if size.columns < 60:
        return Finding("terminal", "warn", f"{detail}: narrow", "make the window wider")
    return Finding("terminal", "ok", detail)


def encoding(environ: Mapping[str, str]) -> Finding:
    writes = (sys.stdout.encoding or locale.getpreferredencoding(False)).lower()
    named = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "not set"
    if writes.replace("-", "") != "utf8":
        fix = "export LANG=C.UTF-8"
        return Finding("locale", "warn", f"{named}: writes {writes}, not UTF-8", fix)
    return Finding("locale", "ok", f"{named}, UTF-8")


def sandboxes(config: Config) -> Iterator[Finding]:
    """Yield what each backend is good for; failing only if none works."""
    image = SandboxSpec().image
    with suppress(AgentcliError):  # told as a finding of its own already
        chosen = config.profile().sandbox
        image = (chosen and chosen.image) or image
    engine, weaker = docker.check(image), bubblewrap.check("")
    state: Literal["warn", "fail"] = "warn" if weaker.ok else "fail"
    code = 0 if weaker.ok else UnavailableError.exit_code
    version = f"{engine.version}, " if engine.version else ""
    if engine.ok:
        yield Finding("docker", "ok", version + engine.detail)
    else:
        yield Finding("docker", state, engine.detail, engine.fix, code)
    if weaker.ok:
        yield Finding("bubblewrap", "ok", f"{weaker.version}, {weaker.detail}")
    else:
        yield Finding("bubblewrap", "ok" if engine.ok else "warn", weaker.detail, weaker.fix)


def disk(state: Path) -> Finding:
    """Return whether a ledger can be written, by writing where they are, and how much is left."""
    folder = state
    while not folder.exists():
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 65536)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        fix = "export AGENTCLI_HOME=... to a folder that can be written"
        return Finding("disk", "fail", f"{folder}: {error.strerror}", fix, LedgerError.exit_code)
    detail = f"{free / GIB:.1f} GB free at {folder}"
    if free < DISK_LEAST:
        return Finding("disk", "fail", detail, f"free some: du -sh {state}", LedgerError.exit_code)
    return Finding("disk", "ok" if free > DISK_ENOUGH else "warn", detail)


def ledgers(state: Path) -> Finding:
    """Return how many runs there are and whether their ledgers begin and end as they should."""
    total = 0
    bad: list[str] = []
    for run in all_runs(state):
        total += 1
        if total > RUNS_AT_MOST:
            continue
        try:
            run.started()
            if last_event(run.ledger) is None:
                bad.append(run.id)
        except (AgentcliError, OSError):
            bad.append(run.id)
    if bad:
        some = ", ".join(bad[:3])
        return Finding(
            "ledgers", "warn", f"{some} cannot be read", f"agentcli audit verify {bad[0]}"
        )
    about = f"the newest {RUNS_AT_MOST} looked at" if total > RUNS_AT_MOST else "all looked at"
    runs = "1 run" if total == 1 else f"{total} runs"
    return Finding("ledgers", "ok", f"{runs} in {state / 'runs'}, {about}")
