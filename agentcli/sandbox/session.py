"""The Python interpreter inside a sandbox that keeps its names from job to job.

Standard library alone: the worker starts it with its text. Descriptor 3 brings one JSON object
a line with the code to run; on 4 goes `0` when it ran or `1` when it raised.
"""

import ast
import base64
import fcntl
import io
import json
import linecache
import os
import sys
import tempfile
import traceback
import types
from typing import Any


def show_error(error: BaseException) -> None:
    """Print a traceback that starts with the first frame of the user's code."""
    trace = error.__traceback__
    while trace and not trace.tb_frame.f_code.co_filename.startswith("<cell "):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def run_code(code: str, name: str, space: dict[str, Any]) -> bool:
    """Run the code and show the value of a last expression; False when it raised."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    try:
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), space)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), space)
            if value is not None:
                space["_"] = value
                print(repr(value))
    except Exception as error:
        show_error(error)
        return False
    except KeyboardInterrupt as error:
        show_error(error)
        return False
    return True


def take_stdin(data: bytes) -> None:
    """Make the bytes this process's standard input, with nothing after them."""
    with tempfile.TemporaryFile() if data else open(os.devnull, "rb") as file:
        if data:
            file.write(data)
            file.seek(0)
        os.dup2(file.fileno(), 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  it stays open


def main() -> None:
    os.close(5)
    codes, answers = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200) for fd in (3, 4))
    os.close(3)
    os.close(4)
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    sys.path.insert(0, "")
    pid, folder = os.getpid(), ""
    for number, line in enumerate(os.fdopen(codes, "rb"), start=1):
        note = json.loads(line)
        before = {name: os.environ.get(name) for name in note["env"]}
        os.environ.update(note["env"])
        take_stdin(base64.b64decode(note["stdin"]))
        try:
            if folder != note["cwd"]:
                folder = note["cwd"]
                os.chdir(folder)
            ran = run_code(note["code"], f"<cell {number}>", module.__dict__)
        except OSError as error:
            print(f"{folder}: {error.strerror}", file=sys.stderr)
            ran, folder = False, ""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if os.getpid() != pid:
            os._exit(0)  # the code forked and its child came out here
        # What a job was given in its environment is not for the next one.
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        os.write(answers, b"0\n" if ran else b"1\n")


if __name__ == "__main__":
    main()
