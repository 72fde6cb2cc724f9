"""A run that was recorded once and for all: it can be read, verified and drawn for ever."""

from pathlib import Path

from tests.cli.conftest import ROOT, Program

DATA = ROOT / "tests" / "data"
BUNDLE = DATA / "median.agentrun"


def test_the_picture_of_the_readme_is_what_the_program_draws(program: Program) -> None:
    words = ("--title", "agentcli run median", "--width", "100", "--lines", "60")
    drawn = program.folder / "drawn.svg"
    assert program.run("runs", "export", str(BUNDLE), "--svg", str(drawn), *words).returncode == 0
    assert drawn.read_text() == (DATA / "median.svg").read_text()
    assert f"({Path('tests', 'data', 'median.svg')})" in (ROOT / "README.md").read_text()


def test_an_old_run_still_follows_from_its_facts(program: Program) -> None:
    ended = program.run("replay", str(BUNDLE), "--verify")
    assert (ended.returncode, ended.stdout[:3]) == (0, "ok:"), ended.stdout
