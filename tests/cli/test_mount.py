"""The real program with more folders than its workspace, and with secret files in them."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest
import yaml

from agentcli.sandbox.hidden import MASK
from agentcli.tool.gateway import SESSION_LOST
from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_run import wait_for

boxed = pytest.mark.skipif(SANDBOX == "local", reason="there is no sandbox here")
OK = {"text": "ok"}


@pytest.fixture
def data(program: Program) -> Path:
    folder = program.folder.parent / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("from outside")
    return folder


def profile(program: Program, **sandbox: object) -> tuple[str, str]:
    """Write a profile with these settings of its sandbox, and return the option that takes it."""
    path = program.folder.parent / "p.yaml"
    path.write_text(yaml.safe_dump({"extends": "default", "sandbox": sandbox}))
    return "--profile", str(path)


@boxed
def test_mounts_are_named_to_the_model_and_every_tool_reaches_them(
    program: Program, data: Path
) -> None:
    played = program.play(
        call("read_file", path="/mnt/data/a.txt"),
        call("list_files", path="/mnt"),
        call("search_text", pattern="from", path="/mnt/data"),
        call("shell", command='cat /mnt/one; echo x > /mnt/data/new; echo "<$AGENTCLI_MOUNTS>"'),
        call("read_file", path="/mnt/../etc/passwd"),
        OK,
        words=("--mount", str(data), "--mount", f"{data}/a.txt:one:ro"),
    )
    read, listed, searched, shell, outside = played.outputs()
    assert "from outside" in read
    assert "data/" in listed
    assert "one  12 B" in listed
    assert "a.txt" in searched
    assert "from outside" in shell
    assert "Read-only file system" in shell
    assert "<>" in shell
    assert "leads out of the workspace" in outside
    assert "/outputs, /tmp or /mnt" in outside
    plan = json.loads((Path(played.document["ledger"]).parent / "plan.json").read_text())
    assert "Beside it there are /mnt/data (read-only), /mnt/one (read-only)." in plan["system"]
    notes = next(e["facts"]["notes"] for e in played.events if e["kind"] == "prepared")
    assert f"/mnt/data is {data}, read-only" in notes
    assert sorted(path.name for path in data.iterdir()) == ["a.txt", "sub"]


@boxed
def test_without_a_mount_no_tool_reads_that_folder(program: Program) -> None:
    played = program.play(call("read_file", path="/mnt/data/a.txt"), OK)
    assert "leads out of the workspace" in played.outputs()[0]


@boxed
def test_with_a_writable_mount_what_changes_anything_asks(program: Program, data: Path) -> None:
    words = ("--mount", f"{data}:rw")
    played = program.play(call("shell", command="touch /mnt/data/made"), OK, words=words)
    assert (played.code, played.document["status"]) == (77, "parked")
    assert not (data / "made").exists()
    judged = [event["verdict"] for event in played.events if event["kind"] == "judged"]
    assert [verdict["rule"] for verdict in judged] == ["irreversible_asks"]
    assert program.play(call("read_file", path="/mnt/data/a.txt"), OK, words=words).code == 0


@boxed
def test_a_profile_says_mounts_too_and_those_of_the_command_line_come_beside(
    program: Program, data: Path
) -> None:
    mounts = [f"{data}:one", {"path": str(data / "sub"), "name": "two", "writable": False}]
    played = program.play(
        call("shell", command="ls /mnt"), OK,
        words=(*profile(program, mounts=mounts), "--mount", f"{data}/a.txt:three"),
    )  # fmt: skip
    assert played.outputs() == ["one\nthree\ntwo\n"]


@boxed
def test_a_tilde_and_a_relative_path_are_those_of_the_user(program: Program, data: Path) -> None:
    program.environ["HOME"] = str(data)
    words = ("--mount", "~/sub", "--mount", "../data/a.txt:rel")
    played = program.play(call("shell", command="ls /mnt"), OK, words=words)
    assert played.outputs() == ["rel\nsub\n"]


REFUSED = [
    ("/no/such/folder", 66, "No such file"),
    ("{data}/a.txt/x", 66, "Not a directory"),
    ("{data}/loop", 66, "Too many levels"),
    ("/", 64, "whole machine"),
    ("/proc/self/root", 64, "whole machine"),
    ("/dev/null", 64, "a device"),
    ("{data}/socket:s", 64, "a socket"),
    ("{data}/fifo", 64, "a pipe"),
    ("{data}/to_socket:s", 64, "a socket"),
    ("{data}:", 64, "PATH[:NAME][:ro|rw]"),
    ("{data}:a b", 64, "cannot be its name"),
    ("{data}:..", 64, "cannot be its name"),
    ("{data}/o dd", 64, "cannot be its name"),
    ("{data}/x\u202ey:n", 64, "plain UTF-8"),
    ("{data}/odd:n", 64, "plain UTF-8"),
    ("{home}", 78, "the program's own"),
    ("{home}/runs", 78, "the program's own"),
    ("{data}/..", 78, "the program's own"),
    ("{data}/to_home:h", 78, "the program's own"),
    ("/run:r", 64, "docker.sock"),
    ("/var:v", 64, "docker.sock"),
    ("{data}/engine", 64, "rules this machine"),
    ("{data}/to_engine:e", 64, "rules this machine"),
    ("{data}/.env:e", 64, "`sandbox: hidden` keeps out"),
    ("{data}/to_env:e", 64, "`sandbox: hidden` keeps out"),
]


@pytest.mark.parametrize(("mount", "code", "told"), REFUSED)
def test_what_must_not_be_mounted_is_refused(
    program: Program, data: Path, mount: str, code: int, told: str
) -> None:
    (program.home / "runs").mkdir()
    for name in ("o dd", "x\u202ey", "engine"):
        (data / name).mkdir()
    (data / ".env").write_text("hunter2")
    os.mkfifo(data / "fifo")
    for name, target in {
        "loop": "loop",
        "to_socket": "socket",
        "odd": "x\u202ey",
        "to_home": "../home",
        "to_engine": "engine",
        "to_env": ".env",
    }.items():
        (data / name).symlink_to(target)
    program.environ["DOCKER_HOST"] = f"unix://{data}/engine/e.sock"
    word = mount.format(data=data, home=program.home)
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as link:
        os.chdir(data)  # a socket's path must be short
        try:
            link.bind("socket")
        finally:
            os.chdir(here)
        ended = program.run(
            "run", "--prompt", "x", "--model", program.script(OK), "--sandbox", "bubblewrap",
            "--mount", word,
        )  # fmt: skip
    assert ended.returncode == code, ended.stderr
    assert told in ended.stderr
    assert "\u202e" not in ended.stderr
    assert list((program.home / "runs").iterdir()) == []


def test_two_mounts_of_one_name_are_refused_with_both(program: Program, data: Path) -> None:
    words = ("run", "--prompt", "x", "--model", program.script(OK), "--sandbox", "bubblewrap")
    both = ("--mount", f"{data}:x", "--mount", f"{data}/sub:x")
    ended = program.run(*words, *both)
    assert ended.returncode == 64
    assert f"{data}/sub and {data} would both be /mnt/x" in ended.stderr
    ended = program.run(*words, *profile(program, mounts=[f"{data}:x"]), *both[2:])
    assert ended.returncode == 64


@pytest.mark.parametrize(
    ("mounts", "code", "told"),
    [
        (["data"], 78, "must begin with / or ~/"),
        (["/no/such"], 66, "/no/such"),
        (["/usr:a:b:"], 78, "p.yaml:4:5: sandbox.mounts.0: `` cannot be its name"),
        ([{"path": "/usr", "mode": "rw"}], 78, "p.yaml:"),
        ([{"path": "/usr", "name": "../x"}], 78, "cannot be its name"),
        ([{"path": "/dev/null"}], 78, "a device"),
    ],
)
def test_a_wrong_mount_of_a_profile_is_named_with_its_place(
    program: Program, mounts: list[object], code: int, told: str
) -> None:
    words = ("run", "--prompt", "x", "--model", program.script(OK), "--sandbox", "bubblewrap")
    ended = program.run(*words, *profile(program, mounts=mounts))
    assert ended.returncode == code, ended.stderr
    assert told in ended.stderr


def test_on_this_machine_itself_there_is_nothing_to_mount(program: Program, data: Path) -> None:
    words = ("run", "--prompt", "x", "--model", program.script(OK), "--sandbox", "local")
    ended = program.run(*words, "--mount", str(data))
    assert ended.returncode == 64
    assert "nothing to mount without a sandbox" in ended.stderr


@boxed
def test_a_run_whose_mount_is_gone_does_not_go_on(program: Program, data: Path) -> None:
    turns = [call("shell", command="ls /mnt")] * 2
    played = program.play(*turns, OK, words=("--mount", str(data), "--steps", "1"))
    assert played.code == 76
    shutil.move(data, data.with_name("moved"))
    lost = program.run("resume", "last", "--steps", "9", "--json")
    assert lost.returncode == 69
    assert f"mount data is gone: {data}" in json.loads(lost.stdout)["message"]
    data.symlink_to(program.home)
    swapped = program.run("resume", "last", "--steps", "9", "--json")
    assert (swapped.returncode, "is now a link" in swapped.stdout) == (69, True)
    data.unlink()
    shutil.move(data.with_name("moved"), data)
    assert program.run("resume", "last", "--steps", "9", "--json").returncode == 0


@boxed
def test_a_secret_file_is_kept_out_of_everything_a_run_keeps(program: Program, data: Path) -> None:
    secret = "plain-words-that-no-pattern-knows"
    (program.folder / ".env").write_text(f"TOKEN={secret}\n")
    (data / "sub" / ".env.local").write_text(f"TOKEN={secret}\n")
    played = program.play(
        call("read_file", path=".env"),
        call("search_text", pattern="TOKEN|plain"),
        call("list_files"),
        call("shell", command="cat .env /mnt/data/sub/.env.local; rm -f .env; cat .env"),
        call("python", code="open('.env').read()"),
        call("write_file", path=".env", content="TOKEN=mine"),
        {**OK, "expect": "busy"},
        words=("--mount", str(data)),
    )
    read, found, listed, shell, _, _ = played.outputs()
    assert "kept out of the sandbox" in read
    assert "TOKEN" not in found
    assert ".env" in listed
    assert shell.count(MASK) == 3
    notes = next(e["facts"]["notes"] for e in played.events if e["kind"] == "prepared")
    assert "kept out: /mnt/data/sub/.env.local, .env" in notes
    for path in program.home.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert secret in (program.folder / ".env").read_text()
    assert program.run("replay", "last", "--verify").returncode == 0


@boxed
def test_a_secret_file_that_an_editor_replaces_during_a_run_stays_hidden(program: Program) -> None:
    (program.folder / ".env").write_text("TOKEN=hunter2\n")
    model = program.script(
        call("python", code="x = open('.env').read()\nopen('begun', 'w').close()"),
        {**call("shell", command="cat .env"), "delay_ms": 2500},
        {**OK, "expect": "kept out of the sandbox"},
    )
    words = ("run", "--prompt", "Go.", "--model", model, "--sandbox", SANDBOX, "--json")
    with program.start(*words) as running:
        wait_for(program.folder / "begun")
        (program.folder.parent / "new").write_text("TOKEN=hunter3\n")
        os.replace(program.folder.parent / "new", program.folder / ".env")
        out, _ = running.communicate(timeout=30)
    assert json.loads(out)["answer"] == "ok"
    ledger = Path(json.loads(out)["ledger"]).read_text()
    assert "hunter" not in ledger
    assert SESSION_LOST in ledger, "another sandbox was opened"


@boxed
@pytest.mark.parametrize(
    ("names", "shown"), [([], "one two"), (["*.pem"], "one"), (["x"], "one two")]
)
def test_a_profile_says_which_files_are_kept_out(
    program: Program, names: list[str], shown: str
) -> None:
    (program.folder / ".env").write_text("one ")
    (program.folder / "key.pem").write_text("two")
    turn = call("shell", command="cat .env key.pem")
    played = program.play(turn, OK, words=profile(program, hidden=names))
    assert shown in played.outputs()[0]
    assert ("kept out" in played.outputs()[0]) is (names == ["*.pem"])


@pytest.mark.parametrize("name", ["a/b", "", "!", "/"])
def test_a_name_to_hide_that_is_a_path_is_refused(program: Program, name: str) -> None:
    words = ("run", "--prompt", "x", "--model", program.script(OK))
    ended = program.run(*words, *profile(program, hidden=[name]))
    assert ended.returncode == 78
    assert "sandbox.hidden.0" in ended.stderr


def test_tools_call_takes_mounts(program: Program, data: Path) -> None:
    arguments = json.dumps({"path": "/mnt/data/a.txt"})
    words = ("tools", "call", "read_file", arguments, "--mount", str(data))
    ended = program.run(*words, "--sandbox", SANDBOX)
    if SANDBOX == "local":
        assert ended.returncode == 64
    else:
        assert "from outside" in ended.stdout, ended.stderr
