"""What runs for a call: its tool's script, command or session, filled with its arguments."""

import base64
import json
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from agentcli.core.sandbox import Job
from agentcli.core.step import Args
from agentcli.tool.manifest import PLACEHOLDER, LoadedTool, RunCommand, RunSession
from agentcli.tool.reach import UnreachableError, target_of
from agentcli.tool.web import Response


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


def given_of(args: Args, response: Response) -> bytes:
    """Return the stdin of a script that a URL is read for: JSON with `args` and `response`.

    The body of the response is in base64.
    """
    told = {
        "url": response.url,
        "status": response.status,
        "headers": dict(response.headers),
        "body": base64.b64encode(response.body).decode(),
        "cut": response.cut,
    }
    return json.dumps({"args": args, "response": told}).encode()


def command_of(run: RunCommand, args: Mapping[str, object]) -> tuple[str, ...]:
    """Return the command of a call: each `{name}` in it replaced by the argument as one word."""
    return tuple(
        _word(args[found[1]]) if (found := PLACEHOLDER.fullmatch(part)) else part
        for part in run.command
    )


def url_of(tool: LoadedTool, args: Mapping[str, object]) -> str:
    """Return the URL that is read for a call, just as it is asked for, "" for none.

    An argument in a part of it is quoted whole, so that it stays in that part. Raises
    UnreachableError for what is no URL of a page, and for an argument by which a server would go
    up its folders.
    """
    get = tool.manifest.get
    if get is None:
        return ""
    if found := PLACEHOLDER.fullmatch(get):
        return str(target_of(_word(args[found[1]])))

    def quoted(found: re.Match[str]) -> str:
        return quote(_word(args[found[1]]), safe="", errors="surrogatepass")

    target = target_of(PLACEHOLDER.sub(quoted, get))
    path = unquote(target.path.partition("?")[0]).replace("\\", "/")  # servers differ on both
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise UnreachableError(f"{target}: no part of its path can be `.` or `..`.")
    return str(target)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
