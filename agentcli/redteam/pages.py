"""The web as vectors play it: names and pages that are not there, looked up and judged for real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentcli.tool.reach import Domains, Target, addresses_of
from agentcli.tool.web import Response, Web

REDIRECT = "-> "


@dataclass
class Directory:
    """Names with their addresses: at each lookup of one the next of its answers, then the last."""

    names: Mapping[str, Sequence[Sequence[str]]]
    asked: dict[str, int] = field(default_factory=dict)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        answers = self.names.get(host, ())
        at = self.asked[host] = self.asked.get(host, -1) + 1
        return answers[min(at, len(answers) - 1)] if answers else ()


@dataclass(frozen=True)
class PlayedWeb(Web):
    """Nothing is sent. pages: text by URL, `-> URL` for a redirect. other: text of any other."""

    pages: Mapping[str, str] = field(default_factory=dict)
    other: str = ""

    async def request(self, target: Target) -> Response | str:
        await addresses_of(target.host, target.port, self.domains, self.look_up)
        text = self.pages.get(str(target), self.other)
        if text.startswith(REDIRECT):
            return text.removeprefix(REDIRECT)
        return Response(str(target), 200, {"content-type": "text/plain"}, text.encode())


def played_web(
    domains: Domains,
    names: Mapping[str, Sequence[Sequence[str]]] = {},
    pages: Mapping[str, str] = {},
    other: str = "",
) -> PlayedWeb:
    """Return a web in which only these names have addresses, and nothing leaves this machine."""
    return PlayedWeb(domains, Directory(names), pages, other)
