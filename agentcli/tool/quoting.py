"""What a shell makes of the quotes, escapes and values in a word."""

import re
from typing import TYPE_CHECKING

from agentcli.core.command import Command, Power
from agentcli.tool.known import names
from agentcli.tool.word import Word

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_DEPTH = 40

# All that the grammar took for a word has to be spelled in a way that bash reads just so.
PLAIN = re.compile(r"""(?:[^\x00-\x20'"\\`$;&|<>()\x7f]|\\[^\n])+""")
QUOTED = re.compile(r"""(?:[^"\\`$]|\\.|\$(?![A-Za-z_0-9({\[@*#?$!'-]))*""", re.DOTALL)
RAW = re.compile(r"'[^']*'")
ANSI = re.compile(r"\$'(?:[^'\\]|\\.)*'", re.DOTALL)
VALUE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!_-])")
EXPANSION = re.compile(
    r"\$\{(?:#?[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])(?:\[[@*0-9]+\])?\}"
    r"|\$\{[A-Za-z_0-9]+(?::?[-+?]|%%?|##?|\^\^?|,,?|//?)[A-Za-z0-9_./*?@:=, +-]*\}"
)
SUM = re.compile(r"\$\(\([0-9 +*/%-]*\)\)")
PATTERN = re.compile(r"[A-Za-z0-9_.*?/:,@%+=~^!\[\]|-]+")
REGEX = re.compile(r"(?:[A-Za-z0-9_.*?/:,@%+=~^!\[\]{}|()-]|\\[.+*?^$|()\[\]{}/dsw-])+\$?")
MANY = re.compile(r"[*?\[\]{}~]")

WORDS = names(
    """
    word number string raw_string concatenation simple_expansion expansion command_substitution
    process_substitution arithmetic_expansion ansi_c_string brace_expression
    """
)


class ProblemError(Exception):
    """Why a command could not be parsed."""


