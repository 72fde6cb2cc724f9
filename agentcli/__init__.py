"""A command-line agent shell for Claude whose user stays in control."""

__version__ = "0.1.0"


def version_line() -> str:
    """Return what `--version` says."""
    import platform

    python = platform.python_version()
    return f"agentcli {__version__} (Python {python}, {platform.system()} {platform.machine()})"
