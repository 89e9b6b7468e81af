"""Requests to one model: what is sent, what its server refuses, and what it answers."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final, TypeAlias, TypeVar

import openai

from bot.config import ReplyApi
from bot.logs import fault
from bot.reply_models.breaker import CircuitBreaker, Probed
from bot.reply_models.chat_completions import chat_body, response_events
from bot.reply_models.failures import (
    ReplyFailed,
    failure_of,
    is_lost_connection,
    words_of_error,
)
from bot.reply_models.request_shapes import OPTIONAL, SHAPES, WITHOUT_LIMIT, Shape
from memory.formation import TokenUse, token_use
from memory.metrics import step
from memory.model import Json

log = logging.getLogger(__name__)

_Beginning = TypeVar("_Beginning")

Items: TypeAlias = Sequence[Mapping[str, Any]]
"""The items of a conversation, or tools, as OpenAI's types describe them."""
Event: TypeAlias = Json
"""An event of a streamed response: a field may be missing, or of any type."""

_RETRY_SECONDS = 0.5
_END_SECONDS = 0.2
PROBE_ANSWER_SECONDS = 10.0
_PROBE_TOKENS = 16  # the API takes no smaller limit
_PROBE_INPUT: Final = [{"type": "message", "role": "user", "content": "Say OK."}]
_LAST = ("response.completed", "response.incomplete")
# Events that a server may send although its model writes nothing.
_NO_ANSWER = (
    "error",
    "response.failed",
    "response.created",
    "response.in_progress",
    "response.queued",
)
# A RuntimeError is raised for too deep nesting.
_UNREADABLE = (ValueError, RuntimeError)
_PLAIN: Any = object  # makes the SDK return the parsed JSON unchanged
_REFUSALS = (400, 404, 422, 429)


