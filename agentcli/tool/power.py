"""What one simple command can do, judged by its words."""

import re
from collections.abc import Callable
from typing import NamedTuple

from agentcli.core.command import POWERS, Parsed, Power, worst_first
from agentcli.tool import known
from agentcli.tool.known import names
from agentcli.tool.word import Word, flags_of, split_flags

# Where only the system puts programs: what lies there is what its name says.
SYSTEM = frozenset({"/bin", "/usr/bin"})
NAME = re.compile(r"[a-z_][a-z0-9_]*")
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
COUNTS = re.compile(r"%[-+ #0'.*\d]*[hlqjzt]*n|\\")
_ADDRESS = r"(?:\d+|\$|/(?:[^/\\\n]|\\[^\n])*/I?)"
_STEP = (
    rf"\s*(?:{_ADDRESS}(?:,(?:\+?\d+|\$|/(?:[^/\\\n]|\\[^\n])*/I?))?)?!?\s*"
    r"(?:[pdqQ=GHhgxnNPD]|s([/|#,])(?:(?!\1)[^\\\n]|\\[^\n])*\1(?:(?!\1)[^\\\n]|\\[^\n])*\1[gpiI\d]*)\s*"
)
SED_STEP = re.compile(_STEP)
SED_BRACKETS = re.compile(r"\[\^?\]?[^\]/|#,\n\\]*\]")
UNARY = names("-a -b -c -d -e -f -g -h -k -L -n -N -O -p -r -s -S -t -u -w -x -z -G -o")
BINARY = names("= == != < > -eq -ne -lt -le -gt -ge -nt -ot -ef")
SET_FLAGS = re.compile(r"[-+][euxvfCno]+")
SET_NAMES = names("errexit nounset pipefail xtrace noglob verbose noclobber")
SHOPT_NAMES = frozenset({"nullglob", "globstar", "dotglob", "failglob", "nocaseglob"})
GIT_OWN = flags_of("--no-pager -P --no-optional-locks --literal-pathspecs -C: --no-replace-objects")
GIT_LISTS = names("--list --contains --no-contains --merged --no-merged --points-at")


class Verdict(NamedTuple):
    """inner: what a text that it runs as a command was parsed to."""

    power: Power
    why: str = ""
    inner: Parsed = Parsed()


READS = Verdict("reads")
Again = Callable[[str, str], Parsed]  # the shell, the text


def power_of(words: list[Word], again: Again) -> Verdict:
    """Return what a simple command can do. again: parses a text that a shell is to run."""
    if not words:
        return READS
    first, *rest = words
    if not first.fixed:
        return Verdict(
            "unknown", f"which program `{short(first.text)}` is shows only while it runs"
        )
    folder, _, name = first.text.rpartition("/")
    if folder and folder not in SYSTEM:
        name = first.text
    if name in known.VERSIONED and len(rest) == 1 and rest[0].text in known.VERSION_FLAGS:
        return READS if rest[0].fixed else unclear(name, rest[0].text)
    if name in known.ONLY_READ:
        return READS
    if name in known.FLAGS:
        return with_flags(name, rest)
    if name in known.WRAPPERS:
        return wrapper(name, rest, again)
    if name in known.SHELLS:
        return inner_shell(name, rest, again)
    if special := SPECIAL.get(name):
        return special(name, rest, again)
    if name in known.WRITES:
        return Verdict("writes", f"{name} changes files")
    if name in known.NETWORK:
        return Verdict("network", f"{name} uses the network")
    if name in known.RUNS:
        return Verdict("runs", f"{name} runs other code")
    return Verdict("unknown", f"{short(name)} {known.UNKNOWN.get(name, 'is not known')}")


def unclear(name: str, word: str) -> Verdict:
    return Verdict("unknown", f"what {name} does with `{short(word)}` is not known")


def short(word: str) -> str:
    return word if len(word) <= 60 else f"{word[:60]}..."


def with_flags(name: str, words: list[Word]) -> Verdict:
    """Judge a program that only reads with the flags of the table."""
    _, others, doubt = split_flags(words, flags_of(known.FLAGS[name]))
    if doubt:
        return unclear(name, doubt)
    limit = known.OPERANDS.get(name)
    if limit is not None and (len(others) > limit or not all(word.single for word in others)):
        return unclear(name, others[-1].text)
    if name == "date" and not all((o.text if o.fixed else o.head).startswith("+") for o in others):
        return Verdict("unknown", "date may set the clock")
    return READS


def wrapper(name: str, words: list[Word], again: Again) -> Verdict:
    """Judge a program that runs the rest of its words as a command."""
    if name == "command" and words and words[0].fixed and words[0].text in ("-v", "-V"):
        return READS
    spec, own = known.WRAPPERS[name]
    flags = flags_of(spec)
    end = end_of_flags(words, flags)
    if end < 0:
        return unclear(name, words[-end - 1].text)
    taken, inner = words[:end], words[end + own :]
    if not all(word.fixed for word in words[end : end + own]):
        return unclear(name, words[end].text)
    if name != "xargs":
        return power_of(inner, again)
    mark = xargs_mark(taken)
    unknown = Word("...", fixed=False, single=False)
    inner = [Word(w.text, False, w.single) if mark and mark in w.text else w for w in inner]
    return power_of([*(inner or [Word("echo")]), unknown], again)


