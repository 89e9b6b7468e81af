"""The Responses API call."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import openai

from bot.absence.breaker import Breaker
from bot.links import Links
from bot.logs import fault
from bot.prompt import Prompt
from bot.tasks import WEB_SEARCH, State, Task
from bot.web_search import DEFINITION, SEARCH_TOOL, query_in, search_web
from bot.written import OnTask, OnText, Reply, Written
from memory import Person, measured

log = logging.getLogger(__name__)

MAX_ROUNDS = 5
QUIET_SECONDS = 1.0
_RETRY_SECONDS = 0.5
# Request timeout, conflict, too early: the same request can succeed later.
_PASSING = frozenset({408, 409, 425})

_Events: TypeAlias = openai.AsyncStream[dict[str, Any]]
_PLAIN: Any = object  # what the SDK takes for "as it came"

Cause: TypeAlias = Literal["model_down", "model_busy", "model_refused", "model_empty"]


class ReplyFailed(Exception):
    """The model gave no whole answer; `cause` names the sentence the person is told."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(f"The model gave no whole answer: {cause}.")
        self.cause: Cause = cause

    @property
    def passes(self) -> bool:
        """Say whether the same request can succeed later."""
        return self.cause in ("model_down", "model_busy")


class Toolbox(Protocol):
    """Function tools the model may call while it answers."""

    def definitions(self) -> list[dict[str, Any]]:
        """Return the tools as the Responses API takes them."""

    @property
    def own_words(self) -> list[str]:
        """The person's words behind what the calls brought."""

    async def call(self, name: str, arguments: str) -> str:
        """Run one call and return its output for the model."""


async def _untold(task: Task) -> None:
    del task


def _nothing() -> None:
    """Nobody makes ready for the answer."""


