"""In which role somebody works."""

from collections.abc import Mapping

from agentcli.approval.who import local_name
from agentcli.config.settings import Config
from agentcli.core.plan import Plan
from agentcli.document import one_of
from agentcli.errors import NotPermittedError, UsageError


def role_of(roles: Mapping[str, tuple[str, ...]], wanted: str, user: str) -> str:
    """Return the role of a user, "" for one who has none. wanted: "" for the only one.

    user: NAME@HOST. Who has several has to say which: none of them may add up.
    Raises UsageError, NotPermittedError.
    """
    own = own_roles(roles, user)
    if wanted and wanted not in own:
        known = f"you have {one_of(own)}" if own else "you have none"
        raise NotPermittedError(f"--role {wanted}: it is not yours; {known}")
    if not wanted and len(own) > 1:
        raise UsageError(f"which role? You have {one_of(own)}", hint=f"Say: --role {own[0]}")
    return wanted or next(iter(own), "")


def own_roles(roles: Mapping[str, tuple[str, ...]], user: str) -> list[str]:
    names = (user, user.partition("@")[0])
    return [role for role, users in roles.items() if any(name in users for name in names)]


def refuse_lost_role(plan: Plan, config: Config) -> None:
    """Raise NotPermittedError for a run in a role that whoever goes on with it has not, or lost."""
    role = plan.policy.role
    if role and role not in own_roles(config.roles, local_name()):
        message = f"the run was begun in the role {role}, which {local_name()} has not"
        hint = "Who has which role is in your settings under roles. Or begin a new run."
        raise NotPermittedError(message, hint=hint)
