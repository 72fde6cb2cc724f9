"""Shows a text of a vector where people see one, and says whether it was harmless there."""

import re
from html.parser import HTMLParser
from pathlib import Path

from agentcli.compose.conversation import Called, Conversation, Words
from agentcli.core.visible import escaped, visible
from agentcli.redteam.case import Case, Played, Spec
from agentcli.redteam.declared import Declared, loaded_tools
from agentcli.redteam.ground import OPEN, Found, default_policy
from agentcli.redteam.player import Player
from agentcli.shell.card import Card, card_lines
from agentcli.shell.page import html_page

# What is said of a call by the card alone; none of it is in the cards here.
OWN_FACT = re.compile(r"  (where|undo|note|signature):")


async def shown(folder: Path, text: str, where: str) -> tuple[Found, str]:
    """Show a text as it is shown there, and say whether that is harmless."""
    match where:
        case "card":
            result = escaped(text)
            harmless = result.replace("\n", "").isprintable()
        case "argument" | "name" | "reason":
            lines = card_lines(card_with(text, where), 60, False)
            result, harmless = "\n".join(lines), all(map(is_framed, lines[1:]))
        case "page":
            result = page_with(text)
            harmless = visible(result) == result and tags(result) == tags(page_with("x"))
        case "output":
            tools = {"look": Declared(tier="read_only", egress=False)}
            loaded = loaded_tools({"look": Spec("look", dict(OPEN))}, tools, folder)
            case = Case("v", "v", "benign", "Look.", (), (Played("look", {}, text),))
            play = await Player(default_policy(), loaded).play(case, "no")
            result = play.calls[0].output
            harmless = visible(result) == result
        case _:
            result = visible(text)
            harmless = visible(result) == result
    if result == text:
        return "allow", result
    return ("sanitise" if harmless else "leak"), result


def card_with(text: str, where: str) -> Card:
    match where:
        case "name":
            return Card("May this run?", "reversible", "own", {text: "x"})
        case "reason":
            return Card("May this run?", "reversible", "own", {}, reason=text)
        case _:
            return Card("May this run?", "reversible", "own", {"text": text})


def is_framed(line: str) -> bool:
    """Return whether a line of a card is plain, and stands where the question does not."""
    return line.isprintable() and line.startswith("  ") and not OWN_FACT.match(line)


def page_with(text: str) -> str:
    call = Called(2, text, text, text, "done", [(text, text)], text)
    return html_page(Conversation(text, [(text, text)], [Words(1, text, text), call]))


class Tags(HTMLParser):
    """Takes the tags of a page, with the attributes of each."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


def tags(page: str) -> list[object]:
    reader = Tags()
    reader.feed(page)
    return reader.found
