"""`agentcli approve`: answer what a run asks, from any terminal or from a script."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentcli.cli import options
from agentcli.errors import MissingFileError, NotPermittedError, UsageError

if TYPE_CHECKING:
    from agentcli.compose.approve import Asked, Asking
    from agentcli.core.event import Answered, Edited

SHORTEST_BOUND = 12
MOST_SIGNATURE = 20_000


def approve(
    run: Annotated[str, typer.Argument(help="A run: its id, a prefix, a path, or last.")] = "last",
    call: Annotated[
        str, typer.Argument(help="A call that it asks about: its step, an end of it, or a record.")
    ] = "",
    no: Annotated[bool, typer.Option("--no", help="Say no, without a card.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why not, for the model.")] = "",
    show: Annotated[bool, typer.Option("--show", help="Show what is asked, and no more.")] = False,
    bound: Annotated[
        str, typer.Option("--bound", help="Say yes to just what --show showed by this hash.")
    ] = "",
    export: Annotated[
        bool, typer.Option("--export", help="Print the text that a privileged call has to sign.")
    ] = False,
    signature: Annotated[
        Path | None, typer.Option("--signature", help="Say yes with a signature of that text.")
    ] = None,
    as_json: options.JSON = False,
) -> int:
    """Answer what a run asks, whether it waits or runs in another terminal.

    agentcli approve last
    agentcli approve last call.0 --no --reason "Not now."
    agentcli approve last --show --json

    It shows the card just as it was asked and takes the answer here. A run that waits then goes on
    here; one under way takes the answer where it runs. A yes holds only for exactly what was
    shown: if anything of it has changed meanwhile, it is asked again. Without a terminal a yes
    needs --bound with the hash of what was looked at, at least 12 characters of it. Privileged
    calls: agentcli help approval.
    """

    def work() -> int:
        from agentcli import asset
        from agentcli.compose.approve import asking_of
        from agentcli.ledger.find import find_run

        refuse_mixed(no, reason, show, bound, export, signature)
        asking = asking_of(find_run(asset.state_home(), run))
        found = asking.named(call, past=export)
        if show:
            return show_all(asking, found, as_json)
        if len(found) > 1:
            return list_all(asking, found)
        if export:
            return export_text(found[0])
        answer = answer_to(asking, found[0], no, reason, bound, signature, as_json)
        if answer is None:
            raise NotPermittedError("Nothing was answered: it still waits.")
        return go_on(asking, found[0], answer, as_json)

    from agentcli.cli.run import documented

    return documented(work, as_json, False)


def refuse_mixed(
    no: bool, reason: str, show: bool, bound: str, export: bool, signature: Path | None
) -> None:
    named = {"--no": no, "--show": show, "--bound": bool(bound), "--export": export}
    ways = [name for name, given in {**named, "--signature": signature}.items() if given]
    if len(ways) > 1:
        raise UsageError(f"{ways[0]} and {ways[1]} do not go together")
    if reason and not no:
        raise UsageError("--reason goes with --no")
    if bound and len(bound) < SHORTEST_BOUND:
        raise UsageError(f"--bound: give at least {SHORTEST_BOUND} characters of the hash")


def answer_to(
    asking: "Asking",
    asked: "Asked",
    no: bool,
    reason: str,
    bound: str,
    signature: Path | None,
    as_json: bool,
) -> "Answered | Edited | None":
    """Return the answer, None for none. Raises NotPermittedError for a yes that does not count."""
    import asyncio

    from agentcli.core.event import Answered, Edited, Paused

    question = asked.question
    if no:
        return question.answered(False, reason)
    if signature is not None:
        if not asked.text:
            raise UsageError("--signature: this call needs no signature")
        return asking.signed_by(asked, read_signature(signature))
    if bound:
        if not question.bound.startswith(bound.lower()):
            hint = f"Look at it again: agentcli approve {asking.folder.id} --show"
            raise NotPermittedError("--bound: what is asked now is something else", hint=hint)
        signed = asyncio.run(signing(asked)) if asked.text else ("", "")
        return question.answered(True, signed=signed)
    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        hint = f"Look: agentcli approve {asking.folder.id} {asked.step} --show --json"
        message = "without a terminal a yes needs --bound with the hash of what was looked at"
        raise UsageError(message, hint=hint)
    from agentcli.shell.terminal import ask_person

    out = sys.stdout if sys.stdout.isatty() else sys.stderr
    given = asyncio.run(ask_person(question, out, Paused("left")))
    return given if isinstance(given, Answered | Edited) else None


async def signing(asked: "Asked") -> tuple[str, str]:
    assert asked.question.sign is not None
    return await asked.question.sign.make()


def read_signature(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_SIGNATURE).decode("ascii", "replace")
    except OSError as error:
        raise MissingFileError(f"{path}: {error.strerror}") from error


def go_on(asking: "Asking", asked: "Asked", answer: "Answered | Edited", as_json: bool) -> int:
    """Bring the answer to where the run is, or go on with the run here; return the exit code."""
    from dataclasses import replace

    from agentcli.cli.document import print_json
    from agentcli.cli.run import drive, taken_up
    from agentcli.compose.approve import by_me
    from agentcli.core.visible import visible

    if asking.is_live:
        asking.tell(answer)
        word = said(answer)
        if as_json:
            print_json({"run": asking.folder.id, "step": asked.step, "answer": word})
        else:
            print(visible(f"answered: {word} · {asked.question.call.tool} · {asked.step}"))
        return 0
    shot = taken_up(str(asking.folder.ledger), "", "", None, None)
    shot = replace(shot, earlier=(by_me(answer), asked.seen))
    if shot.plan.agent.pattern == "chat":
        from agentcli.cli.chat import first_words, talk

        if as_json:
            raise UsageError("a chat does not go on in JSON")
        return talk(shot, first_words())
    return drive(shot, as_json=as_json, stream_json=False)


def said(answer: "Answered | Edited") -> str:
    from agentcli.core.event import Edited

    if isinstance(answer, Edited):
        return "changed"
    return "yes" if answer.yes else "no"


def export_text(asked: "Asked") -> int:
    if not asked.text:
        raise UsageError(f"{asked.step}: this call needs no signature")
    print(asked.text, end="")
    return 0


def list_all(asking: "Asking", found: "list[Asked]") -> int:
    """Print the questions of which one has to be named."""
    from agentcli.cli.table import print_table
    from agentcli.shell.headless import call_line

    rows = [(a.step, str(a.record), a.question.tier, call_line(a.question.call)) for a in found]
    print_table(("step", "record", "tier", "call"), rows)
    message = f"{asking.folder.id} asks about {len(found)} calls: name one"
    raise UsageError(message, hint=f"agentcli approve {asking.folder.id} {found[0].step}")


def show_all(asking: "Asking", found: "list[Asked]", as_json: bool) -> int:
    from agentcli.cli.document import print_json
    from agentcli.shell import terminal
    from agentcli.shell.card import card_lines

    if as_json:
        print_json(
            {
                "run": asking.folder.id,
                "live": asking.is_live,
                "questions": [document(asked) for asked in found],
            }
        )
        return 0
    for asked in found:
        bound = asked.question.bound[:SHORTEST_BOUND]
        print(f"{asked.step} · record {asked.record} · bound {bound}")
        card = terminal.card_of(asked.question)
        print(*card_lines(card, terminal.width(), terminal.is_color(sys.stdout)), "", sep="\n")
    return 0


def document(asked: "Asked") -> dict[str, Any]:
    """Return all that a yes to a question is bound to, as a script may look at it."""
    import msgspec

    question = asked.question
    facts = msgspec.to_builtins(question.facts)
    del facts["kind"]
    return {
        "step": asked.step,
        "record": asked.record,
        "question": question.kind,
        "tier": question.tier,
        "tool": question.call.tool,
        "arguments": question.call.args,
        "reason": question.reason,
        "facts": facts,
        "bound": question.bound,
        "needs_signature": bool(asked.text),
    }
