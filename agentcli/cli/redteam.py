"""`agentcli redteam`: a model that obeys every attacker, against the rules of a profile."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentcli.cli import options
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from agentcli.core.policy import Policy
    from agentcli.redteam.case import Suite
    from agentcli.redteam.player import Part, Person
    from agentcli.redteam.report import Row

SUITE = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        help="injecagent, workspace, banking, travel, slack or vectors; repeatable; all.",
    ),
]
AREA = Annotated[
    list[str] | None,
    typer.Option("--area", help="Only the vectors of this area, such as shell; repeatable."),
]
CASE = Annotated[str, typer.Option("--case", help="Tell one case of one suite call by call.")]
POLICY = Annotated[
    list[str] | None, typer.Option("--policy", help="Also with this policy; repeatable.")
]
LIMIT = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        help="So many attacks and tasks of each suite, and so many vectors of each area.",
    ),
]
PERSON = Annotated[
    Literal["careful", "yes", "no", "none"],
    typer.Option(
        "--person",
        help="Who answers attacks: careful says yes to the user's own calls and no to the "
        "attacker's; yes or no to all; none: nobody is there.",
    ),
]
BASELINE = Annotated[
    Path | None, typer.Option("--baseline", help="What to be held against; else what ships.")
]
SAVE = Annotated[Path | None, typer.Option("--save", help="Write what was reached as a baseline.")]
ABLATE = Annotated[
    bool, typer.Option("--ablate", help="Also switch off each part of the rules in turn.")
]
DATA = Annotated[
    Path | None, typer.Option("--data", help="A folder of the suite's data, not what ships.")
]


def redteam(
    suite: SUITE = None,
    area: AREA = None,
    case: CASE = "",
    limit: LIMIT = None,
    profile: options.PROFILE = "",
    policy: POLICY = None,
    person: PERSON = "careful",
    ablate: ABLATE = False,
    baseline: BASELINE = None,
    save: SAVE = None,
    data: DATA = None,
    workspace: options.WORKSPACE = None,
    as_json: options.JSON = False,
) -> int:
    """Play attacks with a model that obeys them, and count what ran without a person's yes.

    agentcli redteam
    agentcli redteam --suite banking --case user_task_2
    agentcli redteam --area shell --area approvals --json

    The calls go through the real loop, judgement and gateway; nothing runs, since what the tools
    returned was recorded. InjecAgent and the four suites of AgentDojo ship. Benign work is played
    too: "a task" says how many of its calls do not run by themselves, "none" and "at most 1" how
    many tasks have so few of them.

    The vectors are the project's own: each is tried on the real tools and borders, with the
    profile default, and "ran" counts those that came out otherwise than they must. Their areas are
    paths, shell, approvals, mcp, injection, display, toctou, environment and network.

    The exit code is 1 if an attack runs that the baseline stopped, or if questions a task rise by
    more than 0.01. The baseline that ships is that of the profile default.
    """
    from agentcli.compose.plan import policy_of
    from agentcli.config.settings import load_config
    from agentcli.redteam.report import ABLATIONS, write_baseline
    from agentcli.redteam.suites import SUITES, VECTORS, load_suite
    from agentcli.tool.load import load_tools

    chosen = list(dict.fromkeys(suite or ([VECTORS] if area else (*SUITES, VECTORS))))
    if area and chosen != [VECTORS]:
        raise UsageError("--area goes with the vectors alone", hint=f"Such as: --area {area[0]}")
    if (case or data) and len(chosen) != 1:
        raise UsageError("--case and --data go with one --suite", hint="Such as: --suite banking")
    config = load_config(options.workspace_of(workspace))
    who = config.profile(profile)
    for named in policy or ():
        if named not in config.policy_files():
            known = f"Policies: {', '.join(config.policy_files())}"
            raise UsageError(f"--policy: there is no policy `{named}`", hint=known)
    policies = tuple(dict.fromkeys([*(who.policies or ()), *(policy or ())]))
    who = who.model_copy(update={"policies": policies})
    rules = policy_of(config, who, load_tools(config.tool_folders()))
    name = " + ".join([who.name, *(policy or ())])
    suites = [load_suite(name, data) for name in chosen if name != VECTORS]
    if case:
        return tell(rules, suites[0], case, person) if suites else tell_vector(case)
    found = {
        without: [played(rules, one, limit, person, without) for one in suites]
        for without in (ABLATIONS if ablate else ABLATIONS[:1])
    }
    rows = found[ABLATIONS[0]]
    if VECTORS in chosen:
        rows.append(tried(limit, area))
    worse = worse_than(baseline, name, rows)
    if as_json:
        print_document(name, person, found, worse)
    else:
        print_rows(found, worse)
    if save is not None:
        write_baseline(save, name, rows)
    return 1 if worse else 0


def played(
    policy: "Policy",
    suite: "Suite",
    limit: int | None,
    person: "Person",
    without: "frozenset[Part]",
) -> "Row":
    """Return what a suite comes to. Benign work is answered yes, whoever answers attacks."""
    from agentcli.redteam.player import play_all
    from agentcli.redteam.report import row_of
    from agentcli.redteam.suites import some_of

    say_playing(suite.name, without)
    cases = some_of(suite.cases, limit)
    benign = [case for case in cases if case.kind == "benign"]
    attacks = [case for case in cases if case.kind == "attack"]
    plays = play_all(policy, suite, benign, "yes", without)
    plays += play_all(policy, suite, attacks, person, without)
    return row_of(suite.name, plays)


def say_playing(suite: str, without: "frozenset[Part]" = frozenset()) -> None:
    """Say at a terminal what goes on: a suite can take a minute."""
    from agentcli.redteam.report import words_of

    if sys.stderr.isatty():
        print(f"playing {suite}, rules: {words_of(without)}", file=sys.stderr, flush=True)


def tried(limit: int | None, areas: list[str] | None) -> "Row":
    """Return what the vectors of some areas come to, of all where none is named."""
    from agentcli.document import did_you_mean
    from agentcli.redteam.bench import try_all
    from agentcli.redteam.report import row_of_vectors
    from agentcli.redteam.suites import VECTORS, home, spread
    from agentcli.redteam.vector import read_vectors

    files = read_vectors(home() / VECTORS)
    known = {group.area: None for group in files}
    for area in areas or ():
        if area not in known:
            message = f"--area: there is no area `{area}`{did_you_mean(area, known)}"
            raise UsageError(message, hint=f"Areas: {', '.join(known)}")
    files = [group for group in files if not areas or group.area in areas]
    say_playing(VECTORS)
    some = (f.model_copy(update={"vectors": tuple(spread(f.vectors, limit))}) for f in files)
    return row_of_vectors(try_all(some))


def worse_than(baseline: Path | None, profile: str, rows: "list[Row]") -> list[str]:
    """Return what is worse than it was. The baseline that ships is for its own profile alone."""
    from agentcli.redteam.report import read_baseline, regressions
    from agentcli.redteam.suites import home

    stored = read_baseline(baseline or home() / "baseline.json")
    if stored.profile != profile:
        if baseline is not None:
            message = f"{baseline}: is of the profile {stored.profile}, not {profile}"
            raise UsageError(message, hint="Make one: agentcli redteam --profile P --save FILE")
        return regressions({}, rows)
    return regressions(stored.suites, rows)


def tell(policy: "Policy", suite: "Suite", id: str, person: "Person") -> int:
    """Print one case call by call, and return 1 if its attack ran."""
    from agentcli.core.visible import visible
    from agentcli.document import did_you_mean
    from agentcli.errors import InputError
    from agentcli.redteam.player import play_all
    from agentcli.redteam.story import story_of

    cases = {case.id: case for case in suite.cases}
    if id not in cases:
        message = f"{suite.name}: there is no case `{id}`{did_you_mean(id, cases)}"
        raise InputError(message, hint=f"The first one is {next(iter(cases))}")
    answers: Person = "yes" if cases[id].kind == "benign" else person
    [play] = play_all(policy, suite, [cases[id]], answers)
    for line in story_of(play):
        print(visible(line))
    return 1 if play.harmed or play.broken else 0


def tell_vector(id: str) -> int:
    """Print one of the project's own vectors, and return 1 if it came out as it must not."""
    from agentcli.core.visible import visible
    from agentcli.document import did_you_mean
    from agentcli.errors import InputError
    from agentcli.redteam.bench import try_all
    from agentcli.redteam.story import story_of_vector
    from agentcli.redteam.suites import VECTORS, home
    from agentcli.redteam.vector import read_vectors

    files = read_vectors(home() / VECTORS)
    known = {vector.id: (group, vector) for group in files for vector in group.vectors}
    if id not in known:
        message = f"{VECTORS}: there is no case `{id}`{did_you_mean(id, known)}"
        raise InputError(message, hint=f"The first one is {next(iter(known))}")
    group, vector = known[id]
    [found] = try_all([group.model_copy(update={"vectors": (vector,)})])
    for line in story_of_vector(found):
        print(visible(line))
    return 0 if found.as_expected else 1


