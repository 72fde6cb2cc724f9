"""The command line: what there is, and where each command lives."""

import typer

from agentcli import version_line
from agentcli.cli import (
    approve,
    audit,
    chat,
    completion,
    config,
    demo,
    doctor,
    help,
    init,
    policy,
    profile,
    redteam,
    replay,
    run,
    runs,
    sandbox,
    start,
    tools,
    trust,
    undo,
)

app = typer.Typer(
    name="agentcli",
    help="A command-line agent shell for Claude whose user stays in control.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("chat")(chat.chat)
app.command("run")(run.run)
app.command("resume")(run.resume)
app.command("approve")(approve.approve)
app.command("replay")(replay.replay)
app.command("undo")(undo.undo)
app.command("redteam")(redteam.redteam)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.add_typer(runs.app, name="runs")
app.add_typer(audit.app, name="audit")
app.add_typer(profile.app, name="profile")
app.add_typer(config.app, name="config")
app.add_typer(policy.app, name="policy")
app.add_typer(trust.app, name="trust")
app.add_typer(tools.app, name="tools")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(completion.app, name="completion")
# Without a declared argument, which Typer would load pydantic for.
app.command(
    "help", options_metavar="[TOPIC | COMMAND]", context_settings={"allow_extra_args": True}
)(help.show_help)


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", "-V", help="Say which version this is."),
) -> None:
    if version:
        print(version_line())
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        raise typer.Exit(start.start(ctx))


help.explain(app)
