"""`agentcli chat`: a conversation at the terminal."""

import os

from agentcli.cli import options


def chat(
    profile: options.PROFILE = "",
    model: options.MODEL = "",
    workspace: options.WORKSPACE = None,
    sandbox: options.SANDBOX = "",
    usd: options.USD = "",
    steps: options.STEPS = None,
) -> int:
    """Talk with the model; it works in the folder that you are in.

    agentcli chat
    agentcli chat -p coder -C ~/src/app
    """
    import datetime

    from agentcli import asset
    from agentcli.compose.oneshot import OneShot
    from agentcli.compose.plan import Overrides, make_plan
    from agentcli.compose.session import make_model
    from agentcli.config.settings import load_config
    from agentcli.core.redact import known_secrets
    from agentcli.core.step import Agent
    from agentcli.ledger.folder import new_run

    options.need_terminal()
    over = Overrides(model or None, sandbox or None, options.parse_usd(usd), steps)
    here = options.workspace_of(workspace)
    config = load_config(here)
    options.say_untrusted(config)
    plan = make_plan(config, config.profile(profile), Agent("chat"), here, over, title="chat")
    folder = new_run(asset.state_home(), datetime.datetime.now(datetime.UTC))
    folder.keep_plan(plan, known_secrets(os.environ.items()))
    from agentcli.shell.chat import chat_with

    return chat_with(OneShot(plan, folder, make_model(plan.model)))
