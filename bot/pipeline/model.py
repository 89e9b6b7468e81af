"""One model behind the Responses API: requests, circuit breaker, and what its errors mean.

Sources: the schemas ``ResponseErrorCode`` and ``ResponseErrorEvent`` of
https://github.com/openai/openai-openapi, and
https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias

import openai

from bot.logs import fault
from bot.slack.messages import CONTROL, objects, storable
from bot.types import COMMENTARY
from memory.formation import TokenUse
from memory.metrics import count, step

log = logging.getLogger(__name__)

Event: TypeAlias = dict[str, Any]
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

# Of one response, reasoning included. Source: https://platform.openai.com/docs/guides/reasoning
MAX_OUTPUT_TOKENS = 25_000
_PHASES = (COMMENTARY, "final_answer")
_CALL = ("type", "call_id", "name", "arguments")
FAILURES = 3
PROBE_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_END_SECONDS = 0.2
_LAST = ("response.completed", "response.incomplete")
_PLAIN: Any = object  # makes the SDK return the parsed JSON unchanged

# What an error code contains, in the order in which it is looked for.
_CODES: Final[Mapping[Cause, str]] = {
    "model_images": "image",
    "model_policy": "policy|invalid_prompt|content_filter",
    "model_down": "server_error|vector_store_timeout",
    "model_busy": "rate_limit_exceeded",
    "model_too_long": "context_length_exceeded|string_above_max_length",
    "model_quota": "insufficient_quota|billing_hard_limit_reached|billing_not_active",
    "model_refused": "invalid_api_key|account_deactivated|model_not_found|data_residency_mismatch"
    "|unsupported_country_region_territory",
}
_STATUSES: Final[Mapping[Cause, Sequence[int]]] = {
    # 408, 409 and 425 are a timeout, a conflict and "too early": the request can succeed later.
    "model_down": (408, 409, 425, *range(500, 600)),
    "model_busy": (429,),
    "model_too_long": (413,),
    "model_refused": (401, 403, 404),
}
# vLLM and others name it in words only.
_TOO_LONG: Final = re.compile(
    r"maximum context length|context length is only|context window|prompt is too long"
    # A rate limit that the request alone exceeds: no wait helps.
    r"|Request too large|tokens must be reduced"
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
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


class ReplyFailed(Exception):
    """The model gave no whole answer; `cause` names the sentence that the person gets.

    `code` is the error code of the API if it looks like an identifier, else "".
    """

    def __init__(self, cause: Cause, code: object = None) -> None:
        super().__init__(f"The model gave no whole answer: {cause}.")
        self.cause: Cause = cause
        self.code = code if isinstance(code, str) and _IDENTIFIER.fullmatch(code) else ""

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


class CircuitBreaker:
    """Opens after failures of `FAILURES` different requests, with no success between them.

    Then it lets one request through each `PROBE_SECONDS`. There is one breaker for each model of a
    process.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: set[object] = set()
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
        self._next_probe = self._clock() + PROBE_SECONDS
        return True

    def failed(self, request: object) -> None:
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
        # The SDK would wait as long as a 429 says, in a place of this process.
        self.client = client.with_options(max_retries=0)
        self.model = model
        self.breaker = CircuitBreaker()
        self._retries = min(client.max_retries, 1)
        self._effort = effort
        self._left_out: set[str] = set()

    async def events(
        self,
        conversation: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        *,
        identifier: str,
        deadline: float,
    ) -> AsyncGenerator[Event, None]:
        """Yield the events of a new response; `identifier` is the person's for the provider.

        Raises TimeoutError at `deadline`, in seconds of the event loop's clock, `openai.APIError`,
        and `ReplyFailed` for data that is not a JSON object.
        """
        async with asyncio.timeout_at(deadline):
            begun = await self._begin(conversation, tools, identifier)
        async with begun as stream:
            try:
                while True:
                    async with asyncio.timeout_at(deadline):
                        event = await anext(stream)
                    if not isinstance(event, dict):
                        raise ReplyFailed("model_malformed")
                    yield event
                    if event.get("type") in _LAST:
                        # Read to its end, the connection can be used for another request.
                        with suppress(openai.OpenAIError, ValueError, TimeoutError):
                            async with asyncio.timeout(_END_SECONDS):
                                async for _ in stream:
                                    pass
                        return
            except StopAsyncIteration:
                return
            except (ValueError, RecursionError) as error:
                raise ReplyFailed("model_malformed") from error

    @step("model answers")
    async def _begin(
        self,
        conversation: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        identifier: str,
    ) -> openai.AsyncStream[object]:
        """Return the events of a new response; a request that fails in passing is repeated once."""
        retries = self._retries
        while True:
            body = self._body(conversation, tools, identifier)
            try:
                # The typed method checks the body and each event against its types, key by key:
                # for a short answer that was a quarter of all the time this process needed.
                return await self.client.post(
                    "/responses",
                    body=body,
                    cast_to=_PLAIN,
                    stream=True,
                    stream_cls=openai.AsyncStream[object],
                )
            except openai.APIError as error:
                if parameter := _refused_parameter(body, error):
                    log.warning("the model refuses the parameter %s", parameter)
                    self._left_out.add(parameter)
                    continue
                if not retries or failure_of(error).cause != "model_down":
                    raise
                log.info("the model is asked once more: %s", fault(error))
            retries -= 1
            await asyncio.sleep(_RETRY_SECONDS)

    async def whole(self, body: Mapping[str, Any], *, seconds: float) -> Any:
        """Return the response to `body` without a stream, as parsed JSON; it is requested once.

        `seconds` is the timeout. Raises `openai.APIError`, and ValueError or RecursionError for a
        body that cannot be parsed.
        """
        client = self.client.with_options(timeout=seconds)
        return await client.post("/responses", body=self._accepted(body), cast_to=_PLAIN)

    def _body(
        self,
        conversation: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        identifier: str,
    ) -> dict[str, Any]:
        if "include" in self._left_out:
            conversation = [item for item in conversation if item.get("type") != "reasoning"]
        body = {
            "model": self.model,
            "input": conversation,
            "tools": tools,
            "store": False,
            "stream": True,
            "max_output_tokens": MAX_OUTPUT_TOKENS,
            "safety_identifier": identifier,
            # Without tools no request follows in which reasoning could be sent back.
            **({"include": ["reasoning.encrypted_content"]} if tools else {}),
            **({"reasoning": {"effort": self._effort}} if self._effort else {}),
        }
        return self._accepted(body)

    def _accepted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a body without the parameters that the host has refused before."""
        return {name: value for name, value in body.items() if name not in self._left_out}


def _refused_parameter(body: Mapping[str, Any], error: openai.APIError) -> str | None:
    """Return the optional parameter for which a request was refused, if it was for one.

    The refusal of a reasoning item that is sent back counts as one of ``include``. A request that
    is too long counts for ``max_output_tokens`` only: vLLM's context and OpenAI's tokens per minute
    must hold them and the input. Of a validation error of FastAPI's, ``{"detail": [{loc, msg,
    input}]}``, the fields that it names are read, not the input that it echoes.
    """
    refused = isinstance(error, openai.APIStatusError) and error.status_code in _REFUSALS
    cause = failure_of(error).cause
    if not refused or cause not in ("model_failed", "model_refused", "model_too_long"):
        return None
    names = ["max_output_tokens"] if cause == "model_too_long" else [*_OPTIONAL]
    named = f"{error.param} {error.code} {error.message}"
    if isinstance(error.body, dict) and isinstance(details := error.body.get("detail"), list):
        found = [one for one in details if isinstance(one, dict)]
        named += " ".join(f" {one.get('loc')} {one.get('msg')}" for one in found)
    sent = {*body}
    if any(item.get("type") == "reasoning" for item in body["input"]):
        sent.add("include")
    return next((name for name in names if name in sent and _OPTIONAL[name].search(named)), None)


def failure_of(error: openai.OpenAIError) -> ReplyFailed:
    """Return what an error of the SDK means.

    The SDK raises a bare `openai.APIError` for an event with an ``error`` object in it.
    """
    if isinstance(error, openai.APIStatusError):
        failed = failure_of_code(error.code, error.type, error.status_code)
        if failed.cause == "model_failed" and error.param == "model":
            return ReplyFailed("model_refused", error.code)
        if failed.cause in ("model_failed", "model_busy") and _TOO_LONG.search(error.message):
            return ReplyFailed("model_too_long", error.code)
        return failed
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        return failure_of_code(error.code, error.type)
    return ReplyFailed("model_down")


def failure_of_code(code: Any, kind: object = None, status: int | None = None) -> ReplyFailed:
    """Return what an error code means; if it is unknown, what the HTTP status means.

    Without a code the error's type is looked up, because some hosts put a code there. Some hosts
    send the status as the code.
    """
    named = kind if code is None else code
    if isinstance(named, str):
        for cause, pattern in _CODES.items():
            if re.search(pattern, named):
                return ReplyFailed(cause, named)
    if status is None and type(code) is int:
        status = code
    causes = (cause for cause, statuses in _STATUSES.items() if status in statuses)
    return ReplyFailed(next(causes, "model_failed"), code)


def tokens_of(response: Mapping[str, Any], model: str) -> TokenUse:
    """Return the tokens of a completed or incomplete response; empty if it names none."""
    match response.get("usage"):
        case {"input_tokens": int(sent), "output_tokens": int(written), **rest}:
            details = rest.get("input_tokens_details")
            details = details if isinstance(details, dict) else {}
            kept = [details.get(name) for name in ("cached_tokens", "cache_write_tokens")]
            cached, cache_write = (one if isinstance(one, int) else 0 for one in kept)
            used = {
                (model, "input"): sent - cached - cache_write,
                (model, "cache_write"): cache_write,
                (model, "cached"): cached,
                (model, "output"): written,
            }
            return +Counter(used)
    return Counter()


def printable(text: str) -> str:
    """Return a model's text without control characters; halves of characters become U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return CONTROL.sub("", whole)


