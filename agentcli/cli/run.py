"""`agentcli run` and `agentcli resume`: one task, from its start or from where it stopped."""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.errors import AgentcliError, InputError, LedgerBusyError, LedgerError, UsageError

if TYPE_CHECKING:
    from agentcli.compose.oneshot import OneShot
    from agentcli.compose.outcome import Outcome
    from agentcli.compose.plan import Overrides
    from agentcli.config.settings import Config
    from agentcli.core.event import Input
    from agentcli.core.plan import Plan

OUTPUT = Annotated[Path | None, typer.Option("--output", "-o", help="Where the answer goes.")]
STREAM = Annotated[bool, typer.Option("--stream-json", help="Print one JSON event a line.")]


def run(
    task: Annotated[str, typer.Argument(help="A task's file or name; - reads a prompt.")] = "",
    prompt: Annotated[
        str, typer.Option("--prompt", help="What is wanted, instead of a task.")
    ] = "",
    var: Annotated[list[str] | None, typer.Option("--var", help="A variable: name=value.")] = None,
    profile: options.PROFILE = "",
    model: options.MODEL = "",
    workspace: options.WORKSPACE = None,
    sandbox: options.SANDBOX = "",
    mount: options.MOUNT = None,
    usd: options.USD = "",
    steps: options.STEPS = None,
    time: options.TIME = None,
    role: options.ROLE = "",
    output: OUTPUT = None,
    as_json: options.JSON = False,
    stream_json: STREAM = False,
) -> int:
    """Run one task to its end.

    agentcli run --prompt "What is in this folder?"
    agentcli run report.yaml --var month=2026-10 --json
    git diff | agentcli run - --prompt "Review this."
    """

    def work() -> int:
        from agentcli.cli.accept import config_of_run
        from agentcli.compose.plan import Overrides

        money, mounts = options.parse_usd(usd), tuple(mount or ())
        over = Overrides(model or None, sandbox or None, money, steps, time, mounts, role)
        here = options.workspace_of(workspace)
        config = config_of_run(here, machine=as_json or stream_json)
        shot = begun(task, prompt, parse_vars(var or []), profile, here, config, over)
        return drive(shot, as_json=as_json, stream_json=stream_json, output=output)

    return documented(work, as_json, stream_json)


def resume(
    run: Annotated[str, typer.Argument(help="A run: its id, a prefix, a path, or last.")] = "last",
    model: options.MODEL = "",
    usd: options.USD = "",
    steps: options.STEPS = None,
    time: options.TIME = None,
    output: OUTPUT = None,
    as_json: options.JSON = False,
    stream_json: STREAM = False,
) -> int:
    """Go on with a run that stopped.

    It keeps its own profile, task, tools and limits. One that another process is at can be
    watched instead, or gone on with in a fork.

    agentcli resume last
    agentcli resume 20261123-1130 --usd 5
    """

    def work() -> int:
        from agentcli import asset
        from agentcli.cli.busy import way_with
        from agentcli.cli.chat import first_words, talk
        from agentcli.ledger.find import find_run

        folder, name = find_run(asset.state_home(), run), run
        match "resume" if as_json or stream_json else way_with(folder):
            case "w":
                from agentcli.cli.replay import watch_run

                return watch_run(folder, None, None, instant=False, step=False, follow=True)
            case "f":
                from agentcli.cli.fork import forked, print_made

                made = forked(folder, model=model)
                print_made(made)
                name = made.folder.id
            case "":
                return LedgerBusyError.exit_code
        shot = taken_up(name, model, usd, steps, time)
        if shot.plan.agent.pattern == "chat":
            if as_json or stream_json:
                raise UsageError("a chat does not go on in JSON")
            return talk(shot, first_words(), time)
        return drive(shot, as_json=as_json, stream_json=stream_json, output=output)

    return documented(work, as_json, stream_json)


