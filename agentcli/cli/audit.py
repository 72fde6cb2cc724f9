"""`agentcli audit`: what a ledger proves, and what it says of who did what."""

from typing import TYPE_CHECKING, Any

import typer

from agentcli.cli import options, trail

if TYPE_CHECKING:
    from agentcli.ledger.proof import Proof
    from agentcli.ledger.walk import Fault

app = typer.Typer(
    help="What a ledger proves, and who did what.", no_args_is_help=True, rich_markup_mode=None
)
app.command("trail")(trail.trail)
app.command("export")(trail.export)
DAMAGED = 73


@app.command("verify")
def verify(run: options.RUN = "last", as_json: options.JSON = False) -> int:
    """Prove that a ledger is what was written, and that all that ran was allowed.

    agentcli audit verify last
    agentcli audit verify median.agentrun --json

    Each record is bound to the one before by a hash, and the last one to a seal of this machine.
    No network is used and nothing is changed. What was decided is recomputed by replay --verify.
    """
    from agentcli import asset
    from agentcli.cli.document import print_json
    from agentcli.ledger.bundle import opened_run
    from agentcli.ledger.proof import prove

    with opened_run(asset.state_home(), run) as folder:
        proof = prove(asset.state_home(), folder)
    code = 0 if proof.is_ok else DAMAGED
    if as_json:
        print_json({**document(proof), "exit_code": code})
    else:
        print_proof(proof)
    return code


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
    if proof.results and proof.is_ok:
        lines.append(f"allowed before it ran, exactly so: {counted(proof.results, 'call')}")
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


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
