"""`agentcli runs`: what was run here."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agentcli.ledger.folder import RunFolder

app = typer.Typer(help="What was run here.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List the runs, the newest first.

    agentcli runs list -n 5
    """
    import itertools
    import json

    from agentcli import asset
    from agentcli.cli.table import print_table
    from agentcli.ledger.folder import all_runs

    rows = [row_of(run) for run in itertools.islice(all_runs(asset.state_home()), limit)]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not rows:
        print('No runs yet. Begin one: agentcli run --prompt "..."')
        return
    print_table(("run", "status", "profile", "title"), [tuple(row.values()) for row in rows])


def row_of(run: "RunFolder") -> dict[str, str]:
    """Return what a list says of a run. A ledger that cannot be read is listed as such."""
    from agentcli.errors import AgentcliError
    from agentcli.ledger.folder import last_event, name_of_event

    try:
        started = run.started()
        status = name_of_event(last_event(run.ledger))
        title = started.title or started.agent.pattern
        return {"run": run.id, "status": status, "profile": run.plan().profile, "title": title}
    except AgentcliError as error:
        return {"run": run.id, "status": "damaged", "profile": "", "title": str(error)}
