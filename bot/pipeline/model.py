"""The request for a streamed response: its retries, fallbacks and circuit breaker; its deadline."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import openai

from bot.logs import fault
from bot.pipeline.responses.failures import ReplyFailed, failure_of
from memory.metrics import step

log = logging.getLogger(__name__)

Event: TypeAlias = dict[str, Any]
Events: TypeAlias = openai.AsyncStream[Event]

# Of one response, reasoning included. Source: https://platform.openai.com/docs/guides/reasoning
MAX_OUTPUT_TOKENS = 25_000
ENCRYPTED_REASONING: Final = "reasoning.encrypted_content"
# The parameters that a server may refuse, and what its error says then, in the order in which they
# are looked for. Sources: the errors of OpenAI, Azure OpenAI, vLLM and Ollama.
_OPTIONAL: Final[Mapping[str, re.Pattern[str]]] = {
    "max_output_tokens": re.compile(
        r"max_output_tokens|requested [1-9]\d* output tokens|output tokens must be reduced"
    ),
    "safety_identifier": re.compile("safety_identifier"),
    "reasoning": re.compile(r"\beffort\b|reasoning_effort|reasoning value|^reasoning |'reasoning'"),
    "include": re.compile(r"\binclude\b|encrypted|reasoning|\brs_", re.IGNORECASE),
}
_REFUSALS = (400, 404, 422, 429)
_RETRY_SECONDS = 0.5
_END_SECONDS = 0.2
FAILURES = 3
PROBE_SECONDS = 5.0
_PLAIN: Any = object  # makes the SDK return the parsed JSON unchanged


class CircuitBreaker:
    """Opens after failures of `FAILURES` different requests, with no success between them.

    Then it lets one request through each `PROBE_SECONDS`. There is one breaker for each model of a
    process.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: set[str] = set()
        self._next_probe = 0.0

    @property
    def probing(self) -> bool:
        """Whether the breaker has opened and the next request is a probe."""
        return len(self._failed) >= FAILURES

    @property
    def open(self) -> bool:
        """Whether requests are refused just now."""
        return self.probing and self._clock() < self._next_probe

    def admit(self) -> bool:
        """Return whether a request may be made; while the breaker is open, once for each probe."""
        if self.open:
            return False
        if self.probing:
            self._next_probe = self._clock() + PROBE_SECONDS
        return True

    def failed(self, request: str) -> None:
        """Record that the model did not answer `request`, an id of who asks and what.

        A request that fails repeatedly counts once, because it may itself be the cause.
        """
        if not self.probing:
            self._failed.add(request)
        self._next_probe = self._clock() + PROBE_SECONDS

    def answered(self) -> None:
        """Record that the model answered, with whatever result."""
        self._failed.clear()


