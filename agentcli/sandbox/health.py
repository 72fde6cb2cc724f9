"""Whether a sandbox backend can be used, and what to do when not."""

from dataclasses import dataclass

from agentcli.errors import UnavailableError
from agentcli.sandbox.endpoint import answers, find_endpoint


@dataclass(frozen=True)
class Health:
    """What a check of one backend found.

    fix: the command that mends it; "" when there is nothing to mend.
    version: of the engine or program behind it; "" when not known.
    """

    ok: bool
    detail: str
    fix: str = ""
    version: str = ""


def pick_backend() -> str:
    """Return the strongest backend that works here: docker, else bubblewrap.

    Only asks whether the engine answers, so it is quick and a missing image shows later.

    Raises UnavailableError when neither works. Never `local`: that is the user's to choose.
    """
    from agentcli.sandbox import bubblewrap

    endpoint = find_endpoint()
    if answers(endpoint):
        return "docker"
    health = bubblewrap.check("")
    if health.ok:
        return "bubblewrap"
    raise UnavailableError(
        f"no sandbox works here: no Docker engine answers at {endpoint}; {health.detail}",
        hint=f"install and start Docker, or {health.fix}",
    )
