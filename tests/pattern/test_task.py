from msgspec.structs import replace

from agentcli.core.event import Ended
from agentcli.core.message import Said
from agentcli.core.step import Agent, Checks
from agentcli.ledger.verify import verify
from tests.fake.world import (
    FakeJournal,
    Script,
    World,
    make_rules,
    make_start,
    read_all,
    statuses,
)


def go(world: World, checks: Checks) -> list[bytes]:
    lines = list[bytes]()
    start = replace(make_start(), agent=Agent("task", "Go.", checks=checks))
    world.go(make_rules(), start, FakeJournal(lines, world.now_us), [])
    return lines


SCHEMA = Checks(answer_schema={"type": "object"})
SCRIPT: Script = (("no", ()), ("{}", ()), ("still {}", ()))


def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_is_wrong() -> None:
    world = World(SCRIPT)
    world.problems = [("$: not an object",), ()]
    lines = go(world, SCHEMA)
    assert world.events[-1:] == [Ended("done")]
    assert world.views[1][-1] == Said("Your answer does not fit yet:\n$: not an object")
    assert verify(make_rules(), read_all(lines)) is None


def test_an_answer_that_never_fits_fails_after_two_repairs() -> None:
    world = World(SCRIPT)
    world.problems = [("bad",)] * 9
    go(world, SCHEMA)
    assert world.events[-1:] == [Ended("failed")]
    assert len(world.views) == 3


def test_commands_are_calls_that_pass_the_same_judgement() -> None:
    world = World(SCRIPT)
    go(world, Checks(commands=("make test", "true")))
    assert world.events[-1:] == [Ended("done")]
    assert [tool for tool, _ in world.effects] == ["shell", "shell"]
    assert statuses(world.events)["main/check.1.command.1"] == "done"


def test_a_missing_file_fails_the_task() -> None:
    world = World(SCRIPT)
    go(world, Checks(files=("report.md",)))
    assert world.events[-1:] == [Ended("failed")]


def test_a_task_without_checks_is_done_when_its_work_is() -> None:
    world = World(SCRIPT)
    go(world, Checks())
    assert statuses(world.events) == {
        "main/work.1/ask.1": "done",
        "main/work.1": "done",
        "main": "done",
    }
