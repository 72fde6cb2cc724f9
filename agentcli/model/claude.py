"""Claude over the Messages API."""

import asyncio
import importlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentcli.core.message import Delta, ModelError, Reply, Request
from agentcli.errors import MissingExtraError
from agentcli.model.failure import failed_answer, one_line, title_of
from agentcli.model.route import CONNECT_S, Route, broken_connection, route_to
from agentcli.model.wire import Json, ReplyBuilder, named, request_body

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from httpx2 import Response

CHECK_S = 10.0
DRAIN_S = 0.5
PAGE_BYTES = 64_000
NO_KEY = "there is no API key: set ANTHROPIC_API_KEY. `--model scripted:FILE` works without one."
NOT_ASCII = "the API key or a header is not plain ASCII"


def warm() -> None:
    """Import the client, which takes long. Any thread may do it ahead of the first ask."""
    from agentcli.model.lazy import load

    # All that is used here, so that what cannot be found leads to the plain import.
    load(
        *("AsyncAnthropic", "DefaultAsyncHttpxClient", "AnthropicError", "APIError"),
        *("APIConnectionError", "APIStatusError", "resources.messages.AsyncMessages"),
    )


class Claude:
    """Asks Claude. One attempt for each ask: retries, their cost and records are the loop's.

    first_byte_s: to the first event of the reply. idle_s: from one event to the next.
    retry_after_cap_s: the longest wait that a server's wish may become.
    api_key, base_url: None for what the environment says, by the client's own rules.
    """

    def __init__(
        self,
        first_byte_s: float = 60,
        idle_s: float = 60,
        retry_after_cap_s: float = 60,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> None:
        self.first_byte_s = first_byte_s
        self.idle_s = idle_s
        # A server that does nothing but ping lives and says nothing. By default this is the
        # client's own limit for a whole request.
        self.silent_s = 10 * idle_s
        self.retry_after_cap_s = retry_after_cap_s
        self._api_key = api_key
        self._base_url = base_url
        self._client: AsyncAnthropic | None = None
        self._opening = asyncio.Lock()

    async def reply(self, request: Request, show: Callable[[Delta], None]) -> Reply:
        client = await self._open()
        builder = ReplyBuilder()
        try:
            return await self._ask(client, request_body(request), builder, show)
        except ModelError as error:
            error.begun = builder.has_begun
            raise

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _open(self) -> "AsyncAnthropic":
        async with self._opening:
            if self._client is None:
                # In a thread: the import would freeze the screen.
                opened = asyncio.to_thread(open_client, self._api_key, self._base_url)
                self._client = await opened
        return self._client

    async def _ask(
        self,
        client: "AsyncAnthropic",
        body: Json,
        builder: ReplyBuilder,
        show: Callable[[Delta], None],
    ) -> Reply:
        with translated(client, self.retry_after_cap_s):
            return await self._hear(client, body, builder, show)

    async def check(self) -> "Reached":
        """Return whether the API can be reached with this key, at no cost. Never raises."""
        host, tried, date, begun = "", False, "", time.monotonic()
        route: Route | None = None
        problem: ModelError | None = None
        try:
            client = await self._open()
            host, begun = client.base_url.host, time.monotonic()
            route = route_to(client.base_url.scheme, host)
            async with asyncio.timeout(CHECK_S):
                with translated(client, 0):
                    answer = await client.models.with_raw_response.list(limit=1)
            date, tried = answer.headers.get("date", ""), True
        except ModelError as error:
            problem = error
            answered = getattr(error.__cause__, "response", None)
            date = "" if answered is None else answered.headers.get("date", "")
        except TimeoutError:
            problem = ModelError("transient", f"{host} does not answer within {CHECK_S:g} s")
        if problem is not None and problem.failure == "not_found":
            problem = None  # a gateway that only knows messages
        took_ms = round((time.monotonic() - begun) * 1000)
        return Reached(host, took_ms, date, tried, problem, route)

    async def _hear(
        self,
        client: "AsyncAnthropic",
        body: Json,
        builder: ReplyBuilder,
        show: Callable[[Delta], None],
    ) -> Reply:
        loop = asyncio.get_running_loop()
        heard, spoke_at = False, loop.time()
        try:
            async with (
                asyncio.timeout(self.first_byte_s) as timer,
                await create(client, body) as stream,
            ):
                response = stream.response
                builder.request_id = one_line(response.headers.get("request-id", ""), 100)
                if "html" in response.headers.get("content-type", ""):
                    raise await web_page(response)
                # The raw events, because the client's own iterator hides the pings, and they are
                # how a server shows that it lives while the model thinks unseen. What a proxy
                # sends to keep a connection open are comments; those are no events.
                events = stream.raw_events(response)
                async for event in events:
                    now = loop.time()
                    heard, spoke_at = True, spoke_at if event.event == "ping" else now
                    timer.reschedule(min(now + self.idle_s, spoke_at + self.silent_s))
                    if not event.data or event.event == "ping":
                        continue
                    parsed = parse_event(event.data, builder.request_id)
                    if event.event == "error":
                        raise failed_answer(200, parsed, {}, request_id=builder.request_id)
                    if (delta := builder.add(parsed)) is not None:
                        show(delta)
                    if builder.is_whole:
                        # What follows can only spoil it. Read to its end all the same, so that
                        # the connection is used again.
                        timer.reschedule(None)
                        await drain(events)
                        break
        except TimeoutError as error:
            silent_s = round(loop.time() - spoke_at, 1)
            what = "the reply stalled: nothing" if heard else "no answer"
            end = named(builder.request_id)
            raise ModelError("transient", f"{what} for {silent_s:g} s{end}") from error
        return builder.build()


@dataclass(frozen=True)
class Reached:
    """What came of a check. date: of the server's answer, "" for none.

    key_tried: the server looked at the key and took it. problem: what kept it from that.
    """

    host: str
    took_ms: int
    date: str = ""
    key_tried: bool = False
    problem: ModelError | None = None
    route: Route | None = None


@contextmanager
def translated(client: "AsyncAnthropic", retry_after_cap_s: float) -> Iterator[None]:
    """Make a ModelError of whatever the client raises."""
    import anthropic
    import httpx2

    route = route_to(client.base_url.scheme, client.base_url.host)
    try:
        yield
    except anthropic.APIStatusError as error:
        raise failed_answer(
            error.status_code,
            error.body,
            error.response.headers,
            request_id=one_line(error.request_id or "", 100),
            retry_after_cap_s=retry_after_cap_s,
        ) from error
    except anthropic.APIConnectionError as error:
        raise broken_connection(error.__cause__ or error, route) from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise broken_connection(error, route) from error
    except anthropic.APIError as error:
        raise ModelError("transient", "the API answered with something unreadable") from error
    except anthropic.AnthropicError as error:
        # Nothing was sent: a profile on disk or a token source of the client's does not work.
        raise ModelError("config", f"no credentials: {one_line(str(error), 300)}") from error
    except UnicodeDecodeError as error:
        raise ModelError("transient", "the reply is damaged: not UTF-8") from error
    except UnicodeEncodeError as error:
        raise ModelError("config", NOT_ASCII) from error


def open_client(api_key: str | None, base_url: str | None) -> "AsyncAnthropic":
    """Return a client with the credentials that it finds by its own rules.

    Raises ModelError("config") if there are none or if its settings are wrong.
    """
    warm()
    import anthropic
    import httpx2

    try:
        client = anthropic.AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            # Two layers of retries would multiply attempts and hide them from the budget.
            max_retries=0,
            # Time is kept here, by events.
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            # The client's own one, half made, complains on stderr when it is thrown away.
            http_client=anthropic.DefaultAsyncHttpxClient(),
            # Its spans would double ours, and send the trace's id to the API.
            open_telemetry=False,
        )
        headers = httpx2.Headers(
            {k: v for k, v in client.default_headers.items() if isinstance(v, str)}
        )
    except anthropic.AnthropicError as error:
        said = one_line(str(error), 300)
        raise ModelError("config", f"{NO_KEY} The API client says: {said}") from error
    except UnicodeEncodeError as error:
        raise ModelError("config", NOT_ASCII) from error
    except ImportError as error:
        if has_socks():
            raise ModelError("config", f"the API client is broken: {error}") from error
        raise ModelError("config", str(MissingExtraError("a SOCKS proxy", "socks"))) from error
    except (httpx2.InvalidURL, OSError, ValueError) as error:
        # A broken address, proxy or certificate file, from the environment.
        said = one_line(str(error), 300)
        raise ModelError("config", f"the API client cannot be set up: {said}") from error
    given = headers.get("authorization", "").removeprefix("Bearer").strip()
    if not given and not headers.get("x-api-key") and client.credentials is None:
        raise ModelError("config", NO_KEY)
    return client


def has_socks() -> bool:
    try:
        importlib.import_module("socksio")
    except ImportError:
        return False
    return True


async def create(client: "AsyncAnthropic", body: Json) -> Any:
    # The border to the client: its parameters are typed, the body is JSON.
    return await client.messages.create(**body)


def parse_event(data: str, request_id: str) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError("transient", f"the reply is damaged{named(request_id)}") from error


async def drain(events: Any) -> None:
    import httpx2

    with suppress(TimeoutError, ValueError, httpx2.HTTPError, httpx2.StreamError):
        async with asyncio.timeout(DRAIN_S):
            async for _ in events:
                pass


async def web_page(response: "Response") -> ModelError:
    """Return the error for a page of some gateway that calls itself a success."""
    page = b""
    async for chunk in response.aiter_bytes():
        page += chunk
        if len(page) > PAGE_BYTES:
            break
    said = title_of(page.decode("utf-8", "replace"))
    return ModelError("transient", "a web page came instead of a reply" + (said and f": {said}"))
