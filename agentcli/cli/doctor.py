"""`agentcli doctor`: whether all that a run needs is there, and what mends what is not."""

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
    from agentcli.core.visible import visible

    found = []
    for finding in examine(options.workspace_of(workspace)):
        found.append(finding)
        if not as_json:
            mark = {"ok": "✓", "warn": "!", "fail": "✗"}[finding.state]
            print(visible(f"{mark} {finding.name:10} {finding.detail}"), flush=True)
            if finding.fix and finding.state != "ok":
                print(visible(f"    mend it: {finding.fix}"), flush=True)
    code = next((finding.exit_code for finding in found if finding.state == "fail"), 0)
    if as_json:
        document = {"exit_code": code, "findings": [asdict(finding) for finding in found]}
        print_json(document)
    return code
