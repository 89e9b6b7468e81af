"""Events of a streamed response: read one by one within a deadline, checked, and the failures.

Sources: the schemas ``ResponseErrorCode`` and ``ResponseErrorEvent`` of
https://github.com/openai/openai-openapi, and
https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal, TypeAlias

import openai

from bot.slack.text import storable
from memory import TokenUse

Event: TypeAlias = dict[str, Any]
Events: TypeAlias = openai.AsyncStream[Event]

MAX_ITEMS = 64  # output items of one response
_END_SECONDS = 0.2
_PHASES = ("commentary", "final_answer")


class Malformed(Exception):
    """The model's server sent something that is not an event of the Responses API."""


class DeadlineExceeded(Exception):
    """The time for an answer has passed."""


@asynccontextmanager
async def stop_at(deadline: float) -> AsyncIterator[None]:
    """Raise `DeadlineExceeded` in the body at `deadline`, in seconds of the event loop's clock."""
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DeadlineExceeded from error


def raise_if_late(deadline: float) -> None:
    """Raise `DeadlineExceeded` if `deadline` has passed."""
    if asyncio.get_running_loop().time() > deadline:
        raise DeadlineExceeded


async def next_event(events: Events, deadline: float) -> Event | None:
    """Return the next event, or None at the end of the stream.

    Raises `DeadlineExceeded` at `deadline`, in seconds of the event loop's clock, and `Malformed`
    for data that is not a JSON object.
    """
    try:
        async with stop_at(deadline):
            event = await anext(events)
    except StopAsyncIteration:
        return None
    except (ValueError, RecursionError) as error:
        raise Malformed from error
    if not isinstance(event, dict):
        raise Malformed
    return event