class ModelRequests:
    """Sends requests to one model and remembers what its server does not accept.

    ``include`` asks for encrypted reasoning items, which are sent back between the tool rounds of
    an answer: nothing is stored at the model's host. ``max_output_tokens`` is left out for a host
    that has no such parameter or a lower limit, ``safety_identifier`` and ``reasoning`` (with
    `effort`) for one that does not know them. Each of `bot.reply_models.request_shapes` is used
    after the first refusal for its lack. `breaker` records whether the model answers.

    `api` names the endpoint: ``/responses``, or ``/chat/completions``, for which requests and
    events are translated. `first_event_seconds`: how long it may take to begin an answer;
    `answer_seconds`: how long it may write one response, from its first event.

    Source: https://platform.openai.com/docs/api-reference/responses/create
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        model: str,
        effort: str | None = None,
        api: ReplyApi = "responses",
        max_output_tokens: int,
        first_event_seconds: float,
        answer_seconds: float,
    ) -> None:
        # The SDK would wait as long as a 429 says, and hold a place of this process.
        self.client = client.with_options(max_retries=0)
        self.model = model
        self.breaker = CircuitBreaker(self.probe)
        self._retries = min(client.max_retries, 1)
        self._effort = effort
        self.api: ReplyApi = api
        self._max_output_tokens = max_output_tokens
        self._first_event_seconds = first_event_seconds
        self._answer_seconds = answer_seconds
        self._asked_for: frozenset[Shape] = frozenset()

    @property
    def output_limit(self) -> int | None:
        """The limit of output tokens that is sent, if one is."""
        if WITHOUT_LIMIT in self._asked_for:
            return None
        return self._max_output_tokens

    @property
    def learned(self) -> list[str]:
        """What its server has asked for so far."""
        return [one.name for one in (*SHAPES, *OPTIONAL) if one in self._asked_for]

    async def events(
        self,
        conversation: Items,
        tools: Items,
        *,
        identifier: str,
    ) -> AsyncGenerator[Event, None]:
        """Yield the events of a new response; `identifier` is the person's, for the provider.

        They are not validated.

        Raises TimeoutError if the response goes on for more than `answer_seconds` after its first
        event, `openai.APIError`, and `ReplyFailed` if no event comes in time or one is not a JSON
        object.
        """
        begun = await self._wait_for(self._begin(conversation, tools, identifier))
        async with begun as stream, aclosing(self._translated(stream)) as translated:
            try:
                event = await self._wait_for(anext(translated))
                deadline = asyncio.get_running_loop().time() + self._answer_seconds
                while True:
                    if not isinstance(event, dict):
                        raise ReplyFailed("model_malformed")
                    kind = event.get("type")
                    if kind not in _NO_ANSWER:
                        self.breaker.answered()
                    yield event
                    if kind in _LAST:
                        await _read_to_end(stream)
                        return
                    async with asyncio.timeout_at(deadline):
                        event = await anext(translated)
            except StopAsyncIteration:
                return
            except _UNREADABLE as error:
                raise ReplyFailed("model_malformed") from error

    async def _wait_for(self, beginning: Awaitable[_Beginning]) -> _Beginning:
        """Return the beginning of a response; raises `ReplyFailed` if it does not come in time."""
        try:
            async with asyncio.timeout(self._first_event_seconds):
                return await beginning
        except TimeoutError:
            raise ReplyFailed("model_down", silent=True) from None

    async def _translated(
        self, stream: openai.AsyncStream[object]
    ) -> AsyncGenerator[object, None]:
        """Yield the events of a stream as the Responses API names them."""
        if self.api == "responses":
            async for event in stream:
                yield event
            return
        async with aclosing(response_events(stream)) as translated:
            async for event in translated:
                yield event

    @step("model answers")
    async def _begin(
        self,
        conversation: Items,
        tools: Items,
        identifier: str,
    ) -> openai.AsyncStream[object]:
        """Return the events of a new response; one temporary failure is repeated."""
        retries = self._retries
        while True:
            asked_for = self._asked_for
            body = _shaped(self._body(conversation, tools, identifier), asked_for)
            try:
                return await self._post_stream(body)
            except openai.APIError as error:
                if self._adapt(asked_for, body, error):
                    continue
                failed = failure_of(error)
                may_be_repeated = failed.cause == "model_down" and not failed.silent
                was_repeated = is_lost_connection(error)
                if not retries or not may_be_repeated or was_repeated:
                    raise
                log.info(
                    "the model is asked once more (%s): %s", failed.named, fault(error)
                )
            retries -= 1
            await asyncio.sleep(_RETRY_SECONDS)

    async def _post_stream(self, body: Json) -> openai.AsyncStream[object]:
        """Return the stream of a new response; if the connection is lost, ask once more."""
        try:
            return await self._post(body)
        except openai.APIConnectionError as error:
            if not is_lost_connection(error):
                raise
        return await self._post(body)

    async def _post(self, body: Json) -> openai.AsyncStream[object]:
        path = "/responses"
        sent = body
        if self.api == "chat":
            path = "/chat/completions"
            sent = chat_body(body)
        return await self.client.post(
            path,
            body=sent,
            cast_to=_PLAIN,
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )

    async def probe(self) -> Probed:
        """Ask for a few tokens, without any text of a person; return whether they came."""
        body = {
            "model": self.model,
            "input": _PROBE_INPUT,
            "stream": True,
            "store": False,
            "max_output_tokens": _PROBE_TOKENS,
        }
        try:
            async with asyncio.timeout(PROBE_ANSWER_SECONDS):
                is_whole = await self._comes_to_end(body)
                return "answered" if is_whole else "failed"
        except TimeoutError:
            return "silent"
        except openai.APIError as error:
            failed = failure_of(error)
            if not failed.passes:
                return "answered"
            self.breaker.failed(failed.cause)
            return "silent" if failed.silent else "failed"
        except (*_UNREADABLE, ReplyFailed):
            return "answered"  # in whatever form

    async def _comes_to_end(self, body: Json) -> bool:
        """Send a request, and return whether the last event of its response comes."""
        begun = await self._post_stream(_shaped(body, self._asked_for))
        async with begun as stream, aclosing(self._translated(stream)) as events:
            async for event in events:
                if isinstance(event, dict) and event.get("type") in _LAST:
                    return True
        return False

    async def whole(self, body: Json) -> Any:
        """Return the response to `body` without a stream, as parsed JSON; it is requested once.

        The caller limits the time: nothing comes before the response is whole. Raises
        `openai.APIError`, and ValueError or RecursionError for a body that cannot be parsed.
        """
        client = self.client.with_options(timeout=None)
        sent = _shaped(body, self._asked_for)
        return await client.post("/responses", body=sent, cast_to=_PLAIN)

    def _body(
        self,
        conversation: Items,
        tools: Items,
        identifier: str,
    ) -> Json:
        body: Json = {
            "model": self.model,
            "input": [dict(item) for item in conversation],
            "tools": tools,
            "store": False,
            "stream": True,
            "max_output_tokens": self._max_output_tokens,
            "safety_identifier": identifier,
        }
        if tools:
            # Without tools no request follows in which reasoning could be sent back.
            body["include"] = ["reasoning.encrypted_content"]
        if self._effort:
            body["reasoning"] = {"effort": self._effort}
        if self.api == "chat":
            body["stream_options"] = {"include_usage": True}
        return body

    def _adapt(
        self, sent: frozenset[Shape], body: Json, error: openai.APIError
    ) -> bool:
        """Remember what a refusal asks for; return whether another request can then differ.

        `sent` is what the request had: another one that was refused meanwhile may have been for
        the same reason.
        """
        told = words_of_error(error)
        for shape in _may_be_asked_for(error):
            if shape in sent or not shape.refusal.search(told):
                continue
            if shape.of(body) == body:
                continue
            if shape not in self._asked_for:
                log.warning("the model's server asks for %s", shape.name)
                self._asked_for |= {shape}
            return True
        return False


def _shaped(body: Json, shapes: frozenset[Shape]) -> Json:
    """Return a body in these shapes; without parameters first, which may leave out items."""
    for shape in (*OPTIONAL, *SHAPES):
        if shape in shapes:
            body = shape.of(body)
    return body


def _may_be_asked_for(error: openai.APIError) -> Sequence[Shape]:
    """Return the shapes for whose lack a request may have been refused.

    A request that is too long may have been so with its ``max_output_tokens`` alone: vLLM's context
    and OpenAI's tokens per minute must hold the output besides the input.
    """
    if not isinstance(error, openai.APIStatusError):
        return ()
    if error.status_code not in _REFUSALS:
        return SHAPES
    cause = failure_of(error).cause
    if cause == "model_too_long":
        return (*SHAPES, WITHOUT_LIMIT)
    if cause in ("model_failed", "model_refused"):
        return (*SHAPES, *OPTIONAL)
    return SHAPES


async def _read_to_end(stream: openai.AsyncStream[object]) -> None:
    """Read a stream to its end, so that its connection can be used for another request."""
    with suppress(openai.OpenAIError, ValueError, TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            async for _ in stream:
                pass


def tokens_of(response: Json, model: str) -> TokenUse:
    """Return the tokens of a completed or incomplete response; empty if it names none."""
    match response.get("usage"):
        case {"input_tokens": int(sent), "output_tokens": int(written), **rest}:
            details = rest.get("input_tokens_details")
            return token_use(
                model,
                sent=sent,
                cached=_number(details, "cached_tokens"),
                cache_write=_number(details, "cache_write_tokens"),
                output=written,
            )
    return Counter()


def _number(details: object, name: str) -> int:
    value = details.get(name) if isinstance(details, dict) else None
    return value if isinstance(value, int) else 0
