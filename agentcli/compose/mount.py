"""Resolves what is mounted beside the workspace, and refuses what no tool may reach."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from agentcli import asset
from agentcli.config.mount import FORM, MountSettings, check_name, parse_mount
from agentcli.config.profile import Profile, SandboxSettings
from agentcli.core.sandbox import Mount, SandboxSpec, hidden_names
from agentcli.core.visible import escaped_line
from agentcli.errors import AgentcliError, ConfigError, MissingFileError, UsageError
from agentcli.sandbox.endpoint import engine_sockets
from agentcli.sandbox.workspace import check_mounts

Wrong = Callable[[str], AgentcliError]  # the error for a mount, at the place that names it


def resolve_mounts(
    profile: Profile, flags: tuple[str, ...], backend: str, hidden: tuple[str, ...]
) -> tuple[Mount, ...]:
    """Return all mounts of a run, those of the profile first.

    flags: of the command line. hidden: the names of files that are kept out.
    Raises MissingFileError; ConfigError or UsageError for what cannot be mounted.
    """
    found: dict[str, Mount] = {}
    for wish, wrong in wishes(profile, flags):
        if backend == "local":
            raise wrong(
                "there is nothing to mount without a sandbox: on this machine itself tools reach "
                f"{escaped_line(wish.path)} where it is, and could change it"
            )
        mount = resolve(wish, wrong, hidden)
        if (other := found.get(mount.name)) is not None:
            raise wrong(
                f"{mount.path} and {other.path} would both be {mount.inside}: "
                f"give one another name, {FORM}"
            )
        found[mount.name] = mount
    return tuple(found.values())


def wishes(profile: Profile, flags: tuple[str, ...]) -> Iterator[tuple[MountSettings, Wrong]]:
    settings = profile.sandbox or SandboxSettings()
    for number, item in enumerate(settings.mounts or ()):

        def wrong(message: str, number: int = number) -> AgentcliError:
            return profile.error_at(f"sandbox.mounts.{number}", message)

        wish = item if isinstance(item, MountSettings) else parsed(item, wrong)
        if not wish.path.startswith(("/", "~")):
            raise wrong(f"the path must begin with / or ~/, got `{escaped_line(wish.path)}`")
        yield wish, wrong
    for text in flags:

        def misused(message: str, text: str = text) -> AgentcliError:
            return UsageError(f"--mount {escaped_line(text)}: {message}")

        yield parsed(text, misused), misused


def parsed(text: str, wrong: Wrong) -> MountSettings:
    try:
        return parse_mount(text)
    except ValueError as error:
        raise wrong(str(error)) from None


def resolve(wish: MountSettings, wrong: Wrong, hidden: tuple[str, ...]) -> Mount:
    """Return the mount of a wish. Raises MissingFileError or what `wrong` makes."""
    if not wish.path.isprintable():
        raise wrong("the path must be plain UTF-8")
    given = os.path.abspath(os.path.expanduser(wish.path))
    try:
        path = os.path.realpath(given, strict=True)
        mode = os.stat(path).st_mode
    except OSError as error:
        raise MissingFileError(
            f"{given}: cannot be mounted: {error.strerror}", hint=f"A mount is {FORM}."
        ) from None
    if not path.isprintable():
        raise wrong(f"the path must be plain UTF-8, got `{escaped_line(path)}`")
    refuse_reach(Path(path), wrong)
    try:
        name = wish.name if wish.name is not None else os.path.basename(given)
        check_name(name)
    except ValueError as error:
        raise wrong(str(error)) from None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise wrong(f"{path} is a socket, a pipe or a device: only folders and files are mounted")
    if stat.S_ISREG(mode) and hidden_names(hidden)(os.path.basename(path)):
        raise wrong(f"{path} is one of the files that `sandbox: hidden` keeps out")
    return Mount(name, path, wish.writable)


def refuse_reach(path: Path, wrong: Wrong) -> None:
    """Refuse a path through which a tool could leave its sandbox, or rule the next one."""
    if path == Path("/"):
        raise wrong("the whole machine cannot be mounted: name a folder in it")
    refuse_own_files(path, "Mount another folder.")
    refuse_engine(path, wrong)


def refuse_engine(path: Path, wrong: Wrong) -> None:
    for socket in engine_sockets():
        if Path(socket).is_relative_to(path):
            raise wrong(f"{path} holds {socket}: who can reach that rules this machine")


def refuse_own_files(path: Path, hint: str = "Work in another folder: -C FOLDER") -> None:
    """Refuse a place from which tools could reach the program's own profiles and ledgers."""
    for folder in (asset.state_home().resolve(), asset.config_home().resolve()):
        inside = path.is_relative_to(folder) and not is_copy(path)
        if inside or folder.is_relative_to(path):
            message = f"{path}: {folder} is the program's own, which no tool may reach"
            raise ConfigError(message, hint=hint)


def is_copy(workspace: Path) -> bool:
    """Say whether this is the workspace that a run made for itself."""
    runs = (asset.state_home() / "runs").resolve()
    return workspace.name == "workspace" and workspace.parent.parent == runs


def refuse_bad_workspace(workspace: Path) -> None:
    """Raise ConfigError for a workspace through which tools could leave their sandbox."""
    refuse_own_files(workspace)
    if not str(workspace).isprintable():
        raise ConfigError(f"{str(workspace)!r}: a workspace's path must be plain UTF-8")
    refuse_engine(workspace, ConfigError)


def refuse_changed_places(spec: SandboxSpec) -> None:
    """Refuse to go on with a run where its folders may not be used as they are now.

    Raises UnavailableError naming a mount that is gone, ConfigError.
    """
    refuse_bad_workspace(Path(spec.workspace))
    check_mounts(spec)
    for mount in spec.mounts:
        refuse_own_files(Path(mount.path), "Begin a new run without it.")
