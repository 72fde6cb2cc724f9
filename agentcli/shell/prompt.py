"""The part of the terminal that one types in: a line or more, live lines above, one below."""

import asyncio
import sys
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from prompt_toolkit.application import Application, in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import ANSI, AnyFormattedText
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.processors import (
    BeforeInput,
    Processor,
    Transformation,
    TransformationInput,
)
from prompt_toolkit.layout.utils import explode_text_fragments

from agentcli.core.visible import visible_line
from agentcli.shell.live import harmless

INPUT_LINES = 8
Told = TypeVar("Told")


class Harmless(Processor):
    """Shows what is typed, pasted or in the history as a terminal may show it, each by itself."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        typed = explode_text_fragments(transformation_input.fragments)
        shown = [(part[0], visible_line(part[1])) for part in typed]
        starts = [0, *accumulate(len(text) for _, text in shown)]
        return Transformation(
            list(shown),
            source_to_display=lambda at: starts[min(at, len(shown))],
            display_to_source=lambda at: max(0, bisect_right(starts, at) - 1),
        )


class Prompt:
    """Keeps what is typed while anything else happens on the screen.

    on_line: what was sent. on_interrupt: Ctrl+C on an empty line. footer: the last line.
    """

    def __init__(
        self,
        history: Path,
        on_line: Callable[[str], None],
        on_interrupt: Callable[[], None],
        on_leave: Callable[[], None],
        footer: Callable[[], str],
    ) -> None:
        self.on_line, self.on_interrupt, self.on_leave = on_line, on_interrupt, on_leave
        self.finished: list[str] = []
        self.lines: list[str] = []
        self.writing = asyncio.Lock()
        self.wake = asyncio.Event()
        self.buffer = Buffer(history=FileHistory(str(history)), multiline=True)
        live = Window(
            FormattedTextControl(lambda: ANSI("\n".join(self.lines))),
            height=lambda: Dimension.exact(len(self.lines)),
            wrap_lines=False,
        )
        typed = Window(
            BufferControl(
                self.buffer, input_processors=[Harmless(), BeforeInput("› ", style="bold")]
            ),
            height=Dimension(min=1, max=INPUT_LINES),
            wrap_lines=True,
            dont_extend_height=True,
        )
        below = Window(FormattedTextControl(lambda: self.footer_text(footer)), height=1)
        self.app: Application[None] = Application(
            Layout(HSplit([live, typed, below]), focused_element=typed),
            key_bindings=self.bindings(),
            enable_page_navigation_bindings=False,
            max_render_postpone_time=0.05,
        )

    def footer_text(self, footer: Callable[[], str]) -> AnyFormattedText:
        return [("fg:ansibrightblack", footer())]

    def bindings(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            text = self.buffer.text
            if text.endswith("\\"):
                self.buffer.delete_before_cursor()
                self.buffer.newline(copy_margin=False)
            elif text.strip():
                self.buffer.append_to_history()
                self.buffer.reset()
                self.on_line(text.strip())

        @keys.add("escape", "enter")
        @keys.add("c-j")
        def _(event: KeyPressEvent) -> None:
            self.buffer.newline(copy_margin=False)

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if self.buffer.text:
                self.buffer.reset()
            else:
                self.on_interrupt()

        @keys.add("c-d")
        def _(event: KeyPressEvent) -> None:
            if self.buffer.text:
                self.buffer.delete()
            else:
                self.on_leave()

        @keys.add("c-l")
        def _(event: KeyPressEvent) -> None:
            event.app.renderer.clear()

        @keys.add("c-x", "c-e")
        def _(event: KeyPressEvent) -> None:
            self.buffer.open_in_editor()

        return keys

    def write_above(self, text: str) -> None:
        """Put finished text into the scrollback, soon and in order. Of escapes, colours stay."""
        self.finished.append(harmless(text, True))
        self.wake.set()

    def set_lines(self, lines: list[str]) -> None:
        lines = [harmless(line, True) for line in lines]
        if lines != self.lines:
            self.lines = lines
            self.app.invalidate()

    async def write(self) -> None:
        """Write what is finished, for as long as the prompt lives."""
        while True:
            await self.wake.wait()
            await self.flush()

    async def flush(self) -> None:
        async with self.writing:
            self.wake.clear()
            if not self.finished:
                return
            text = "".join(self.finished)
            self.finished.clear()
            if not self.app.is_running:
                sys.stdout.write(text)
                sys.stdout.flush()
                return
            async with in_terminal():
                sys.stdout.write(text)
                sys.stdout.flush()

    async def aside(self, ask: Callable[[], Awaitable[Told]]) -> Told:
        """Let something else have the whole terminal; what was typed stays for later."""
        await self.flush()
        async with self.writing, in_terminal():
            return await ask()

    async def run(self) -> None:
        await self.app.run_async(handle_sigint=False, set_exception_handler=False)

    def leave(self) -> None:
        if self.app.is_running:
            self.app.exit()
