"""What runs inside a sandbox: it starts jobs, carries their output and leaves nothing of them.

Standard library alone, Python 3.10 or newer: its text is sent to a bare `python3`. It speaks
JSON, one object a line, bytes in base64, over the stdin and stdout that it was started with.
"""

import base64
import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any, NoReturn

BACKLOG_BYTES = 1_000_000  # unsent above this: the jobs' output waits in their pipes
SWEEP_S = 5.0  # a killed tree that is still there after this cannot be killed
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_CHILD_SUBREAPER = 1, 4, 36  # prctl(2)
# Git runs what its config names. Of a repository's own config this takes the worst away, and all
# other config is not read.
GIT_CONFIG = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "gpg.program": "false",
    "gpg.ssh.program": "false",
    "gpg.x509.program": "false",
    "log.showSignature": "false",
    "protocol.ext.allow": "never",
    "safe.bareRepository": "explicit",
}
BASE_ENV = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "EDITOR": "true",
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_COUNT": str(len(GIT_CONFIG)),
    **{f"GIT_CONFIG_KEY_{i}": name for i, name in enumerate(GIT_CONFIG)},
    **{f"GIT_CONFIG_VALUE_{i}": value for i, value in enumerate(GIT_CONFIG.values())},
    "PYTHONDONTWRITEBYTECODE": "1",
}
SESSION_BOOT = "import os; exec(compile(os.fdopen(os.dup(5)).read(), '<session>', 'exec'))"
LIBC = ctypes.CDLL(None)


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        LIBC.prctl(option, value, 0, 0, 0)


def read_processes() -> dict[int, tuple[int, str]]:
    """Return the parent and the state letter of every process that can be seen."""
    found = {}
    if sys.platform != "linux":
        listing = subprocess.run(["ps", "-axo", "pid=,ppid=,stat="], capture_output=True).stdout
        for row in listing.decode().splitlines():
            pid, parent, state = row.split(maxsplit=2)
            found[int(pid)] = (int(parent), state[0])
        return found
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    words = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            found[int(name)] = (int(words[1]), words[0].decode())
    return found


def living_below(root: int) -> set[int]:
    """Return the descendants of a process that still run."""
    table = read_processes()
    below = {root}
    while grown := {pid for pid, (parent, _) in table.items() if parent in below} - below:
        below |= grown
    return {pid for pid in below - {root} if table[pid][1] not in "ZX"}


def signal_all(pids: set[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_below(root: int, spared: int = 0) -> None:
    """Kill the descendants of a process: first all are stopped, so that none can fork away."""
    stopped: set[int] = set()
    while fresh := living_below(root) - stopped - {spared}:
        signal_all(fresh, signal.SIGSTOP)
        stopped |= fresh
    signal_all(stopped, signal.SIGKILL)


def reap() -> dict[int, int] | None:
    """Return the exit statuses of children that ended, or None if there is no child at all."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended or None
        if not pid:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def read_oom_kills() -> int:
    """Return how often the kernel killed for memory in this cgroup, version 2 or 1."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as file:
                for row in file:
                    name, _, count = row.partition(" ")
                    if name == "oom_kill":
                        return int(count)
        except OSError:
            pass
    return 0


def become(
    argv: Sequence[str],
    env: Mapping[str, str],
    folder: str,
    fds: Sequence[int],
    limits: Mapping[str, int],
) -> NoReturn:
    """Turn this process into the job. `fds` are its descriptors 0, 1, 2 and so on."""
    os.setsid()
    for number, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in fds]):
        os.dup2(fd, number)
    # All others go before this process becomes dumpable: until then no other job can open them.
    os.closerange(len(fds), min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65536))
    prctl(SET_DUMPABLE, 1)
    try:
        # Out of memory must hit the job, neither its supervisor nor the worker.
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.chdir(folder)
        os.execvpe(argv[0], list(argv), env)
    except FileNotFoundError as error:
        what = folder if error.filename == folder else argv[0]
        os.write(2, f"{what}: not found\n".encode(errors="replace"))
        os._exit(127)
    except (OSError, ValueError, IndexError) as error:
        os.write(2, f"{' '.join(argv[:1])}: cannot be run: {error}\n".encode(errors="replace"))
    os._exit(126)