class ModelRequests:
    """Sends requests to one model and remembers which optional parameters it refuses.

    ``include`` asks for encrypted reasoning items, which are sent back between the tool rounds of
    an answer: nothing is stored at the model's host. ``max_output_tokens`` is left out for a host
    that has no such parameter or a lower limit, ``safety_identifier`` and ``reasoning`` (with
    `effort`) for one that does not know them. Each is left out after the first refusal. `breaker`
    records whether the model answers.

    Source: https://platform.openai.com/docs/api-reference/responses/create
    """

    def __init__(
        self, client: openai.AsyncOpenAI, *, model: str, effort: str | None = None
    ) -> None:
        # The SDK would wait as long as a 429 says, in a worker's slot.
        self.client = client.with_options(max_retries=0)
        self.retries = min(client.max_retries, 1)
        self.model = model
        self.breaker = CircuitBreaker()
        self._effort = effort
        self._left_out: set[str] = set()

    @step("model answers")
    async def begin(
        self,
        conversation: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        *,
        identifier: str,
        retries: int,
    ) -> Events:
        """Return the events of a new response; a failed request is repeated `retries` times.

        Only errors that can pass are retried, and only if the host asks for no longer wait.
        `identifier` identifies the person to the provider. Raises `openai.APIError`.
        """
        while True:
            body = self._body(conversation, tools, identifier)
            try:
                # The typed method checks the body and each event against its types, key by key:
                # for a short answer that was a quarter of all the time this process needed.
                return await self.client.post(
                    "/responses", body=body, cast_to=_PLAIN, stream=True, stream_cls=Events
                )
            except openai.APIError as error:
                if parameter := _refused_parameter(body, error):
                    log.warning("the model refuses the parameter %s", parameter)
                    self._left_out.add(parameter)
                    continue
                if not retries or not failure_of(error).passes or _asks_for_patience(error):
                    raise
                log.info("the model is asked once more: %s", fault(error))
            retries -= 1
            await asyncio.sleep(_RETRY_SECONDS)

    async def whole(self, body: Mapping[str, Any], *, seconds: float) -> Any:
        """Return the response to `body` without a stream, as parsed JSON; it is requested once.

        `body` is sent without the parameters that the host has refused, which the requests of
        `begin` have shown before. `seconds` is the timeout. Raises `openai.APIError`, and
        ValueError or RecursionError for a body that cannot be parsed.
        """
        sent = {name: value for name, value in body.items() if name not in self._left_out}
        client = self.client.with_options(timeout=seconds)
        return await client.post("/responses", body=sent, cast_to=_PLAIN)

    def _body(
        self,
        conversation: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        identifier: str,
    ) -> dict[str, Any]:
        optional: dict[str, Any] = {
            "max_output_tokens": MAX_OUTPUT_TOKENS,
            "safety_identifier": identifier,
        }
        if self._effort:
            optional["reasoning"] = {"effort": self._effort}
        if tools:
            # Without tools no request follows in which reasoning could be sent back.
            optional["include"] = [ENCRYPTED_REASONING]
        if "include" in self._left_out:
            conversation = [item for item in conversation if item.get("type") != "reasoning"]
        return {
            "model": self.model,
            "input": conversation,
            "tools": tools,
            "store": False,
            "stream": True,
            **{name: value for name, value in optional.items() if name not in self._left_out},
        }


def _refused_parameter(body: Mapping[str, Any], error: openai.APIError) -> str | None:
    """Return the optional parameter for which a request was refused, if it was for one.

    The refusal of a reasoning item that is sent back counts as one of ``include``. A request that
    is too long counts for ``max_output_tokens`` only: vLLM's context and OpenAI's tokens per minute
    must hold them and the input.
    """
    refused = isinstance(error, openai.APIStatusError) and error.status_code in _REFUSALS
    cause = failure_of(error).cause
    if not refused or cause not in ("model_failed", "model_refused", "model_too_long"):
        return None
    names = ["max_output_tokens"] if cause == "model_too_long" else [*_OPTIONAL]
    named = f"{error.param} {error.code} {error.message} {_details(error.body)}"
    sent = {*body}
    if any(item.get("type") == "reasoning" for item in body["input"]):
        sent.add("include")
    return next((name for name in names if name in sent and _OPTIONAL[name].search(named)), None)


def _details(body: object) -> str:
    """Return which fields a validation error of FastAPI's names, and why; not the input it echoes.

    Source: https://docs.pydantic.dev/latest/errors/errors/
    """
    match body:
        case {"detail": list(details)}:
            found = [one for one in details if isinstance(one, dict)]
            return " ".join(f"{one.get('loc')} {one.get('msg')}" for one in found)
    return ""


def _asks_for_patience(error: openai.APIError) -> bool:
    """Return whether the host asks for a longer wait than `_RETRY_SECONDS`."""
    if not isinstance(error, openai.APIStatusError):
        return False
    try:
        return float(error.response.headers.get("retry-after") or 0) > _RETRY_SECONDS
    except ValueError:
        return True


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

    Raises `DeadlineExceeded` at `deadline`, in seconds of the event loop's clock, and `ReplyFailed`
    for data that is not a JSON object.
    """
    try:
        async with stop_at(deadline):
            event = await anext(events)
    except StopAsyncIteration:
        return None
    except (ValueError, RecursionError) as error:
        raise ReplyFailed("model_malformed") from error
    if not isinstance(event, dict):
        raise ReplyFailed("model_malformed")
    return event


async def read_to_end(events: Events) -> None:
    """Read what follows the last event, so that the connection can be used for another request.

    It is closed instead if the end does not come in `_END_SECONDS`.
    """
    with suppress(openai.OpenAIError, ValueError, TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            while await anext(events, None) is not None:
                pass
