"""Who somebody is, as far as this machine knows."""

import os
import pwd
import socket


def local_name(uid: int | None = None) -> str:
    """Return `name@host` of a user of this machine, by default of the one who runs this."""
    uid = os.getuid() if uid is None else uid
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return f"{name}@{socket.gethostname()}"