def end_of_flags(words: list[Word], flags: dict[str, str]) -> int:
    """Return where the flags before the first other word end; below 0 for one that is unknown."""
    i = 0
    while i < len(words):
        word = words[i]
        if word.fixed and word.text == "--":
            return i + 1
        if word.is_operand:
            return i
        _, others, doubt = split_flags(words[i : i + 1], flags)
        if doubt:
            _, others, doubt = split_flags(words[i : i + 2], flags)
            if doubt or others:
                return -i - 1
            i += 1
        i += 1
    return i


def xargs_mark(words: list[Word]) -> str:
    """Return the text that xargs replaces in its command, "" for none."""
    for i, word in enumerate(words):
        if word.text.startswith("--replace"):
            return word.text.partition("=")[2] or "{}"
        if found := re.match(r"-[0rx]*I(.*)", word.text, re.DOTALL):
            return found[1] or (words[i + 1].text if i + 1 < len(words) else "{}")
    return ""


def inner_shell(name: str, words: list[Word], again: Again) -> Verdict:
    """Judge `bash -c TEXT` by the text; all else that a shell runs is not seen."""
    for i, word in enumerate(words):
        if not word.fixed:
            break
        if re.fullmatch(r"-[eux]*c", word.text):
            if i + 1 < len(words) and words[i + 1].fixed:
                return of_text(again(name, words[i + 1].text))
            break
        if not re.fullmatch(r"-[eux]+", word.text):
            break
    return Verdict("runs", f"{name} runs other code")


def of_text(parsed: Parsed) -> Verdict:
    if parsed.problem or not parsed.commands:
        return Verdict("unknown", parsed.problem or "an empty command", parsed)
    worst = worst_first(parsed.commands)[0]
    return Verdict(worst.power, worst.why, parsed)


def env(name: str, words: list[Word], again: Again) -> Verdict:
    flags = flags_of("-i -0 -u: -C: --ignore-environment --null --unset: --chdir:")
    end = end_of_flags(words, flags)
    if end < 0:
        return unclear(name, words[-end - 1].text)
    if any(word.text not in ("-0", "--null", "-C", "--chdir") for word in words[:end:]):
        return Verdict("unknown", "env takes variables away that keep programs in bounds")
    while end < len(words):
        found = ASSIGNMENT.match(words[end].text if words[end].fixed else words[end].head)
        if not found:
            break
        if not is_plain(found[1]):
            return Verdict("unknown", sets(found[1]))
        end += 1
    return power_of(words[end:], again)


def is_plain(variable: str) -> bool:
    """Return whether no known program works otherwise for this variable."""
    return bool(NAME.fullmatch(variable)) or variable in known.PLAIN_VARIABLES


def sets(variable: str) -> str:
    return f"it sets {short(variable)}, which may change what programs do"


def find(name: str, words: list[Word], again: Again) -> Verdict:
    starts_known = True
    worst = READS
    i = 0
    while i < len(words):
        word = words[i]
        i += 1
        if not word.fixed:
            if not word.is_operand:
                return unclear(name, word.text)
        elif word.text in known.FIND_VALUED or re.fullmatch(r"-newer[aBcm][aBcmt]", word.text):
            if i == len(words) or not words[i].single:
                return unclear(name, word.text)
            i += 1
        elif word.text in known.FIND_EXECS:
            end = end_of_exec(words, i)
            if end < 0:
                return unclear(name, word.text)
            # A file is told by the folder that it was found in, so it begins like that one.
            file = Word("{}", fixed=False, head="./" if starts_known else "")
            inner = [with_file(w, file) for w in words[i:end]]
            found = power_of(inner, again)
            worst = max(worst, found, key=lambda verdict: POWERS.index(verdict.power))
            i = end + 1
        elif word.text in known.FIND_WRITES:
            return Verdict("writes", f"find {word.text} changes files")
        elif word.text in known.FIND_TESTS:
            continue
        elif not word.is_operand:
            return unclear(name, word.text)
    return worst


def with_file(word: Word, file: Word) -> Word:
    if word.text == "{}":
        return file
    return Word(word.text, False, word.single) if "{}" in word.text else word


def end_of_exec(words: list[Word], start: int) -> int:
    """Return where the command of -exec ends: at `;`, or at `+` after `{}`."""
    for i in range(start, len(words)):
        if words[i].fixed and words[i].text == ";":
            return i
        if words[i].fixed and words[i].text == "+" and words[i - 1].text == "{}":
            return i
        if not words[i].single:
            break
    return -1


def sed(name: str, words: list[Word], again: Again) -> Verdict:
    spec = "-n -E -r -s -u -z -e: --quiet --silent --regexp-extended --separate --expression:"
    flags, others, doubt = split_flags(words, flags_of(spec))
    scripts = [
        words[i + 1]
        for i, word in enumerate(words[:-1])
        if word.text in ("-e", "-ne", "-Ee", "-nEe", "--expression")
    ]
    if not {"-e", "--expression"} & set(flags):
        scripts, others = others[:1], others[1:]
    elif len(scripts) != flags.count("-e") + flags.count("--expression"):
        return unclear(name, "-e")
    if doubt or not scripts:
        return unclear(name, doubt or "no script")
    for script in scripts:
        if not script.fixed or not all_steps(script.text):
            return Verdict("unknown", f"what sed does with `{short(script.text)}` is not known")
    return READS