def supervise(report: int, start: Any) -> NoReturn:
    """Run one job below this process, to which everything that the job leaves falls.

    Writes the job's process id, and its exit status once nothing of it runs any more.
    SIGTERM ends the job early.
    """
    prctl(SET_CHILD_SUBREAPER, 1)
    prctl(SET_DEATH_SIGNAL, signal.SIGTERM)
    if not (main := os.fork()):
        start()
    report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, 20)
    for low, high in ((3, report), (report + 1, 65536)):
        os.closerange(low, high)
    os.write(report, f"{main}\n".encode())
    status, killed = None, False
    while status is None and not killed:
        killed = signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) == signal.SIGTERM
        status = (reap() or {}).get(main, status)
    give_up = time.monotonic() + SWEEP_S
    while (ended := reap()) is not None and time.monotonic() < give_up:
        status = ended.get(main, status)
        kill_below(os.getpid())
        time.sleep(0.001)
    os.write(report, f"{'' if ended else status}\n".encode())
    os._exit(0)


class Process:
    """A supervised process: what is read from it, and the job that it works on."""

    def __init__(self, supervisor: int, report: int, pipes: dict[int, int]) -> None:
        self.supervisor, self.report, self.pipes = supervisor, report, pipes
        self.main, self.reported = 0, b""
        self.control = self.answer = -1  # of a session: the code goes in, how it went comes out
        self.unsent = b""
        self.job = self.left = self.oom_kills = 0
        self.ending, self.deadline, self.give_up = "", 0.0, 0.0
        self.began, self.fresh, self.jobs = 0.0, False, 0

    def begin(self, job: int, left: int, timeout_ms: int) -> None:
        self.job, self.left, self.ending, self.give_up = job, left, "", 0.0
        self.began = time.monotonic()
        self.deadline = self.began + timeout_ms / 1000
        self.oom_kills = read_oom_kills()
        self.fresh = self.control >= 0 and not self.jobs
        self.jobs += 1

    def stop(self, ending: str) -> None:
        """Have the job killed; what is set first says why."""
        if not self.ending:
            self.ending, self.give_up = ending, time.monotonic() + SWEEP_S + 1
            # A job may have stopped its own supervisor.
            signal_all({self.supervisor}, signal.SIGTERM)
            signal_all({self.supervisor}, signal.SIGCONT)


