"""`agentcli chat`: a conversation at the terminal."""

import sys
from typing import TYPE_CHECKING

from agentcli.cli import options
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from agentcli.compose.oneshot import OneShot


def chat(
    profile: options.PROFILE = "",
    model: options.MODEL = "",
    workspace: options.WORKSPACE = None,
    sandbox: options.SANDBOX = "",
    mount: options.MOUNT = None,
    usd: options.USD = "",
    steps: options.STEPS = None,
    time: options.TIME = None,
    role: options.ROLE = "",
) -> int:
    """Talk with the model; it works in the folder that you are in.

    Where stdin is no terminal, each line of it is said as it is, and the answers go to stdout.

    agentcli chat
    agentcli chat -p coder -C ~/src/app
    agentcli chat < questions.txt
    """
    from agentcli.cli.accept import config_of_run
    from agentcli.compose.key import credentials_for
    from agentcli.compose.oneshot import begin, new_folder
    from agentcli.compose.plan import Overrides, make_plan
    from agentcli.core.step import Agent

    first = first_words()
    money, mounts = options.parse_usd(usd), tuple(mount or ())
    over = Overrides(model or None, sandbox or None, money, steps, mounts=mounts, role=role)
    here = options.workspace_of(workspace)
    config = config_of_run(here)
    plan = make_plan(config, config.profile(profile), Agent("chat"), here, over, title="chat")
    credentials = credentials_for(plan.model, config)
    with new_folder() as folder:
        shot = begin(plan, folder, credentials)
    return talk(shot, first, time)


def first_words() -> str:
    """Return the first thing that is said through a pipe, "" at a terminal.

    Raises UsageError where nothing can be said.
    """
    if sys.stdin.isatty() and sys.stdout.isatty():
        return ""
    from agentcli.shell.lines import next_line

    line = "" if sys.stdin.isatty() else next_line(sys.stdin)
    if not line:
        hint = 'Without one: agentcli run --prompt "..."'
        raise UsageError("chat needs a terminal, or lines on stdin", hint=hint)
    return line


def talk(shot: "OneShot", first: str, time_s: int | None = None) -> int:
    """Hold a conversation: at the terminal, or a line of stdin at a time.

    first: what was read of stdin already, "" at a terminal. time_s: when to leave.
    """
    if first:
        from agentcli.shell.lines import talk_in_lines

        return talk_in_lines(shot, first, sys.stdin, sys.stdout, time_s)
    from agentcli.shell.chat import chat_with

    return chat_with(shot, time_s)
