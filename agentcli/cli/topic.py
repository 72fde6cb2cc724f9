"""What `agentcli help TOPIC` says: short pages on what concerns more than one command."""

import re
from dataclasses import dataclass

from agentcli.cli import page
from agentcli.cli.topic_safety import SAFETY
from agentcli.cli.topic_use import USE

ROW = re.compile(r"(\S.*?) {2,}(\S.*)")


@dataclass(frozen=True)
class Topic:
    """title: in a few words. text: paragraphs of prose, and lists: a name, two blanks, the rest.

    A further line of a list's item is indented. What is indented as a whole is shown as it is.
    @config and @state stand for the user's folders.
    """

    title: str
    text: str


TOPICS = {name: Topic(*about) for name, about in (USE | SAFETY).items()}


def page_of_topic(name: str, columns: int) -> str:
    """Return the page of a topic, as wide as there is room."""
    topic = TOPICS[name]
    paragraphs = with_folders(topic.text).strip("\n").split("\n\n")
    shown = [rendered(paragraph, columns) for paragraph in paragraphs]
    text = page.filled(f"{name}: {topic.title[0].lower()}{topic.title[1:]}", columns)
    # A list stands right below the line that announces it.
    for before, part in zip([topic.title, *paragraphs], shown, strict=False):
        text += ("\n" if before.endswith(":") else "\n\n") + part
    return text


def rendered(paragraph: str, columns: int) -> str:
    if paragraph.startswith("    "):
        return paragraph
    lines = re.sub(r"\n +", " ", paragraph).splitlines()
    rows = [match.groups() for line in lines if (match := ROW.fullmatch(line))]
    if len(rows) == len(lines):
        return page.listed([(name, about) for name, about in rows], columns)
    return page.filled(paragraph, columns)


def with_folders(text: str) -> str:
    from agentcli import asset
    from agentcli.cli.page import short

    text = text.replace("@config", short(str(asset.config_home())))
    return text.replace("@state", short(str(asset.state_home())))
