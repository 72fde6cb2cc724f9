"""What a failed answer of the API means, told by its codes and never by its words."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from agentcli.core.message import Failure, ModelError
from agentcli.model.wire import named, sound_text

# An error inside a stream comes with status 200, so its type comes first.
BY_TYPE: dict[str, Failure] = {
    "authentication_error": "auth",
    "billing_error": "billing",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "rate_limit_error": "transient",
    "timeout_error": "transient",
    "overloaded_error": "transient",
    "conflict_error": "transient",
    "api_error": "transient",
}
BY_STATUS: dict[int, Failure] = {
    401: "auth",
    402: "billing",
    403: "permission",
    404: "not_found",
    407: "config",
    408: "transient",
    409: "transient",
    413: "too_large",
    429: "transient",
}
# A limit of money comes as a 429 or a 400, but waiting does not lift it.
BY_CODE: dict[str, Failure] = {
    "contract_spend_limit_reached": "billing",
    "enforced_spend_limit_reached": "billing",
    "linked_organization_spend_limit_reached": "billing",
    "linked_organization_billing_unavailable": "billing",
    "user_profile_not_billable": "billing",
    "user_profile_billing_not_authorized": "billing",
    "organization_on_hold": "permission",
    "request_body_too_large_after_decoding": "too_large",
    "request_body_timeout": "transient",
}
WORDS: dict[Failure, str] = {
    "transient": "the API failed",
    "auth": "the API does not accept the key",
    "billing": "the account cannot pay for this request",
    "permission": "the key may not do this",
    "not_found": "the API does not know the model or the address",
    "too_large": "the request is larger than the API takes",
    "invalid": "the API refused the request",
    "config": "the proxy wants a name and a password",
}
# The one thing to do next, where there is one. An overload is the server's, a limit is yours.
HINTS: dict[Failure, str] = {
    "auth": "Set a key that is valid: export ANTHROPIC_API_KEY=...",
    "billing": "Look at the credit of the account, then go on.",
    "config": "Put both into the proxy's address in HTTP_PROXY",
}
TYPE_HINTS = {
    "rate_limit_error": "This is your account's limit: wait a minute, then go on.",
    "overloaded_error": "Many ask at once; it is not your limit. Wait a minute, then go on.",
}
STATUS_HINTS = {429: TYPE_HINTS["rate_limit_error"], 529: TYPE_HINTS["overloaded_error"]}
TYPE_WORDS = {
    "rate_limit_error": "the rate limit is reached",
    "overloaded_error": "the API is overloaded",
    "timeout_error": "the API took too long",
}
STATUS_WORDS = {429: "the rate limit is reached", 529: "the API is overloaded"}


def failure_of(status: int, kind: str = "", code: str = "") -> Failure:
    """Return what an error of this HTTP status, `error.type` and `error_code` is."""
    if found := BY_CODE.get(code) or BY_TYPE.get(kind) or BY_STATUS.get(status):
        return found
    return "invalid" if kind == "invalid_request_error" or 400 <= status < 500 else "transient"


def failed_answer(
    status: int,
    body: object,
    headers: Mapping[str, str],
    *,
    request_id: str = "",
    retry_after_cap_s: float = 60,
) -> ModelError:
    """Return the error for an answer that is no reply.

    body: parsed JSON, or text as a gateway sends it. status: 200 for an error inside a stream.
    """
    error = body.get("error") if isinstance(body, dict) else None
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    code = str(details.get("error_code", "")) if isinstance(details, dict) else ""
    kind, said = (error.get(key) for key in ("type", "message"))
    kind = kind if isinstance(kind, str) else ""
    failure = failure_of(status, kind, code)
    words = WORDS[failure]
    if failure == "transient":
        words = TYPE_WORDS.get(kind) or STATUS_WORDS.get(status) or words
    if failure == "transient" and headers.get("x-should-retry") == "false":
        # Only a limit that waiting does not lift is refused that way.
        failure = "billing" if kind == "rate_limit_error" or status == 429 else "invalid"
    text = said if isinstance(said, str) else title_of(body) if isinstance(body, str) else ""
    where = f" (HTTP {status})" if status != 200 else ""
    tail = f": {line}" if (line := one_line(text, 500)) else ""
    delay_ms = retry_after_ms(headers, retry_after_cap_s) if failure == "transient" else 0
    hint = HINTS.get(failure, "")
    if failure == "transient":
        hint = TYPE_HINTS.get(kind) or STATUS_HINTS.get(status, "")
    text = words + where + tail + named(request_id)
    return ModelError(failure, with_hint(text, hint), retry_after_ms=delay_ms)


def with_hint(text: str, hint: str) -> str:
    """Return a message whose first line says what is wrong, the next one what to do."""
    return f"{text}\n{hint}" if hint else text


def title_of(page: str) -> str:
    """Return what a gateway's page says in one line: its title or heading, else its first line."""
    page = page[:20_000].strip()
    found = re.search(r"<(title|h1)[^>]*>([^<]+)", page, re.IGNORECASE)
    if found:
        return one_line(found[2], 120)
    return "" if page.startswith(("<", "{", "[")) else one_line(page.partition("\n")[0], 120)


def one_line(text: str, limit: int) -> str:
    """Return the text on one line, clipped, without what could steer a terminal."""
    shown = "".join(char if char.isprintable() else " " for char in sound_text(text[: 4 * limit]))
    line = " ".join(shown.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def retry_after_ms(headers: Mapping[str, str], cap_s: float) -> int:
    """Return how long the server asks to wait, at most the cap, 0 if it does not say.

    The cap is ours: some servers and proxies ask for days.
    """
    wait_s = 0.0
    in_ms, in_s = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    try:
        wait_s = float(in_ms) / 1000 if in_ms else float(in_s)
    except ValueError:
        try:
            when = parsedate_to_datetime(in_s)
        except (ValueError, IndexError, OverflowError):
            return 0
        # A date without a zone is in GMT, by RFC 9110.
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        wait_s = (when - datetime.now(UTC)).total_seconds()
    if math.isnan(wait_s):
        return 0
    return int(1000 * min(max(wait_s, 0), cap_s))
