"""`agentcli doctor`: whether all that a run needs is there, and what mends what is not."""

import sys

from agentcli.cli import options


def doctor(
    workspace: options.WORKSPACE = None,
    as_json: options.JSON = False,
) -> int:
    """Look whether all is there that a run needs.

    What is not comes with one thing that mends it. It works without a network. The exit code is
    that of the first thing that fails.

    agentcli doctor
    agentcli doctor --json
    """
    from dataclasses import asdict

    from agentcli.cli.document import print_json
    from agentcli.compose.doctor import examine

    found = []
    for finding in examine(options.workspace_of(workspace)):
        found.append(finding)
        if not as_json:
            mark = {"ok": "✓", "warn": "!", "fail": "✗"}[finding.state]
            say(f"{mark} {finding.name:10} ", finding.detail)
            if finding.fix and finding.state != "ok":
                say("    mend it: ", finding.fix)
    code = next((finding.exit_code for finding in found if finding.state == "fail"), 0)
    if as_json:
        document = {"exit_code": code, "findings": [asdict(finding) for finding in found]}
        print_json(document)
    return code


def say(head: str, text: str) -> None:
    """Print a line at once; on a terminal, broken between words and indented to its text."""
    from agentcli.cli import page
    from agentcli.core.visible import visible

    text = visible(text)
    if sys.stdout.isatty():
        text = page.filled(text, page.width(), " " * len(head))[len(head) :]
    print(head + text, flush=True)
