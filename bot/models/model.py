"""What the models that write replies have in common: the time that they get, and a breaker."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, Final, TypeAlias

from bot.models.breaker import CircuitBreaker, Probed
from bot.models.failures import ReplyFailed
from memory.formation import TokenUse, token_use
from memory.metrics import step
from memory.model import Json

log = logging.getLogger(__name__)

Items: TypeAlias = Sequence[Mapping[str, Any]]
"""The items of a conversation, or tools, as OpenAI's types describe them."""
Prefix: TypeAlias = tuple[int, int]
"""Where a part of a conversation ends: the index of a message, and how many characters of its text
belong to the part: 0 if it ends before the message."""
Event: TypeAlias = Json
"""An event of a streamed response: a field may be missing, or of any type."""

PROBE_ANSWER_SECONDS = 10.0
LANGCHAIN_MESSAGE: Final = "langchain_message"
"""The type of an output item that holds a message of LangChain, with its thoughts and their
signatures: between tool rounds it goes back in place of the items beside it."""
LAST_EVENTS: Final = ("response.completed", "response.incomplete")
_RETRY_SECONDS = 0.5
_END: Final = object()
_PROBE: Final = [{"type": "message", "role": "user", "content": "Say OK."}]
# Events that a server may send although its model writes nothing.
_NO_ANSWER: Final = (
    "error",
    "response.failed",
    "response.created",
    "response.in_progress",
    "response.queued",
)


class Model(ABC):
    """A model that writes replies; `breaker` records whether it answers.

    Conversations, tools and events are those of the Responses API, whatever the provider has.
    `first_event_seconds`: how long it may take to begin an answer; `answer_seconds`: how long it
    may write one response, from its first event. `retries`: how often it is asked once more after
    a failure that may pass.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """

    searches: ClassVar[bool] = False
    """Whether `whole` can search the web."""
    left_out: frozenset[str] = frozenset()
    """The fields of a request that its server does not take."""

    def __init__(
        self,
        name: str,
        *,
        first_event_seconds: float,
        answer_seconds: float,
        retries: int = 1,
    ) -> None:
        self.name = name
        self.breaker = CircuitBreaker(self.probe)
        self._first_event_seconds = first_event_seconds
        self._answer_seconds = answer_seconds
        self._retries = retries

    @property
    def output_limit(self) -> int | None:
        """The limit of output tokens that is sent, if one is."""
        return None

    @abstractmethod
    def respond(
        self,
        conversation: Items,
        tools: Items,
        identifier: str,
        prefixes: Sequence[Prefix] = (),
    ) -> AsyncGenerator[object, None]:
        """Yield the events of a new response, not validated, as they come.

        Raises `ReplyFailed` if the request fails, or the answer cannot be read.
        """

    async def whole(self, body: Json) -> Any:  # noqa: ARG002 - some models search
        """Return a response to a whole body, such as one of a web search. Raises `ReplyFailed`."""
        raise ReplyFailed("model_failed")

    async def events(
        self,
        conversation: Items,
        tools: Items,
        *,
        identifier: str,
        prefixes: Sequence[Prefix] = (),
    ) -> AsyncGenerator[Event, None]:
        """Yield the events of a new response; `identifier` is the person's, for the provider.

        `prefixes` are where the parts of the conversation end that the next request has, too.

        Raises TimeoutError if the response goes on for more than `answer_seconds` after its first
        event, and `ReplyFailed` if it fails, if no event comes in time, or one is no JSON object.
        """
        retries = self._retries
        while True:
            has_begun = False
            responding = self.respond(conversation, tools, identifier, prefixes)
            try:
                async with aclosing(self._in_time(responding)) as events:
                    async for event in events:
                        has_begun = True
                        yield event
            except ReplyFailed as failed:
                may_help = failed.cause == "model_down" and not failed.silent
                if has_begun or not (may_help and retries):
                    raise
                log.info("the model is asked once more (%s)", failed.named)
            else:
                return
            retries -= 1
            await asyncio.sleep(_RETRY_SECONDS)

    async def _in_time(
        self, responding: AsyncGenerator[object, None]
    ) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        async with aclosing(responding):
            try:
                async with (
                    step("model answers"),
                    asyncio.timeout(self._first_event_seconds),
                ):
                    event = await anext(responding, _END)
            except TimeoutError:
                raise ReplyFailed("model_down", silent=True) from None
            deadline = loop.time() + self._answer_seconds
            while event is not _END:
                if not isinstance(event, dict):
                    raise ReplyFailed("model_malformed")
                if event.get("type") not in _NO_ANSWER:
                    self.breaker.answered()
                yield event
                async with asyncio.timeout_at(deadline):
                    event = await anext(responding, _END)

    async def probe(self) -> Probed:
        """Ask for an answer, without any text of a person; return whether it came."""
        writes = False
        try:
            async with (
                asyncio.timeout(PROBE_ANSWER_SECONDS),
                aclosing(self.respond(_PROBE, [], "kioku")) as events,
            ):
                async for event in events:
                    kind = event.get("type") if isinstance(event, dict) else None
                    if kind in LAST_EVENTS:
                        return "answered"
                    writes = writes or kind not in _NO_ANSWER
        except TimeoutError:
            return "answered" if writes else "silent"
        except ReplyFailed as failed:
            if not failed.passes:
                return "answered"  # in whatever form
            self.breaker.failed(failed.cause)
            return "silent" if failed.silent else "failed"
        return "failed"


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
