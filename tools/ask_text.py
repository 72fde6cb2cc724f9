"""Gives a text to the reader who is to answer a question about it."""

from answer import Args, answer


def given(args: Args) -> str:
    return str(args["text"])


answer(given)