def taken_up(run: str, model: str, usd: str, steps: int | None, time_s: int | None) -> "OneShot":
    """Return the work at a run that goes on, with what the command line adds to it."""
    from msgspec.structs import replace

    from agentcli import asset
    from agentcli.compose.key import credentials_for
    from agentcli.compose.model import make_model
    from agentcli.compose.mount import refuse_changed_places
    from agentcli.compose.oneshot import OneShot
    from agentcli.compose.plan import UUSD, absolute, refuse_other_price
    from agentcli.compose.role import refuse_lost_role
    from agentcli.config.settings import load_config
    from agentcli.core.event import BudgetRaised
    from agentcli.ledger.find import find_run

    folder = find_run(asset.state_home(), run)
    plan = folder.plan()
    plan = replace(plan, time_s=time_s or plan.time_s)
    refuse_changed_places(plan.sandbox)
    config = load_config(Path(plan.sandbox.workspace))
    refuse_lost_role(plan, config)
    if model:
        refuse_other_price(plan, absolute(model))
        plan = replace(plan, model=absolute(model))
    money = options.parse_usd(usd)
    more: tuple[Input, ...] = ()
    if money is not None or steps is not None:
        more = (BudgetRaised(int(money * UUSD) if money else 0, steps or 0),)
    found = credentials_for(plan.model, config)
    return OneShot(plan, folder, make_model(plan.model, found), found.known, more=more)


class Interruption(AgentcliError):
    exit_code = 130


def documented(work: Callable[[], int], as_json: bool, stream_json: bool) -> int:
    """Do the work; for a machine, what kept it from being done is a document too."""
    if as_json and stream_json:
        raise UsageError("--json and --stream-json do not go together")
    out = sys.stdout
    try:
        return work()
    except (AgentcliError, KeyboardInterrupt) as error:
        if not (as_json or stream_json):
            raise
        told = error if isinstance(error, AgentcliError) else Interruption("Stopped.")
        document = {
            "type": "result",
            "version": 1,
            "status": "error",
            "exit_code": told.exit_code,
            "message": str(told),
            "hint": told.hint,
        }
        from agentcli.cli.document import json_text

        print(json_text(document), file=out, flush=True)
        return told.exit_code


def parse_vars(words: list[str]) -> dict[str, str]:
    values = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"--var {word}: expected name=value")
        values[name] = value
    return values


def begun(
    task: str,
    prompt: str,
    values: dict[str, str],
    profile: str,
    here: Path,
    config: "Config",
    over: "Overrides",
) -> "OneShot":
    """Return the work at a new run of what the command line asks for. here: where it works."""
    from dataclasses import replace

    from agentcli.compose.key import credentials_for
    from agentcli.compose.oneshot import begin, new_folder
    from agentcli.compose.plan import make_plan
    from agentcli.config.task import load_task, make_workspace
    from agentcli.core.redact import Redactor
    from agentcli.core.step import Agent

    if task and task != "-":
        if prompt:
            raise UsageError("a task and --prompt do not go together")
        loaded = load_task(task, values, config)
        who = config.profile(profile, loaded.file.profile, loaded.file.limits)
        if (over.model or who.model) == "scripted":
            over = replace(over, model=script_of(loaded.name))
        found = credentials_for(over.model or who.model or "", config)
        with new_folder() as folder:
            root = make_workspace(loaded, here, folder.workspace)
            title, output = loaded.file.title or loaded.name, loaded.output
            plan = make_plan(config, who, loaded.agent, root, over, title=title, output=output)
            return begin(plan, folder, found)
    if values:
        raise UsageError("--var goes with a task")
    text = read_prompt(prompt, task)
    who = config.profile(profile)
    found = credentials_for(over.model or who.model or "", config)
    redactor = Redactor(b"", found.known, pii=who.pii or "keep")
    title = first_line(redactor.clean(text))  # whole secrets, before it is cut
    plan = make_plan(config, who, Agent("react", text), here, over, title=title)
    with new_folder() as folder:
        return begin(plan, folder, found)


def script_of(task: str) -> str:
    """Return the model that plays a task's own script: the one of its name."""
    from agentcli import asset

    if task not in (known := asset.named_files("scripts")):
        names = ", ".join(sorted(known))
        raise UsageError(f"there is no script of the name {task}", hint=f"Scripts: {names}")
    return f"scripted:{task}"


def read_prompt(prompt: str, task: str) -> str:
    """Return what is wanted: the option's text, what is piped in, or both."""
    piped = ""
    if task == "-" or not prompt:
        if not prompt and sys.stdin.isatty():
            from agentcli import asset

            tasks = ", ".join(sorted(asset.named_files("tasks")))
            raise UsageError(
                "what is wanted? Give a task, --prompt TEXT, or pipe a prompt in.",
                hint=f"Tasks: {tasks}",
            )
        try:
            piped = sys.stdin.read()
        except UnicodeDecodeError as error:
            raise InputError(f"stdin: must be UTF-8 text: {error.reason}") from None
    text = "\n\n".join(part for part in (prompt.strip(), piped.strip()) if part)
    if not text:
        raise UsageError("the prompt is empty")
    return text