class Worker:
    """All jobs of one sandbox, in one loop over what can be read."""

    def __init__(self, reader: int, writer: int, options: dict[str, Any], session: str) -> None:
        self.reader, self.writer, self.options, self.session = reader, writer, options, session
        self.unread, self.unsent = bytearray(), bytearray()
        self.processes: list[Process] = []

    def send(self, **message: object) -> None:
        self.unsent += json.dumps(message).encode() + b"\n"

    def serve(self) -> None:
        """Work until the other side is gone, then kill all that is left."""
        self.send(ready=True, python=".".join(map(str, sys.version_info[:3])))
        try:
            while self.step():
                pass
        except BrokenPipeError:
            pass
        give_up = time.monotonic() + SWEEP_S
        while reap() is not None and time.monotonic() < give_up:
            kill_below(os.getpid())
            time.sleep(0.001)

    def step(self) -> bool:
        """Wait for the next thing and see to it; False when the other side is gone."""
        poll = select.poll()
        poll.register(self.reader, select.POLLIN)
        if self.unsent:
            poll.register(self.writer, select.POLLOUT)
        for process in self.processes:
            poll.register(process.report, select.POLLIN)
            if process.unsent:
                poll.register(process.control, select.POLLOUT)
            if process.job and process.main and process.answer >= 0:
                poll.register(process.answer, select.POLLIN)
            if process.job and len(self.unsent) < BACKLOG_BYTES:
                for pipe in process.pipes:
                    poll.register(pipe, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(self.wait_ms())}
        for process in self.processes:
            if process.control in ready:
                self.instruct(process)
        if self.writer in ready:
            del self.unsent[: os.write(self.writer, self.unsent[:65536])]
        for process in list(self.processes):
            self.attend(process, ready)
        return self.reader not in ready or self.take()

    def instruct(self, process: Process) -> None:
        """Pass on the code of a session's job."""
        try:
            process.unsent = process.unsent[os.write(process.control, process.unsent) :]
        except BrokenPipeError:  # its own code has closed the other end
            process.unsent = b""
            process.stop("lost")

    def wait_ms(self) -> float | None:
        times = [p.give_up or p.deadline for p in self.processes if p.job]
        return max(0.0, min(times) - time.monotonic()) * 1000 + 1 if times else None

    def attend(self, process: Process, ready: set[int]) -> None:
        for pipe in [pipe for pipe in process.pipes if pipe in ready]:
            self.carry(process, pipe)
        if process.report in ready:
            text = os.read(process.report, 4096)
            process.reported += text
            if not text or process.reported.count(b"\n") == 2:
                return self.bury(process)
            process.main = int(process.reported)
        if process.job and process.answer in ready:
            return self.rest(process, os.read(process.answer, 4096))
        now = time.monotonic()
        if process.job and process.give_up and now > process.give_up:
            kill_below(process.supervisor)
            signal_all({process.supervisor}, signal.SIGKILL)
        elif process.job and now > process.deadline:
            process.stop("timeout")

    def carry(self, process: Process, pipe: int) -> bool:
        """Pass on what a job wrote; False when there is no more for now."""
        try:
            data = os.read(pipe, 65536)
        except BlockingIOError:
            return False
        if not data:
            del process.pipes[pipe]
            os.close(pipe)
            return False
        if shown := data[: process.left]:
            text = base64.b64encode(shown).decode()
            self.send(id=process.job, stream=process.pipes[pipe], data=text)
        if len(data) > process.left:
            process.stop("flood")
        process.left -= len(shown)
        return True

    def bury(self, process: Process) -> None:
        """End the job of a process of which nothing runs any more."""
        self.processes.remove(process)
        words = process.reported.split(b"\n")
        exit_code = int(words[1]) if len(words) == 3 and words[1] else None
        if exit_code is None:
            self.kill_strays()
        self.end(process, exit_code, "exit" if exit_code is not None else "lost")
        for fd in (process.report, process.control, process.answer, *process.pipes):
            if fd >= 0:
                os.close(fd)
        reap()

    def kill_strays(self) -> None:
        """Kill what fell to the worker since its supervisor was killed by a job."""
        give_up = time.monotonic() + SWEEP_S
        while time.monotonic() < give_up:
            reap()
            table, known = read_processes(), {process.supervisor for process in self.processes}
            strays = {pid for pid, (up, _) in table.items() if up == os.getpid()} - known
            if not strays:
                return
            for pid in strays:
                kill_below(pid)
            signal_all(strays, signal.SIGKILL)
            time.sleep(0.001)

    def rest(self, process: Process, answer: bytes) -> None:
        """End a job of a session, which sleeps until its next one."""
        if not answer:
            os.close(process.answer)
            process.answer = -1
        if not answer or process.ending:
            return
        give_up = time.monotonic() + SWEEP_S
        while living_below(process.supervisor) - {process.main}:
            kill_below(process.supervisor, spared=process.main)
            if time.monotonic() > give_up:
                return process.stop("lost")
        signal_all({process.main}, signal.SIGSTOP)
        self.end(process, int(answer != b"0\n"), "exit")

    def end(self, process: Process, exit_code: int | None, ending: str) -> None:
        if not process.job:
            return
        for pipe in list(process.pipes):
            while self.carry(process, pipe):
                pass
        # 137: how a shell says that its child was killed.
        if exit_code in (None, -9, 137) and read_oom_kills() > process.oom_kills:
            process.ending = process.ending or "out_of_memory"
        spent_ms = int((time.monotonic() - process.began) * 1000)
        self.send(
            id=process.job,
            end=process.ending or ending,
            exit=exit_code,
            fresh=process.fresh,
            duration_ms=spent_ms,
        )
        process.job = 0

    def take(self) -> bool:
        """Read what the other side wants; False when it is gone."""
        if not (data := os.read(self.reader, 1 << 20)):
            return False
        self.unread += data
        if b"\n" in data:
            *lines, rest = self.unread.split(b"\n")
            self.unread = bytearray(rest)
            for line in lines:
                self.obey(json.loads(line))
        return True

    def obey(self, wish: dict[str, Any]) -> None:
        if "cancel" in wish:
            for process in self.processes:
                if process.job == wish["cancel"]:
                    process.stop("cancelled")
            return
        try:
            process = self.resume(wish) if wish["session"] else self.launch(wish)
        except OSError as error:
            text = base64.b64encode(f"cannot start: {error}\n".encode()).decode()
            self.send(id=wish["id"], stream=2, data=text)
            self.send(id=wish["id"], end="exit", exit=126, fresh=False, duration_ms=0)
            return
        process.begin(wish["id"], self.options["output_bytes"], wish["timeout_ms"])

    def launch(self, wish: dict[str, Any], extra: tuple[int, ...] = ()) -> Process:
        """Start a supervisor and its job; `extra` become the job's descriptors 3 and up."""
        stdin = open_bytes(base64.b64decode(wish["stdin"]))
        pipes = [os.pipe() for _ in range(3)]
        (out, out_end), (err, err_end), (report, report_end) = pipes
        for pipe in (out, err):
            os.set_blocking(pipe, False)
        env = {**BASE_ENV, "PATH": os.environ.get("PATH", os.defpath), **wish["env"]}
        folder = os.path.join(self.options["root"], wish["cwd"])
        fds = (stdin, out_end, err_end, *extra)

        def start() -> NoReturn:
            become(wish["argv"], env, folder, fds, self.options["limits"])

        try:
            if not (pid := os.fork()):
                try:
                    supervise(report_end, start)
                except OSError as error:
                    os.write(err_end, f"cannot start: {error}\n".encode())
                finally:
                    os._exit(70)
        except OSError:
            for fd in (out, err, report):
                os.close(fd)
            raise
        finally:
            for fd in (stdin, out_end, err_end, report_end):
                os.close(fd)
        process = Process(pid, report, {out: 1, err: 2})
        self.processes.append(process)
        return process

    def resume(self, wish: dict[str, Any]) -> Process:
        """Hand the code to the interpreter, a new one if there is none."""
        process = next((p for p in self.processes if p.control >= 0 and not p.ending), None)
        if process is None:
            (code, control), (answer, answer_end) = os.pipe(), os.pipe()
            text = open_bytes(self.session.encode())
            boot = [sys.executable, "-I", "-B", "-X", "utf8", "-c", SESSION_BOOT]
            first = {**wish, "argv": boot, "stdin": "", "cwd": ".", "env": {}}
            try:
                process = self.launch(first, (code, answer_end, text))
            except OSError:
                os.close(control)
                os.close(answer)
                raise
            finally:
                for fd in (code, answer_end, text):
                    os.close(fd)
            os.set_blocking(control, False)
            process.control, process.answer = control, answer
        folder = os.path.join(self.options["root"], wish["cwd"])
        signal_all({process.main} - {0}, signal.SIGCONT)
        note = {"code": wish["argv"][0], "env": wish["env"], "cwd": folder, "stdin": wish["stdin"]}
        process.unsent += json.dumps(note).encode() + b"\n"
        return process


def open_bytes(data: bytes) -> int:
    """Return a descriptor from which the bytes can be read, and nothing after them."""
    if not data:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    with tempfile.TemporaryFile() if sys.platform != "linux" else memory_file() as file:
        file.write(data)
        file.seek(0)
        return fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)


def memory_file() -> IO[bytes]:
    return os.fdopen(os.memfd_create("stdin", os.MFD_CLOEXEC), "w+b")


def main(boot: dict[str, Any]) -> None:
    prctl(SET_DUMPABLE, 0)  # or a job could write to this stdout through /proc
    prctl(SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reader, writer = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in (0, 1))
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1):
        os.dup2(nothing, fd)
    os.set_blocking(writer, False)
    Worker(reader, writer, boot["options"], boot["session"]).serve()
