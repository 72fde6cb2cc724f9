"""What a shell command would do, found by a real grammar before it runs."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from agentcli.core.command import Command, Parsed, Power
from agentcli.tool.document import without_documents
from agentcli.tool.known import names
from agentcli.tool.power import NAME, is_plain, power_of, sets
from agentcli.tool.power import test as judge_test
from agentcli.tool.quoting import MAX_DEPTH, ProblemError
from agentcli.tool.redirect import MAX_FOLDERS, RedirectReader, is_redirect, targets_of
from agentcli.tool.word import Word

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

MAX_CHARS = 10_000
MAX_COMMANDS = 50

# The grammar takes for blanks, names or comments what bash does not, and the other way round. All
# that it found has to look to bash as it does to the grammar, or it does not count as parsed.
BLANKS = re.compile(r"(?:[ \t\n]|\\\n)*")
LOST_DASH = re.compile(r"[ \t]+-[ \t]+")  # the grammar has no token for `-` before `<<`
# The scanner of the grammar looks characters up in tables that end at 255, and crashes beyond. To
# bash all of these are letters of a word, so letters are what the grammar gets: as many bytes.
LETTERS = bytes(range(128)) + b"Z" * 128
BEFORE_COMMENT = " \t\n;&|()"

GROUPS = names(
    """
    program list pipeline subshell compound_statement do_group if_statement elif_clause
    else_clause while_statement negated_command command_substitution process_substitution
    """
)
OPERATORS = names(
    "; & && || | |& ( ) { } ` ! $( <( >( if then elif else fi do done while until for in"
)
OPERATORS |= {"\n"}


@cache
def grammar() -> "Parser":
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def parse(command: str, shell: str = "bash", depth: int = 0) -> Parsed:
    """Return what a command would do. shell: which one runs it, sh and dash differ from bash.

    What has a name that is known by its words is judged by them. Whatever else there is (values,
    code, names that come only while it runs, too much of it) is unknown. Nothing raises.
    """
    if len(command) > MAX_CHARS:
        why = f"it has more than {MAX_CHARS:,} characters"
        return Parsed((Command((), "unknown", why),))
    if not command.strip(" \t\n"):
        return Parsed()
    reader = Reader(shell, depth)
    try:
        reader.read(without_documents(command))
    except ProblemError as problem:
        return Parsed(tuple(reader.commands), tuple(reader.paths), str(problem))
    commands = reader.commands
    if len(commands) > MAX_COMMANDS:
        why = f"it has more than {MAX_COMMANDS} commands"
        commands = [Command((), "unknown", why), *commands[:MAX_COMMANDS]]
    return Parsed(tuple(commands), tuple(reader.paths))


class Reader(RedirectReader):
    """Reads one text."""

    def __init__(self, shell: str, depth: int) -> None:
        super().__init__(shell)
        self.depth = depth

    def read(self, command: str) -> None:
        try:
            self.source = command.encode()
        except UnicodeEncodeError:
            raise ProblemError("it is no text") from None
        if b"\0" in self.source or b"\r" in self.source:
            raise ProblemError("it has a character that no command has")
        root = grammar().parse(self.source.translate(LETTERS)).root_node
        if root.has_error:
            raise ProblemError("it is no command that can be understood")
        self.check_blanks(root)
        self.statement(root, 0)

    def check_blanks(self, root: "Node") -> None:
        """Check that nothing between two tokens is more than a blank to bash too."""
        at = 0
        stack = [root]
        while stack:
            node = stack.pop()
            children = node.children
            if node.type == "heredoc_body" or (not children and node.type != "heredoc_content"):
                self.check_gap(at, node)
                at = max(at, node.end_byte)
            stack += reversed(children) if node.type != "heredoc_body" else []
        if not BLANKS.fullmatch(self.source[at:].decode()):
            raise ProblemError("it ends in what is no command")

    def check_gap(self, at: int, node: "Node") -> None:
        gap = self.source[at : node.start_byte].decode("utf-8", "replace")
        if node.type.startswith("<<") and self.text(node) != node.type:
            raise ProblemError("a sign has more in it than is understood")
        if node.type in ("<<", "<<-") and LOST_DASH.fullmatch(gap):
            return
        if not BLANKS.fullmatch(gap) or ("\\\n" in gap and not gap.replace("\\\n", "")):
            raise ProblemError("it has blanks that are none to the shell")
        if node.type == "comment":
            before = self.source[node.start_byte - 1 : node.start_byte].decode("utf-8", "replace")
            if before and before not in BEFORE_COMMENT:
                raise ProblemError("it has a comment that is none to the shell")

    def statement(self, node: "Node", depth: int) -> None:
        """Read a node that stands where a command may stand."""
        if depth > MAX_DEPTH or self.depth > 3:
            raise ProblemError("it is nested too deep")
        depth += 1
        kind = node.type
        if kind == "command":
            self.simple(node, depth)
        elif kind == "redirected_statement":
            redirects = [child for child in node.named_children if is_redirect(child)]
            others = [child for child in node.named_children if not is_redirect(child)]
            # The grammar takes words after a target for more targets.
            more = [word for child in redirects for word in targets_of(child)[1:]]
            lost = [Word("-")] if self.has_lost_dash(node.children) else []
            if (more or lost) and [child.type for child in others] != ["command"]:
                raise ProblemError("words stand behind a redirection")
            for child in others:
                if child.type == "command":
                    self.simple(child, depth, more, lost)
                else:
                    self.statement(child, depth)
            for child in redirects:
                self.redirect(child, depth)
        elif kind in GROUPS:
            if node.children and node.children[0].type == "((":
                self.add([self.text(node)], "unknown", "a calculation can run commands")
                return
            for child in node.children:
                if child.is_named:
                    self.statement(child, depth)
                elif child.type not in OPERATORS:
                    raise ProblemError(f"`{child.type}` is not understood")
        elif kind == "comment":
            return
        elif is_redirect(node):
            self.redirect(node, depth)
        elif kind in ("variable_assignment", "variable_assignments"):
            for one in [node] if kind == "variable_assignment" else node.named_children:
                self.assignment(one, depth, stays=True)
        elif kind in ("declaration_command", "unset_command"):
            self.declaration(node, depth)
        elif kind == "test_command":
            self.test(node, depth)
        elif kind == "for_statement":
            self.loop(node, depth)
        elif kind == "case_statement":
            self.case(node, depth)
        elif kind == "function_definition":
            name = self.text(node.children[0])
            self.add([name, "()"], "unknown", "it gives a name another meaning")
            self.inside(node, depth)
        elif kind == "c_style_for_statement":
            self.add(["for", "(("], "unknown", "a calculation can run commands")
            self.inside(node, depth)
        else:
            raise ProblemError(f"`{kind}` is not understood")

    def inside(self, node: "Node", depth: int) -> None:
        """Read the body of what is unknown as a whole."""
        for child in node.named_children:
            if child.type in ("compound_statement", "do_group", "subshell"):
                self.statement(child, depth)

    def has_lost_dash(self, nodes: list["Node"]) -> bool:
        return any(
            b"-" in self.source[node.end_byte : after.start_byte] for node, after in pairwise(nodes)
        )

    def simple(
        self,
        node: "Node",
        depth: int,
        more: Sequence["Node"] = (),
        lost: Sequence[Word] = (),
    ) -> None:
        """Read a simple command. more, lost: its words that the grammar sees elsewhere, or not."""
        words: list[Word] = []
        assignments: list[Node] = []
        end = -1
        self.check_line(node.children)
        for child in [*node.children, *more]:
            kind = child.type
            if kind == "variable_assignment":
                assignments.append(child)
            elif is_redirect(child):
                self.redirect(child, depth)
            else:
                if child.start_byte == end:
                    raise ProblemError("two words have nothing between them")
                end = child.end_byte
                inner = child.named_children[0] if kind == "command_name" else child
                words.append(self.word(inner, depth))
        words += lost
        is_read = bool(words) and words[0] == Word("read")
        for child in assignments:
            # For `read` itself IFS only says where a line is split.
            if not (is_read and self.text(child) in ("IFS=", "IFS=''", 'IFS=""')):
                self.assignment(child, depth)
        if words:
            self.judge(words)

    def judge(self, words: list[Word]) -> None:
        found = power_of(words, self.again)
        self.add([word.text for word in words], found.power, found.why)
        self.commands += found.inner.commands
        for path in found.inner.paths:
            self.keep_path(path)
        if found.inner.problem:
            raise ProblemError(found.inner.problem)
        self.keep_paths(words)

    def again(self, shell: str, text: str) -> Parsed:
        return parse(text, shell, self.depth + 1)

    def keep_paths(self, words: list[Word]) -> None:
        """Keep all that may be a path, also in and behind flags, and as seen from other folders."""
        texts = [word.text for word in words]
        own = [after for word, after in pairwise(texts) if word in ("-C", "--chdir")]
        before, self.folders = self.folders, self.folders + own
        for text in texts[1:] if "/" not in texts[0] else texts:
            name, joined, value = text.partition("=")
            if joined:
                self.keep_path(value)
            if not text.startswith("-"):
                self.keep_path(text)
            elif "/" in name:
                self.keep_path(name[2:])
        self.folders = before
        if texts[0] in ("cd", "pushd"):
            self.folders = before + [text for text in texts[1:] if not text.startswith("-")]
            if len(self.folders) > MAX_FOLDERS:
                self.add(["cd"], "unknown", "it goes to too many folders")

    def assignment(self, node: "Node", depth: int, stays: bool = False) -> None:
        """Read `name=value`. stays: it is for the shell itself, not for one program."""
        name, *rest = node.named_children
        text = self.text(name)
        self.check_line(node.children)
        for value in rest:
            if value.type == "array":
                for item in value.named_children:
                    self.word(item, depth)
            else:
                self.word(value, depth)
        is_fine = NAME.fullmatch(text) if stays else is_plain(text)
        if name.type != "variable_name" or not is_fine:
            self.add([self.text(node)], "unknown", sets(text))

    def declaration(self, node: "Node", depth: int) -> None:
        """Read `export` and the like: names in lower case, and no flag, change nothing."""
        names = []
        self.check_line(node.children)
        for child in node.named_children:
            if child.type == "variable_assignment":
                self.assignment(child, depth)
                names.append(self.text(child.named_children[0]))
            elif is_redirect(child):
                self.redirect(child, depth)
            else:
                names.append(self.word(child, depth).text)
        for name in names:
            if not NAME.fullmatch(name):
                self.add([node.children[0].type, *names], "unknown", sets(name))
                return

    def test(self, node: "Node", depth: int) -> None:
        """Read `[ ... ]` and `[[ ... ]]`."""
        first = node.children[0].type
        words = self.operands(node, depth)
        texts = [word.text for word in words]
        power: Power = "reads"
        if first == "[":
            found = judge_test(first, words, self.again)
            power = found.power
        elif first == "[[":
            # In [[ ]] a number is a calculation, which can run commands; so can -v and -R.
            calculates = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"}
            if calculates & {*texts} or self.shell != "bash":
                power = "unknown"
        else:
            power = "unknown"
        why = "" if power == "reads" else "it may look up more than files and texts"
        self.add([first, *texts], power, why)
        for text in texts:
            if not text.startswith("-"):
                self.keep_path(text)

    def operands(self, node: "Node", depth: int) -> list[Word]:
        """Return the words of a test without its brackets. Each stands between blanks."""
        is_old = node.children[0].type == "["
        words = []
        tokens = flat(node)
        self.check_line(tokens)
        for token, after in pairwise(tokens):
            if token.end_byte == after.start_byte:
                raise ProblemError("a test has words with nothing between them")
            if token.is_named and token.type != "test_operator":
                words.append(self.word(token, depth))
            elif token.type in ("test_operator", "==", "!=", "=", "!") or (
                not is_old and token.type in ("=~", "<", ">", "&&", "||", "(", ")")
            ):
                words.append(Word(self.text(token)))
            elif token != tokens[0]:
                raise ProblemError(f"`{token.type}` is not understood in a test")
        return words

    def loop(self, node: "Node", depth: int) -> None:
        for child in node.children:
            kind = child.type
            if kind == "variable_name":
                if not NAME.fullmatch(name := self.text(child)):
                    self.add(["for", name], "unknown", sets(name))
            elif kind == "select":
                self.add(["select"], "unknown", "it waits for a person")
            elif kind in ("do_group", "compound_statement"):
                self.statement(child, depth)
            elif child.is_named and kind != "comment":
                self.word(child, depth)
            elif kind not in OPERATORS and kind != "comment":
                raise ProblemError(f"`{kind}` is not understood")

    def case(self, node: "Node", depth: int) -> None:
        for child in node.children:
            kind = child.type
            if kind == "case_item":
                is_pattern = True
                for part in child.children:
                    if part.type == ")" and is_pattern:
                        is_pattern = False
                    elif part.is_named and is_pattern:
                        self.word(part, depth)
                    elif part.is_named:
                        self.statement(part, depth)
            elif child.is_named and kind != "comment":
                self.word(child, depth)


def flat(node: "Node") -> list["Node"]:
    """Return the words and signs of a test, without the tree that the grammar makes of them."""
    found = []
    for child in node.children:
        is_tree = child.type.endswith("_expression") and child.type != "brace_expression"
        found += flat(child) if is_tree else [child]
    return found
