"""`agentcli audit`: what a ledger proves, and what it says of who did what."""

import typer

app = typer.Typer(
    help="What a ledger proves, and who did what.", no_args_is_help=True, rich_markup_mode=None
)
