"""What runs for a call: its tool's script, command or session, filled with its arguments."""

import base64
import dataclasses
import json
from collections.abc import Mapping
from urllib.parse import quote

from agentcli.core.sandbox import Job
from agentcli.core.step import Args
from agentcli.tool.manifest import PLACEHOLDER, LoadedTool, RunCommand, RunSession
from agentcli.tool.reach import target_of
from agentcli.tool.web import Page


def job_of(tool: LoadedTool, args: Args) -> Job:
    """Return the job that runs a tool with valid arguments."""
    timeout_ms = tool.manifest.timeout_of(args) * 1000
    match tool.manifest.run:
        case RunSession(session=session, code=code):
            return Job((str(args[code]),), timeout_ms=timeout_ms, session=session)
        case RunCommand() as command:
            return Job(command_of(command, args), timeout_ms=timeout_ms)
        case _:
            stdin = json.dumps(args, ensure_ascii=False).encode("utf-8", "surrogatepass")
            argv = ("python3", "-I", "-S", "-c", tool.script)
            return Job(argv, stdin=stdin, timeout_ms=timeout_ms)


def given_of(args: Args, page: Page) -> bytes:
    """Return what the script of a tool gets that reads a page: its arguments, and the page."""
    body = base64.b64encode(page.body).decode()
    response = {**dataclasses.asdict(page), "body": body}
    return json.dumps({"args": args, "response": response}, ensure_ascii=True).encode()


def command_of(run: RunCommand, args: Mapping[str, object]) -> tuple[str, ...]:
    """Return the command of a call: each `{name}` in it replaced by the argument as one word."""
    return tuple(
        _word(args[found[1]]) if (found := PLACEHOLDER.fullmatch(part)) else part
        for part in run.command
    )


def page_of(tool: LoadedTool, args: Mapping[str, object]) -> str:
    """Return the URL that a call reads, in one form, "" for none.

    What stands behind the host is quoted. Raises Unreachable for what is no URL.
    """
    get = tool.manifest.get
    if get is None:
        return ""
    if found := PLACEHOLDER.fullmatch(get):
        return str(target_of(_word(args[found[1]])))
    return str(target_of(PLACEHOLDER.sub(lambda found: quoted(_word(args[found[1]])), get)))


def quoted(word: str) -> str:
    return quote(word, safe="", errors="surrogatepass")


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
