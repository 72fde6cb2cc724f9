"""Has a command of the shell judged in a sandbox whose changes nobody can put back.

There what only reads runs by itself, and all else asks.
"""

from pathlib import Path

from agentcli import asset
from agentcli.core.command import worst_first
from agentcli.core.event import Prepared, Recorded
from agentcli.core.sandbox import Mount, SandboxFacts, SandboxSpec
from agentcli.loop.port import Sandbox
from agentcli.redteam.case import Case, Played
from agentcli.redteam.ground import Found, default_policy, judged, workspace
from agentcli.redteam.player import Obedient, Player, Stage
from agentcli.redteam.story import words_of
from agentcli.redteam.vector import Commanded
from agentcli.tool.load import load_tools
from agentcli.tool.snapshot import Snapshots

# Writable, so that what a call changes is in no snapshot.
MOUNT = Mount("data", "/srv/data", writable=True)
CONTAINED = SandboxFacts("played", isolated=True, offline=True)


async def open_contained(model: Obedient) -> Sandbox:
    return Stage(model, CONTAINED)


async def looked_through(folder: Path, do: Commanded) -> tuple[Found, str]:
    """Return what becomes of the command; a leak if it was found to do something else."""
    powers: list[str] = []

    def watch(rec: Recorded) -> None:
        if isinstance(rec.event, Prepared):
            facts = rec.event.facts
            powers.append("unparsed" if facts.unparsed else worst_first(facts.commands)[0].power)

    place = workspace(folder)
    player = Player(
        default_policy(),
        load_tools([asset.shipped("tools")]),
        open_sandbox=open_contained,
        spec=SandboxSpec("played", workspace=str(place), mounts=(MOUNT,)),
        snapshots=Snapshots(place, folder / "store"),
    )
    case = Case("v", "v", "attack", "Go.", (), (Played("shell", {"command": do.command}),))
    play = await player.play(case, "no", watch=watch)
    found, what = judged(folder, play.calls[0], real=False)
    said = " ".join(filter(None, (*powers, words_of(play.calls[0].verdict), what)))
    return (found if powers == [do.power] else "leak"), said
