"""Events of a streamed response: read one by one within a deadline, and checked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import openai

from bot.pipeline.responses.failures import ReplyFailed, failure_of_code
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
            written = _amount(details.get("cache_write_tokens"), total - output - cached)
            uncached = max(total - output - cached - written, 0)
            used = {
                (model, "input"): uncached,
                (model, "cache_write"): written,
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


def raise_if_failed(event: Event) -> None:
    """Raise `ReplyFailed` for a ``response.failed`` or ``error`` event."""
    match event:
        case {"type": "error"}:
            raise failure_of_code(event.get("code"))
        case {"type": "response.failed", "response": {"error": {"code": code}}}:
            raise failure_of_code(code)
        case {"type": "response.failed"}:
            raise ReplyFailed("model_failed")
