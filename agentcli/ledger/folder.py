"""The folder that a run is kept in, and what a run was given."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from agentcli.core.event import NOTES, Event, Forked, Recorded, RunStarted
from agentcli.core.personal import Pii
from agentcli.core.plan import Fork, Plan
from agentcli.core.policy import Policy
from agentcli.core.record import encode, hash_as_stored
from agentcli.core.redact import map_strings, restore
from agentcli.errors import (
    AgentcliError,
    InputError,
    LedgerDamagedError,
    LedgerError,
    MissingFileError,
)
from agentcli.ledger.line import decode_line, mark_of, refuse_newer
from agentcli.ledger.vault import FIELDS, Vault, find_secret, sync_folder, write_private

MOST_TITLE = 200  # characters


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run, 0700.

    outside: it does not stand among the runs of this machine. unsealed: nor has it its seal.
    """

    path: Path
    outside: bool = field(default=False, compare=False)
    unsealed: bool = field(default=False, compare=False)

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.jsonl"

    @property
    def outputs(self) -> Path:
        return self.path / "outputs"

    @property
    def private(self) -> Path:
        return self.path / "private"

    @property
    def workspace(self) -> Path:
        """The workspace of a run that works on a copy."""
        return self.path / "workspace"

    @property
    def title(self) -> Path:
        """There if a person gave the run a name: its text, in UTF-8."""
        return self.path / "title"

    @property
    def label(self) -> str:
        """What a person called the run later, "" for nothing."""
        try:
            with self.title.open("rb") as file:
                return file.read(4 * MOST_TITLE).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def rename(self, title: str) -> None:
        """Give the run a name, or take it away: "". Raises InputError, LedgerError."""
        title = " ".join(title.split())
        if len(title) > MOST_TITLE:
            raise InputError(f"a title of {len(title)} characters: at most {MOST_TITLE} fit")
        try:
            data = title.encode()
        except UnicodeEncodeError as error:
            raise InputError("a title that is not UTF-8") from error
        if title:
            write_private(self.title, data)
            return
        try:
            self.title.unlink(missing_ok=True)
            sync_folder(self.path)
        except OSError as error:
            raise LedgerError(f"{self.title}: cannot be removed: {error.strerror}") from error

    def keep_plan(self, plan: Plan, known: tuple[str, ...]) -> None:
        """Store what the run is given, without secrets. known: exact ones. Raises LedgerError."""
        vault = Vault(self.private, known, pii=plan.pii)
        plain = map_strings(msgspec.to_builtins(plan), vault.clean_text, FIELDS)
        write_private(self.path / "plan.json", msgspec.json.format(encode(plain), indent=1))

    @property
    def pii(self) -> Pii:
        """What the run was told of personal data. Where that cannot be read, the stricter."""
        try:
            return self.given().plan.pii
        except AgentcliError:
            return "redact"

    @property
    def imported(self) -> Path:
        """There if the run came from elsewhere: it is looked at and never gone on with."""
        return self.path / "imported"

    @property
    def replayed(self) -> Path:
        """There if the run was made by a replay: what its tools said was recorded elsewhere."""
        return self.path / "replayed"

    @property
    def is_foreign(self) -> bool:
        """Whether the run came from elsewhere, or may have: nothing in it is our own word."""
        return self.outside or self.unsealed or self.imported.exists()

    @property
    def goes_on(self) -> bool:
        """Whether the run may go on here, as far as its origin tells."""
        return not (self.is_foreign or self.replayed.exists())

    @property
    def foreign(self) -> str:
        """Return in words what a foreign run is."""
        if self.outside:
            return f"{self.path}: is not among the runs of this machine"
        if self.imported.exists():
            return f"{self.id}: was imported"
        return f"{self.id}: is not sealed by this machine"

    @property
    def anew(self) -> str:
        """Return in words what can be done with a foreign run instead of going on with it."""
        which = self.path if self.outside else self.id
        hint = f"Ask what it was asked anew: agentcli run ... --model recorded:{which}"
        if self.unsealed and not self.imported.exists():
            hint += f". If it is yours and only lost its seal: agentcli audit repair {self.id}"
        return hint

    def fork(self) -> Fork | None:
        """Return in what this run differs from the one it is a fork of, None if it is none.

        Raises LedgerDamagedError where its ledger tells otherwise, MissingFileError.
        """
        path = self.path / "fork.json"
        try:
            plain = msgspec.json.decode(path.read_bytes())
            fork = msgspec.convert(plain, Fork)
            told = self.record(fork.at + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MissingFileError(f"{path}: {error.strerror}") from error
        except (msgspec.MsgspecError, RecursionError) as error:
            raise LedgerDamagedError(f"{path}: {error}") from error
        if (
            not isinstance(told, Forked)
            or (told.of, told.at) != (fork.of, fork.at)
            or told.differs not in ("", hash_as_stored(fork, plain)[:32])
        ):
            raise LedgerDamagedError(f"{path}: it is not what the run was forked with")
        return fork

    def record(self, number: int) -> Event | None:
        """Return the event of a line, None where there is none. Raises OSError, MsgspecError."""
        with self.ledger.open("rb") as file:
            line = next(islice(file, max(0, number - 1), None), b"")
        return decode_line(line).event if line else None

    def plan(self) -> Plan:
        """Return what the run was given, to go on with it.

        Raises MissingFileError, LedgerDamagedError, InputError where it cannot go on here.
        """
        given = self.given()
        if self.is_foreign:
            # Its tools, rules and sandbox are another's words, which nobody here has judged.
            raise InputError(f"{self.foreign}, so it can be watched, not resumed", hint=self.anew)
        if self.replayed.exists():
            raise InputError(
                f"{self.id}: was made by a replay, so it can be watched, not resumed",
                hint="To go on with a live model from any record of a run: agentcli runs fork RUN",
            )
        if given.missing:
            message = f"{self.path / 'plan.json'}: {given.missing} secrets of it are gone"
            raise InputError(message, hint=f"Put {self.private} back as it was.")
        return given.plan

    def given(self) -> "Given":
        """Return what the run was given, to look at it.

        Raises MissingFileError, LedgerDamagedError where it is not what the run began with.
        """
        path, missing = self.path / "plan.json", set[str]()

        def find(mark: str) -> str | None:
            if (found := find_secret(self.private, mark)) is None:
                missing.add(mark)
            return found

        try:
            plain = msgspec.json.decode(path.read_bytes())
            plain = map_strings(plain, lambda text: restore(text, find))
            plan = msgspec.convert(plain, Plan)
            policy = hash_as_stored(plan.policy, plain["policy"])
        except OSError as error:
            raise MissingFileError(f"{path}: {error.strerror}") from error
        except (msgspec.MsgspecError, RecursionError) as error:
            raise LedgerDamagedError(f"{path}: {error}") from error
        # Of what is stored, not of what this program makes of it: it may know more fields.
        if not missing and hash_as_stored(plan, plain)[:32] != self.started().plan:
            raise LedgerDamagedError(f"{path}: it is not what the run began with")
        fork = self.fork()
        if fork is None:
            return Given(plan, policy, len(missing))
        return Given(fork.applied(plan), policy, len(missing), plan.policy, fork.policies)

    def run(self) -> str:
        """Return the run's id as its ledger tells: of a fork, what it became. Raises as `first`."""
        run = self.started().run
        with self.ledger.open("rb") as file:
            for line in file:
                if mark_of(Forked) in line:
                    with suppress(msgspec.MsgspecError, RecursionError):
                        event = decode_line(line).event
                        run = event.run if isinstance(event, Forked) else run
        return run

    def started(self) -> RunStarted:
        """Return what the run began with; a fork, as its original did. Raises as `first` does."""
        event = self.first().event
        assert isinstance(event, RunStarted)
        return event

    def first(self) -> Recorded:
        """Return the first record of the ledger, which is the start of a run.

        Raises MissingFileError, InputError where it is no ledger.
        """
        if self.ledger.exists() and not self.ledger.is_file():
            raise InputError(f"{self.ledger}: not a file")
        try:
            with self.ledger.open("rb") as file:
                line = file.readline(10_000_000)
        except IsADirectoryError as error:
            raise InputError(f"{self.ledger}: a folder, not a ledger") from error
        except FileNotFoundError as error:
            raise MissingFileError(f"{self.ledger}: no such ledger") from error
        except OSError as error:
            raise MissingFileError(f"{self.ledger}: {error.strerror}") from error
        if not line:
            raise InputError(f"{self.ledger}: an empty file, not a ledger")
        refuse_newer(self.ledger, line)
        try:
            first = decode_line(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InputError(f"{self.ledger}: not a ledger of this program: {error}") from error
        if not isinstance(first.event, RunStarted):
            raise LedgerDamagedError(f"{self.ledger}: it does not begin with the start of a run")
        return first


@dataclass(frozen=True)
class Given:
    """policy: its digest, as it was stored.

    missing: how many secrets of the plan are not here; marks stand in their place.
    first: of a fork, the policy that its ledger began with. others: those that it goes on with.

    With none missing the plan is known to be what the run began with. Else only its policy is:
    `verify` computes the hash that each judgement holds of it.
    """

    plan: Plan
    policy: str
    missing: int = 0
    first: Policy | None = None
    others: Mapping[str, Policy] = field(default_factory=dict)


def last_event(path: Path) -> Event | None:
    """Return the event of `last_record`."""
    last = last_record(path)
    return last.event if last else None


def last_record(path: Path, window: int = 1 << 16) -> Recorded | None:
    """Return the last record of a ledger that says how its run stands, without reading all of it.

    A line that cannot be read is passed over.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        while True:
            file.seek(max(0, size - window))
            lines = file.read().split(b"\n")
            for line in reversed(lines[0 if window >= size else 1 : -1]):
                try:
                    rec = decode_line(line)
                except (msgspec.MsgspecError, RecursionError):
                    continue
                if not isinstance(rec.event, NOTES):
                    return rec
            if window >= size:
                return None
            window *= 4
