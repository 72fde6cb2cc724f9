"""Opens what is below a folder, whatever is done to the tree meanwhile: no link is followed."""

import os
from collections.abc import Sequence

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not be waited for


def open_below(root: str | os.PathLike[str], parts: Sequence[str], flags: int) -> int:
    """Return the open file or folder of a path in parts, the root's own for none. Raises OSError.

    The root itself may be a link: its user has named it.
    """
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, part in enumerate(parts, 1):
        try:
            below = os.open(part, flags if number == len(parts) else FOLDER, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at
