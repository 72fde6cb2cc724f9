"""`agentcli runs fork`: another run that goes on from any record of one."""

from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from agentcli.compose.fork import Made
    from agentcli.ledger.folder import RunFolder


def fork_run(
    run: Annotated[str, typer.Argument(help="A run: its id, a prefix, a path, or last.")] = "last",
    at: Annotated[
        str, typer.Option("--at", help="The last record to keep, or a step; the end by default.")
    ] = "",
    model: options.MODEL = "",
    here: Annotated[
        bool, typer.Option("--here", help="Work in the run's own workspace, not in a copy.")
    ] = False,
    prompt: Annotated[str, typer.Option("--prompt", help="Say this and go on at once.")] = "",
    as_json: options.JSON = False,
) -> int:
    """Make another run that goes on from any record of a run.

    It keeps the profile, the limits and all up to the record; the run itself stays as it is.

    agentcli runs fork last --at 37
    agentcli runs fork last --at call.2.0
    agentcli runs fork 20261123 --prompt "And for March?"

    Records are numbered as replay shows them. Where a tool was running, it goes on from before
    that; where all was done, from where the model was asked for the last time. It works in a copy
    of the workspace as that was then, as far as it was kept. What was imported can be forked only
    if its tools are those of this machine, and with --here: in the folder that you are in. It then
    has the rules and limits of this machine, and all that was imported counts as untrusted.
    """
    from agentcli import asset
    from agentcli.cli.document import print_json
    from agentcli.ledger.find import find_run

    if prompt and not prompt.strip():
        raise UsageError("--prompt: there is nothing to say in it")
    made = forked(find_run(asset.state_home(), run), at=at, model=model, here=here)
    if prompt:
        return say(made, prompt, as_json=as_json)
    if as_json:
        print_json(document(made))
    else:
        print_made(made)
    return 0


def forked(source: "RunFolder", *, at: str = "", model: str = "", here: bool = False) -> "Made":
    """Make a fork of a run, as `agentcli.compose.fork.fork_run` does."""
    from pathlib import Path

    from agentcli.compose.fork import fork_run
    from agentcli.compose.oneshot import new_folder
    from agentcli.config.settings import load_config

    config = load_config(Path.cwd())
    with new_folder() as folder:
        return fork_run(source, folder, config, Path.cwd(), at=at, model=model, here=here)


def document(made: "Made") -> dict[str, object]:
    return {
        "run": made.folder.id,
        "fork_of": made.of,
        "at": made.at,
        "moved": made.moved,
        "workspace": made.workspace,
        "ledger": str(made.folder.ledger),
        "resume": f"agentcli resume {made.folder.id}",
    }


def print_made(made: "Made") -> None:
    from agentcli.core.visible import visible

    print(visible("\n".join(lines_of(made))))
    print(f"Go on: agentcli resume {made.folder.id}")


def lines_of(made: "Made") -> list[str]:
    lines = [f"{made.folder.id}: a fork of {made.of} at record {made.at}"]
    if made.moved:
        lines.append(f"It goes on from record {made.at}: {made.moved}.")
    return [*lines, f"Its workspace: {made.workspace}, {made.where}"]


def say(made: "Made", prompt: str, *, as_json: bool) -> int:
    """Say something in a fork and go on until that is answered."""
    import io
    import sys
    from dataclasses import replace

    from agentcli.cli.run import documented, drive, taken_up
    from agentcli.core.event import UserSaid
    from agentcli.core.step import ROOT
    from agentcli.shell.headless import Progress
    from agentcli.shell.lines import talk_in_lines

    for line in lines_of(made):
        Progress(sys.stderr).say(line)

    def work() -> int:
        shot = taken_up(made.folder.id, "", "", None, None)
        if shot.plan.agent.pattern != "chat":
            shot = replace(shot, more=(UserSaid(prompt.strip(), ROOT),))
            return drive(shot, as_json=as_json, stream_json=False)
        if as_json:
            raise UsageError("a chat does not go on in JSON")
        return talk_in_lines(shot, prompt, io.StringIO(), sys.stdout)

    return documented(work, as_json, False)
