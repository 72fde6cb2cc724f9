"""Takes a plan down. That it was said, and when, is what counts: the ledger has it."""

from answer import Args, answer


def noted(args: Args) -> str:
    return f"Noted: {', '.join(args['tools'])}."


answer(noted)
