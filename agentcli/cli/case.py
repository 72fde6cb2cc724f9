"""`agentcli runs case`: a run as a test of pytest, which replays it offline."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentcli.cli import options
from agentcli.errors import InputError, LedgerError, UsageError

if TYPE_CHECKING:
    import subprocess

NAME = re.compile(r"[a-z0-9_]{1,64}")
LONGEST_ANSWER = 2_000

CASE = '''\
"""{title}

Made from a run by: agentcli runs case. It needs no key and no network, and runs no tool.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

BUNDLE = Path(__file__).with_name("{name}.agentrun")
STEPS, CALLS = {steps}, {calls}
ANSWER = {answer}


def replay(home, *words):
    ours = {{"AGENTCLI_HOME": str(home), "NO_COLOR": "1"}}
    kept = {{name: text for name, text in os.environ.items() if "ANTHROPIC" not in name}}
    argv = [sys.executable, "-m", "agentcli", "replay", str(BUNDLE), *words]
    return subprocess.run(argv, env={{**kept, **ours}}, cwd=home, capture_output=True, text=True)


def test_every_decision_follows_from_the_facts(tmp_path):
    ended = replay(tmp_path, "--verify")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_same_replies_lead_to_the_same_steps_and_answer(tmp_path):
    ended = replay(tmp_path, "--model", "recorded", "--json")
    document = json.loads(ended.stdout)
    assert "difference" not in document, document["difference"]
    assert ended.returncode == 0, ended.stderr
    assert (document["steps"], document["calls"]) == (STEPS, CALLS)
    assert document["answer"]{compared}
'''


def make_case(
    run: options.RUN = "last",
    to: Annotated[Path | None, typer.Option("--to", help="The folder that it goes to.")] = None,
    name: Annotated[
        str, typer.Option("--name", help="Names both files; the run's id by default.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> int:
    """Write a run as a test that replays it offline: test_NAME.py, and its data, NAME.agentrun.

    agentcli runs case last --to tests/cases
    agentcli runs case 20261123-1130 --name refund

    The test fails when a decision, a call or the answer becomes another one. The data holds no
    private values; the test runs no tool and asks no server.
    """
    from agentcli import asset
    from agentcli.core.visible import visible
    from agentcli.ledger.bundle import opened_run, write_bundle
    from agentcli.ledger.export import SHARED, exported, scratch_folder

    folder = Path.cwd() if to is None else to
    with opened_run(asset.state_home(), run) as source:
        named = name or f"run_{source.id}".lower().replace("-", "_")
        if not NAME.fullmatch(named):
            raise UsageError(f"--name {visible(named)}: expected a-z, 0-9 and _, at most 64")
        title = source.given().plan.title
        with scratch_folder() as home:
            bundle = home / "case.agentrun"
            write_bundle(source, bundle, with_private=False, force=False)
            document, content = replayed(bundle, home), bundle.read_bytes()
    data, test = folder / f"{named}.agentrun", folder / f"test_{named}.py"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"{folder}: cannot be made: {error.strerror}") from error
    with exported(test, SHARED, force=force) as file:
        file.write(case_of(named, title, document).encode())
        with exported(data, SHARED, force=force) as beside:
            beside.write(content)
    print(visible(f"{test}\n{data}\nTry it: pytest {test}"))
    return 0


def replayed(bundle: Path, home: Path) -> dict[str, Any]:
    """Return the document of the replay that the test will see. home: an empty one.

    Raises InputError where that is not what the run was, so that no test could pass.
    """
    import json

    verified = replay(bundle, home, "--verify")
    if verified.returncode:
        raise no_case((verified.stdout + verified.stderr).strip(), "--verify")
    found = replay(bundle, home, "--model", "recorded", "--json")
    try:
        document: dict[str, Any] = json.loads(found.stdout)
    except ValueError:
        raise no_case(found.stderr.strip(), "--model recorded") from None
    if found.returncode:
        part = document.get("difference")
        why = f"it goes otherwise at {part['step']}: {part['what']}" if part else ""
        raise no_case(why or document["message"], "--model recorded")
    return document


def replay(bundle: Path, home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Replay in a process and a home of their own, just as the test will."""
    import os
    import subprocess
    import sys

    argv = [sys.executable, "-m", "agentcli", "replay", str(bundle), *words]
    env = {**os.environ, "AGENTCLI_HOME": str(home), "NO_COLOR": "1"}
    return subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, check=False)


def no_case(why: str, way: str) -> InputError:
    return InputError(
        f"no case can be made of it: replayed with what it recorded, {why}",
        hint=f"See: agentcli replay RUN {way}",
    )


def case_of(name: str, title: str, document: dict[str, Any]) -> str:
    """Return the text of the test. title, answer: foreign texts, which become plain literals."""
    from agentcli.core.visible import visible_line

    answer = document["answer"]
    return CASE.format(
        title=re.sub(r'["\\]', "'", visible_line(title))[:80].strip() or "A recorded run.",
        name=name,
        steps=document["steps"],
        calls=document["calls"],
        answer=literal(answer[:LONGEST_ANSWER]),
        compared=" == ANSWER" if len(answer) <= LONGEST_ANSWER else ".startswith(ANSWER)",
    )


def literal(text: str) -> str:
    """Return a text as Python writes it, a line each where it has more."""
    lines = text.splitlines(keepends=True)
    if len(lines) <= 1:
        return repr(text)
    return "\n".join(["(", *(f"    {line!r}" for line in lines), ")"])
