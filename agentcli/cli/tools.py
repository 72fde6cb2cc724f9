"""`agentcli tools`: what the model may be offered, and one call by hand."""

from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.errors import InputError, MissingFileError, NotPermittedError

if TYPE_CHECKING:
    from agentcli.tool.manifest import LoadedTool

app = typer.Typer(
    help="The tools: what a model may be offered.", no_args_is_help=True, rich_markup_mode=None
)
NAME = Annotated[str, typer.Argument(help="A tool's name.")]


def load(workspace: options.WORKSPACE) -> dict[str, "LoadedTool"]:
    from agentcli.config.settings import load_config
    from agentcli.tool.load import load_tools

    config = load_config(options.workspace_of(workspace))
    with config.in_place():
        return load_tools(config.tool_folders())


def find(name: str, workspace: options.WORKSPACE) -> "LoadedTool":
    from agentcli.document import did_you_mean

    tools = load(workspace)
    if name not in tools:
        message = f"there is no tool `{name}`{did_you_mean(name, tools)}"
        raise MissingFileError(message, hint="List them: agentcli tools list")
    return tools[name]


@app.command("list")
def list_tools(workspace: options.WORKSPACE = None) -> None:
    """List the tools with their tiers.

    agentcli tools list
    """
    from agentcli.cli.table import print_table

    manifests = [tool.manifest for tool in load(workspace).values()]
    about = [manifest.description.strip().partition("\n")[0] for manifest in manifests]
    rows = [(m.name, m.tier, text) for m, text in zip(manifests, about, strict=True)]
    print_table(("tool", "tier", "what it does"), rows)


@app.command("show")
def show(name: NAME, workspace: options.WORKSPACE = None) -> None:
    """Show a tool as the model and the rules see it.

    agentcli tools show shell
    """
    import json

    from agentcli.core.visible import visible

    tool = find(name, workspace)
    manifest = tool.manifest
    egress = "can send data out" if manifest.egress else "cannot send data out"
    lines = [f"{manifest.name} version {manifest.version} · {manifest.tier} · {egress}"]
    if manifest.reversible_when:
        lines.append(f"irreversible unless {', '.join(manifest.reversible_when)}")
    if manifest.shell:
        lines.append("read_only in a sandbox when its commands are known to only read")
    if manifest.get is not None:
        lines.append(f"reads {manifest.get} for its script")
    lines += [f"digest {tool.digest}", f"from {tool.path}", "", manifest.description.strip(), ""]
    lines.append(json.dumps(manifest.parameters, indent=2, ensure_ascii=False))
    if manifest.output is not None:
        lines += ["", "output:", json.dumps(manifest.output, indent=2, ensure_ascii=False)]
    lines += [f"example: {json.dumps(one, ensure_ascii=False)}" for one in manifest.examples]
    print(visible("\n".join(lines)))


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="A tool; all by default.")] = "",
    workspace: options.WORKSPACE = None,
) -> int:
    """Check manifests: what is wrong with them, and what would make them better.

    agentcli tools check
    """
    from agentcli.cli.words import counted
    from agentcli.core.visible import visible
    from agentcli.tool.lint import lint

    tools = [find(name, workspace)] if name else list(load(workspace).values())
    findings = [(tool, line) for tool in tools for line in lint(tool)]
    for tool, line in findings:
        print(visible(f"{tool.path}: {line}"))
    print(f"{counted(len(tools), 'tool')}, {counted(len(findings), 'finding')}")
    return 1 if findings else 0


@app.command("call")
def call(
    name: NAME,
    arguments: Annotated[str, typer.Argument(help="A JSON object; - reads it.")] = "{}",
    workspace: options.WORKSPACE = None,
    sandbox: options.SANDBOX = "",
    mount: options.MOUNT = None,
    profile: options.PROFILE = "",
) -> int:
    """Call one tool as the model would: checked, judged, sandboxed and recorded.

    agentcli tools call calculator '{"expression": "0.1+0.2"}'
    """
    import sys

    from agentcli.cli.run import drive
    from agentcli.compose.key import Credentials
    from agentcli.compose.oneshot import begin, new_folder
    from agentcli.compose.plan import Overrides, make_plan
    from agentcli.config.settings import load_config
    from agentcli.core.step import Agent, Call

    find(name, workspace)
    text = sys.stdin.read() if arguments == "-" else arguments
    one = Agent("single", call=Call(name, parse(text), origin="task"))
    here = options.workspace_of(workspace)
    over = Overrides(backend=sandbox or None, mounts=tuple(mount or ()))
    config = load_config(here)
    options.say_untrusted(config)
    plan = make_plan(config, config.profile(profile), one, here, over, title=f"tools call {name}")
    if profile and name not in plan.policy.offered:
        offered = ", ".join(plan.policy.offered) or "none"
        hint = f"It offers {offered}. Leave out --profile to call any tool."
        raise NotPermittedError(f"The profile {profile} does not offer {name}.", hint=hint)
    with new_folder() as folder:
        shot = begin(plan, folder, Credentials())
    return drive(shot, as_json=False, stream_json=False)


def parse(text: str) -> dict[str, object]:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the arguments are not JSON: {error}") from None
    try:
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError("the arguments hold half a character: a lone surrogate") from None
    if not isinstance(value, dict):
        raise InputError(f"the arguments must be a JSON object, got {type(value).__name__}")
    return value