class Replier:
    """Asks the model for answers, as a stream.

    `spend` is awaited with the workspace and the tokens that each response took. `searches` says
    for a workspace whether the model may search the web, else `web_search` does. Addresses of
    `link_hosts` may be links in any answer.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        model: str,
        web_search: bool,
        spend: Callable[[str, int], Awaitable[None]] | None = None,
        searches: Callable[[str], Awaitable[bool]] | None = None,
        link_hosts: Collection[str] = (),
    ) -> None:
        # The SDK waits as long as a 429 tells it; whoever waits here takes a worker's place.
        self._client = client.with_options(max_retries=0)
        self._retries = min(client.max_retries, 1)
        self._spend = spend
        self.model = model
        self._web_search = web_search
        self._searches = searches
        self._link_hosts = link_hosts
        self.breaker = Breaker()

    @measured("model")
    async def reply(
        self,
        person: Person,
        prompt: Prompt,
        on_text: OnText,
        toolbox: Toolbox | None = None,
        on_begun: Callable[[], None] = _nothing,
        *,
        on_task: OnTask = _untold,
        again: bool = False,
    ) -> Reply:
        """Return the model's answer; `on_text` is awaited for each piece of it as it comes.

        Links in it are the person's own or citations of a web search: see `bot.links`. About once
        a second `on_text` is awaited with ``""``; what it raises ends the request. `on_begun` is
        called as each response of the model begins, `on_task` is told of tools. The model may call
        those of `toolbox`, and search the web, at most `MAX_ROUNDS` times in a row. A request that
        fails is made once more, unless this is `again` for the same message or the model was found
        away before. Raises `ReplyFailed`; pieces may have been handed over by then.
        """
        if not self.breaker.admit():
            raise ReplyFailed("model_down")
        retries = 0 if again or self.breaker.probing else self._retries
        try:
            written = Written(Links(prompt.links, hosts=self._link_hosts), on_text, on_task)
            answer = self._answer(retries, person, prompt, written, toolbox, on_begun)
            reply = await _attended(answer, on_text)
        except (openai.OpenAIError, ReplyFailed) as error:
            failed = error if isinstance(error, ReplyFailed) else ReplyFailed(_cause(error))
            log.warning("the model did not answer: %s", fault(error))
            if failed.passes:
                self.breaker.failed(_digest(person, prompt))
            else:
                self.breaker.answered()
            raise failed from error
        self.breaker.answered()
        return reply

    async def _answer(
        self,
        retries: int,
        person: Person,
        prompt: Prompt,
        written: Written,
        toolbox: Toolbox | None,
        on_begun: Callable[[], None],
    ) -> Reply:
        conversation: list[Any] = list(prompt.input)
        tools = [DEFINITION] if await self._may_search(person.team_id) else []
        tools += toolbox.definitions() if toolbox else []
        for number in range(MAX_ROUNDS):
            # In the last round there is nothing left but to answer.
            offered = tools if number < MAX_ROUNDS - 1 else []
            output = await self._round(retries, person, conversation, offered, written, on_begun)
            calls = [item for item in output if item["type"] == "function_call"]
            if not (tools and calls):
                return _whole(written)
            written.response_over()
            conversation += _sent_back(output)
            for call in calls:
                answer = await self._called(call, person, tools, toolbox, written)
                conversation.append(
                    {"type": "function_call_output", "call_id": call["call_id"], "output": answer}
                )
        written.cut_short = True
        return _whole(written)

    async def _called(
        self,
        call: Mapping[str, Any],
        person: Person,
        tools: Sequence[Mapping[str, Any]],
        toolbox: Toolbox | None,
        written: Written,
    ) -> str:
        """Run a tool call of the model and return its output."""
        identity, name = str(call["call_id"]), str(call["name"])
        if name == SEARCH_TOOL and DEFINITION in tools:
            return await self._searched(identity, str(call["arguments"]), person, written)
        if toolbox is None:
            return json.dumps({"error": f"There is no tool {name[:40]!r}."})
        await written.task(identity, name, "in_progress")
        answer = await toolbox.call(name, call["arguments"])
        await written.task(identity, name, "complete")
        written.links.know(toolbox.own_words)
        return answer

    async def _searched(
        self, identity: str, arguments: str, person: Person, written: Written
    ) -> str:
        query, identifier = query_in(arguments), _pseudonym(person)
        await written.task(identity, WEB_SEARCH, "in_progress", query)
        found = await search_web(self._client, query, model=self.model, identifier=identifier)
        state: State = "error" if found.failed else "complete"
        await written.task(identity, WEB_SEARCH, state, query)
        if self._spend is not None and found.tokens:
            await self._spend(person.team_id, found.tokens)
        written.cite(found.citations)
        return found.output

    async def _round(
        self,
        retries: int,
        person: Person,
        conversation: list[Any],
        tools: Sequence[Mapping[str, Any]],
        written: Written,
        on_begun: Callable[[], None],
    ) -> list[dict[str, Any]]:
        """Read one response of the model; return its output."""
        output: list[dict[str, Any]] = []
        async with await self._begun(person, conversation, tools, retries) as stream:
            on_begun()
            async for event in stream:
                match event.get("type"):
                    case "response.output_text.delta":
                        await written.text(event["delta"])
                    case "response.refusal.delta":
                        await written.text(event["delta"], refuses=True)
                    case "response.output_text.done":
                        await written.settle()
                    case "response.output_item.done":
                        output.append(event["item"])
                    case "response.completed" | "response.incomplete" as kind:
                        await written.settle()
                        written.cut_short = kind == "response.incomplete"
                        if self._spend is not None and (usage := event["response"].get("usage")):
                            await self._spend(person.team_id, int(usage.get("total_tokens") or 0))
                        return output
                    case _:
                        _raise_if_failed(event)
        raise ReplyFailed("model_down")

    async def _may_search(self, team_id: str) -> bool:
        return await self._searches(team_id) if self._searches else self._web_search

    @measured("model answers")
    async def _begun(
        self,
        person: Person,
        conversation: list[Any],
        tools: Sequence[Mapping[str, Any]],
        retries: int,
    ) -> _Events:
        body = {
            "model": self.model,
            "input": conversation,
            "tools": tools,
            "store": False,
            "safety_identifier": _pseudonym(person),
            "stream": True,
        }
        try:
            # The typed method checks the body and each event against its types, key by key: for a
            # short answer that was a quarter of all the time this process needed.
            return await self._client.post(
                "/responses", body=body, cast_to=_PLAIN, stream=True, stream_cls=_Events
            )
        except openai.APIError as error:
            if not retries or _cause(error) == "model_refused" or _asks_for_patience(error):
                raise
            log.info("the model is asked once more: %s", fault(error))
        await asyncio.sleep(_RETRY_SECONDS)
        return await self._begun(person, conversation, tools, retries - 1)


async def _attended(answer: Coroutine[Any, Any, Reply], on_text: OnText) -> Reply:
    """Await `answer`; whenever it takes another second, ask whether it is still wanted."""
    task = asyncio.ensure_future(answer)
    try:
        while not task.done():
            done, _ = await asyncio.wait({task}, timeout=QUIET_SECONDS)
            if not done:
                await on_text("")
        return task.result()
    finally:
        # Cancelled, it closes its connection to the model.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _digest(person: Person, prompt: Prompt) -> str:
    """Return what tells a request from others: who asks, and what."""
    asked = json.dumps([person.scope, prompt.input[-1]["content"]], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def _pseudonym(person: Person) -> str:
    """Return the identifier of a person for the model's provider: a hash."""
    return hashlib.sha256(person.scope.encode()).hexdigest()[:40]


def _sent_back(output: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the model said and called as input for its next response.

    Without ids and reasoning: nothing was stored there that they could refer to.
    """
    said = [
        {"role": "assistant", "content": content["text"]}
        for item in output
        if item["type"] == "message"
        for content in item["content"]
        if content["type"] == "output_text" and content["text"]
    ]
    called = [
        {
            "type": "function_call",
            "call_id": item["call_id"],
            "name": item["name"],
            "arguments": item["arguments"],
        }
        for item in output
        if item["type"] == "function_call"
    ]
    return [*said, *called]


def _whole(written: Written) -> Reply:
    reply = written.whole()
    if not reply.text.strip():
        raise ReplyFailed("model_empty")
    return reply


def _raise_if_failed(event: dict[str, Any]) -> None:
    kind = event.get("type")
    if kind in ("response.failed", "error"):
        problem = event if kind == "error" else event["response"].get("error") or {}
        busy = problem.get("code") == "rate_limit_exceeded"
        raise ReplyFailed("model_busy" if busy else "model_down")


def _cause(error: openai.OpenAIError) -> Cause:
    if isinstance(error, openai.RateLimitError):
        return "model_refused" if error.code == "insufficient_quota" else "model_busy"
    if isinstance(error, openai.APIStatusError) and error.status_code < 500:
        return "model_down" if error.status_code in _PASSING else "model_refused"
    return "model_down"


def _asks_for_patience(error: openai.APIError) -> bool:
    """Say whether the model asks for a wait that is too long to be waited out here."""
    if not isinstance(error, openai.APIStatusError):
        return False
    try:
        return float(error.response.headers.get("retry-after") or 0) > _RETRY_SECONDS
    except ValueError:
        return True
