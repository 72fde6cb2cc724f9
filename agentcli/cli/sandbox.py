"""`agentcli sandbox`: the image that tools run in, and what a crash left behind."""

import re
from typing import Annotated

import typer

from agentcli.errors import UsageError

app = typer.Typer(help="Where tools run.", no_args_is_help=True, rich_markup_mode=None)
IMAGE = Annotated[str, typer.Option("--image", help="The image's name.")]


@app.command("build")
def build(image: IMAGE = "agentcli-sandbox:latest") -> None:
    """Build the sandbox's image: from a public base, or without any registry on Debian.

    agentcli sandbox build
    """
    from agentcli.core.visible import visible
    from agentcli.sandbox.docker import build_image

    if not re.fullmatch(r"[a-z0-9][\w./:-]*", image):
        raise UsageError(f"--image `{image}`: not the name of an image")
    build_image(image, lambda line: print(visible(line)))
    print(f"built {image}")


@app.command("clean")
def clean() -> None:
    """Remove the containers of runs whose process is gone.

    agentcli sandbox clean
    """
    from agentcli.sandbox.docker import remove_leftovers

    removed = remove_leftovers()
    for name in removed:
        print(f"removed {name}")
    if not removed:
        print("nothing was left behind")


@app.command("check")
def check(image: IMAGE = "agentcli-sandbox:latest") -> int:
    """Say which backends work on this machine, and what mends those that do not.

    agentcli sandbox check
    """
    import importlib

    from agentcli.core.visible import visible

    working = 0
    for name in ("docker", "bubblewrap", "local"):
        health = importlib.import_module(f"agentcli.sandbox.{name}").check(image)
        working += health.ok and name != "local"
        print(visible(f"{'✓' if health.ok else '✗'} {name}: {health.detail}"))
        if health.fix and not health.ok:
            print(visible(f"  mend it: {health.fix}"))
    return 0 if working else 69
