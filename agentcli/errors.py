"""What a user can get wrong or run into, and the exit code of each.

AgentcliError                 70  a message and what to do next
├── UsageError                64  the command line
├── InputError                65  a file or value that is not what it should be
├── MissingFileError          66
├── UnavailableError          69  a service or a sandbox that does not answer
├── LedgerError               73
│   ├── LedgerBusyError           another process writes it
│   └── LedgerDamagedError        it is not what was written
├── NotPermittedError         77  a yes that does not count
└── ConfigError               78  profiles, tools, settings, a missing key
    └── MissingExtraError         a package that is not always installed
"""


class AgentcliError(Exception):
    """Shown to the user as it is, without a traceback. `hint` says what to do next."""

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AgentcliError):
    """The words of the command line do not fit together."""

    exit_code = 64


class InputError(AgentcliError):
    """A task, a script or a value is not what it should be."""

    exit_code = 65


class MissingFileError(AgentcliError):
    """A named file is not there or cannot be read."""

    exit_code = 66


class UnavailableError(AgentcliError):
    """A service or sandbox does not answer. `hint` is the command that mends it."""

    exit_code = 69


class LedgerError(AgentcliError):
    """A ledger cannot be written or read."""

    exit_code = 73


class LedgerBusyError(LedgerError):
    """Another process is writing this ledger."""


class LedgerDamagedError(LedgerError):
    """A line is not what was written: changed, dropped, swapped or not a record."""


class NotPermittedError(AgentcliError):
    """A yes is not that of one who may give it, or not for what is asked."""

    exit_code = 77


class ConfigError(AgentcliError):
    """A profile, tool or setting is wrong, or a key is missing."""

    exit_code = 78


class MissingExtraError(ConfigError):
    """What is wanted needs packages that come with an extra. One line, which names it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra `{extra}`: pip install 'agentcli[{extra}]'")
