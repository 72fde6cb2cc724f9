"""Whether the config of the repositories that a command looks at names programs to run."""

import os
import re
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from agentcli.core.command import Command, Parsed
from agentcli.tool.known import names
from agentcli.tool.named import INSIDE, is_below

MAX_BYTES = 100_000
WHY = "the config of its repository may name programs to run"
MADE = re.compile(r"[$`*?\[\]{}~]")
HEADER = re.compile(r'\[([A-Za-z]+)(?: "([^"\\]*)")?\]')
RUNS = re.compile(r'::|["\\]')  # `ext::program`; git takes quotes and backslashes away first
SETTING = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:\s*=\s*(.*))?")
# Sections all of whose settings are harmless to what only reads, and settings of others.
PLAIN_SECTIONS = names("branch user init pull push fetch color advice gc commit tag")
PLAIN_SETTINGS = names(
    """
    core.repositoryformatversion core.filemode core.bare core.logallrefupdates core.ignorecase
    core.precomposeunicode core.symlinks core.autocrlf core.eol core.safecrlf core.hookspath
    remote.url remote.pushurl remote.fetch remote.tagopt remote.prune
    """
)

# What `git init` and the like write, and what a commit is signed with.
NEW_SETTINGS = names(
    """
    core.repositoryformatversion core.filemode core.bare core.logallrefupdates core.ignorecase
    core.precomposeunicode core.symlinks user.name user.email
    """
)
# Section, its name in quotes, setting, and value.
Setting = tuple[str, str, str, str]


def with_repositories(parsed: Parsed, workspace: Path) -> Parsed:
    """Return the commands, those of git as running code where its repository may make it do so.

    Filters, converters of texts and external programs for differences have names of their own, so
    no environment can turn all of them off.
    """
    used = [command for command in parsed.commands if uses_git(command)]
    if not used or are_plain(workspace, folders_of(parsed.commands)):
        return parsed
    doubtful = (replace(c, power="runs", why=WHY) if c in used else c for c in parsed.commands)
    return replace(parsed, commands=tuple(doubtful))


def uses_git(command: Command) -> bool:
    """Return whether a command that only reads is git, perhaps in a wrapper."""
    return command.power == "reads" and "git" in program_names(command)


def program_names(command: Command) -> set[str]:
    return {word.rpartition("/")[2] for word in command.words}


def configs_of(parsed: Parsed, workspace: Path) -> list[str]:
    """Return where the config of the repositories is that git may look at, if git is called."""
    if not any("git" in program_names(command) for command in parsed.commands):
        return []
    root, found = workspace.resolve(), set[str]()
    for folder in (".", *folders_of(parsed.commands)):
        with suppress(OSError, RuntimeError, ValueError):
            found |= {str(above.relative_to(root)) for above in above_in(root, folder)}
    return [os.path.normpath(f"{folder}/.git/config") for folder in sorted(found)]


def folders_of(commands: tuple[Command, ...]) -> list[str]:
    """Return where `cd`, -C and the like may lead, "/" for what is not known."""
    found = []
    for command in commands:
        name, *words = command.words or ("",)
        if name in ("cd", "pushd", "popd"):
            found += [word for word in words if not word.startswith("-")] or ["/"]
        for word, after in zip(command.words, [*words, "/"], strict=True):
            if word in ("-C", "--chdir"):
                found.append(after)
            elif word == "-execdir" or word.startswith(("-C", "--chdir=")):
                found.append("/")
    return ["/" if MADE.search(folder) else folder for folder in found]


def are_plain(workspace: Path, folders: list[str]) -> bool:
    """Return whether all repositories from these folders up to the workspace are plain."""
    root = workspace.resolve()
    if len(folders) > 1:
        return False  # one may start from the other
    try:
        for folder in (".", *folders):
            below = above_in(root, folder)
            if not below or not all(is_plain(above / ".git") for above in below):
                return False
    except (OSError, RuntimeError, ValueError):
        return False
    return True


def above_in(root: Path, folder: str) -> list[Path]:
    """Return a folder and those above it up to the workspace, none for one that is elsewhere."""
    inside = folder.removeprefix(INSIDE).lstrip("/") if is_below(folder, INSIDE) else folder
    at = (root / inside).resolve()
    return [above for above in (at, *at.parents) if root in (above, *above.parents)]


def is_plain(folder: Path) -> bool:
    """Return whether a .git is not there, or is a folder whose config names no program."""
    if not folder.is_symlink() and not folder.exists():
        return True
    if folder.is_symlink() or not folder.is_dir():
        return False
    if any((folder / name).exists() for name in ("commondir", "modules", "config.worktree")):
        return False
    config = folder / "config"
    if config.is_symlink() or not config.is_file() or config.stat().st_size > MAX_BYTES:
        return False
    return is_plain_config(config.read_text("utf-8", "replace"))


def is_plain_config(text: str) -> bool:
    """Return whether each line is understood and none names a program."""
    settings = settings_of(text)
    return settings is not None and all(
        section in PLAIN_SECTIONS or f"{section}.{name}" in PLAIN_SETTINGS
        for section, _, name, _ in settings
    )


def settings_of(text: str) -> list[Setting] | None:
    """Return the settings of a config, None unless each line is understood."""
    section, of, found = "", "", list[Setting]()
    for line in text.split("\n"):
        line = line.strip(" \t\r")
        if not line or line[0] in "#;":
            continue
        if line.endswith("\\"):
            return None
        if header := HEADER.fullmatch(line):
            section, of = header[1].lower(), header[2] or ""
        elif setting := SETTING.fullmatch(line):
            found.append((section, of, setting[1].lower(), setting[2] or ""))
        else:
            return None
    return found


def adds_no_program(old: str, new: str) -> bool:
    """Say whether a change of a config makes git neither run nor send to anything it did not.

    A new remote may come, and a branch may follow one that was there, or any in a new repository.
    """
    was, now = settings_of(old), settings_of(new)
    if was is None or now is None:
        return False
    remotes = {of for section, of, _, _ in was if section == "remote"}
    followed = {of for section, of, _, _ in was or now if section == "remote"}

    def is_good(setting: Setting) -> bool:
        section, of, name, value = setting
        match section, name:
            case "remote", "url" | "fetch":
                return of not in remotes and not RUNS.search(value)
            case "branch", "remote":
                return value in (*followed, ".")
            case "branch", "merge":
                return True
        return not of and f"{section}.{name}" in NEW_SETTINGS

    return all(map(is_good, set(was) ^ set(now)))
