"""Files that are kept out, against every way in that a tool, a link or a path could be."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agentcli.core.sandbox import HIDDEN, JobEnd, Mount, SandboxSpec, hidden_names
from agentcli.errors import UnavailableError
from agentcli.loop.port import Sandbox
from agentcli.sandbox import hidden
from agentcli.sandbox.hidden import MASK, find_hidden
from tests.sandbox.box import in_box, py, sh

SECRET = "TOKEN=hunter2"
US = (os.geteuid(), os.getegid())


@pytest.fixture
def boxed(boxed: SandboxSpec) -> SandboxSpec:
    return msgspec.structs.replace(boxed, hidden=HIDDEN)


@pytest.fixture
def bare(workspace: Path) -> SandboxSpec:
    return SandboxSpec(workspace=str(workspace), hidden=HIDDEN)


def put(path: Path, text: str = SECRET) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def said(spec: SandboxSpec, script: str) -> str:
    return in_box(spec, lambda box: sh(box, script)).output.decode()


@pytest.mark.parametrize(
    ("name", "is_hidden"),
    [
        *((".env", True), (".env.local", True), (".ENV", True), (".env.production.bak", True)),
        *((".env.example", False), (".env.sample", False), (".env.local.template", False)),
        *((".env.dist", False), (".envrc", False), ("env", False), ("a.env", False), ("", False)),
        (".env\n", False),
    ],
)
def test_names_of_secret_files_are_told_from_those_of_examples(name: str, is_hidden: bool) -> None:
    assert hidden_names(HIDDEN)(name) is is_hidden


def test_no_pattern_hides_nothing_and_one_that_is_denied_wins() -> None:
    assert not hidden_names(())(".env")
    assert not hidden_names(("!.env", ".env"))(".env")
    assert hidden_names(("*.pem",))("KEY.pem")


def test_a_hidden_file_says_so_in_its_place_and_the_rest_is_as_it_was(
    boxed: SandboxSpec, workspace: Path
) -> None:
    kept = [put(workspace / ".env"), put(workspace / "a b" / "node_modules" / ".env.local")]
    put(workspace / ".env.example", "TOKEN=")

    async def act(box: Sandbox) -> tuple[JobEnd, tuple[str, ...]]:
        script = "cat .env; cat a*/*/.env.local; cat .env.example; ls -A"
        return await sh(box, script), box.facts.notes

    end, notes = in_box(boxed, act)
    assert end.stdout.decode() == MASK + MASK + "TOKEN=.env\n.env.example\na b\n"
    assert "kept out: .env, a b/node_modules/.env.local" in notes
    assert [path.read_text() for path in kept] == [SECRET, SECRET]


@pytest.mark.parametrize(
    "way",
    [
        *("cat .env", "cat ./sub/../.env", "cat link", "cat sub/far", "cat twin", "cat sub/twin"),
        *("cat /proc/self/root/workspace/.env", "cat /proc/self/cwd/.env", "head -c99 <.env"),
        *("mv .env x; cat x", "rm -f .env; cat .env", "cp .env x; cat x", "ln .env x; cat x"),
        *("echo >.env; cat .env", "chmod 777 .env; cat .env", "dd if=.env", "tar c . | cat"),
        "mv sub moved; cat moved/deep/.env",
        "mv sub/deep sub/other; cat sub/other/.env",
        "rm -rf sub; cat sub/deep/.env",
        "umount .env; cat .env",
        "unshare -Urm sh -c 'umount /workspace/.env; cat /workspace/.env'",
        "unshare -Urm sh -c 'mount --bind /workspace /tmp; cat /tmp/.env'",
        "unshare -Um sh -c 'umount /workspace/.env; cat /workspace/.env'",
        "python3 -c \"import os; os.replace('.env', 'x'); print(open('x').read())\"",
        "mkdir x; ln -s ../.env x/y; cat x/y; grep -r hunter . ; cat */.env */*/.env",
    ],
)
def test_no_way_leads_to_what_a_hidden_file_holds(
    boxed: SandboxSpec, workspace: Path, way: str
) -> None:
    kept = put(workspace / ".env")
    put(workspace / "sub" / "deep" / ".env")
    (workspace / "link").symlink_to(".env")
    (workspace / "sub" / "far").symlink_to("../link")
    os.link(kept, workspace / "twin")
    os.link(kept, workspace / "sub" / "twin")
    assert "hunter2" not in said(boxed, way)
    assert kept.read_text() == SECRET
    assert (kept.stat().st_mode & 0o777) != 0o777


def test_what_a_link_of_a_hidden_name_leads_to_is_hidden_too(
    boxed: SandboxSpec, workspace: Path, tmp_path: Path
) -> None:
    real = put(workspace / "config" / "production")
    os.link(real, workspace / "config" / "also")
    (workspace / ".env").symlink_to("config/production")
    (workspace / ".env.gone").symlink_to("nowhere")
    (workspace / ".env.far").symlink_to(put(tmp_path / "outside"))
    (workspace / ".env.d").symlink_to("config")
    text = said(boxed, "cat .env config/production config/also; rm .env; cat config/*; ls -A")
    assert "hunter2" not in text
    assert text.count(MASK) == 5


def test_a_folder_of_a_hidden_name_is_no_hidden_file_but_is_searched(
    boxed: SandboxSpec, workspace: Path
) -> None:
    put(workspace / ".env" / "bin" / "python", "here")
    put(workspace / ".env" / ".env")
    assert said(boxed, "cat .env/bin/python .env/.env") == "here" + MASK


def test_a_tool_may_make_files_of_a_hidden_name_and_use_them(
    boxed: SandboxSpec, workspace: Path
) -> None:
    put(workspace / "sub" / ".env")
    made = "echo mine > .env; cat .env; mkdir n; cp .env n/.env.local; cat n/.env.local; rm .env"
    assert said(boxed, made) == "mine\nmine\n"
    assert said(boxed, "cat n/.env.local") == MASK, "the next sandbox cannot know whose it is"


def test_odd_names_on_the_way_are_no_way_in(boxed: SandboxSpec, workspace: Path) -> None:
    for name in ("a:b", "new\nline", " ", "-x", "ü", "a,b=c", '"'):
        put(workspace / name / ".env")
    text = said(boxed, "find . -type f -exec cat {} +")
    assert text == MASK * 7


def test_a_path_that_cannot_be_named_to_the_engine_keeps_the_sandbox_shut(
    boxed: SandboxSpec, workspace: Path
) -> None:
    folder = os.fsencode(workspace) + b"/bad\xff"
    os.mkdir(folder)
    put(Path(os.fsdecode(folder)) / ".env")
    with pytest.raises(UnavailableError, match="UTF-8"):
        in_box(boxed, lambda box: sh(box, "true"))


def test_hidden_files_of_mounts_are_hidden_whichever_way_they_are_seen(
    boxed: SandboxSpec, workspace: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    kept = put(data / "deep" / ".env")
    os.link(kept, workspace / "twin")
    os.link(kept, data / "twin")
    (workspace / ".env").symlink_to(put(data / "plain"))
    mounts = (Mount("data", str(data)), Mount("deep", str(data / "deep"), writable=True))
    spec = msgspec.structs.replace(boxed, mounts=mounts)
    text = said(
        spec, "cat /mnt/data/deep/.env /mnt/deep/.env twin /mnt/data/twin /mnt/data/plain; "
        "mv /mnt/deep/.env /mnt/deep/x; rm -f /mnt/deep/.env; cat /mnt/deep/*"
    )  # fmt: skip
    assert "hunter2" not in text
    assert text.count(MASK) == 5
    assert kept.read_text() == SECRET


@pytest.mark.parametrize("name", [".env", "twin", "led_to"])
def test_a_hidden_file_cannot_be_mounted_itself(
    bare: SandboxSpec, workspace: Path, tmp_path: Path, name: str
) -> None:
    os.link(put(tmp_path / ".env"), tmp_path / "twin")
    os.link(tmp_path / ".env", workspace / ".env")
    (workspace / ".env.x").symlink_to(put(tmp_path / "led_to"))
    spec = msgspec.structs.replace(bare, mounts=(Mount("m", str(tmp_path / name)),))
    with pytest.raises(UnavailableError, match="kept out"):
        find_hidden(spec, US)


def test_nothing_is_searched_where_nothing_is_hidden(
    bare: SandboxSpec, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(workspace / ".env")
    monkeypatch.setattr(os, "scandir", None)
    assert find_hidden(msgspec.structs.replace(bare, hidden=()), US) == {}


@pytest.mark.parametrize(("limit", "most"), [("ENTRIES_AT_MOST", 20), ("FILES_AT_MOST", 2)])
def test_more_than_can_be_searched_or_masked_keeps_the_sandbox_shut(
    bare: SandboxSpec, workspace: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    for number in range(25):
        put(workspace / f"{number}" / ".env")
    monkeypatch.setattr(hidden, limit, most)
    with pytest.raises(UnavailableError, match="kept out") as error:
        find_hidden(bare, US)
    assert "hidden: []" in error.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="root opens every folder")
@pytest.mark.parametrize(
    ("owner", "mode", "user", "can"),
    [
        *(((7, 7), 0o700, (7, 9), True), ((7, 7), 0o000, (7, 9), True)),
        *(((7, 7), 0o700, (8, 8), False), ((7, 7), 0o710, (8, 7), True)),
        *(((7, 7), 0o701, (8, 8), True), ((7, 7), 0o744, (8, 8), False)),
        ((7, 7), 0o711, (8, 7), True),
    ],
)
def test_a_folder_closed_to_us_counts_only_where_the_sandboxes_user_can_enter(
    bare: SandboxSpec,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: tuple[int, int],
    mode: int,
    user: tuple[int, int],
    can: bool,
) -> None:
    closed = workspace / "closed"
    put(closed / ".env")
    os.chown(closed, *owner)
    closed.chmod(mode)
    scandir: Callable[[str], object] = os.scandir

    def refuse(path: str) -> object:
        if path == str(closed):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    if can:
        with pytest.raises(UnavailableError, match="cannot be searched"):
            find_hidden(bare, user)
    else:
        assert find_hidden(bare, user) == {}


def test_a_large_workspace_is_searched_in_a_moment(bare: SandboxSpec, workspace: Path) -> None:
    for folder in range(400):
        (workspace / f"{folder}").mkdir()
        for number in range(50):
            os.close(os.open(workspace / f"{folder}" / f"f{number}.py", os.O_CREAT | os.O_WRONLY))
    put(workspace / "7" / ".env")
    took = []
    for _ in range(5):
        began = time.perf_counter()
        assert list(find_hidden(bare, US)) == ["/workspace/7/.env"]
        took.append(time.perf_counter() - began)
        began = time.perf_counter()
        walked = sum(len(files) for _, _, files in os.walk(workspace))
        took.append(took.pop() / (time.perf_counter() - began))
    assert walked == 20_001
    assert min(took) < 3, "times the time of a bare walk"


def test_the_session_sees_the_mask_too(boxed: SandboxSpec, workspace: Path) -> None:
    put(workspace / ".env")
    end = in_box(boxed, lambda box: py(box, "open('.env').read()"))
    assert b"hunter2" not in end.output
    assert b"kept out" in end.output


@pytest.mark.parametrize(
    "way", ["replaced", "renamed", "deleted", "its folder renamed", "a link led elsewhere"]
)
def test_a_hidden_file_that_loses_its_mask_from_outside_ends_the_sandbox(
    boxed: SandboxSpec, workspace: Path, tmp_path: Path, way: str
) -> None:
    kept = put(workspace / "sub" / ".env")
    (workspace / ".env").symlink_to(put(workspace / "real"))

    async def act(box: Sandbox) -> str:
        assert MASK in (await sh(box, "cat sub/.env")).output.decode()
        assert box.gone == ""
        match way:
            case "replaced":
                put(tmp_path / "new", f"{SECRET} new").rename(kept)
            case "renamed":
                kept.rename(workspace / "sub" / ".env.old")
            case "deleted":
                kept.unlink()
            case "its folder renamed":
                (workspace / "sub").rename(workspace / "other")
            case _:
                put(tmp_path / "new").rename(workspace / "real")
        assert "was replaced or moved" in box.gone
        with pytest.raises(UnavailableError, match="kept out"):
            await sh(box, "cat sub/.env* */.env")
        return box.gone

    in_box(boxed, act)
    assert "hunter2" not in said(boxed, "cat .env* */.env* real")


def test_a_hidden_file_that_is_written_in_place_stays_hidden(
    boxed: SandboxSpec, workspace: Path
) -> None:
    kept = put(workspace / ".env")

    async def act(box: Sandbox) -> str:
        kept.write_text(f"{SECRET} new")
        return (await sh(box, "cat .env")).output.decode()

    assert in_box(boxed, act) == MASK