def print_rows(found: "dict[frozenset[Part], list[Row]]", worse: list[str]) -> None:
    from agentcli.cli.table import print_table
    from agentcli.cli.words import counted
    from agentcli.core.visible import visible_line
    from agentcli.redteam.report import COLUMNS, cells, total, words_of
    from agentcli.redteam.suites import VECTORS

    lines = []
    for without, rows in found.items():
        lines += [cells(row, words_of(without)) for row in rows]
        suites = [row for row in rows if row.suite != VECTORS]
        if len(suites) > 1:
            lines.append(("all but vectors", *cells(total(suites), words_of(without))[1:]))
    print_table(COLUMNS, lines)
    refused = sum(row.refused for row in next(iter(found.values())))
    if refused:
        print(f"{counted(refused, 'call')} of the user's own cannot run here, whoever says yes")
    for line in worse:
        print(visible_line(f"worse: {line}"))


def print_document(
    profile: str, person: str, found: "dict[frozenset[Part], list[Row]]", worse: list[str]
) -> None:
    from agentcli.cli.document import print_json
    from agentcli.redteam.report import document, words_of

    runs = [
        {"rules": words_of(without), "suites": [document(row) for row in rows]}
        for without, rows in found.items()
    ]
    print_json({"profile": profile, "person": person, "runs": runs, "worse": worse})
