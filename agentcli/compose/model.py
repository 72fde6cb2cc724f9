"""Finds the model of a name."""

import contextlib
from pathlib import Path

from agentcli.compose.key import Credentials
from agentcli.core.event import Replied, Settled, Started
from agentcli.core.message import Reply
from agentcli.core.step import ActId, AskModel, Prompt
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.recording import recorded
from agentcli.loop.port import Model

NOTHING = Credentials()


def make_model(name: str, credentials: Credentials = NOTHING) -> Model:
    """Return the model of a name: an id of Claude's, `scripted:FILE`, or `recorded:RUN`."""
    kind, _, rest = name.partition(":")
    if kind == "scripted":
        from agentcli.model.scripted import load_script

        return load_script(Path(rest))
    if kind == "recorded":
        return recorded_model(RunFolder(Path(rest)))
    from agentcli.model.claude import Claude

    return Claude(api_key=credentials.api_key, base_url=credentials.base_url)


def warm_model(name: str) -> None:
    """Load what a model needs, ahead of its first ask: the client takes long to import."""
    if not name.startswith(("scripted:", "recorded:")):
        from agentcli.model.claude import warm

        with contextlib.suppress(ImportError):  # the ask itself says so
            warm()


def recorded_model(folder: RunFolder, stop_wait_s: float = 0) -> Model:
    """Return what says again what the model of a run said, and its readers."""
    from agentcli.model.recorded import Recorded as RecordedModel

    replies, readers = recorded_replies(folder)
    return RecordedModel(replies, stop_wait_s, readers)


def recorded_replies(folder: RunFolder) -> tuple[list[Reply], list[tuple[str, Reply]]]:
    """Return what the model said in a run, with the secrets that its ledger does not hold.

    Beside it what readers said, each with the question.
    """
    records = list(recorded(folder))
    # One that was cut by a pause was asked for again, and stands in no conversation.
    settled = {rec.event.at for rec in records if isinstance(rec.event, Settled)}
    replies: list[Reply] = []
    readers: list[tuple[str, Reply]] = []
    asks: dict[ActId, AskModel] = {}
    for rec in records:
        match rec.event:
            case Started(id=id, act=AskModel() as ask):
                asks[id] = ask
            case Replied(whole=whole, blocks=blocks) as said if whole or (
                blocks and rec.seq in settled
            ):
                reply = Reply(blocks, said.stop, said.usage, said.model, said.request_id, said.note)
                ask = asks[said.id]
                if ask.answer is None:
                    replies.append(reply)
                else:
                    prompts = [add.text for add in ask.context.adds if isinstance(add, Prompt)]
                    readers.append(("".join(prompts), reply))
    return replies, readers
