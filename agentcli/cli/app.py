"""The command line: what there is, and where each command lives."""

import typer

from agentcli import version_line
from agentcli.cli import chat, config, init, profile, replay, run, runs, sandbox, tools, trust

app = typer.Typer(
    name="agentcli",
    help="A command-line agent shell for Claude whose user stays in control.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("chat")(chat.chat)
app.command("run")(run.run)
app.command("resume")(run.resume)
app.command("replay")(replay.replay)
app.command("init")(init.init)
app.add_typer(runs.app, name="runs")
app.add_typer(profile.app, name="profile")
app.add_typer(config.app, name="config")
app.add_typer(trust.app, name="trust")
app.add_typer(tools.app, name="tools")
app.add_typer(sandbox.app, name="sandbox")


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", "-V", help="Say which version this is."),
) -> None:
    if version:
        print(version_line())
        raise typer.Exit
