"""Redirections and here-documents of a shell command, and the paths that it names."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from agentcli.tool.power import short
from agentcli.tool.quoting import WORDS, ProblemError, WordReader
from agentcli.tool.word import Word

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_FOLDERS = 10
DELIMITER = re.compile(r"""(['"]?)([A-Za-z_][A-Za-z0-9_]*)\1""")
REST_OF_LINE = re.compile(r"""[^'"`\\$(){}#\n]*(?=\n)""")
SILENT = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin"})
SOCKETS = ("/dev/tcp/", "/dev/udp/")


class RedirectReader(WordReader):
    """paths: all that may be one. folders: where `cd` may have led."""

    def __init__(self, shell: str) -> None:
        super().__init__(shell)
        self.paths: dict[str, None] = {}
        self.folders: list[str] = []

    def keep_path(self, text: str) -> None:
        if text and "\n" not in text:
            self.paths[text] = None
            if not text.startswith("/"):
                for folder in self.folders[:MAX_FOLDERS]:
                    self.paths[f"{folder.rstrip('/')}/{text}"] = None

    def check_line(self, nodes: list["Node"]) -> None:
        """Check that there is no end of a line between these: it would end the command."""
        for node, after in pairwise(nodes):
            if b"\n" in self.source[node.end_byte : after.start_byte].replace(b"\\\n", b""):
                raise ProblemError("it has an end of a line where none is understood")

    def redirect(self, node: "Node", depth: int) -> None:
        if node.type == "heredoc_redirect":
            return self.here_document(node, depth)
        self.check_line(node.children)
        operator = next((c.type for c in node.children if not c.is_named), "")
        words = [self.word(target, depth) for target in targets_of(node)[:1]]
        if node.type == "herestring_redirect":
            return None
        if node.type != "file_redirect":
            raise ProblemError("a redirection is not understood")
        if operator in (">&-", "<&-"):
            if words:
                raise ProblemError("words stand behind a redirection")
            return None
        [word] = words or [Word("")]
        if operator == "<" and word.text == "/dev/null":
            return None
        if operator in (">&", "<&") and word.fixed and re.fullmatch(r"\d+-?|-", word.text):
            return None
        self.keep_path(word.text)
        shown = [operator, word.text]
        head = word.text if word.fixed else word.head
        if not word.single or not head or any(s.startswith(head[:9]) for s in SOCKETS):
            self.add(shown, "unknown", f"where `{short(word.text)}` leads shows only while it runs")
        elif operator == "<" and not head.startswith("-"):
            self.add(shown, "reads")
        elif (
            word.fixed and word.text in SILENT and operator in (">", ">>", "&>", "&>>", ">&", ">|")
        ):
            return None
        else:
            self.add(shown, "writes", f"it writes {short(word.text)}")
        return None

    def here_document(self, node: "Node", depth: int) -> None:
        """Read a here-document. Where it ends is found out a second time, as bash does it."""
        source = self.source.decode()
        parts = {child.type: child for child in node.children}
        start, body, end = (parts.get(f"heredoc_{name}") for name in ("start", "body", "end"))
        if start is None or end is None:
            raise ProblemError("a here-document is not understood")
        is_dash = "<<-" in parts
        after = len(self.source[: start.end_byte].decode())
        delimiter = DELIMITER.fullmatch(self.text(start))
        rest = REST_OF_LINE.match(source, after)
        if delimiter is None or rest is None or "<<" in rest[0]:
            raise ProblemError("a here-document is not understood")
        at = rest.end() + 1
        lines = []
        for line in source[at:].split("\n"):
            if (line.lstrip("\t") if is_dash else line) == delimiter[2]:
                break
            lines.append(line)
            at += len(line) + 1
        tabs = len(line) - len(line.lstrip("\t")) if is_dash else 0
        ends = len(self.source[: end.start_byte].decode())
        if ends not in (at, at + tabs) or self.text(end) != delimiter[2]:
            raise ProblemError("a here-document ends elsewhere for the shell")
        if not delimiter[1]:
            if any(line.endswith("\\") for line in lines):
                raise ProblemError("a here-document has a line that goes on")
            if any("$" in line or "`" in line for line in lines):
                self.add(["<<", delimiter[2]], "unknown", "its text is made while it runs")
                for child in body.named_children if body else []:
                    if child.type != "heredoc_content":
                        self.word(child, depth)
        for child in node.named_children:
            if child.type not in ("heredoc_start", "heredoc_body", "heredoc_end"):
                self.rest_of_line(child, depth)

    def rest_of_line(self, node: "Node", depth: int) -> None:
        """Read what the grammar hangs below a here-document, though it stands behind it."""
        if node.type == "file_descriptor":
            return
        if node.type in WORDS:
            raise ProblemError("a word stands behind a here-document")
        self.statement(node, depth)


def is_redirect(node: "Node") -> bool:
    return node.type in ("file_redirect", "herestring_redirect", "heredoc_redirect")


def targets_of(redirect: "Node") -> list["Node"]:
    """Return where a redirection leads, and words after it that belong to the command."""
    if redirect.type == "heredoc_redirect":
        return []
    return [child for child in redirect.named_children if child.type != "file_descriptor"]
