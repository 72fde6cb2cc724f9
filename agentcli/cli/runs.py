"""`agentcli runs`: what was run here."""

from typing import Annotated

import typer

from agentcli.cli import bundle, case, dead, fork, options, prune
from agentcli.errors import UsageError

app = typer.Typer(help="What was run here.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: options.JSON = False,
) -> None:
    """List the runs, the newest first.

    agentcli runs list -n 5

    Of a run with a long ledger, `runs show` alone says the turns and the cost.
    """
    import itertools

    from agentcli import asset
    from agentcli.cli.document import print_json
    from agentcli.cli.table import print_table
    from agentcli.compose.report import glance_at
    from agentcli.ledger.find import all_runs

    runs = itertools.islice(all_runs(asset.state_home()), limit)
    glances = [glance_at(run) for run in runs]
    if as_json:
        rows = [glance.document() for glance in glances]
        print_json(rows)
        return
    if not glances:
        print('No runs yet. Begin one: agentcli run --prompt "..."')
        return
    print_table(
        ("run", "began", "status", "turns", "cost", "title"),
        [
            (
                glance.run,
                glance.began,
                glance.standing.word,
                str(glance.tally.replies) if glance.tally else "",
                glance.tally.cost if glance.tally else "",
                glance.title,
            )
            for glance in glances
        ],
    )


@app.command("show")
def show_run(run: options.RUN = "last", as_json: options.JSON = False) -> None:
    """Say what a run was, did and cost.

    agentcli runs show last
    """
    from agentcli import asset
    from agentcli.cli import show
    from agentcli.cli.document import print_json
    from agentcli.ledger.bundle import opened_run

    with opened_run(asset.state_home(), run) as folder:
        shown = show.shown_of(folder, run)
        if as_json:
            print_json(show.document(shown))
        else:
            show.print_run(shown)


@app.command("search")
def search_runs(
    text: Annotated[str, typer.Argument(help="What to look for, in any case.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 100,
    as_json: options.JSON = False,
) -> None:
    """Find a text in all runs.

    In prompts, replies, calls, outputs and titles.

    agentcli runs search "connection refused"

    The newest run comes first. Ledgers are searched as they are stored: secrets are marks there.
    """
    import itertools
    import sys
    from dataclasses import asdict

    from agentcli import asset
    from agentcli.cli.document import print_json
    from agentcli.cli.show import print_hit
    from agentcli.core.visible import visible
    from agentcli.ledger.find import all_runs
    from agentcli.ledger.search import search_run

    if not text.strip():
        raise UsageError("what is to be looked for? The text is empty")

    def warn(message: str) -> None:
        print(visible(message), file=sys.stderr)

    runs = all_runs(asset.state_home())
    hits = itertools.chain.from_iterable(search_run(run, text, warn) for run in runs)
    found = 0
    documents = []
    for hit in itertools.islice(hits, limit + 1):
        found += 1
        if found > limit:
            warn(f"there are more than {limit}: -n {limit * 10}")
        elif as_json:
            documents.append(asdict(hit))
        else:
            print_hit(hit)
    if as_json:
        print_json(documents)
    elif not found:
        warn("found nowhere")


@app.command("rename")
def rename_run(
    run: options.RUN,
    title: Annotated[str, typer.Argument(help="What it is to be called; empty: as it was.")],
) -> None:
    """Call a run by another title, which lists, searches and exports show.

    agentcli runs rename last "The run that mended median"
    agentcli runs rename last ""

    What the run was called when it began stays in its ledger.
    """
    from agentcli import asset
    from agentcli.core.visible import visible_line
    from agentcli.ledger.bundle import is_bundle
    from agentcli.ledger.find import find_run

    if is_bundle(run):
        hint = f"Import it first: agentcli runs import {run}"
        raise UsageError("a bundle is not renamed", hint=hint)
    folder = find_run(asset.state_home(), run)
    started = folder.started()
    folder.rename(title)
    print(visible_line(f"{folder.id}: {folder.label or started.title or started.agent.pattern}"))


# Help lists them in this order, after those above: what one looks for first comes first.
app.command("export")(bundle.export_run)
app.command("import")(bundle.import_run)
app.command("fork")(fork.fork_run)
app.command("case")(case.make_case)
app.command("prune")(prune.prune)
app.add_typer(dead.app, name="dead")
