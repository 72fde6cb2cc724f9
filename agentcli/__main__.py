"""The entry of the program: every way out of it has an exit code and, at most, a sentence."""

import io
import os
import signal
import sys
from contextlib import suppress
from typing import Literal, TextIO, cast


def main() -> None:
    sys.stdin = sys.stdin or nowhere(os.O_RDONLY, "r")
    sys.stdout = sys.stdout or nowhere(os.O_WRONLY, "w")
    sys.stderr = sys.stderr or nowhere(os.O_WRONLY, "w")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="strict")  # in some locales bad bytes would slip through
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no ✓
    if sys.argv[1:] in (["--version"], ["-V"]):
        from agentcli import version_line

        print(version_line())
        return
    if sys.platform == "win32":
        sys.exit("agentcli runs on Linux and macOS; on Windows use WSL.")
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command line and return its exit code."""
    from agentcli.errors import AgentcliError

    if not all(map(is_utf_8, words)):
        complain("the command line must be UTF-8", "")
        return 64
    try:
        return call(words)
    except AgentcliError as error:
        complain(str(error), error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except (BrokenPipeError, SystemExit):  # the latter is what Typer makes of the former
        forget_stdout()
        return 128 + signal.SIGPIPE
    except FileNotFoundError as error:
        if is_folder_gone():
            complain("the folder that you are in does not exist any more", "cd to another one")
        else:
            complain(f"{error.filename}: {error.strerror}", "")
        return 66
    except OSError as error:
        if error.errno is None:
            raise
        complain(f"{error.filename or 'output'}: {error.strerror}", "")
        forget_stdout()
        return 73


def call(words: list[str]) -> int:
    if words[:1] == ["__complete"]:  # a shell asks
        from agentcli.cli.complete import answer

        return answer(words[1:])
    import typer

    from agentcli.cli.app import app
    from agentcli.cli.help import command_in, in_our_words

    # Typer hides the Click inside it, but not the family of its own error.
    usage_error = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
    try:
        code = app(words, prog_name="agentcli", standalone_mode=False)
        sys.stdout.flush()
    except typer.Abort:
        return 130
    except usage_error as error:
        where = error.ctx.command_path if error.ctx else command_in(words, app)
        complain(in_our_words(error), f"See: {where} --help")
        return 64
    return code if isinstance(code, int) else 0


def complain(message: str, hint: str) -> None:
    from agentcli.core.visible import visible

    with suppress(OSError, ValueError):
        sys.stdout.flush()
    print(f"agentcli: {visible(message)}", file=sys.stderr)
    if hint:
        print(visible(hint), file=sys.stderr)


def is_utf_8(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def nowhere(flags: int, mode: Literal["r", "w"]) -> TextIO:
    """Return what stands in for a stream that was closed before the start."""
    return open(os.open(os.devnull, flags), mode, closefd=False)


def forget_stdout() -> None:
    """Say nothing more there, not even what is still held back when the program ends."""
    sys.stdout = sys.__stdout__
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def is_folder_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


if __name__ == "__main__":
    main()
