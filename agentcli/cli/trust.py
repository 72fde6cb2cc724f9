"""`agentcli trust`: whether a project's own files may count here."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.cli.consent import agree
from agentcli.cli.words import counted
from agentcli.errors import AgentcliError, MissingFileError, UsageError

if TYPE_CHECKING:
    from agentcli.config.project import Project

app = typer.Typer(
    help="Whether a project's own files count here.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("show")
def show(workspace: options.WORKSPACE = None) -> None:
    """Show what files of its own the project brings, what they would change, and if they count.

    agentcli trust show
    """
    tell(project_here(workspace))


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
    from agentcli.config import project as projects
    from agentcli.core.visible import visible

    project = project_here(workspace)
    if project.is_trusted:
        print("It is trusted already, exactly as it is.")
        return
    tell(project)
    if digest:
        if digest != project.digest:
            raise UsageError(f"--digest {digest}: the files are {project.digest} now")
    else:
        hint = f"Look at the files, then: agentcli trust grant --digest {project.digest}"
        agree("Let them count, exactly as they are?", hint=hint, refused="Not trusted.")
    projects.grant(project)
    print(visible(f"Trusted. Any change makes them not count again: {project.root}"))


@app.command("revoke")
def revoke(workspace: options.WORKSPACE = None) -> None:
    """Let the project's own files not count any more.

    agentcli trust revoke
    """
    from agentcli.config import project as projects
    from agentcli.core.visible import visible

    root = projects.root_of(options.workspace_of(workspace))
    if root is None or not projects.revoke(root):
        print("It was not trusted.")
        return
    print(visible(f"Not trusted any more: {root}"))


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


def tell(project: "Project") -> None:
    """Print what the files would do, what became of each, and all that is in them."""
    from agentcli.core.visible import escaped, visible

    state = "trusted" if project.is_trusted else "not trusted"
    if project.trusted and not project.is_trusted:
        state = f"not trusted any more: changed since {project.trusted.at}"
    print(visible(f"{project.root}\n{state} · {project.digest}\n"))
    for line in effects(project):
        print(visible(f"  {line}"))
    for name, change in project.changes():
        print(visible(f"\n{name}{f'  ({change})' if project.trusted and change else ''}"))
        # Escaped: `visible` would leave out what a terminal takes for a command, and a model reads.
        text = escaped(project.contents.get(name, b"").decode("utf-8", "replace"))
        for line in text.removesuffix("\n").split("\n"):
            print(f"  │ {line}".rstrip())


def effects(project: "Project") -> Iterator[str]:
    """Yield what the files would change, a line each; what is wrong with them, where they are."""
    from agentcli.config.project import INSTRUCTIONS
    from agentcli.config.settings import NAME

    for name in sorted(project.files):
        path = project.root / name
        _, _, below = name.partition("/")
        kind = below.partition("/")[0]
        try:
            if name in INSTRUCTIONS:
                yield f"{name}: told to the model as instructions"
            elif below == NAME:
                yield from settings_effects(path)
            elif path.suffix == ".yaml" and below.count("/") == 1:
                yield from named_effects(kind, path)
        except AgentcliError as error:
            yield from str(error).split("\n")


def settings_effects(path: Path) -> Iterator[str]:
    from agentcli.cli.config import plain
    from agentcli.config.layer import setters
    from agentcli.config.settings import all_keys, read_layer

    layer = read_layer("project", path)
    for key in all_keys():
        for _, value in setters((layer,), key):
            yield f"setting {key}: {plain(value)}"


def named_effects(kind: str, path: Path) -> Iterator[str]:
    """Yield what a profile, task, policy or tool is, and whose place it takes."""
    from agentcli import asset

    other = asset.named_files(kind).get(path.stem) if kind in ("profiles", "tasks") else None
    if other is not None:
        whose = "shipped" if other.is_relative_to(asset.shipped("configs")) else "your own"
        yield f"{kind[:-1]} {path.stem}: takes the place of the {whose} one"
    elif kind in ("profiles", "tasks"):
        yield f"{kind[:-1]} {path.stem}: can be used by its name"
    elif kind == "policies":
        from agentcli.config.policy import load_policy

        policy = load_policy(path)
        rules = [rule.name for rule in policy.rules if rule.effect == "allow"]
        lets = f", of which these let calls run: {', '.join(rules)}" if rules else ""
        unsafe = "; unsafe: also what cannot be undone" if policy.file.unsafe and rules else ""
        yield f"policy {path.stem}: {counted(len(policy.rules), 'rule')}{lets}{unsafe}"
    elif kind == "tools":
        from agentcli.tool.manifest import load_manifest

        manifest = load_manifest(path).manifest
        egress = "can send data out" if manifest.egress else "cannot send data out"
        yield f"tool {manifest.name}: {manifest.tier}, {egress}"