async def read_to_end(events: Events) -> None:
    """Read what follows the last event, so that the connection can be used for another request.

    It is closed instead if the end does not come in `_END_SECONDS`.
    """
    with suppress(openai.OpenAIError, ValueError, TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            while await anext(events, None) is not None:
                pass


def delta_of(event: Event) -> str:
    """Return the text of a delta. Raises `Malformed`."""
    delta = event.get("delta")
    if not isinstance(delta, str):
        raise Malformed
    return delta


def add_item(items: list[Event], event: Event) -> None:
    """Add the output item of an event. Raises `Malformed`, also for more than `MAX_ITEMS`."""
    if len(items) == MAX_ITEMS:
        raise Malformed
    items.append(_item_of(event))


def _item_of(event: Event) -> Event:
    """Return an output item, with the fields that its type needs. Raises `Malformed`."""
    item = event.get("item")
    if not isinstance(item, dict):
        raise Malformed
    match item:
        case {"type": "function_call", "call_id": str(), "name": str(), "arguments": str()}:
            texts = ("call_id", "name", "arguments")
            return {**item, **{name: storable(item[name]) for name in texts}}
        case {"type": "message", "content": list(parts)} if all(map(_is_part, parts)):
            return item
        case {"type": "function_call" | "message"}:
            raise Malformed
        case {"type": str()}:
            return item
    raise Malformed


def tokens_of(event: Event, model: str) -> TokenUse:
    """Return the tokens of a completed or incomplete response; empty if it names none."""
    match event:
        case {"response": {"usage": {"total_tokens": int(total), **rest}}}:
            output = _amount(rest.get("output_tokens"), total)
            details = rest.get("input_tokens_details")
            details = details if isinstance(details, dict) else {}
            cached = _amount(details.get("cached_tokens"), total - output)
            uncached = max(total - output - cached, 0)
            used = {
                (model, "input"): uncached,
                (model, "cached"): cached,
                (model, "output"): output,
            }
            return +Counter(used)
    return Counter()


def _amount(value: object, most: int) -> int:
    return min(max(value, 0), max(most, 0)) if isinstance(value, int) else 0


def text_of(item: Event) -> str:
    """Return the text of a message item, its parts joined by blank lines."""
    return "\n\n".join(
        part["text"] for part in item["content"] if part["type"] == "output_text" and part["text"]
    )


def sent_back(output: Sequence[Event]) -> list[Event]:
    """Return the reasoning, messages and calls of a response as input for the next one, in order.

    Messages keep their ``phase``. A reasoning item goes with its encrypted content only: the host
    of the model stored nothing that an id could refer to.

    Source: https://platform.openai.com/docs/guides/reasoning, and the schema ``MessagePhase`` of
    https://github.com/openai/openai-openapi
    """
    return [one for item in output for one in _as_input(item)]


def _as_input(item: Event) -> Iterator[Event]:
    match item:
        case {"type": "reasoning", "id": str(identity), "encrypted_content": str(content)}:
            given = item.get("summary")
            summary = [
                {"type": "summary_text", "text": storable(part["text"])}
                for part in (given if isinstance(given, list) else [])
                if isinstance(part, dict) and isinstance(part.get("text"), str)
            ]
            encrypted = {"id": storable(identity), "encrypted_content": storable(content)}
            yield {"type": "reasoning", **encrypted, "summary": summary}
        case {"type": "message"}:
            phase = {"phase": item["phase"]} if item.get("phase") in _PHASES else {}
            if text := text_of(item):
                yield {"role": "assistant", "content": storable(text), **phase}
        case {"type": "function_call"}:
            called = ("type", "call_id", "name", "arguments")
            yield {name: item[name] for name in called}


def _is_part(part: object) -> bool:
    match part:
        case {"type": "output_text", "text": str()}:
            return True
        case {"type": str(kind)}:
            return kind != "output_text"
    return False


Cause: TypeAlias = Literal[
    "model_down",
    "model_busy",
    "model_policy",
    "model_images",
    "model_too_long",
    "model_quota",
    "model_refused",
    "model_failed",
    "model_empty",
    "model_malformed",
    "model_slow",
]

_CODES: Final[Mapping[Cause, tuple[str, ...]]] = {
    "model_down": ("server_error", "vector_store_timeout"),
    "model_busy": ("rate_limit_exceeded",),
    "model_policy": (
        "invalid_prompt",
        "bio_policy",
        "cyber_policy",
        "content_filter",
        "content_policy_violation",
    ),
    "model_images": (
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    ),
    "model_too_long": ("context_length_exceeded", "string_above_max_length"),
    "model_quota": ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"),
    "model_refused": (
        "invalid_api_key",
        "account_deactivated",
        "model_not_found",
        "data_residency_mismatch",
        "unsupported_country_region_territory",
    ),
}
_CAUSE_OF_CODE: Final = {code: cause for cause, codes in _CODES.items() for code in codes}
_CAUSE_OF_STATUS: Final[Mapping[int, Cause]] = {
    401: "model_refused",
    403: "model_refused",
    404: "model_refused",
    # Request timeout, conflict, too early: the same request can succeed later.
    408: "model_down",
    409: "model_down",
    413: "model_too_long",
    425: "model_down",
    429: "model_busy",
}
# vLLM and others name it in words only.
_TOO_LONG: Final = re.compile(r"maximum context length|context window|prompt is too long")
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class ReplyFailed(Exception):
    """The model gave no whole answer; `cause` names the sentence that the person gets.

    `code` is the error code of the API if it looks like an identifier, else "".
    """

    def __init__(self, cause: Cause, code: object = None) -> None:
        super().__init__(f"The model gave no whole answer: {cause}.")
        self.cause: Cause = cause
        named = isinstance(code, str) and _IDENTIFIER.fullmatch(code)
        self.code = str(code) if named else ""

    @property
    def passes(self) -> bool:
        """Whether the same request can succeed later."""
        return self.cause in ("model_down", "model_busy")

    @property
    def may_be_files(self) -> bool:
        """Whether the same request can succeed without the files in it."""
        return self.cause in ("model_images", "model_too_long", "model_failed")

    @property
    def needs_operator(self) -> bool:
        """Whether every request fails until the operator changes the key, model or quota."""
        return self.cause in ("model_quota", "model_refused")


def failure_of(error: openai.OpenAIError) -> ReplyFailed:
    """Return what an error of the SDK means.

    The SDK raises a bare `openai.APIError` for an event with an ``error`` object in it.
    """
    if isinstance(error, openai.APIStatusError):
        failed = _failure(error.code, error.type, error.status_code)
        if failed.cause == "model_failed" and error.param == "model":
            return ReplyFailed("model_refused", error.code)
        if failed.cause == "model_failed" and _TOO_LONG.search(error.message):
            return ReplyFailed("model_too_long", error.code)
        return failed
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        return _failure(error.code, error.type)
    return ReplyFailed("model_down")


def raise_if_failed(event: Event) -> None:
    """Raise `ReplyFailed` for a ``response.failed`` or ``error`` event."""
    match event:
        case {"type": "error"}:
            raise _failure(event.get("code"))
        case {"type": "response.failed", "response": {"error": {"code": code}}}:
            raise _failure(code)
        case {"type": "response.failed"}:
            raise ReplyFailed("model_failed")


def _failure(code: Any, kind: object = None, status: int | None = None) -> ReplyFailed:
    """Classify by the code; where that is unknown, by the HTTP status.

    Without a code the error's type counts, which has some of the codes as values. Some hosts send
    the status as the code.
    """
    named = kind if code is None else code
    if isinstance(named, str) and named in _CAUSE_OF_CODE:
        return ReplyFailed(_CAUSE_OF_CODE[named], named)
    if status is None and type(code) is int:
        status = code
    if status is None:
        return ReplyFailed("model_failed", code)
    if status >= 500:
        return ReplyFailed("model_down", code)
    return ReplyFailed(_CAUSE_OF_STATUS.get(status, "model_failed"), code)
