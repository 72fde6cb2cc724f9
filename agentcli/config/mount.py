"""Folders and files beside the workspace, as people write them: PATH[:NAME][:ro|rw]."""

import re
from typing import Annotated

from pydantic import Field

from agentcli.core.visible import escaped_line
from agentcli.document import Document

FORM = "PATH[:NAME][:ro|rw]"
NAME = r"(?!\.{1,2}\Z)[a-zA-Z0-9._-]{1,100}\Z"


class MountSettings(Document):
    """One of a profile's mounts. name: seen as /mnt/NAME; by default the last part of the path."""

    path: Annotated[str, Field(min_length=1)]
    name: str | None = None
    writable: bool = False


def parse_mount(text: str) -> MountSettings:
    """Return the mount of one word. It is read from its end, since a path may hold colons.

    Raises ValueError saying what was expected.
    """
    rest, name, writable = text, None, False
    before, colon, last = rest.rpartition(":")
    if colon and last in ("ro", "rw"):
        rest, writable = before, last == "rw"
    before, colon, last = rest.rpartition(":")
    if colon and "/" not in last:  # else the colon is one of the path
        rest, name = before, last
    if not rest:
        raise ValueError(f"expected {FORM}, got `{escaped_line(text)}`")
    if name is not None:
        check_name(name)
    return MountSettings(path=rest, name=name, writable=writable)


def check_name(name: str) -> None:
    """Raise ValueError for what cannot be the last part of /mnt/NAME."""
    if not re.match(NAME, name):
        raise ValueError(
            f"`{escaped_line(name)}` cannot be its name, which is at most 100 of the letters a-z "
            f"and A-Z, digits, `.`, `_` and `-`: give it one, {FORM}"
        )
