"""Here-documents that are plain text: cut out before a command is parsed.

The grammar loses what stands beside some of them, and they are what models write most. Only where
nothing before one can quote it, and nothing in it can run, is it sure what bash takes for it.
"""

import re

# No quotes, substitutions, comments, parentheses or escapes: all of it means what it says.
PLAIN = r"[A-Za-z0-9 _./=:,@%+&|;<>\n-]*"
START = re.compile(
    rf"(?P<before>{PLAIN}?(?<![<&>\d]))<<(?![<-])[ ]?"
    r"(?:'(?P<raw>\w+)'|\"(?P<also>\w+)\"|(?P<open>\w+))"
    r"(?P<rest>[A-Za-z0-9 _./=:,@%+&|;>-]*)\n"
)
EXPANDS = re.compile(r"[$`\\]")
# What takes names of files, or commands, from what it is given to read.
READS_WORDS = re.compile(r"\b(?:xargs|parallel|cpio|at|batch|crontab|ssh|su|sudo|source)\b")
NOTHING = "</dev/null"
MOST = 20


def without_documents(command: str) -> str:
    """Return a command without the plain here-documents that it begins with."""
    for _ in range(MOST):
        start = START.match(command)
        if start is None or READS_WORDS.search(start["before"] + start["rest"]):
            return command
        end = start["raw"] or start["also"] or start["open"]
        lines = command[start.end() :].split("\n")
        if end not in lines:
            return command
        at = lines.index(end)
        if start["open"] and EXPANDS.search("\n".join(lines[:at])):
            return command
        head = f"{start['before']}{NOTHING}{start['rest']}"
        command = "\n".join([head, *lines[at + 1 :]])
    return command
