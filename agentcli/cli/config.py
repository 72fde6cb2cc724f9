"""`agentcli config`: what holds here, who says so, and where the files are."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentcli.cli import options

if TYPE_CHECKING:
    from agentcli.config.layer import Layer

OWN_KINDS = ("profiles", "policies", "tasks", "scripts", "tools")

app = typer.Typer(help="The settings that hold here.", no_args_is_help=True, rich_markup_mode=None)


@app.command("show")
def show(
    profile: options.PROFILE = "",
    workspace: options.WORKSPACE = None,
    as_json: options.JSON = False,
) -> None:
    """Show every setting that holds here under a profile, and who says so.

    agentcli config show
    agentcli config show -p coder --json
    """
    from agentcli.cli.document import print_json
    from agentcli.cli.table import print_table
    from agentcli.config.layer import setters
    from agentcli.config.settings import all_keys

    layers = layers_of(profile, workspace)
    rows: list[tuple[str, Any, str]] = []
    if profile:
        rows.append(("profile", profile, "flag · --profile"))
    for key in all_keys():
        found = next(setters(layers, key), None)
        if found is not None and not (profile and key == "profile"):
            layer, value = found
            rows.append((key, value, f"{layer.kind} · {layer.where(key)}"))
    if as_json:
        names = ("key", "value", "origin")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    print_table(("key", "value", "who says so"), [(k, brief(plain(v)), o) for k, v, o in rows])


@app.command("explain")
def explain(
    key: Annotated[str, typer.Argument(help="A setting, such as budget.usd.")],
    profile: options.PROFILE = "",
    workspace: options.WORKSPACE = None,
) -> None:
    """Say what one setting is here, where that is said, and what it overrides.

    agentcli config explain budget.usd
    agentcli config explain model -p coder
    """
    from agentcli.config.layer import setters
    from agentcli.config.settings import FLAGS, VARIABLES, find_key
    from agentcli.core.visible import visible

    key = find_key(key)
    found = list(setters(layers_of(profile, workspace), key))
    print(visible(f"{key}: {plain(found[0][1]) if found else 'not set'}"))
    for number, (layer, value) in enumerate(found):
        verb = "overrides" if number else "set by"
        print(visible(f"  {verb} {layer.kind}: {plain(value)}  ({layer.where(key)})"))
    by_key = {name: variable for variable, name in VARIABLES.items()}
    stronger = [name for name in (FLAGS.get(key), by_key.get(key)) if name]
    if stronger:
        print(f"  on top of all: {', then '.join(stronger)}")


@app.command("paths")
def paths(workspace: options.WORKSPACE = None) -> None:
    """Say where the program's files are, and which of them exist.

    agentcli config paths
    """
    from agentcli import asset
    from agentcli.config.project import FOLDER, root_of
    from agentcli.config.settings import NAME
    from agentcli.config.trust import trust_file
    from agentcli.core.visible import visible

    own, state = asset.config_home(), asset.state_home()
    root = root_of(options.workspace_of(workspace))
    places = [
        ("your settings", own / NAME),
        *(
            (f"your {kind}", own / kind)
            for kind in ("profiles", "policies", "tasks", "scripts", "tools")
        ),
        ("your models", own / "models.yaml"),
        *([] if root is None else [("this project", root / FOLDER)]),
        ("runs", state / "runs"),
        ("states before changes", state / "store"),
        ("what is trusted", trust_file()),
        ("chat history", state / "history"),
        ("shipped", asset.shipped("configs")),
        ("shipped tools", asset.shipped("tools")),
    ]
    for name, path in places:
        print(visible(f"{name:22} {path}{'' if path.exists() else '  (not there)'}"))


def layers_of(profile: str, workspace: Any) -> "tuple[Layer, ...]":
    """Return what holds, the weakest first, with the profile's name as the environment says it."""
    from agentcli.config.settings import load_config

    return load_config(options.workspace_of(workspace)).profile(profile).layers


def plain(value: object) -> str:
    """Return a value as one would write it in YAML."""
    import json
    from decimal import Decimal

    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str):
        return value if value else '""'
    return json.dumps(value, ensure_ascii=False, default=str)


def brief(text: str, width: int = 48) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
