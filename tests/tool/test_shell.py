"""What shell commands are found to do. The cases are the vectors of `agentcli redteam`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.core.command import Command, Parsed, only_reads, worst_first
from agentcli.redteam.suites import home
from agentcli.redteam.vector import Commanded, Vector, read_vectors
from agentcli.tool.shell import MAX_CHARS, parse

[CASES] = [g.vectors for g in read_vectors(home() / "vectors") if g.area == "shell"]


def verdict(parsed: Parsed) -> str:
    return "unparsed" if parsed.problem else worst_first(parsed.commands)[0].power


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.id))
def test_a_command_is_as_bad_as_the_worst_in_it(case: Vector) -> None:
    assert isinstance(case.do, Commanded)
    assert verdict(parse(case.do.command)) == case.do.power, case.why


def test_there_are_enough_cases_and_they_stand_on_their_side() -> None:
    commands = [case.do.command for case in CASES if isinstance(case.do, Commanded)]
    assert len(commands) == len(CASES) == len(set(commands))
    assert sum(case.harmless for case in CASES) >= 15
    assert sum(not case.harmless for case in CASES) >= 60


def test_all_simple_commands_are_listed_with_the_words_that_programs_get() -> None:
    parsed = parse("FOO=1 l\\s 'a b' \"c$x\" | tee out > /dev/null; bash -c 'rm x' 2>&1")
    assert parsed == Parsed(
        (
            Command(("FOO=1",), "unknown", "it sets FOO, which may change what programs do"),
            Command(("ls", "a b", "c$x"), "reads"),
            Command(("tee", "out"), "writes", "tee changes files"),
            Command(("bash", "-c", "rm x"), "writes", "rm changes files"),
            Command(("rm", "x"), "writes", "rm changes files"),
        ),
        ("a b", "c$x", "out", "/dev/null", "x", "rm x"),
    )


def test_every_word_that_may_be_a_path_is_kept_also_behind_a_change_of_folder() -> None:
    parsed = parse("cd /etc; cat < passwd ~/.ssh/id* --x=y -f./z; sh -c 'cat shadow' > ../out")
    assert {"/etc/shadow", "shadow"} <= {*parsed.paths}, "also in a shell of its own"
    assert "/etc/passwd" in parse("env -C /etc cat passwd").paths
    assert {"./x.sh", "/y"} <= {*parse("./x.sh of=/y").paths}
    assert {"/etc/passwd", "~/.ssh/id*", "y", "/etc/y", "./z", "shadow", "../out"} <= {
        *parsed.paths
    }


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("ls;" * 51, "it has more than 50 commands"),
        ("ls " + "a" * MAX_CHARS, "it has more than 10,000 characters"),
    ],
)
def test_what_is_too_long_to_be_looked_at_is_unknown(command: str, why: str) -> None:
    parsed = parse(command)
    assert worst_first(parsed.commands)[0] == Command((), "unknown", why)


def test_a_dash_before_a_here_document_is_not_lost() -> None:
    parsed = parse("sort - <<'EOF' > a\nb\nEOF")
    assert [command.words for command in parsed.commands] == [("sort", "-"), (">", "a")]


def test_a_letter_beyond_the_tables_of_the_grammar_is_a_letter() -> None:
    for start in ("", "'", "$", "<<", "a{", "${x", "$'"):
        for letter in range(0x100, 0x110000, 0x1111):
            if not 0xD800 <= letter < 0xE000:
                assert not only_reads(parse(f"{start}{chr(letter)} b").commands)
    assert parse("ls 'é' ü\u00a0x $ö").problem, "no name of a value"
    assert parse("ls 'é' ü\u00a0x").commands == (Command(("ls", "é", "ü\u00a0x"), "reads"),)


def test_nothing_is_found_in_nothing() -> None:
    assert parse(" \n") == parse("# ls") == Parsed()


@pytest.mark.parametrize("nest", ["$(", "(", '"$(', "`", "{ ", "bash -c '", "[[ (", "<(", "${x:-"])
def test_what_is_nested_too_deep_is_not_parsed(nest: str) -> None:
    ends = {"$(": ")", "(": ")", '"$(': ')"', "`": "`", "{ ": "; }", "bash -c '": "'"}
    end = {**ends, "[[ (": ") ]]", "<(": ")", "${x:-": "}"}[nest]
    assert not only_reads(parse(f"{nest * 60}rm a{end * 60}").commands)


PIECES = (
    *("ls", "cat", "echo", "rm", "a", "x=1", "-la", " ", " ", "\n", ";", "|", "&&", "&", "'", '"'),
    *("\\", "`", "$(", ")", "${", "}", "$x", "<<EOF\n", "\nEOF\n", "#", "{", "(", "$((", "))", "<"),
    *(">", "[ ", " ]", "[[ ", " ]]", "$'", "\\\n", "if ", "; then ", "; fi", "case x in ", "esac"),
    *("\u00a0", "\x0b", "*", "~", "!", "for i in ", "; do ", "; done", "\ud800", "\0", "\u202e"),
)
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_any_text_is_parsed_or_has_a_problem(text: str) -> None:
    parsed = parse(text)
    assert parsed.problem or parsed.commands or not only_reads(parsed.commands)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_a_command_of_an_unknown_program_never_only_reads(text: str) -> None:
    for command in (f"xyzzy {text}", f"ls; xyzzy {text}", f"ls $(xyzzy) {text}"):
        parsed = parse(command)
        assert parsed.problem or not only_reads(parsed.commands), command