class WordReader:
    """Reads the words of one text. `statement` reads the commands in them."""

    def __init__(self, shell: str) -> None:
        self.shell = shell
        self.source = b""
        self.commands: list[Command] = []

    def statement(self, node: "Node", depth: int) -> None:
        raise NotImplementedError

    def text(self, node: "Node") -> str:
        return self.source[node.start_byte : node.end_byte].decode()

    def add(self, words: list[str], power: Power, why: str = "") -> None:
        self.commands.append(Command(tuple(words), power, why))

    def word(self, node: "Node", depth: int) -> Word:
        """Return a word, and read the commands in it."""
        if depth > MAX_DEPTH:
            raise ProblemError("it is nested too deep")
        if node.type != "concatenation":
            return self.part(node, depth)
        text, head, fixed, single, known = "", "", True, True, True
        end = node.start_byte
        braces = 0
        for child in node.children:
            if child.start_byte != end:
                raise ProblemError("a word has blanks in it")
            end = child.end_byte
            if self.source[child.start_byte : child.start_byte + 2] == b"{}":
                braces = 2  # these mean nothing when nothing is in them
            part = Word(self.text(child)) if braces else self.part(child, depth + 1)
            braces = max(0, braces - 1)
            text += part.text
            if known:
                head += part.text if part.fixed else part.head
                known = part.fixed
            fixed, single = fixed and part.fixed, single and part.single
            if not part.single and not part.head and not part.fixed:
                head = "" if not is_pattern(part) else head
                known = False
        if end != node.end_byte:
            raise ProblemError("a word has more in it than is understood")
        return Word(text, fixed, single, "" if fixed else head)

    def part(self, node: "Node", depth: int) -> Word:
        text = self.text(node)
        kind = node.type
        if kind in ("word", "number", "variable_name", "special_variable_name"):
            return plain(text)
        if kind == "raw_string":
            return Word(matched(RAW, text)[1:-1])
        if kind == "string":
            return self.quoted(node, depth)
        if kind == "simple_expansion":
            matched(VALUE, text)
            return Word(text, fixed=False, single=False)
        if kind == "expansion":
            self.expansion(node, depth)
            return Word(text, fixed=False, single=False)
        if kind == "command_substitution":
            # The grammar lets a second one begin in the first, and then hides what is between two.
            if text.startswith("`") and re.search(r"[\\`]", text[1:-1]):
                raise ProblemError("a command in backticks has backticks or a backslash")
            self.statement(node, depth)
            return Word(text, fixed=False, single=False)
        if kind == "process_substitution":
            self.statement(node, depth)
            return Word(text, fixed=False, head="/dev/fd/")
        if kind == "arithmetic_expansion":
            self.calculation(node, depth)
            return Word(text, fixed=False, single=False)
        if kind == "ansi_c_string":
            if self.shell != "bash":
                raise ProblemError("only bash knows $'...'")
            return ansi(matched(ANSI, text))
        if kind == "brace_expression":
            return Word(text, fixed=False, single=False)
        if kind == "extglob_pattern":
            return Word(matched(PATTERN, text), fixed=False)
        if kind == "regex":
            return Word(matched(REGEX, text), fixed=False)
        raise ProblemError(f"`{kind}` is not understood")

    def quoted(self, node: "Node", depth: int) -> Word:
        """Return a word in double quotes."""
        text, head, fixed, single = "", "", True, True
        at, last = node.start_byte + 1, node.end_byte - 1
        for child in [*node.named_children, None]:
            if child is not None and child.type == "string_content":
                continue
            between = self.source[at : child.start_byte if child else last].decode()
            between = re.sub(r'\\([$`"\\])', r"\1", matched(QUOTED, between).replace("\\\n", ""))
            text += between
            head += between if fixed else ""
            if child is None:
                break
            if child.type not in (
                "simple_expansion",
                "expansion",
                "command_substitution",
                "arithmetic_expansion",
            ):
                raise ProblemError(f"`{child.type}` is not understood in quotes")
            inner = self.part(child, depth + 1)
            text += inner.text
            fixed, at = False, child.end_byte
            # These become as many words as there are values, also in quotes.
            single = single and not re.match(r"\$@|\$\{@|\$\{.*\[@\]|\$\{!", inner.text)
        if not single:
            head = ""
        return Word(text, fixed, single, "" if fixed else head)

    def expansion(self, node: "Node", depth: int) -> None:
        text = self.text(node)
        if EXPANSION.fullmatch(text):
            return
        # In quotes these mean one thing to the grammar and another to the shell.
        if re.search(r"['\\`\n]", text) or '"' in text:
            raise ProblemError("a value has quotes in it")
        self.add([text], "unknown", "how it makes its value can run commands")
        self.below(node, depth)

    def calculation(self, node: "Node", depth: int) -> None:
        text = self.text(node)
        if SUM.fullmatch(text):
            return
        if re.search(r"['\"\\`\n;<>|]", text):
            raise ProblemError("a calculation is not understood")
        self.add([text], "unknown", "a calculation can run commands")
        self.below(node, depth)

    def below(self, node: "Node", depth: int) -> None:
        """Read the commands in what is unknown as a whole."""
        if depth > MAX_DEPTH:
            raise ProblemError("it is nested too deep")
        for child in node.named_children:
            if child.type in ("command_substitution", "process_substitution"):
                self.statement(child, depth)
            else:
                self.below(child, depth + 1)


def matched(pattern: re.Pattern[str], text: str) -> str:
    """Return the text if the shell reads it as the grammar did."""
    if not pattern.fullmatch(text):
        raise ProblemError("it has quotes or signs that are not understood")
    return text


def plain(text: str) -> Word:
    """Return a word without quotes."""
    matched(PLAIN, text)
    if "\\" not in text and not MANY.search(text):
        return Word(text)
    pieces = re.findall(r"\\.|[^\\]", text, re.DOTALL)
    for i, piece in enumerate(pieces):
        if MANY.fullmatch(piece):
            head = "".join(p[-1] for p in pieces[:i])
            if piece == "~" and not any(MANY.fullmatch(p) for p in pieces[i + 1 :]):
                return Word(text, fixed=False, head=head or "~")
            return Word(text, fixed=False, single=False, head=head or ("~" if piece == "~" else ""))
    return Word("".join(piece[-1] for piece in pieces))


def is_pattern(word: Word) -> bool:
    """Return whether a word becomes many that all begin as what stands before it."""
    return not word.text.startswith(("$", "`"))


ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


def ansi(text: str) -> Word:
    """Return a word in $'...'; one with an escape that is rarely used is not known."""
    inner = text[2:-1]
    if all(found in ESCAPES for found in re.findall(r"\\(.)", inner, re.DOTALL)):
        return Word(re.sub(r"\\(.)", lambda found: ESCAPES[found[1]], inner))
    return Word(text, fixed=False)
