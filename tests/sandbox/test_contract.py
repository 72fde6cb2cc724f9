"""What every sandbox backend promises, tried with each that works on this machine."""

import asyncio
import os
import time
from pathlib import Path

import msgspec
import pytest

from agentcli.core.sandbox import Job, JobEnd, SandboxSpec
from agentcli.errors import UnavailableError
from agentcli.loop.port import Sandbox
from tests.sandbox.box import in_box, processes_of, py, sh, wait_until

# A nap of this length is how a test finds its processes again, of all on the machine.
NAP = f"77{os.getpid()}.5"
# Three ways out of a process tree.
ESCAPE = "setsid sleep {0} & (setsid sleep {0} &) ; (sleep {0} & disown) ; "


def without_time(end: JobEnd) -> JobEnd:
    return msgspec.structs.replace(end, duration_ms=0)


def test_a_job_ends_with_its_status_its_streams_and_its_stdin(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> JobEnd:
        return await sh(box, "cat; sleep 0.1; echo no >&2; exit 3", stdin=b"\x00\xff in")

    assert without_time(in_box(spec, act)) == JobEnd(
        "exit", exit=3, stdout=b"\x00\xff in", output=b"\x00\xff inno\n"
    )


@pytest.mark.parametrize(
    ("job", "exit_code", "said"),
    [
        (Job(("no-such-program",)), 127, b"no-such-program: not found"),
        (Job(("ls",), cwd="no-such-folder"), 127, b"no-such-folder: not found"),
        (Job(()), 126, b"cannot be run"),
        (Job(("a\0b",)), 126, b"cannot be run"),
        (Job(("bash", "-c", "kill -TERM $$")), -15, b""),
    ],
)
def test_what_cannot_be_run_says_so(
    spec: SandboxSpec, job: Job, exit_code: int, said: bytes
) -> None:
    end = in_box(spec, lambda box: box.run(job, lambda data: None))
    assert (end.ending, end.exit) == ("exit", exit_code)
    assert said in end.output


def test_output_comes_while_the_job_runs(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> None:
        seen = asyncio.Event()
        waiting = Job(("bash", "-c", "echo one; sleep 30"))
        job = asyncio.create_task(box.run(waiting, lambda data: seen.set()))
        async with asyncio.timeout(5):
            await seen.wait()
        assert not job.done()
        job.cancel()
        assert (await job).stdout == b"one\n"

    in_box(spec, act)


def test_a_timeout_leaves_no_process(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> JobEnd:
        end = await sh(box, ESCAPE.format(NAP) + f"echo so; sleep {NAP}", timeout_ms=400)
        assert processes_of(NAP) == []
        return end

    assert without_time(in_box(spec, act)) == JobEnd(
        "timeout", exit=-9, stdout=b"so\n", output=b"so\n"
    )


def test_a_cancel_leaves_no_process_and_returns_the_output_so_far(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> JobEnd:
        script = ESCAPE.format(NAP) + f"echo so; sleep {NAP}"
        seen = asyncio.Event()
        job = asyncio.create_task(box.run(Job(("bash", "-c", script)), lambda data: seen.set()))
        await seen.wait()
        job.cancel()
        end = await job
        assert processes_of(NAP) == []
        return end

    assert without_time(in_box(spec, act)) == JobEnd(
        "cancelled", exit=-9, stdout=b"so\n", output=b"so\n"
    )


def test_what_a_job_leaves_in_the_background_is_killed(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> JobEnd:
        end = await sh(box, ESCAPE.format(NAP) + "echo done")
        assert processes_of(NAP) == []
        return end

    assert in_box(spec, act).stdout == b"done\n"


def test_a_job_that_stops_or_kills_its_supervisor_is_killed_all_the_same(
    spec: SandboxSpec,
) -> None:
    async def act(box: Sandbox) -> tuple[str, str]:
        stopped = await sh(box, f"kill -STOP $PPID; sleep {NAP}", timeout_ms=300)
        killed = await sh(box, f"kill -9 $PPID; sleep {NAP}")
        assert processes_of(NAP) == []
        assert (await sh(box, "echo on")).stdout == b"on\n"
        return stopped.ending, killed.ending

    assert in_box(spec, act) == ("timeout", "lost")


def test_a_flood_is_cut_at_the_limit(spec: SandboxSpec) -> None:
    small = msgspec.structs.replace(spec, output_bytes=100_000)
    end = in_box(small, lambda box: sh(box, "yes"))
    assert (end.ending, len(end.output)) == ("flood", 100_000)


def test_a_job_gets_only_the_environment_that_is_meant_for_it(
    spec: SandboxSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    end = in_box(spec, lambda box: sh(box, "env", env={"WANTED": "1"}))
    names = {line.partition("=")[0] for line in end.stdout.decode().splitlines()}
    assert {"WANTED", "PATH", "HOME", "LANG", "GIT_TERMINAL_PROMPT"} <= names
    assert {name for name in names if not name.startswith("GIT_CONFIG_")} <= {
        *("WANTED", "PATH", "HOME", "LANG", "TERM", "PAGER", "GIT_PAGER", "EDITOR", "GIT_EDITOR"),
        *("GIT_SEQUENCE_EDITOR", "GIT_TERMINAL_PROMPT", "PYTHONDONTWRITEBYTECODE"),
        *("GIT_OPTIONAL_LOCKS", "GIT_NO_LAZY_FETCH"),
        *("PWD", "SHLVL", "_", "OLDPWD"),
    }


def test_git_runs_nothing_that_config_names(spec: SandboxSpec, workspace: Path) -> None:
    monitor, check = workspace / "monitor", workspace / "check"
    for program in (monitor, check):
        program.write_text("#!/bin/sh\necho $0 >> ran\n")
        program.chmod(0o755)
    setup = """
        git init -q . && git config user.name a && git config user.email a@b
        git config core.fsmonitor ./monitor && git config gpg.program ./check
        git config log.showSignature true && cp check .git/hooks/post-index-change
        cp check .git/hooks/pre-commit
        git add check && git commit -qm one && git status && git log --format=%G?
        mkdir bare && cd bare && git init -q --bare . && git log
    """
    told = in_box(spec, lambda box: sh(box, setup)).output.decode()
    assert not (workspace / "ran").exists(), told
    assert "cannot use bare repository" in told
    assert "N\n" in told, "no signature was looked at"


def test_the_worker_cannot_be_spoken_for(spec: SandboxSpec) -> None:
    if spec.backend == "local":
        pytest.skip("local: no sandbox, root may do anything")

    async def act(box: Sandbox) -> bytes:
        await sh(box, "for fd in 0 1 2 3 4 5 6 7 8; do echo nonsense >/proc/1/fd/$fd; done")
        await sh(box, "ls /proc/self/fd | wc -l; echo nonsense >&3; kill -9 -1")
        return (await sh(box, "echo on")).stdout

    assert in_box(spec, act) == b"on\n"


def test_the_workspace_is_shared_and_its_files_stay_the_owners(
    spec: SandboxSpec, workspace: Path
) -> None:
    (workspace / "here").write_text("from outside")
    end = in_box(spec, lambda box: sh(box, "cat here; mkdir sub && cd sub && echo inside > made"))
    assert end.stdout == b"from outside"
    made = workspace / "sub" / "made"
    assert (made.read_text(), made.stat().st_uid) == ("inside\n", workspace.stat().st_uid)


def test_jobs_run_side_by_side(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> list[JobEnd]:
        return await asyncio.gather(*(sh(box, f"sleep 0.5; echo {n}") for n in range(8)))

    began = time.monotonic()
    ends = in_box(spec, act)
    assert [end.stdout for end in ends] == [b"%d\n" % n for n in range(8)]
    assert time.monotonic() - began < 3.5


def test_a_large_stdin_and_a_large_output_come_through_whole(spec: SandboxSpec) -> None:
    data = bytes(range(256)) * 8000
    assert in_box(spec, lambda box: sh(box, "cat", stdin=data)).stdout == data


def test_a_session_keeps_its_names_and_shows_the_last_value(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> list[tuple[bool, int | None, bytes]]:
        cells = [
            "x = 20\nprint('set')",
            "x + 1",
            "f'{_}'",
            "input()",
            "import os; os.getcwd() != ''",
        ]
        ends = [await py(box, code, stdin=b"typed\n") for code in cells]
        return [(end.fresh, end.exit, end.output) for end in ends]

    assert in_box(spec, act) == [
        (True, 0, b"set\n"),
        (False, 0, b"21\n"),
        (False, 0, b"'21'\n"),
        (False, 0, b"'typed'\n"),
        (False, 0, b"True\n"),
    ]


def test_a_session_shows_a_traceback_of_the_users_frames_alone(spec: SandboxSpec) -> None:
    end = in_box(spec, lambda box: py(box, "def f():\n    return 1 / 0\n\nf()"))
    text = end.output.decode()
    assert (end.exit, text.count("File ")) == (1, 2)
    assert '<cell 1>", line 4' in text
    assert "return 1 / 0" in text


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("import sys; sys.exit(4)", "exit"),
        ("import os; os._exit(4)", "exit"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "exit"),
        ("import time; time.sleep(60)", "timeout"),
    ],
)
def test_a_session_that_ends_is_fresh_the_next_time(
    spec: SandboxSpec, code: str, ending: str
) -> None:
    async def act(box: Sandbox) -> None:
        await py(box, "x = 1")
        assert (await py(box, code, timeout_ms=600)).ending == ending
        after = await py(box, "x")
        assert after.fresh
        assert b"NameError" in after.output

    in_box(spec, act)


def test_a_session_that_closes_its_descriptors_costs_only_itself(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> bytes:
        await py(box, "import os; os.closerange(3, 1000)", timeout_ms=3000)
        await py(box, "1", timeout_ms=3000)
        return (await py(box, "2")).stdout

    assert in_box(spec, act) == b"2\n"


def test_jobs_of_a_session_take_turns_and_leave_nothing_running(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> None:
        first = f"import subprocess, time; p = subprocess.Popen(['sleep', '{NAP}']); time.sleep(.2)"
        await asyncio.gather(py(box, first + "; n = 1"), py(box, "n += 1"))
        assert processes_of(NAP) == []
        assert (await py(box, "n")).stdout == b"2\n"

    in_box(spec, act)


def test_what_one_job_of_a_session_was_given_is_not_there_for_the_next(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> list[bytes]:
        code = "import os; os.environ.get('TOKEN')"
        return [(await py(box, code, env=env)).stdout for env in ({"TOKEN": "t"}, {})]

    assert in_box(spec, act) == [b"'t'\n", b""]


def test_a_closed_sandbox_has_no_process_and_says_that_it_is_gone(spec: SandboxSpec) -> None:
    async def act(box: Sandbox) -> str:
        running = asyncio.create_task(sh(box, ESCAPE.format(NAP) + f"sleep {NAP}"))
        assert await asyncio.to_thread(wait_until, lambda: len(processes_of(NAP)) >= 4)
        await box.close()
        assert processes_of(NAP) == []
        with pytest.raises(UnavailableError, match="gone"):
            await sh(box, "true")
        return (await running).ending

    assert in_box(spec, act) == "lost"


def test_opening_a_sandbox_for_a_missing_workspace_is_an_error(spec: SandboxSpec) -> None:
    gone = msgspec.structs.replace(spec, workspace="/no/such/folder")
    with pytest.raises(UnavailableError, match="/no/such/folder"):
        in_box(gone, lambda box: sh(box, "true"))
