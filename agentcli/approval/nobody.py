"""Nobody is there: the question stays open, and the run parks on it."""

from agentcli.core.event import Started
from agentcli.core.step import AskPerson


class Nobody:
    def ask(self, start: Started, question: AskPerson) -> None:
        """Do nothing: whoever resumes the run is asked again."""