def first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 60 else line[:59] + "…"


def drive(
    shot: "OneShot",
    *,
    as_json: bool,
    stream_json: bool,
    output: Path | None = None,
) -> int:
    """Run in the way that the streams and options ask for, and return the exit code."""
    from dataclasses import replace

    from agentcli.cli.document import json_text
    from agentcli.compose.oneshot import run_to_end
    from agentcli.shell import headless

    plan, folder = shot.plan, shot.folder
    output_of(plan, output)  # a wrong one is found before anything is spent
    structured = plan.agent.checks.answer_schema is not None
    machine = as_json or stream_json
    if plan.policy.offered and plan.sandbox.backend != "docker" and not machine:
        headless.Progress(sys.stderr).say(
            f"tools run {headless.where_tools_run(plan.sandbox.backend)}"
        )
    if not machine:
        for line in headless.powers(plan.policy):
            headless.Progress(sys.stderr).say(line)
    if machine:
        out = headless.reserve_stdout()
        if stream_json:
            shot = replace(shot, front=headless.StreamJson(out).front)
        outcome = run_to_end(shot.go())
        outcome = keep_answer(plan, outcome, output)
        document = outcome.document(str(folder.ledger), structured=structured)
        indent = None if stream_json else 2
        out.write(json_text(document, indent) + "\n")
        out.flush()
    elif sys.stderr.isatty() and sys.stdin.isatty():
        from agentcli.shell.watch import run_in_terminal

        outcome = run_in_terminal(shot)
        while lacks_image(outcome) and offer_image(plan.sandbox.image):
            outcome = run_in_terminal(replace(shot, more=()))
        if plan.agent.pattern == "single":  # no reply of a model has told what came of it
            headless.answer_to(sys.stdout, outcome.answer)
    else:
        front = headless.Progress(sys.stderr).front
        outcome = run_to_end(replace(shot, front=front).go())
        headless.answer_to(sys.stdout, outcome.answer)
        for line in headless.last_lines(outcome, shot):
            headless.Progress(sys.stderr).say(line)
    if not machine:
        kept = keep_answer(plan, outcome, output)
        if kept is not outcome:
            headless.Progress(sys.stderr).say(kept.message)
        outcome = kept
    return outcome.exit_code


def lacks_image(outcome: "Outcome") -> bool:
    return outcome.exit_code == 69 and "agentcli sandbox build" in outcome.hint


def offer_image(image: str) -> bool:
    """Ask whether to build the sandbox's image, and return whether it is there now."""
    if not typer.confirm("Build the image now, in less than a minute?", err=True):
        return False
    from agentcli.cli.sandbox import build

    build(image)
    return True


def keep_answer(plan: "Plan", outcome: "Outcome", output: Path | None) -> "Outcome":
    """Write the answer where the command line, or else the task, wants it.

    Returns the outcome; a failed one if the answer cannot be written.
    """
    from dataclasses import replace

    try:
        path = output_of(plan, output)
        if path is not None and outcome.answer and outcome.status == "done":
            text = outcome.answer.rstrip("\n") + "\n"
            # What the user names is theirs, be it a pipe; in the workspace a tool may have set
            # a trap.
            path.write_text(text, encoding="utf-8") if output else put_in_place(path, text)
    except OSError as error:
        message = f"{path}: the answer cannot be written: {error.strerror}"
        return replace(outcome, status="failed", exit_code=LedgerError.exit_code, message=message)
    return outcome


def output_of(plan: "Plan", output: Path | None) -> Path | None:
    """Return the file that takes the answer. Raises InputError for one outside the workspace."""
    if output is not None or not plan.output:
        return output
    root = Path(plan.sandbox.workspace)
    path = root / plan.output
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise InputError(f"output: {plan.output} is outside of the workspace")
    return path


def put_in_place(path: Path, text: str) -> None:
    """Write a file whole, in the place of whatever a tool may have put there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".agentcli-") as folder:
        beside = Path(folder, path.name)
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
