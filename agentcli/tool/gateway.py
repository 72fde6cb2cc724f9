"""The only way to a tool: validate, find the facts, and run exactly what was judged."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from agentcli.core.command import Parsed
from agentcli.core.event import Failed, Prepared, Probed, Started, ToolEnded
from agentcli.core.label import Label
from agentcli.core.protect import all_words, paths_in
from agentcli.core.sandbox import MOUNTS, Job, JobEnd, SandboxSpec, hidden_names
from agentcli.core.step import Args, Call, Prepare, Probe, RunTool, StepId
from agentcli.core.tool import RESTORE, Facts, Undo
from agentcli.core.trace import Passages, Trace
from agentcli.core.visible import visible
from agentcli.errors import InputError, UnavailableError
from agentcli.loop.port import Sandbox, Show
from agentcli.tool.compensate import missing, undo_of, with_result
from agentcli.tool.guarding import keep_protected, told_of_protected
from agentcli.tool.history import SESSION_ENDED, SessionPast
from agentcli.tool.job import given_of, job_of, url_of
from agentcli.tool.manifest import LoadedTool, Restore, RunSession
from agentcli.tool.named import named_files, names_in, places_of
from agentcli.tool.reach import UnreachableError
from agentcli.tool.reference import Holds, label_of, texts_of, with_texts
from agentcli.tool.repository import configs_of, with_repositories
from agentcli.tool.restored import is_restore, restore
from agentcli.tool.result import Result, answer_of, result_of, told
from agentcli.tool.seen import HeldText
from agentcli.tool.shell import parse
from agentcli.tool.shown import Shown
from agentcli.tool.snapshot import Snapshots, TooBigError
from agentcli.tool.tainted import Written
from agentcli.tool.twin import twins_of
from agentcli.tool.web import Web

Ending = Literal["done", "not_done", "unknown"]
# Beside a result, so that what the model was told before stays as it is.
NEW_SESSION = (
    "[a new session: the variables, imports and functions of earlier calls are gone; define again "
    "what you need]"
)
SESSION_LOST = (
    "[note: the tools were started anew, so the python session has lost its variables, imports "
    "and functions; define again what you need there]"
)
CHANGED = (
    "Not run: a file that the call names, where it leads, or the config of its repository has "
    "changed since the call was judged."
)
LOOK_MS = 10_000  # for a preview or a probe
PREVIEW_CHARS = 20_000


def nothing_held(step: StepId) -> HeldText | None:
    return None


@dataclass
class Gateway:
    """One for each run.

    open_sandbox: opens the run's sandbox on the first call, gives the same one on later calls.
    clean: takes secrets out of a text for good. keep_output: stores a whole output, gives its
    handle. outputs: where such handles are found inside the sandbox.
    clip_chars: how much of an output the model sees.
    past: what became of the state of a session. sandbox: the one that was used last.
    passages: gives what the model has seen. traces_all: also before it has seen anything untrusted.
    held: gives what was held back from it. holds_back: whether untrusted results are.
    written: which files were written since it had seen any. protected: paths that calls may not
        change. web: reads the pages that tools need.
    """

    tools: Mapping[str, LoadedTool]
    spec: SandboxSpec
    open_sandbox: Callable[[], Awaitable[Sandbox]]
    snapshots: Snapshots
    clean: Callable[[str], str]
    keep_output: Callable[[str], str]
    outputs: str = "/outputs"
    clip_chars: int = 30_000
    past: SessionPast = field(default_factory=SessionPast)
    sandbox: Sandbox | None = None
    passages: Callable[[], Passages] = Passages
    traces_all: bool = False
    held: Holds = nothing_held
    holds_back: bool = False
    written: Written = field(default_factory=Written)
    protected: tuple[str, ...] = ()
    web: Web = field(default_factory=Web)

    async def prepare(self, start: Started, prepare: Prepare) -> Prepared | Failed:
        try:
            call = prepare.call if prepare.edited else with_texts(prepare.call, self.held)
        except LookupError as error:
            return Failed(start.id, "invalid", f"Not run: {error}")
        if is_restore(call):
            return Prepared(start.id, call, Facts(sandbox=self.spec.digest(), restorable=True))
        if call.origin == "undo" and (lost := missing(call.args)):
            text = f"It cannot be undone by itself: what {', '.join(lost)} was is not known."
            return Failed(start.id, "invalid", text)
        tool = self.tools.get(call.tool)
        if tool is None:
            return Prepared(start.id, call, Facts())  # the judgement says that there is none
        if problems := tool.arguments.problems(call.args):
            if call.held:  # what is wrong with a text would quote it
                problems = [problem.partition(": ")[0] for problem in problems]
            wrong = "\n".join(problems)
            return Failed(start.id, "invalid", f"Invalid arguments for {call.tool}:\n{wrong}")
        try:
            return Prepared(start.id, call, await self.facts(tool, call))
        except UnreachableError as error:
            return Failed(start.id, "invalid", f"Not run: {error}")
        except UnavailableError as error:
            return Failed(start.id, "unavailable", with_hint(error))
        except OSError as error:
            text = f"The state before the call cannot be kept: {error.strerror}"
            return Failed(start.id, "unavailable", text)

    async def facts(self, tool: LoadedTool, call: Call) -> Facts:
        """Return what is found out about a call.

        What the workspace was is kept also for a shell command that only reads: if that was
        judged wrong, it can be undone like any other.
        """
        sandbox = await self.open_sandbox()
        facts = replace(
            await self.look(tool, call.args),
            tool=tool.digest,
            sandbox=self.spec.digest(),
            sandboxed=sandbox.facts.isolated,
            offline=sandbox.facts.offline,
            notes=sandbox.facts.notes,
            undo=undo_of(tool.manifest, call.args),
            image=sandbox.facts.image,
            page=url_of(tool, call.args),
        )
        if isinstance(tool.manifest.compensate, Restore):
            snapshot = await asyncio.to_thread(self.snapshots.take)
            # What a call changes in a mount is in no snapshot.
            kept = bool(snapshot) and not any(mount.writable for mount in self.spec.mounts)
            undo = facts.undo if kept else None
            facts = replace(facts, snapshot=snapshot, restorable=kept, undo=undo)
        if tool.manifest.preview and tool.manifest.tier == "reversible" and facts.sandboxed:
            facts = replace(facts, preview=await self.preview(sandbox, tool, call))
        if tool.manifest.egress or (tool.manifest.tier != "read_only" and not facts.is_contained):
            facts = replace(facts, traces=self.traces(tool, call))
        return facts

    def traces(self, tool: LoadedTool, call: Call) -> tuple[Trace, ...]:
        """Return where the values of a call come from, once the model has seen what is not ours."""
        passages = self.passages()
        if call.held:
            texts = (text.passage for text in texts_of(call, self.held))
            passages = Passages([*passages.found, *texts])
        if not (passages.is_tainted or self.traces_all):
            return ()
        return passages.trace(call.args, tool.manifest.sinks, tool.manifest.names)

    async def preview(self, sandbox: Sandbox, tool: LoadedTool, call: Call) -> str:
        """Return what the call would change, as its own script tells; it changes nothing."""
        job = self.job(tool, call.args, AGENTCLI_PREVIEW="1")
        end = await sandbox.run(replace(job, timeout_ms=LOOK_MS), ignore)
        if end.ending == "cancelled":
            raise asyncio.CancelledError
        text = told(tool, end, answer_of(end)).text if end.ending == "exit" else ""
        return clipped(self.clean(visible(text)), PREVIEW_CHARS, "")

    async def run(self, start: Started, run: RunTool, show: Show) -> ToolEnded | Failed:
        if is_restore(run.call):
            return await asyncio.to_thread(restore, start, run.call.args, self.snapshots)
        tool = self.tools.get(run.call.tool)
        if tool is None or not self.is_what_was_judged(run.facts, tool):
            text = "Not run: the tool or the sandbox has changed since the call was judged."
            return Failed(start.id, "invalid", text)
        job = self.job(tool, run.call.args, AGENTCLI_IDEMPOTENCY_KEY=start.key)
        try:
            sandbox = await self.open_sandbox()
            # Anew: a person may have taken long to say yes, and changed files meanwhile.
            before = await asyncio.to_thread(self.snapshots.take) if run.facts.snapshot else ""
            if self.sandbox is not None and sandbox is not self.sandbox:
                self.past = self.past.lost()
            self.sandbox = sandbox
            if not is_as_judged(run.facts, await self.look(tool, run.call.args)):
                return Failed(start.id, "stale", CHANGED)
            label, echo = await self.label(tool, run.call)
        except UnavailableError as error:
            return Failed(start.id, "unavailable", with_hint(error))
        except OSError as error:
            text = f"The state before the call cannot be kept: {error.strerror}"
            return Failed(start.id, "unavailable", text)
        try:
            shown = Shown(start, show, self.clean)
            end, reached = await self.carry_out(sandbox, run, job, shown)
        except UnavailableError as error:
            return Failed(start.id, "unavailable", with_hint(error))
        result = result_of(tool, end)
        if not result.fits:
            label, echo = replace(label, integrity="untrusted"), False
        held = self.holds_back and label.is_tainted and not echo
        ended = self.ended(start, run, tool, end, result)
        ended = replace(ended, label=label, held=held, echo=echo, reached=reached)
        return await self.with_undo(ended, run, result, before)

    async def carry_out(
        self, sandbox: Sandbox, run: RunTool, job: Job, shown: Shown
    ) -> tuple[JobEnd, str]:
        """Run the job of a call, once the page that its script needs was read, both in its time.

        Returns also the address that the page came from.
        """
        reached = ""
        if run.facts.page:
            clock = asyncio.get_running_loop().time
            began = clock()
            try:
                response = await self.web.get(run.facts.page, job.timeout_ms / 1000)
            except UnreachableError as error:
                return JobEnd("exit", 0, json.dumps({"error": str(error)}).encode()), ""
            except asyncio.CancelledError:
                return JobEnd("cancelled"), ""
            left_ms = max(1, job.timeout_ms - round((clock() - began) * 1000))
            job = replace(job, stdin=given_of(run.call.args, response), timeout_ms=left_ms)
            reached = response.address
        end = await sandbox.run(job, shown.put)
        shown.finish()
        return end, reached

    async def with_undo(
        self, ended: ToolEnded, run: RunTool, result: Result, before: str
    ) -> ToolEnded:
        """Return the end of a call with what undoes it, if it has done anything."""
        undo, after = run.facts.undo, ""
        if before:
            with suppress(OSError):
                after = await asyncio.to_thread(self.snapshots.take)
            ended, after = await asyncio.to_thread(self.guarded, ended, before, after)
        if undo is None:
            return replace(ended, after=after)
        if undo.tool == RESTORE:
            changed = bool(before and after) and before != after
            undo = Undo(RESTORE, {"before": before, "after": after}) if changed else None
        else:
            succeeded = ended.ending == "done" and not result.error
            undo = with_result(undo, result.data) if succeeded else None
        return replace(ended, after=after, undo=undo)

    def guarded(self, ended: ToolEnded, before: str, after: str) -> tuple[ToolEnded, str]:
        """Return the end of a call once what it changed of protected paths is put back.

        Code names no paths, so that it could not be judged by them.
        """
        try:
            done, failed, after = keep_protected(self.snapshots, before, after, self.protected)
        except (InputError, TooBigError, OSError) as error:
            text = f"[whether it changed protected paths cannot be told: {error}]"
        else:
            if not (done or failed):
                return ended, after
            text = told_of_protected(done, failed)
        text = self.clean(visible(f"{text}\n{ended.output}"))
        return replace(ended, output=text, error=True), after

    async def probe(self, start: Started, probe: Probe) -> Probed:
        tool = self.tools.get(probe.call.tool)
        if tool is None or not self.is_what_was_judged(probe.facts, tool):
            return Probed(start.id, "unknown")
        env = {"AGENTCLI_PROBE": "1", "AGENTCLI_IDEMPOTENCY_KEY": probe.key}
        job = replace(self.job(tool, probe.call.args, **env), timeout_ms=LOOK_MS)
        try:
            label, echo = await self.label(tool, probe.call)
            end = await (await self.open_sandbox()).run(job, ignore)
        except UnavailableError:
            return Probed(start.id, "unknown")
        answer = answer_of(end) if end.ending == "exit" else {}
        happened: Literal["yes", "no", "unknown"] = "unknown"
        if isinstance(answer.get("happened"), bool):
            happened = "yes" if answer["happened"] else "no"
        text = answer["text"] if isinstance(answer.get("text"), str) else ""
        held = self.holds_back and label.is_tainted and not echo
        return Probed(start.id, happened, self.clean(visible(text)), label, held, echo)

    async def label(self, tool: LoadedTool, call: Call) -> tuple[Label, bool]:
        """Return the label of what a call is about to give: of its tool and all that goes in.

        And whether it may be untrusted only by repeating the model's own words.
        """
        own = tool.rule.label
        if self.written.marks(own):
            own = await asyncio.to_thread(
                self.written.label, tool, call.args, self.snapshots, self.outputs
            )
        return label_of(own, call, tool.manifest.names, self.held, self.passages())

    async def look(self, tool: LoadedTool, args: Args) -> Facts:
        """Return of the facts of a call what others can change in the workspace before it runs."""
        names, root = names_in(tool.manifest, args), Path(self.spec.workspace)
        parsed = Parsed()
        if tool.manifest.shell:
            parsed = parse(str(args[tool.manifest.shell]))
            parsed = await asyncio.to_thread(with_repositories, parsed, root)
            names = [*names, *configs_of(parsed, root)]
        is_hidden = hidden_names(self.spec.hidden)
        files = await asyncio.to_thread(named_files, root, names, is_hidden) if names else {}
        places = self.places(tool, args, parsed)
        return Facts(files=files, places=places, commands=parsed.commands, unparsed=parsed.problem)

    def places(self, tool: LoadedTool, args: Args, parsed: Parsed) -> dict[str, str]:
        """Return where the paths that a call names really lead, where that is another place.

        Of another name of a protected file, that is the protected one. In no thread: but for such
        a name it takes microseconds, and calls of one turn stay in their order.
        """
        root = Path(self.spec.workspace)
        names = [*paths_in(tool.rule, args), *all_words(parsed.commands)]
        # Behind a `cd` a path is another one than the word that names it.
        moved = [path for path in parsed.paths if path not in names]
        every = [*names, *moved]
        links, twins = places_of(root, every), twins_of(root, every, self.protected)
        return {**dict(zip(moved, moved, strict=True)), **links, **twins}

    def job(self, tool: LoadedTool, args: Args, **env: str) -> Job:
        """Return the job of a call, with what its environment tells."""
        job = job_of(tool, args)
        if tool.script and self.spec.mounts:
            env["AGENTCLI_MOUNTS"] = MOUNTS
        return replace(job, env={**job.env, **env})

    def is_what_was_judged(self, facts: Facts, tool: LoadedTool) -> bool:
        return facts.tool == tool.digest and facts.sandbox == self.spec.digest()

    def ended(
        self, start: Started, run: RunTool, tool: LoadedTool, end: JobEnd, result: Result
    ) -> ToolEnded:
        text = result.text
        cut = end.ending in ("cancelled", "lost")
        if isinstance(tool.manifest.run, RunSession):
            if end.fresh and self.past.ran:
                text = f"{NEW_SESSION}\n{text}"
            if end.ending != "exit":
                text = f"{text}\n{SESSION_ENDED}"
            self.past = SessionPast(ran=True, holds=end.ending == "exit")
        elif self.past.untold and not cut:
            text = f"{SESSION_LOST}\n{text}"
            self.past = self.past.told()
        if run.edited:
            args = json.dumps(run.call.args, ensure_ascii=False)
            text = f"[the user changed the arguments before it ran: {args}]\n{text}"
        text = self.clean(visible(text))
        full = self.keep_output(text) if len(text) > self.clip_chars else ""
        if full:
            text = clipped(text, self.clip_chars, f"{self.outputs}/{full}")
        harmless = tool.manifest.tier == "read_only"
        ending: Ending = "done"
        if cut:
            ending = "not_done" if harmless else "unknown"
        # What undoes a call is tried again after an error. This has done its work, and once is
        # enough.
        error = result.error or (not result.fits and run.call.origin != "undo")
        size = len(end.output)
        return ToolEnded(start.id, ending, text, error=error, full=full, size_bytes=size)


def is_as_judged(judged: Facts, now: Facts) -> bool:
    """Say whether what a call would find in the workspace is still what it was judged by."""
    names = ("files", "places", "commands", "unparsed")
    return all(getattr(judged, name) == getattr(now, name) for name in names)


def clipped(text: str, limit: int, where: str) -> str:
    """Return head and tail of a text over the limit, with what was left out and where it is."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit * 2 // 3], text[-limit // 4 :]
    left_out = len(text) - len(head) - len(tail)
    place = f"; all of it is in {where}" if where else ""
    return f"{head}\n[... {left_out:,} characters left out{place} ...]\n{tail}"


def with_hint(error: UnavailableError) -> str:
    return f"{error}\n{error.hint}" if error.hint else str(error)


def ignore(data: bytes) -> None:
    """Show nothing of a preview's output."""
