"""`agentcli audit`: what a ledger proves, and what it says of who did what."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentcli.cli import options, trail
from agentcli.cli.consent import agree
from agentcli.cli.words import counted
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from agentcli.ledger.proof import Proof
    from agentcli.ledger.redaction import Found
    from agentcli.ledger.walk import Fault

app = typer.Typer(
    help="What a ledger proves, and who did what.", no_args_is_help=True, rich_markup_mode=None
)
app.command("trail")(trail.trail)
app.command("export")(trail.export)
DAMAGED = 73
SURE = "If you are sure, say --yes."


@app.command("verify")
def verify(
    run: options.RUN = "last",
    signers: Annotated[
        Path | None,
        typer.Option("--signers", help="Who may have signed it: a file of allowed signers."),
    ] = None,
    as_json: options.JSON = False,
) -> int:
    """Prove that a ledger is what was written, and that all that ran was allowed.

    agentcli audit verify last
    agentcli audit verify median.agentrun --json

    Each record is bound to the one before by a hash, and the last one to a seal of this machine.
    No network is used and nothing is changed. What was decided is recomputed by replay --verify.
    """
    from agentcli import asset
    from agentcli.cli.document import print_json
    from agentcli.compose.approve import signature_problems
    from agentcli.ledger.bundle import opened_run
    from agentcli.ledger.proof import prove
    from agentcli.ledger.walk import Fault

    with opened_run(asset.state_home(), run) as folder:
        proof = prove(asset.state_home(), folder, signers)
        if proof.answers_signed and proof.is_ok:
            proof.faults += [Fault("signature", text) for text in signature_problems(folder)]
    code = 0 if proof.is_ok else DAMAGED
    if as_json:
        print_json({**document(proof), "exit_code": code})
    else:
        print_proof(proof)
    return code


@app.command("repair")
def repair(
    run: options.RUN = "last",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without being asked.")] = False,
) -> None:
    """Cut a damaged ledger back to the last record that can be trusted, and keep what is cut off.

    agentcli audit repair last

    What was done after that record is then unknown to the run: going on could do it once more.
    """
    from agentcli import asset
    from agentcli.core.visible import visible
    from agentcli.ledger.find import find_run
    from agentcli.ledger.repair import find_cut
    from agentcli.ledger.repair import repair as repair_run
    from agentcli.loop.perform import now_us

    state = asset.state_home()
    folder = find_run(state, run)
    cut = find_cut(state, folder)
    if not cut.faults:
        print(f"{folder.id}: nothing to repair")
        return
    for fault in cut.faults:
        print(visible(fault_line(fault)))
    print(f"Left: {counted(cut.end.count, 'record')}, {cut.end.size_bytes:,} bytes")
    if cut.cut_bytes:
        where = f"from line {cut.line}, byte {cut.end.size_bytes:,} on"
        print(f"Cut off: {counted(cut.lines, 'line')}, {cut.cut_bytes:,} bytes, {where}")
    if cut.lost:
        print(f"Lost: {counted(cut.lost, 'record')} that had been sealed.")
        print("What they did is then unknown to the run: going on could do it once more.")
    if not yes:
        agree("Cut it back?" if cut.cut_bytes else "Go on from what is left?", hint=SURE)
    kept = repair_run(state, folder, cut, now_us())
    if kept:
        print(visible(f"What was cut off is in {folder.path / kept}"))
    print(f"Repaired and sealed: agentcli audit verify {folder.id}")


@app.command("sign")
def sign(
    run: options.RUN,
    key: Annotated[Path, typer.Option("--key", help="Your SSH key: ~/.ssh/id_ed25519.")],
) -> None:
    """Sign how far a ledger has come with your SSH key, once it is proved to be whole.

    agentcli audit sign last --key ~/.ssh/id_ed25519

    The signature stands beside the ledger and goes into bundles. Anyone can check it:
    agentcli audit verify RUN --signers FILE, in which a line is a name and a public key.
    """
    import os

    from agentcli import asset
    from agentcli.errors import InputError, LedgerBusyError
    from agentcli.ledger.find import find_run
    from agentcli.ledger.proof import is_written, refuse_damaged
    from agentcli.ledger.signature import SIGNATURE
    from agentcli.ledger.signature import sign as sign_head

    state = asset.state_home()
    folder = find_run(state, run)
    proof = refuse_damaged(state, folder)
    if proof.sealed != proof.records:
        raise InputError(
            f"{folder.id}: its end is not sealed by this machine, so there is nothing to sign"
        )
    if is_written(folder.ledger):
        raise LedgerBusyError(f"{folder.id}: it is under way: sign it once it has stopped")
    sign_head(folder.path, Path(os.path.expanduser(key)), proof.records)
    print(f"Signed: {counted(proof.records, 'record')}, in {SIGNATURE}")


@app.command("redact")
def redact(
    run: options.RUN,
    marks: Annotated[
        list[str] | None,
        typer.Argument(help="Marks as they stand in the ledger, or outputs; none lists them."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is listed.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the ledger.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without being asked.")] = False,
    as_json: options.JSON = False,
) -> None:
    """Destroy private values and whole outputs of a run for good. Its ledger stays whole.

    agentcli audit redact last
    agentcli audit redact last 0123456789abcdef
    agentcli audit redact last --all

    A value is named by its mark or by what stands last in it, an output by its file. The ledger
    never held them: marks stand there, and still do. Not reached: what tools wrote to files, and
    what undo keeps of those; bundles that were made with private values; other runs, such as forks
    and replays, which keep values of their own and are named.
    """
    from agentcli import asset
    from agentcli.errors import InputError
    from agentcli.ledger.find import find_run
    from agentcli.ledger.redaction import find_private, kept_elsewhere
    from agentcli.ledger.redaction import redact as redact_run
    from agentcli.loop.perform import now_us

    if everything and marks:
        raise UsageError("--all does not go with marks")
    state = asset.state_home()
    folder = find_run(state, run)
    if folder.is_foreign:
        hint = f"Remove the folder: {folder.path}"
        raise InputError(f"{folder.foreign}, so it is never written to", hint=hint)
    found = find_private(folder)
    chosen = found.chosen(marks) if marks else found
    others = kept_elsewhere(state, folder, chosen)
    print_private(folder.id, chosen, others, as_json=as_json)
    if not (chosen.secrets or chosen.outputs) or not (marks or everything):
        return
    if not yes:
        agree("Destroy all of this for good?", hint=SURE)
    redact_run(state, folder, chosen, reason, now_us)
    if not as_json:
        print(f"redacted ({len(chosen.secrets) + len(chosen.outputs)})")


def print_private(run: str, found: "Found", others: list[str], *, as_json: bool) -> None:
    """Print what could be destroyed, or is going to be. others: the runs that keep it too."""
    from dataclasses import asdict

    from agentcli.cli.document import print_json
    from agentcli.core.visible import visible

    if as_json:
        print_json({"run": run, **asdict(found), "elsewhere": others})
        return
    for secret in found.secrets:
        print(visible(f"{secret.mark}  {counted(secret.places, 'place')}"))
    for output in found.outputs:
        size = f"{output.size_bytes:,} bytes, record {output.record}"
        print(visible(f"outputs/{output.handle}  {size}"))
    if others:
        print(visible(f"kept in other runs too, each to be redacted there: {', '.join(others)}"))
    if not (found.secrets or found.outputs):
        print("There is nothing to redact.")


def document(proof: "Proof") -> dict[str, Any]:
    """Return the JSON document of a proof."""
    from dataclasses import asdict

    return {"status": "ok" if proof.is_ok else "damaged", **asdict(proof)}


def print_proof(proof: "Proof") -> None:
    from agentcli.core.visible import visible

    size = f"{counted(proof.records, 'record')}, {proof.size_bytes:,} bytes"
    if proof.is_ok:
        lines = [f"ok: {size}, each bound to the one before"]
    else:
        lines = [f"damaged: {size}", *(f"  {fault_line(fault)}" for fault in proof.faults)]
    if proof.more_faults:
        lines.append(f"  and {proof.more_faults} more")
    if proof.torn_bytes:
        lines.append(f"torn tail: {proof.torn_bytes} bytes that were never acknowledged")
    if proof.sealed is not None and proof.is_ok:
        lines.append(f"sealed by this machine: {counted(proof.sealed, 'record')}")
    if proof.signed is not None:
        since = proof.records - proof.signed
        more = f", and {counted(since, 'record')} written since" if since > 0 else ""
        lines.append(f"signed by {proof.signed_by}: {counted(proof.signed, 'record')}{more}")
    if proof.results and proof.is_ok:
        lines.append(f"allowed before it ran, exactly so: {counted(proof.results, 'call')}")
    if proof.answers_signed and proof.is_ok:
        lines.append(f"signed, by who may: {counted(proof.answers_signed, 'answer')}")
    if proof.redacted:
        lines.append(f"redacted ({proof.redacted})")
    lines += proof.notes
    if not proof.is_ok:
        lines.append(f"What can be done: agentcli audit repair {proof.run}")
    for line in lines:
        print(visible(line))


def fault_line(fault: "Fault") -> str:
    """Return a fault in one line: its word, the records, where they are, and what it is."""
    at = ""
    if fault.word in ("truncated", "older copy"):
        at = f" after {fault.first}"
    elif fault.last > fault.first:
        at = f" {fault.first}..{fault.last}"
    elif fault.first:
        at = f" at {fault.first}"
    place = f" (line {fault.line}, byte {fault.byte:,})" if fault.line else ""
    return f"{fault.word}{at}{place}: {fault.text}"
