"""The options that several commands share."""

import os
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.config.limit import MOST_USD
from agentcli.errors import MissingFileError

if TYPE_CHECKING:
    from agentcli.config.settings import Config

PROFILE = Annotated[str, typer.Option("--profile", "-p", help="Who works: a name or a file.")]
MODEL = Annotated[
    str,
    typer.Option("--model", "-m", help="A model's id; scripted:FILE and recorded:RUN need no key."),
]
WORKSPACE = Annotated[
    Path | None, typer.Option("--workspace", "-C", help="The folder that tools work in.")
]
SANDBOX = Annotated[
    str, typer.Option("--sandbox", help="docker, bubblewrap, or local: this machine itself.")
]
MOUNT = Annotated[
    list[str] | None,
    typer.Option(
        "--mount", help="What tools see as /mnt/NAME, read-only: PATH[:NAME][:ro|rw]; repeatable."
    ),
]
USD = Annotated[str, typer.Option("--usd", help="The most it may cost, in dollars.")]
STEPS = Annotated[
    int | None, typer.Option("--steps", min=1, help="How often it may ask the model.")
]
TIME = Annotated[int | None, typer.Option("--time", min=1, help="Seconds it may take.")]
ROLE = Annotated[str, typer.Option("--role", help="In which of your roles.")]
RUN = Annotated[str, typer.Argument(help="A run: its id, a prefix, a path, a bundle, or last.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def parse_usd(text: str) -> Decimal | None:
    """Return an amount of money, None for "". Raises BadParameter."""
    if not text:
        return None
    try:
        usd = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        raise typer.BadParameter(f"--usd: expected a number, got `{text}`") from None
    if not usd.is_finite() or not 0 < usd <= MOST_USD:
        raise typer.BadParameter(f"--usd: must be above 0 and at most {MOST_USD}, got {text}")
    return usd


def workspace_of(path: Path | None) -> Path:
    """Return the folder to work in, the current one by default. Raises MissingFileError."""
    here = Path.cwd() if path is None else Path(os.path.expanduser(path))
    if not here.is_dir():
        raise MissingFileError(f"{here}: there is no such folder to work in")
    return here


def say_untrusted(config: "Config") -> None:
    """Say on stderr what of the project is not used, and why not."""
    if config.project_error:
        say(f"the project's own files are not used: {config.project_error}")
    project = config.project
    if project is None or project.is_trusted:
        return
    words = {
        "changed": "has changed since it was trusted",
        "lost": "can no longer be proved to be what was trusted",
    }
    doubt = words.get(project.doubt, "is not trusted")
    say(
        f"{', '.join(project.names)} in {project.root} {doubt}, so it is not used. "
        "See it: agentcli trust show"
    )


def say_project(config: "Config") -> None:
    """Say on stderr whether the project's own files are in force."""
    say_untrusted(config)
    project = config.project
    if project is not None and project.is_trusted:
        day = project.record.at[:10]
        names = ", ".join(project.names)
        say(f"{names} in {project.root} is in force, as you accepted it on {day}")


def say(words: str) -> None:
    from agentcli.core.visible import visible

    print(visible(f"agentcli: {words}"), file=sys.stderr)
