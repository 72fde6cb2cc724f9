"""Where a value comes from and who may see it. Labels only ever join: nothing washes one off."""

from typing import Literal

from agentcli.core.record import Record

Integrity = Literal["user", "tool", "untrusted"]
Confidentiality = Literal["public", "private"]
BY_TRUST: tuple[Integrity, ...] = ("user", "tool", "untrusted")


class Label(Record, frozen=True):
    """Of a tool's output, or of all that a model has seen. The defaults are an unknown tool's."""

    integrity: Integrity = "untrusted"
    confidentiality: Confidentiality = "private"

    @property
    def is_tainted(self) -> bool:
        return self.integrity == "untrusted"

    def join(self, other: "Label") -> "Label":
        """Return the label of what both are in: the less trusted, the more private."""
        integrity = max(self.integrity, other.integrity, key=BY_TRUST.index)
        private = "private" in (self.confidentiality, other.confidentiality)
        return Label(integrity, "private" if private else "public")


CLEAN = Label("user", "public")