def checked_item(item: object) -> Event:
    """Return an output item, of a call the fields that are sent back. Raises `ReplyFailed`."""
    given: Event = item if isinstance(item, dict) else {}
    match given:
        case {"type": "function_call", "call_id": str(), "name": str(), "arguments": str()}:
            return {name: storable(given[name]) for name in _CALL}
        case {"type": str(kind)} if kind != "function_call":
            return given
    raise ReplyFailed("model_malformed")


def text_of(item: Mapping[str, Any]) -> str:
    """Return the text of a message item, its parts joined by blank lines."""
    texts = [
        part.get("text")
        for part in objects(item.get("content"))
        if part.get("type") == "output_text"
    ]
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def sent_back(output: Sequence[Event]) -> list[Event]:
    """Return the reasoning, messages and calls of a response as input for the next one, in order.

    Messages keep their ``phase``. A reasoning item goes with its encrypted content only: the host
    of the model stored nothing that an id could refer to.

    Source: https://platform.openai.com/docs/guides/reasoning, and the schema ``MessagePhase`` of
    https://github.com/openai/openai-openapi
    """
    items: list[Event] = []
    for item in output:
        match item:
            case {"type": "reasoning", "id": str(identity), "encrypted_content": str(content)}:
                encrypted = {"id": storable(identity), "encrypted_content": storable(content)}
                items.append({"type": "reasoning", **encrypted, "summary": []})
            case {"type": "message"} if text := text_of(item):
                phase = {"phase": item["phase"]} if item.get("phase") in _PHASES else {}
                items.append({"role": "assistant", "content": storable(text), **phase})
            case {"type": "function_call"}:
                items.append(item)
    return items


def log_failure(model: str, failed: ReplyFailed, error: Exception) -> None:
    """Log and count that a model gave no whole answer."""
    count("errors", kind=failed.cause)
    named = f" ({failed.code})" if failed.code else ""
    if failed.needs_operator:
        log.error(
            "ALERT: the model %s refuses every request%s: check its key, name and quota",
            model,
            named,
        )
    log.warning("the model %s did not answer: %s%s", model, fault(error), named)
