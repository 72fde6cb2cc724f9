import os
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from agentcli.core.visible import escaped_line
from agentcli.document import Document, nearest, one_of, read_document, read_source
from agentcli.errors import AgentcliError, ConfigError, InputError, MissingFileError


class ByScript(Document):
    script: str


class ByCommand(Document):
    command: tuple[str, ...]


class Budget(Document):
    usd: Annotated[float, Field(gt=0)] = 2.0
    steps: int = 50


class Profile(Document):
    name: Annotated[str, Field(min_length=2, pattern="^[a-z]+$", description="what it is called")]
    tools: tuple[str, ...] = ()
    network: bool = False
    color: Literal["on", "off", "auto"] = "auto"
    budget: Budget = Budget()
    run: ByScript | ByCommand | None = None
    undo: Literal["none"] | Budget = "none"
    hosts: dict[str, bool] = {}
    format_: Annotated[dict[str, Any], Field(alias="format")] = {}


def said(tmp_path: Path, written: str | bytes) -> str:
    """Return what reading says, without the folder's name."""
    path = tmp_path / "a.yaml"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    with pytest.raises(AgentcliError) as caught:
        read_document(path, Profile)
    return str(caught.value).replace(f"{path}:", "")


def test_what_is_right_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: dev\ntools: [read, shell]\nnetwork: yes\ncolor: 'off'\nbudget: {usd: 3}\n"
        "run: {command: [ls]}\nhosts: {example.com: on}\nformat: {type: object}\n"
    )
    profile = read_document(path, Profile)
    assert profile.format_ == {"type": "object"}
    assert profile.model_copy(update={"format_": {}}) == Profile(
        name="dev",
        tools=("read", "shell"),
        network=True,
        color="off",
        budget=Budget(usd=3),
        run=ByCommand(command=("ls",)),
        hosts={"example.com": True},
    )


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("name: dev\ntols: []", "2:1: tols: unknown key; did you mean `tools`?"),
        ("name: dev\nbudget: {step: 1}", "2:10: budget.step: unknown key; did you mean `steps`?"),
        ("name: dev\nfromat: {}", "2:1: fromat: unknown key; did you mean `format`?"),
        ("tools: []", "1:1: name: is missing: what it is called"),
        ("name: no", '1:7: name: must be text, got the boolean `no`: quote it, "no"'),
        ("name: 1.10", '1:7: name: must be text, got the number `1.10`: quote it, "1.10"'),
        ("name:", "1:6: name: must be text, got nothing"),
        ("name: x", "1:7: name: must have at least 2 characters, got the text `x`"),
        ("name: X1", "1:7: name: must match `^[a-z]+$`, got the text `X1`"),
        (
            "name: dev\ntools: [a, no]",
            '2:12: tools.1: must be text, got the boolean `no`: quote it, "no"',
        ),
        ("name: dev\ntools: a", "2:8: tools: must be a list, got the text `a`"),
        ("name: dev\nnetwork: 'yes'", "2:10: network: must be true or false, got the text `yes`"),
        (
            "name: dev\ncolor: on",
            '2:8: color: must be `on`, `off` or `auto`, got the boolean `on`: quote it, "on"',
        ),
        (
            "name: dev\ncolor: atuo",
            "2:8: color: must be `on`, `off` or `auto`, got the text `atuo`; did you mean `auto`?",
        ),
        (
            "name: dev\nformat: {enum: [on, 1]}",
            "2:17: format.enum.0: YAML reads `on` as true or false: quote it if it is text",
        ),
        ("name: dev\nbudget: {usd: -1}", "2:15: budget.usd: must be above 0, got the number `-1`"),
        (
            "name: dev\nbudget: {steps: '5'}",
            "2:17: budget.steps: must be a whole number, got the text `5`: write 5, without quotes",
        ),
        ("name: dev\nrun: {}", "2:6: run: needs `script` or `command`"),
        (
            "name: dev\nrun: {script: a, command: [b]}",
            "2:6: run: must have only one of `command` or `script`",
        ),
        (
            "name: dev\nundo: nope",
            "2:7: undo: must be `none` or a mapping, got the text `nope`; did you mean `none`?",
        ),
        ("name: a\n\nname: b", "3:1: duplicate key `name`, first on line 1"),
        ("on: 1", '1:1: YAML reads the key `on` not as text: write "on"'),
        ("a: &a {b: 1}\nc: {<<: *a}", "2:5: c: merge keys are not read here: write the keys out"),
        ("a: !!python/name:os.system x", "1:4: a: tags are not read here, got"),
        ("a: 012", "1:4: a: YAML reads `012` as a number of its own kind: quote it if it is text"),
        ("a: 1:30", "1:4: a: YAML reads `1:30` as a number of its own kind"),
        ("a: .nan", "1:4: a: YAML reads `.nan` as a number of its own kind"),
        ("a: 99999999999999999999", "does not fit 64 bits: quote it"),
        ("", "1:1: is empty, expected a mapping"),
        ("- a", "1:1: must be a mapping at the top, got a list"),
        ("a", "1:1: must be a mapping at the top, got a single value"),
        ("a: b\n---\na: b", "2:1: must hold one document, here a second one starts"),
        ("a: [b", "is not YAML: while parsing a flow sequence"),
        ("a: *b", "1:4: is not YAML: found undefined alias"),
        ("a: &a [*a]", "1:4: is nested more than 64 deep"),
        ("[" * 100, "1:1: must be a mapping at the top"),
        ("{a: " * 200_000, "is nested more than 64 deep"),
        ("a: \x07", r"1:4: must be text, got '\x07'"),
        (b"a: b\nc: \xff", "2: must be UTF-8 text, got the byte 0xff"),
        (b"\x89PNG\r\n\0", "1: must be UTF-8 text, got the byte 0x89"),
        (b"x" * 1_000_001, "must be at most 1,000,000 bytes, got more"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_each_fault_is_told_with_its_place_and_its_cure(
    tmp_path: Path, written: str | bytes, message: str
) -> None:
    assert message in said(tmp_path, written)


def test_endless_nesting_is_refused_by_us_or_by_the_parser_below(tmp_path: Path) -> None:
    deep = said(tmp_path, "[" * 500_000)
    # Newer YAML parsers look ahead and have a limit of their own.
    assert "must be a mapping at the top" in deep or "exceeded maximum nesting depth" in deep


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = said(tmp_path, "tools: [1]\nnetwork: 2\nbudget:\n  usd: x\nformat: {a: off}\n")
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "name",
        "tools.0",
        "network",
        "budget.usd",
    ]


