"""`agentcli demo`: the main job, shown with no key and no network."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from agentcli.core.event import Recorded

TASK = "orders"
INTRO = (
    "A scripted model stands in for Claude. All else is the real program: the rules, the tools,"
    " a question to you, the ledger, and the sandbox ({where}). The task is real too: what did"
    " October's orders bring, by a file of which some lines are broken?"
)


def demo(
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Answer the one question with yes, for you.")
    ] = False,
    sandbox: options.SANDBOX = "",
) -> int:
    """Watch a real task from start to ledger, with no key.

    agentcli demo
    agentcli demo --yes
    """
    from agentcli import asset
    from agentcli.cli.replay import verify_run
    from agentcli.compose.key import Credentials
    from agentcli.compose.oneshot import begin, new_folder
    from agentcli.compose.plan import Overrides, make_plan
    from agentcli.config.settings import shipped_config
    from agentcli.config.task import load_task, make_workspace
    from agentcli.core.visible import visible
    from agentcli.ledger.read import read_ledger
    from agentcli.shell import headless
    from agentcli.shell.demo import filled, run_demo

    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the demo asks one question", hint="Where nobody can answer: --yes")
    backend = sandbox or find_backend()
    config = shipped_config()
    task = load_task(TASK, {}, config)
    script = asset.shipped("configs", "scripts", f"{TASK}.yaml")
    over = Overrides(model=f"scripted:{script}", backend=backend)
    who = config.profile("", task.file.profile, task.file.limits)
    with new_folder() as folder:
        root = make_workspace(task, folder.path, folder.workspace)
        plan = make_plan(config, who, task.agent, root, over, title="demo", output=task.output)
        shot = begin(plan, folder, Credentials())
    print("agentcli demo · no key, no network, a few seconds\n")
    print(filled(INTRO.format(where=headless.where_tools_run(backend))) + "\n")
    outcome = run_demo(shot, yes=yes)
    if outcome.status != "done":
        for line in headless.last_lines(outcome, shot):
            print(visible(line), file=sys.stderr)
        return outcome.exit_code
    records = read_ledger(folder.ledger)
    told = digest(records)
    print(f"\nAll of it is in the ledger, {len(records)} records, each sealed by a hash:\n")
    print(visible("\n".join(f"  {line}" for line in told)))
    print(f"\n$ agentcli replay {folder.id} --verify")
    code = verify_run(folder)
    lines = (
        "",
        f"report: {folder.workspace / 'report.md'}",
        "with your own key: export ANTHROPIC_API_KEY=... and then: agentcli chat",
        *headless.last_lines(outcome, shot)[-1:],
    )
    print(visible("\n".join(lines)))
    return code


def find_backend() -> str:
    """Return where the demo's tools run: the strongest that is ready, and say what is missing.

    Raises UnavailableError with what mends it.
    """
    from agentcli.cli.run import offer_image
    from agentcli.core.sandbox import SandboxSpec
    from agentcli.sandbox import bubblewrap, docker
    from agentcli.sandbox.health import pick_backend

    if (backend := pick_backend()) != "docker":
        return backend
    image = SandboxSpec().image
    health = docker.check(image)
    if health.ok or (sys.stdin.isatty() and offer_image(image)):
        return "docker"
    if not bubblewrap.check(image).ok:
        raise UnavailableError(health.detail, hint=health.fix)
    print(f"agentcli: {health.detail} ({health.fix}), so bubblewrap is used.", file=sys.stderr)
    return "bubblewrap"


def digest(records: "Sequence[Recorded]") -> Iterator[str]:
    """Yield a line for each record that tells who decided what."""
    from agentcli.core.event import Answered, Ended, Judged, RunStarted, Started
    from agentcli.core.policy import Deny
    from agentcli.core.step import Prepare

    tools: dict[str, str] = {}
    for rec in records:
        words = ""
        match rec.event:
            case RunStarted(program=program):
                words = f"run_started  by agentcli {program}"
            case Started(id=(step, _), act=Prepare(call=call)):
                tools[step] = call.tool
            case Judged(step=step, verdict=Deny(rule=rule)):
                words = f"judged       {tools.get(step)}: denied by the rule {rule}"
            case Judged(step=step, verdict=verdict):
                kind = type(verdict).__name__.lower()
                words = f"judged       {tools.get(step)}: {kind} by the rule {verdict.rule}"
            case Answered(step=step, yes=said, reason=why):
                words = f"answered     {tools.get(step)}: {'yes' if said else 'no'} {why}".rstrip()
            case Ended(status=status):
                words = f"ended        {status}"
        if words:
            yield f"{rec.seq:3} {words}"
