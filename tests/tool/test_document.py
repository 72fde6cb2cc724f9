"""Plain here-documents are cut out exactly as bash takes them, and no others."""

import subprocess

import pytest

from agentcli.tool.document import without_documents
from agentcli.tool.shell import parse

PLAIN = (
    ("python3 - <<'END'\nprint(1)\nEND", "python3 - </dev/null"),
    ("cd a && python3 - <<'END'\nprint('x')\nEND\n", "cd a && python3 - </dev/null\n"),
    ("cat <<EOF 2>&1 | tail -2 && ls\nx y\nEOF", "cat </dev/null 2>&1 | tail -2 && ls"),
    ("cat <<'A'\n1\nA\ncat <<B\n2\nB\necho 3", "cat </dev/null\ncat </dev/null\necho 3"),
)
LEFT = (
    "echo \"<<'E'\"\nrm y\nE",
    "echo '\ncat <<E\n'\nrm y\nE",
    "# <<'E'\nrm y\nE",
    "echo \\<<'E'\nrm y\nE",
    "echo $((1<<2))\nrm y\n2",
    "cat <<EOF\n$(rm y)\nEOF",
    "cat <<EOF\n`rm y`\nEOF",
    "cat <<'E' | xargs rm\ny\nE",
    "cat <<-E\n\tx\n\tE",
    "cat <<< x\nrm y\nx",
    "cat <<'E'\nx",
    "cat <<'E' \"a\nb\"\nrm y\nE",
)


@pytest.mark.parametrize(("command", "rest"), PLAIN)
def test_a_plain_one_is_cut_out(command: str, rest: str) -> None:
    assert without_documents(command) == rest
    assert parse(command).problem == ""


@pytest.mark.parametrize("command", LEFT)
def test_whatever_could_be_another_thing_is_left(command: str) -> None:
    assert without_documents(command) == command


@pytest.mark.parametrize("command", [command for command, _ in PLAIN if "python3" not in command])
def test_bash_runs_the_same_commands_without_them(command: str) -> None:
    def traced(text: str) -> list[str]:
        ended = subprocess.run(["bash", "-xc", text], capture_output=True, text=True, cwd="/tmp")
        return sorted(line for line in ended.stderr.splitlines() if line.startswith("+"))

    assert traced(command) == traced(without_documents(command))


def test_what_a_shell_is_given_to_read_runs() -> None:
    assert next(command.power for command in parse("bash <<'E'\nrm x\nE").commands) == "runs"
