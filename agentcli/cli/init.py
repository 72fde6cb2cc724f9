"""`agentcli init`: files of its own for a project, to begin from."""

from agentcli.cli import options

SETTINGS = """\
# What holds in this project where neither a flag, the environment, a task nor a profile says
# otherwise. It counts once you trust it: agentcli trust grant
profile: project
"""
PROFILE = """\
# Who works in this project. It counts once you trust it: agentcli trust grant
# What is not set here comes from the profile that it extends.
# See it all: agentcli profile show project
extends: default
description: Works on this project.

# What the model is told of its work, in place of the words of `default`.
# system: |
#   You work on this project. Run its tests after each change.

# The tools that it is offered: agentcli tools list
# tools: [read_file, list_files, search_text, write_file, edit_file, shell, python]

# Tools that ask you before each call, whatever their tier.
# ask: [write_file]

# What happens to a call of each tier: allow, ask or deny. No profile lets irreversible
# calls run unasked; only a policy of your own that says `unsafe: true` can.
# tiers:
#   read_only: allow
#   reversible: ask
#   irreversible: ask

# What one run may use up.
# budget:
#   usd: 2
#   steps: 50
#   time_s: 1800

# model: claude-sonnet-5-5
# effort: medium
# max_tokens: 16000

# Where its tools run, and within which limits.
# sandbox:
#   backend: auto
#   writable: true
#   memory_mb: 1024
#   cpus: 2
#   processes: 256
"""


def init(workspace: options.WORKSPACE = None) -> None:
    """Give a project a commented profile of its own.

    agentcli init
    agentcli init -C ~/src/app
    """
    from agentcli.config.project import FOLDER, root_of
    from agentcli.core.visible import visible
    from agentcli.errors import InputError, LedgerError, UsageError

    here = options.workspace_of(workspace)
    root = root_of(here)
    if root is None:
        raise UsageError(
            f"{here}: your home folder is no project", hint="Your own files: agentcli config paths"
        )
    folder = root / FOLDER
    files = {folder / "settings.yaml": SETTINGS, folder / "profiles" / "project.yaml": PROFILE}
    for path in files:
        if path.exists():
            raise InputError(f"{path}: is there already", hint="See it: agentcli trust show")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            print(visible(f"made {path}"))
    except OSError as error:
        raise LedgerError(f"{error.filename}: cannot be written: {error.strerror}") from error
    print("Edit them, then let them count: agentcli trust grant")
