"""`agentcli replay --against`, and how a difference between two runs is printed."""

from typing import TYPE_CHECKING, Any

from agentcli.cli.words import counted

if TYPE_CHECKING:
    from agentcli.ledger.compare import Parting
    from agentcli.ledger.folder import RunFolder
    from agentcli.ledger.verify import Difference

WIDEST = 200


def compare_runs(one: "RunFolder", other: "RunFolder", *, as_json: bool) -> int:
    """Print the first step where two runs part and return 1, or 0 if there is none."""
    from agentcli.cli.document import print_json

    parting, steps = compared(one, other)
    if as_json:
        print_json(parting_document(one.id, other.id, parting, steps))
    else:
        print_parting(one.id, other.id, parting, steps)
    return 0 if parting is None else 1


def compared(one: "RunFolder", other: "RunFolder") -> "tuple[Parting | None, int]":
    """Return where two runs part, and how many steps the first one has."""
    from agentcli.ledger.compare import first_parting, steps_in, traits_of
    from agentcli.ledger.read import each_record

    mine = traits_of(each_record(one.ledger))
    theirs = traits_of(each_record(other.ledger))
    return first_parting(mine, theirs), steps_in(mine)


def parting_document(one: str, other: str, parting: "Parting | None", steps: int) -> dict[str, Any]:
    document: dict[str, Any] = {"one": one, "other": other, "same": parting is None}
    document["steps"] = steps
    if parting is not None:
        document["difference"] = {
            "step": parting.step,
            "what": parting.what,
            "one": {"record": parting.one.record, "text": parting.one.text},
            "other": {"record": parting.other.record, "text": parting.other.text},
        }
    return document


def print_parting(one: str, other: str, parting: "Parting | None", steps: int) -> None:
    from agentcli.core.visible import visible_line
    from agentcli.ledger.compare import WORDS, first_lines

    if parting is None:
        print(f"the same in {counted(steps, 'step')}")
        return
    print(visible_line(f"they part at {parting.step}: {WORDS[parting.what]}"))
    number, *lines = first_lines(parting.one.text, parting.other.text)
    width = max(len(one), len(other))
    for run, side, line in zip((one, other), (parting.one, parting.other), lines, strict=True):
        if not side.record:
            told = "there is nothing like it"
        else:
            place = f", line {number}" if number > 1 else ""
            told = f"record {side.record}{place}: {clipped(line)}"
        print(visible_line(f"  {run.ljust(width)}  {told}"))


def clipped(text: str, width: int = WIDEST) -> str:
    if not text.strip():
        return "(empty)" if not text else "(blank)"
    return text if len(text) <= width else text[: width - 1] + "…"


def print_difference(difference: "Difference") -> None:
    """Print the first decision that does not follow: the field that differs, then all of both."""
    import msgspec

    from agentcli.core.event import Decision
    from agentcli.core.record import tag_of
    from agentcli.core.visible import visible_line
    from agentcli.ledger.compare import first_field
    from agentcli.ledger.verify import without_words

    found = difference.found
    sides = {"due": difference.due, "found": found}
    kind = tag_of(type(found))
    if difference.due is None:
        print(f"record {difference.seq} differs: nothing was due, and {kind} was found")
    else:
        pair = (without_words(e) if isinstance(e, Decision) else e for e in sides.values())
        field = first_field(*(msgspec.json.decode(msgspec.json.encode(e)) for e in pair))
        if field is None:
            print(f"record {difference.seq} differs: its number or its epoch does not follow")
        else:
            print(visible_line(f"record {difference.seq} differs in {kind}: {field[0]}"))
            for name, value in zip(sides, field[1:], strict=True):
                text = msgspec.json.encode(value).decode()
                print(visible_line(f"  {name + ':':<6} {clipped(text)}"))
        print("all of it:")
    for name, event in sides.items():
        text = "to wait" if event is None else msgspec.json.encode(event).decode()
        print(visible_line(f"  {name + ':':<6} {clipped(text, 2_000)}"))
