"""A person's yes to what a command cannot take back."""

import sys

import typer

from agentcli.errors import UsageError


def agree(question: str, *, hint: str, refused: str = "Nothing was changed.") -> None:
    """Return if a person says yes. Raises UsageError where nobody can be asked, Exit after a no.

    hint: how to say yes without being asked. refused: what is printed after a no.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nobody can be asked here", hint=hint)
    if not typer.confirm(question, default=False, err=True):
        print(refused)
        raise typer.Exit(77)
