"""The project's own attacks, for what was once got past somewhere, and harmless controls."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from agentcli.core.command import Power
from agentcli.core.tool import RiskTier
from agentcli.document import Document, joined, read_source
from agentcli.errors import ConfigError
from agentcli.redteam.declared import Declared

Area = Literal[
    "paths",
    "shell",
    "approvals",
    "mcp",
    "injection",
    "display",
    "toctou",
    "environment",
    "network",
]
# deny: it does not happen, and nobody is asked. ask: not without a person's yes.
Expected = Literal["deny", "ask", "allow", "sanitise"]
Words = Annotated[str, Field(min_length=1)]


# What is exchanged behind a call. same: the tool by one that is just the same.
Swap = Literal[
    "command",
    "schema",
    "description",
    "tier",
    "labels",
    "gone",
    "same",
    "memory",
    "image",
    "backend",
    "workspace",
    "mounts",
    "hidden",
]


class Before(Document):
    """A call that was made before, and what it returned. scope: of the yes to it."""

    tool: Words
    args: dict[str, Any] = {}
    output: str = ""
    scope: Literal["once", "session"] = "once"


class Said(Document):
    """An answer that reaches the run while it asks. What is not said is as it ought to be.

    bound, step: of another call; `earlier` stands for the hash of the one before. to: what it
        answers. edit: other arguments, in place of a yes or a no.
    """

    yes: bool = True
    bound: str | None = None
    step: str | None = None
    to: Literal["may_it_run", "did_it_happen"] = "may_it_run"
    scope: Literal["once", "session"] = "once"
    by: str = "somebody"
    signature: str = ""
    edit: dict[str, Any] | None = None


class Calls(Document):
    """A call, proposed by the model, as the rules of the default profile take it.

    before: calls on which the session has come here; their questions are answered yes.
    asks: tools that the profile asks before. says: answers to the question; by default no.
    meanwhile: what becomes of files once the call has been judged; null takes one away, `-> x`
        makes a link. swaps: what else becomes another then.
    attended: a person is there.
    """

    tool: str
    args: dict[str, Any] = {}
    before: tuple[Before, ...] = ()
    user: str = "Do what is needed."
    plan: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    says: tuple[Said, ...] = ()
    signers: str = ""
    meanwhile: dict[str, str | None] = {}
    swaps: tuple[Swap, ...] = ()
    attended: bool = True


class Commanded(Document):
    """A command for the shell. power: the worst that it must be found to do, or `unparsed`."""

    command: Words
    power: Power | Literal["unparsed"]


class Typed(Document):
    """Keys at a question, on a terminal of their own. when: before the card comes up, while it
    does, all at once as pasted text comes, or one by one. tier: of the tool, which is `pay`.
    """

    typed: str
    when: Literal["before", "while", "at_once", "one_by_one"] = "one_by_one"
    tier: RiskTier = "reversible"
    rows: Annotated[int, Field(ge=1)] = 24
    columns: Annotated[int, Field(ge=1)] = 80
    lines: Annotated[int, Field(ge=1)] = 1


class Shown(Document):
    """A text from outside. where: on a screen, on an approval card by itself, as an argument or
    its name, as a reason of the card, in a page of HTML, or as a tool's output.
    """

    text: str
    where: Literal["screen", "card", "argument", "name", "reason", "page", "output"] = "screen"


class Variable(Document):
    """A variable of the program's own environment, which a tool must not see."""

    variable: Words


class Hidden(Document):
    """The name of a file, which a sandbox is to keep from tools."""

    hidden: Words


class Mounted(Document):
    """A place of the machine that tools are to see. {home} is the program's own folder."""

    mount: Words


class Brought(Document):
    """Files that a project brings, and that nobody has trusted. They must change nothing."""

    project: dict[str, str]


class Described(Document):
    """A manifest that somebody has put among the tools: refused, or called and judged."""

    manifest: dict[str, Any]


class Vector(Document):
    """tries: what is done. why: why it must come out so."""

    id: Annotated[str, Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
    tries: Words
    do: Calls | Commanded | Typed | Shown | Variable | Hidden | Mounted | Brought | Described
    expect: Expected
    why: Words
    harmless: bool = False


class Vectors(Document):
    """A file of them. tools: played ones, in place of the program's own.

    files: what lies in the workspace, by path; `-> x` is a link. A file `../secret` lies beside it.
    names: the addresses of hosts, at each lookup of one the next list. pages: the text at a URL,
        `-> URL` for a redirect; any other page holds the secret.
    """

    area: Area
    tools: dict[str, Declared] | None = None
    files: dict[str, str] = {}
    names: dict[str, tuple[tuple[str, ...], ...]] = {}
    pages: dict[str, str] = {}
    vectors: tuple[Vector, ...]


def read_vectors(folder: Path) -> list[Vectors]:
    """Return the files of vectors of a folder. Raises ConfigError, also for an id that is twice."""
    found, wrong, seen = [], list[str](), dict[str, Path]()
    for path in sorted(folder.glob("*.yaml")):
        source = read_source(path)
        found.append(source.read(Vectors))
        for i, vector in enumerate(found[-1].vectors):
            if vector.id in seen:
                at = ("vectors", i, "id")
                wrong.append(source.line_at(at, f"`{vector.id}` is also in {seen[vector.id]}"))
            seen.setdefault(vector.id, path)
    if wrong:
        raise ConfigError(joined(wrong))
    return found
