"""What `agentcli` alone says."""

import sys

import typer

from agentcli.errors import UsageError

SCREEN = """\
agentcli {version}: an agent shell for Claude that you control
  agentcli demo                see it work, without a key
  agentcli chat                talk; it works in this folder
  agentcli run --prompt "..."  one task, from start to end
Configuration: {folder}
More: agentcli help\
"""


def start(ctx: typer.Context) -> int:
    """Show six lines to a person, to anything else its usage, and return the exit code."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(ctx.get_help(), file=sys.stderr)
        return UsageError.exit_code
    from agentcli import __version__, asset
    from agentcli.cli.page import short

    print(SCREEN.format(version=__version__, folder=short(str(asset.config_home()))))
    return 0
