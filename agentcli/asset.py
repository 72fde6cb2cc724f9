"""Finds the files that ship with the program and those of its user."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agentcli.errors import ConfigError

PACKAGE = Path(__file__).parent


def shipped(*parts: str) -> Path:
    """Return a path below one of the shipped folders: tools, configs, sandboxes.

    An installed package holds them itself; in a checkout they stand beside it.
    """
    bundled = PACKAGE / "_bundled"
    return (bundled if bundled.is_dir() else PACKAGE.parent).joinpath(*parts)


def config_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the user's own profiles, tasks, tools and settings."""
    return home(environ) or Path(platform_folder("config"))


def state_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of runs and of what they keep."""
    return home(environ) or Path(platform_folder("data"))


def home(environ: Mapping[str, str]) -> Path | None:
    """Return the one folder that holds everything, if the user has named one."""
    named = environ.get("AGENTCLI_HOME")
    return Path(os.path.expanduser(named)).absolute() if named else None


def user_home() -> Path | None:
    """Return the user's home folder, None for a user without one, as in some containers."""
    try:
        return Path.home().resolve()
    except RuntimeError:
        return None


def platform_folder(kind: str) -> str:
    import platformdirs

    if user_home() is None:
        message = "there is no home folder to keep files in"
        raise ConfigError(message, hint="Name one: export AGENTCLI_HOME=...")
    if kind == "config":
        return platformdirs.user_config_dir("agentcli", appauthor=False)
    return platformdirs.user_data_dir("agentcli", appauthor=False)


def is_path(name: str) -> bool:
    """Return whether a profile or a task is named by its file, and not by its name."""
    return "/" in name or name.endswith((".yaml", ".yml"))


def hint_of_names(kind: str, name: str, known: Iterable[str]) -> str:
    """Return what else to say for a name that is not known: its path, if there is such a file."""
    if os.path.isfile(name):  # false for what no file can be named
        return f"The file is named by its path: ./{name}"
    return f"{kind}: {', '.join(sorted(known))}"


def folders(kind: str, project: Path | None = None) -> Iterator[Path]:
    """Yield where files of a kind (`profiles`, `tasks`) are looked for, the nearest first.

    project: a project's own folder of such files, once it is trusted.
    """
    own = [] if project is None else [project / kind]
    for folder in (*own, config_home() / kind, shipped("configs", kind)):
        if folder.is_dir():
            yield folder


def named_files(kind: str, project: Path | None = None) -> dict[str, Path]:
    """Return the YAML files of a kind by name; the nearest takes the place of the others."""
    return {name: paths[0] for name, paths in all_named_files(kind, project).items()}


def all_named_files(kind: str, project: Path | None = None) -> dict[str, list[Path]]:
    """Return all YAML files of a kind by name, the nearest of each name first."""
    found: dict[str, list[Path]] = {}
    for folder in folders(kind, project):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, []).append(path)
    return found


def tool_folders(project: Path | None = None) -> list[Path]:
    """Return the folders of manifests: the shipped ones, the user's own and a project's."""
    own = [config_home() / "tools", *([] if project is None else [project / "tools"])]
    return [shipped("tools"), *(folder for folder in own if folder.is_dir())]
