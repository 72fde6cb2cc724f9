"""`agentcli runs export` and `import`: a run as one file, as a page or as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentcli.cli import options
from agentcli.cli.words import counted
from agentcli.errors import UsageError

if TYPE_CHECKING:
    from agentcli.ledger.folder import RunFolder

WIDTH = 80


def export_run(
    run: options.RUN = "last",
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="Write all of it to this file: x.agentrun.")
    ] = None,
    svg: Annotated[
        str, typer.Option("--svg", help="Draw it as it looked to this file; - is stdout.")
    ] = "",
    md: Annotated[
        str, typer.Option("--md", help="Write it as a page of Markdown; - is stdout.")
    ] = "",
    html: Annotated[
        str, typer.Option("--html", help="Write it as a page of HTML; - is stdout.")
    ] = "",
    jsonl: Annotated[
        str, typer.Option("--jsonl", help="Copy its records, a line each; - is stdout.")
    ] = "",
    with_private: Annotated[
        bool, typer.Option("--with-private", help="The bundle also holds the values of secrets.")
    ] = False,
    width: Annotated[
        int | None,
        typer.Option("--width", min=20, max=400, help="Columns of the picture, 80 by default."),
    ] = None,
    lines: Annotated[
        int | None, typer.Option("--lines", min=1, help="Most lines of the picture.")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="What stands above the picture.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a run to one file, as a page to read, or draw it.

    A bundle replays elsewhere; a picture is an SVG of the session as it looked. A page has what was
    said, called, allowed and answered, and needs nothing else.

    agentcli runs export last --bundle median.agentrun
    agentcli runs export last --svg median.svg --lines 40
    agentcli runs export last --html median.html
    """
    from agentcli import asset
    from agentcli.ledger.bundle import opened_run

    if sum(map(bool, (bundle, svg, md, html, jsonl))) != 1:
        raise UsageError("say one of --bundle, --svg, --md, --html and --jsonl, and a file")
    if bundle is None and with_private:
        raise UsageError("--with-private goes with --bundle: nothing else has secrets")
    if not svg and (width is not None or lines is not None or title):
        raise UsageError("--width, --lines and --title go with --svg: only a picture has looks")
    with opened_run(asset.state_home(), run) as folder:
        if bundle is not None:
            bundle_run(folder, bundle, with_private=with_private, force=force)
        elif jsonl:
            copy_records(folder, jsonl, force=force)
        elif md or html:
            write_page(folder, md or html, is_html=bool(html), force=force)
        else:
            draw_run(folder, svg, title, width or WIDTH, lines, force=force)


def bundle_run(folder: "RunFolder", path: Path, *, with_private: bool, force: bool) -> None:
    import shlex

    from agentcli.core.visible import visible
    from agentcli.ledger.bundle import write_bundle

    packed = write_bundle(folder, path, with_private=with_private, force=force)
    holds = f"{packed.records} records, {packed.outputs} outputs, {packed.size_bytes:,} bytes"
    print(visible(f"{path}: {holds}"))
    values = counted(packed.secrets, "private value")
    if with_private:
        print(f"It holds {values}: whoever has the file can read them.")
    elif packed.secrets:
        print(f"Left out: {values}; marks stand in their place.")
    if folder.workspace.is_dir():
        print("Left out: the workspace that the run worked in.")
    print(visible(f"Watch it anywhere: agentcli replay {shlex.quote(str(path))}"))


def draw_run(
    folder: "RunFolder", path: str, title: str, width: int, lines: int | None, *, force: bool
) -> None:
    import sys

    from agentcli.compose.report import is_running, last_of, report_of
    from agentcli.core.visible import visible
    from agentcli.ledger.export import SHARED, exported
    from agentcli.ledger.read import read_ledger
    from agentcli.shell.picture import picture_of

    records = read_ledger(folder.ledger)
    started = folder.started()
    named = title or f"agentcli · {folder.label or started.title or started.agent.pattern}"
    report = report_of(records, is_running=is_running(folder, last_of(records)))
    drawn = picture_of(records, named, report.summary, width, lines)
    if path == "-":
        sys.stdout.write(drawn)
        return
    with exported(Path(path), SHARED, force=force) as file:
        file.write(drawn.encode())
    print(visible(f"{path}: {len(records)} records, {width} columns"))


def write_page(folder: "RunFolder", path: str, *, is_html: bool, force: bool) -> None:
    import sys

    from agentcli.compose.conversation import conversation_of
    from agentcli.compose.report import is_running, last_of
    from agentcli.core.visible import visible
    from agentcli.ledger.export import SHARED, exported
    from agentcli.ledger.read import read_ledger
    from agentcli.shell.page import html_page, markdown_page

    folder.started()  # or it is no ledger
    records = read_ledger(folder.ledger)
    running = is_running(folder, last_of(records))
    conversation = conversation_of(folder, records, is_running=running)
    page = html_page(conversation) if is_html else markdown_page(conversation)
    if path == "-":
        sys.stdout.write(page)
        return
    with exported(Path(path), SHARED, force=force) as file:
        file.write(page.encode())
    print(visible(f"{path}: {len(records)} records"))


def copy_records(folder: "RunFolder", path: str, *, force: bool) -> None:
    """Copy the good lines of a ledger, checked first; on a terminal, with odd characters escaped.

    A last line that was never acknowledged is left out.
    """
    import sys

    from agentcli.cli.document import escaped_json
    from agentcli.core.visible import visible
    from agentcli.ledger.export import PRIVATE, exported
    from agentcli.ledger.follow import Follower

    folder.started()
    with Follower(folder.ledger) as follower:
        records = sum(1 for _ in follower.each())
        lines = follower.read(0, follower.offset)
    if path == "-":
        text = lines.decode()
        sys.stdout.write(escaped_json(text) if sys.stdout.isatty() else text)
        return
    with exported(Path(path), PRIVATE, force=force) as file:
        file.write(lines)
    print(visible(f"{path}: {records} records"))


def import_run(
    file: Annotated[Path, typer.Argument(help="A bundle, made by runs export --bundle.")],
) -> None:
    """Put the run of a bundle among the runs here.

    It can be watched and verified, not resumed.

    agentcli runs import median.agentrun
    """
    from agentcli import asset
    from agentcli.ledger.bundle import import_run

    folder, is_new = import_run(asset.state_home(), file)
    print(f"{folder.id}: {'imported' if is_new else 'is here already, just as it is in the file'}")
    print(f"Watch it: agentcli replay {folder.id}")