def all_steps(script: str) -> bool:
    """Return whether a script of sed only prints, deletes, keeps and replaces."""
    if "[" in SED_BRACKETS.sub("", script):
        return False  # sed does not end a pattern at a sign in brackets
    at = 0
    while found := SED_STEP.match(script, at):
        at = found.end()
        if at == len(script):
            return True
        if script[at] not in ";\n":
            return False
        at += 1
        if not script[at:].strip():
            return True
    return False


def git(name: str, words: list[Word], again: Again) -> Verdict:
    """Judge git. What its environment here turns off counts as off: hooks, pagers, other programs
    for differences and signatures, a file system monitor, repositories without a work tree, and
    all config but the repository's own. What else that one may name, repository.py looks for.
    """
    end = end_of_flags(words, GIT_OWN)
    if end < 0:
        return Verdict("unknown", f"git {short(words[-end - 1].text)} may run other programs")
    if end == len(words):
        return READS
    first, *rest = words[end:]
    if not first.fixed:
        return unclear(name, first.text)
    verb = first.text
    if verb in known.GIT_NETWORK:
        return Verdict("network", f"git {verb} uses the network")
    if verb in known.GIT_FLAGS and git_reads(verb, rest):
        return READS
    if verb in known.GIT_WRITES or verb in known.GIT_FLAGS:
        return Verdict("writes", f"git {verb} may change files here")
    return Verdict("unknown", f"git {short(verb)} is not known")


def git_reads(verb: str, words: list[Word]) -> bool:
    spec = known.GIT_FLAGS[verb]
    if verb in known.GIT_SHOWS:
        spec = f"{spec} {known.GIT_SHOW_FLAGS}"
    flags, others, doubt = split_flags(words, flags_of(spec))
    if doubt:
        return False
    first = others[0].text if others and others[0].fixed else ""
    match verb:
        case "branch" | "tag":
            lists = GIT_LISTS | ({"-l"} if verb == "tag" else set())
            return not others or bool(lists & set(flags))
        case "config":
            return any(flag.startswith("--get") or flag in ("--list", "-l") for flag in flags)
        case "remote":
            return not others or (first == "get-url" and not flags)
        case "stash":
            return first in ("list", "show")
        case "worktree":
            return first == "list"
        case "reflog":
            return not others or first == "show" or first.startswith("HEAD")
    return True


def printf(name: str, words: list[Word], again: Again) -> Verdict:
    if not words or not words[0].fixed or words[0].text.startswith("-"):
        return Verdict("unknown", "printf may set a variable")
    text = words[0].text.replace("%%", "")
    if COUNTS.search(re.sub(r"\\[abefnrtv\\\"'0]", "", text)):
        return Verdict("unknown", "printf %n sets a variable")
    return READS


def test(name: str, words: list[Word], again: Again) -> Verdict:
    """Judge `test` and `[` without its `]`: `-v NAME[...]` can run a command."""
    while len(words) > 1 and words[0].fixed and words[0].text == "!":
        words = words[1:]
    is_single = all(word.single for word in words)
    match words:
        case [] | [_] if is_single:
            return READS
        case [Word(text=text, fixed=True), _] if is_single and text in UNARY:
            return READS
        case [_, Word(text=text, fixed=True), _] if is_single and text in BINARY:
            return READS
    if all(word.fixed and word.text not in ("-v", "-R") for word in words):
        return READS
    return Verdict("unknown", "test may look up more than files and texts")


def read(name: str, words: list[Word], again: Again) -> Verdict:
    _, others, doubt = split_flags(words, flags_of("-r -s -d: -n: -N: -t: -p: -u:"))
    if doubt:
        return unclear(name, doubt)
    for word in others:
        if not word.fixed or not NAME.fullmatch(word.text):
            return Verdict("unknown", sets(word.text))
    return READS


def set_options(name: str, words: list[Word], again: Again) -> Verdict:
    names = [word for word in words if not SET_FLAGS.fullmatch(word.text)]
    if all(word.fixed for word in words) and all(word.text in SET_NAMES for word in names):
        return READS
    return Verdict("unknown", "set changes how the shell works")


def shopt(name: str, words: list[Word], again: Again) -> Verdict:
    texts = [word.text for word in words if word.fixed]
    if texts == [word.text for word in words] and {*texts} <= SHOPT_NAMES | {"-s", "-u", "-q"}:
        return READS
    return Verdict("unknown", "shopt changes how the shell works")


SPECIAL: dict[str, Callable[[str, list[Word], Again], Verdict]] = {
    "[": test,
    "env": env,
    "find": find,
    "git": git,
    "printf": printf,
    "read": read,
    "sed": sed,
    "set": set_options,
    "shopt": shopt,
    "test": test,
}
