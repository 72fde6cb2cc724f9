"""What is built from the tree, installed, and run from a foreign folder."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path

import pytest

from tests.cli.conftest import SANDBOX

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SHIPPED = ("tools", "configs", "sandboxes")
IN_SDIST = (*SHIPPED, "agentcli", "tests", ".ci")
AT_ROOT = (".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml")
# What lies about in a tree that somebody works in, and is nobody's business.
STRAYS = (
    ".env",
    "notes.txt",
    "tools/x.pyc",
    "tools/.env",
    "tools/__pycache__/shell.cpython-311.pyc",
    "tools/shell.yaml~",
    "agentcli/.key",
    "agentcli/core/__pycache__/fold.cpython-311.pyc",
    "configs/.DS_Store",
    "configs/tasks/median/__pycache__/stats.cpython-311.pyc",
    "configs/profiles/.coder.yaml.swp",
    "sandboxes/dist/image.tar",
    "tests/.env",
    "dist/agentcli-0.0.0.tar.gz",
)
FIND = """
import json
from agentcli import asset
kinds = ("profiles", "tasks", "scripts")
print(json.dumps({
    "home": str(asset.PACKAGE),
    "named": {kind: sorted(asset.named_files(kind)) for kind in kinds},
    "files": {
        path.relative_to(asset.shipped()).as_posix(): path.read_bytes().hex()
        for folder in ("tools", "configs", "sandboxes")
        for path in asset.shipped(folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    },
}))
"""


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def run(*argv: str | Path, folder: Path, **environ: str) -> str:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ended = subprocess.run(
        [str(word) for word in argv],
        cwd=folder,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, (argv, ended.stdout, ended.stderr)
    return ended.stdout


@dataclass
class Built:
    """A copy of the tree, what it held before anything lay about in it, and what came of it."""

    tree: Path
    files: set[str]
    sdist: Path
    wheel: Path
    wheel_of_sdist: Path


def build(tree: Path, target: str) -> Path:
    out = tree.parent / f"out-{tree.name}"
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", out, folder=tree)
    [built] = out.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("packaging")
    tree = folder / "tree"
    waste = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".env", ".hypothesis")
    for name in IN_SDIST:
        shutil.copytree(ROOT / name, tree / name, ignore=waste)
    for name in AT_ROOT:
        shutil.copyfile(ROOT / name, tree / name)
    files = files_below(tree)
    for name in STRAYS:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("stray")
    sdist = build(tree, "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    [unpacked] = (folder / "unpacked").iterdir()
    return Built(tree, files, sdist, build(tree, "wheel"), build(unpacked, "wheel"))


def in_wheel(name: str) -> str:
    return f"agentcli/_bundled/{name}" if name.startswith(SHIPPED) else name


def test_a_checkout_holds_nothing_that_only_a_wheel_has() -> None:
    assert not (ROOT / "agentcli" / "_bundled").exists()


def test_a_wheel_holds_the_program_and_what_ships_and_nothing_else(built: Built) -> None:
    for wheel in (built.wheel, built.wheel_of_sdist):
        with zipfile.ZipFile(wheel) as archive:
            found = {name for name in archive.namelist() if ".dist-info/" not in name}
        wanted = {name for name in built.files if name.startswith((*SHIPPED, "agentcli/"))}
        assert found == {in_wheel(name) for name in wanted}


def test_an_sdist_holds_the_tree_and_nothing_that_lies_about_in_it(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        found = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert found == built.files | {"PKG-INFO"}


def test_the_metadata_says_what_pyproject_does(built: Built) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(built.wheel) as archive:
        [info] = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = BytesParser().parsebytes(archive.read(f"{info}/METADATA"))
        points = archive.read(f"{info}/entry_points.txt").decode()
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert points == "[console_scripts]\nagentcli = agentcli.__main__:main\n"
    assert metadata["Name"] == "agentcli"
    assert metadata["Version"] == project["version"]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_all("Provides-Extra") == sorted(project["optional-dependencies"])
    plain = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.partition("[")[0].partition(">")[0].partition("<")[0] for line in plain}
    assert names == {line.partition(">")[0] for line in project["dependencies"]}


def make_environment(folder: Path) -> Path:
    """Return the Python of a fresh environment that shares what is installed out here."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
    [packages] = (folder / "lib").glob("python*/site-packages")
    # A line of a .pth is a path alone: what is installed there for editing does not come along.
    outer = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "outer.pth").write_text("".join(f"{path}\n" for path in sorted(outer)))
    return folder / "bin" / "python"


@pytest.fixture(scope="module", params=["wheel", "wheel_of_sdist", "editable"])
def installed(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the program of a fresh environment in which it was installed."""
    python = make_environment(tmp_path_factory.mktemp("environment") / "venv")
    what = (f"--editable={built.tree}",)
    if request.param != "editable":
        what = (str(getattr(built, request.param)),)
    alone = ("--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
    pip = (sys.executable, "-m", "pip", "--python", python, "--isolated")
    run(*pip, "install", "--quiet", "--disable-pip-version-check", *alone, *what, folder=built.tree)
    return python.parent / "agentcli"


def test_the_installed_program_finds_all_that_ships(
    installed: Path, built: Built, tmp_path: Path
) -> None:
    home = {"AGENTCLI_HOME": str(tmp_path / "home")}
    found = json.loads(run(installed.parent / "python", "-I", "-c", FIND, folder=tmp_path, **home))
    assert not Path(found["home"]).is_relative_to(ROOT)
    for kind, names in found["named"].items():
        assert names == sorted(path.stem for path in (ROOT / "configs" / kind).glob("*.yaml"))
    wanted = {name for name in built.files if name.startswith(SHIPPED)}
    strays = set(STRAYS) if found["home"] == str(built.tree / "agentcli") else set()
    assert found["files"].keys() - strays == wanted
    assert all(found["files"][name] == (ROOT / name).read_bytes().hex() for name in wanted)


def test_the_installed_program_runs_in_a_foreign_folder(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()

    def says(*words: str) -> str:
        home = str(tmp_path / "home")
        return run(installed, *words, folder=tmp_path / "here", AGENTCLI_HOME=home, COLUMNS="200")

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version in says("--version")
    tools, profiles = says("tools", "list"), says("profile", "list")
    for kind, shown in (("tools", tools), ("configs/profiles", profiles)):
        assert all(path.stem in shown for path in (ROOT / kind).glob("*.yaml"))
    if SANDBOX != "local":
        words = ("--model", "scripted:median", "--sandbox", SANDBOX)
        assert "all four tests pass" in says("run", "median", *words)
    assert list((tmp_path / "here").iterdir()) == []
