"""`agentcli trust`: whether a project's own files may count here."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.errors import MissingFileError, UsageError

if TYPE_CHECKING:
    from agentcli.config.project import Project

app = typer.Typer(
    help="Whether a project's own files count here.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_trusted(as_json: options.JSON = False) -> None:
    """List the projects that are trusted: since when, by which digest, and what became of them.

    agentcli trust list
    """
    from dataclasses import asdict

    from agentcli.cli.document import print_json
    from agentcli.cli.table import print_table
    from agentcli.config.project import standings

    found = list(standings())
    if as_json:
        print_json([asdict(one) for one in found])
        return
    if not found:
        print("No project is trusted. Look at the one here: agentcli trust show")
        return
    names = ("digest", "since", "state", "files", "project")
    print_table(
        names,
        [(one.digest, one.at, one.state, str(one.files), str(one.root)) for one in found],
    )


@app.command("show")
def show(
    workspace: options.WORKSPACE = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="All of it, not only what has changed.")
    ] = False,
) -> None:
    """Show what files of its own the project brings, what they would change, and if they count.

    agentcli trust show

    Of one that has changed since it was trusted, what differs is shown.
    """
    tell(project_here(workspace), whole=whole)


@app.command("grant")
def grant(
    workspace: options.WORKSPACE = None,
    digest: Annotated[
        str, typer.Option("--digest", help="Of what you have looked at; without a terminal.")
    ] = "",
) -> None:
    """Let the project's own files count, exactly as they are now.

    agentcli trust grant
    """
    from agentcli.cli.accept import report, says_yes
    from agentcli.config import project as projects
    from agentcli.core.visible import visible_line

    project = project_here(workspace)
    if project.is_trusted:
        print("It is trusted already, exactly as it is.")
        return
    if not digest and sys.stdin.isatty() and sys.stderr.isatty():
        if not says_yes(list(report(project))):
            print("Not trusted.")
            raise typer.Exit(77)
    else:
        tell(project)
        if not digest:
            hint = f"Look at the files, then: agentcli trust grant --digest {project.digest}"
            raise UsageError("nobody can be asked here", hint=hint)
        if digest != project.digest:
            raise UsageError(f"--digest {digest}: the files are {project.digest} now")
    projects.grant(project)
    print(visible_line(f"Trusted. Any change makes them not count again: {project.root}"))
    if wrong := fault_in(options.workspace_of(workspace)):
        print(visible_line(f"Nothing runs here until this is mended, or trust is revoked: {wrong}"))


@app.command("revoke")
def revoke(workspace: options.WORKSPACE = None) -> None:
    """Let the project's own files not count any more, and remove what was kept of them.

    agentcli trust revoke
    agentcli trust revoke -C ~/src/gone
    """
    from agentcli.config import project as projects
    from agentcli.core.visible import visible_line

    if workspace is not None and not os.path.lexists(named := Path(os.path.expanduser(workspace))):
        root: Path | None = Path(os.path.abspath(named))  # a project that is gone
    else:
        root = projects.root_of(options.workspace_of(workspace))
    if root is None or not projects.revoke(root):
        print("It was not trusted.")
        return
    print(visible_line(f"Not trusted any more: {root}"))


def fault_in(here: Path) -> str:
    """Return the first thing that keeps any run in a folder from starting, "" for none."""
    from agentcli.compose.usable import faults
    from agentcli.config.settings import load_config
    from agentcli.errors import AgentcliError

    try:
        error = next(faults(load_config(here), [""]), None)
    except AgentcliError as wrong:
        error = wrong
    return "" if error is None else str(error).split("\n")[0]


def project_here(workspace: options.WORKSPACE) -> "Project":
    from agentcli.config.project import find_project

    here = options.workspace_of(workspace)
    project = find_project(here)
    if project is None:
        raise MissingFileError(
            f"{here}: the project has no files of its own for the program",
            hint="Make some: agentcli init",
        )
    return project


def tell(project: "Project", *, whole: bool = False) -> None:
    from agentcli.cli.accept import report

    for line in report(project, whole=whole):
        print(line)
