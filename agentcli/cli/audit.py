"""`agentcli audit`: what a ledger proves, and what it says of who did what."""

import typer

from agentcli.cli import trail

app = typer.Typer(
    help="What a ledger proves, and who did what.", no_args_is_help=True, rich_markup_mode=None
)
app.command("trail")(trail.trail)
app.command("export")(trail.export)