def test_aliases_that_expand_without_end_are_refused_quickly(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    assert "must hold at most 100,000 values, aliases expanded" in said(tmp_path, bomb)


def test_dates_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("since: 2026-01-31\n2026-02-01: x\n")
    assert read_source(path).data == {"since": "2026-01-31", "2026-02-01": "x"}


def test_a_file_that_is_not_there_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").touch()
    with pytest.raises(MissingFileError, match=r"no such file; did you mean `default\.yaml"):
        read_document(tmp_path / "defualt.yaml", Profile)
    with pytest.raises(MissingFileError, match="there is no folder"):
        read_document(tmp_path / "no" / "a.yaml", Profile)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="is a folder, expected a file"):
        read_document(tmp_path, Profile)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MissingFileError, match="is a device or a pipe"):
        read_document(tmp_path / "pipe", Profile)
    with pytest.raises(MissingFileError, match="cannot be read"):
        read_document(Path("a\0b"), Profile)


def test_an_error_found_later_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("hosts:\n  a.b: [1,\n    2]\ntools:\n- x\n- y\n")
    source = read_source(path)
    assert source.where("tools.1") == f"{path}:6:3"
    assert source.where("hosts.a.b.1") == f"{path}:3:5"
    assert source.where(("hosts", "a.b"), key=True) == f"{path}:2:3"
    assert source.where("tools.7.x") == f"{path}:5:1"
    error = source.error_at("tools.1", "unknown tool `y`", error=InputError)
    assert isinstance(error, InputError)
    assert str(error) == f"{path}:6:3: tools.1: unknown tool `y`"


def test_the_kind_of_error_is_the_callers(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("nam: x")
    with pytest.raises(InputError):
        read_document(tmp_path / "a.yaml", Profile, InputError)


PIECES = ["name: ", "dev", "\n", "- ", "a: ", "[", "]", "{", "}", "&a ", "*a", "!!", "<<: ", "? "]
PIECES += ["'", '"', "\\ud800", "no", "1:2", "0x", "---\n", "\x00", "\ufeff", "\ud7ff", "9" * 5000]


@given(st.one_of(st.binary(), st.lists(st.sampled_from(PIECES)).map(lambda s: "".join(s).encode())))
@example(b'name: "\\ud800"')
@example(b"run: {? [a] : b}")
@example(b"a: _\nb: 0_\nc: -._\nd: 0x_\ne: +.\nf: !!int a\ng: !!bool a\nh: !!float 1")
def test_any_bytes_are_a_profile_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, written: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(written)
    try:
        read_document(path, Profile)
    except ConfigError as error:
        assert str(error).startswith(str(path))  # noqa: PT017


def test_names_in_messages_are_short_and_printable() -> None:
    assert escaped_line("a\x1b[2Jb\u202e") == r"a\x1b[2Jb\u202e"
    assert one_of(["a", "b", "c"]) == "`a`, `b` or `c`"
    assert one_of(map(str, range(14))).endswith("`11` or 2 more")
    assert nearest("TOLS", ["tools", "budget"]) == "tools"
    assert nearest("x", []) is None
    assert nearest("name", ["unsafe", "rules"]) is None
