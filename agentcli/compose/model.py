"""Finds the model of a name."""

import contextlib
from pathlib import Path

from agentcli.compose.key import Credentials
from agentcli.core.event import Replied, Settled
from agentcli.core.message import Reply
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
        from agentcli.model.recorded import Recorded as RecordedModel

        return RecordedModel(recorded_replies(RunFolder(Path(rest))))
    from agentcli.model.claude import Claude

    return Claude(api_key=credentials.api_key, base_url=credentials.base_url)


def warm_model(name: str) -> None:
    """Load what a model needs, ahead of its first ask: the client takes long to import."""
    if not name.startswith(("scripted:", "recorded:")):
        from agentcli.model.claude import warm

        with contextlib.suppress(ImportError):  # the ask itself says so
            warm()


def recorded_replies(folder: RunFolder) -> list[Reply]:
    """Return what the model said in a run, with the secrets that its ledger does not hold."""
    records = list(recorded(folder))
    # One that was cut by a pause was asked for again, and stands in no conversation.
    settled = {rec.event.at for rec in records if isinstance(rec.event, Settled)}
    events = ((rec.event, rec.seq in settled) for rec in records)
    return [
        Reply(event.blocks, event.stop, event.usage, event.model, event.request_id, event.note)
        for event, is_settled in events
        if isinstance(event, Replied) and (event.whole or (event.blocks and is_settled))
    ]
