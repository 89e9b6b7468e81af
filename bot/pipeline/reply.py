"""The model's answer: requests with tool calls between them, and the next model if one fails."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import openai

from bot.access import count_tokens
from bot.cancellation import cancel_until_done
from bot.logs import fault
from bot.pipeline.answer import AnswerSink, ResponseReader, StreamedAnswer, sent_back
from bot.pipeline.links import LinkFilter
from bot.pipeline.model import (
    Cause,
    Event,
    ModelRequests,
    ReplyFailed,
    failure_of,
    next_event,
    read_to_end,
)
from bot.pipeline.prompt import Prompt, estimated_tokens
from bot.pipeline.tools import Toolbox
from bot.pipeline.web_search import (
    DEFINITION,
    QUERY_CHARACTERS,
    SEARCH_TOOL,
    query_in,
    search_web,
)
from bot.types import WEB_SEARCH, Reply, TaskState
from memory import Person
from memory.formation import TokenUse
from memory.metrics import count, step, step_ended

log = logging.getLogger(__name__)

MAX_ROUNDS = 5  # requests to the model for one answer
MAX_SEARCHES = 5  # web searches for one answer
ANSWER_SECONDS = 300.0  # for one answer, over all rounds and their tools
CHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Replier:
    """Asks the first of `models` that answers, as a stream.

    The next model is asked only while nothing of an answer was written and no tool was called.
    `may_search`: the model may search the web. After `answer_seconds`, or `MAX_ANSWER` characters,
    an answer ends where it is.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """

    models: Sequence[ModelRequests]
    _: KW_ONLY
    may_search: bool
    answer_seconds: float = ANSWER_SECONDS

    @property
    def unavailable(self) -> bool:
        """Whether no model is asked just now: the circuit breaker of each is open."""
        return all(model.breaker.open for model in self.models)

    @step("model")
    async def reply(
        self,
        person: Person,
        prompt: Prompt,
        sink: AnswerSink,
        toolbox: Toolbox | None = None,
        *,
        again: bool = False,
    ) -> Reply:
        """Return the model's answer, each piece of which is written to `sink` as it comes.

        Links in it are the person's own or citations of a web search: see `bot.pipeline.links`.
        While no piece comes, `sink.check` is awaited about once a second. An exception that the
        sink raises ends the request. One answer takes at most `MAX_ROUNDS` responses, between which
        the model's calls of `toolbox` and of the web search are carried out.

        A request that fails is repeated once, but not if `again` (this is already the second
        attempt for the message) or if the circuit breaker has just let one request through.
        Raises `ReplyFailed`, possibly after pieces were passed on. A response that breaks the
        format of the Responses API is not asked for again. Only failures that can pass count for
        the breaker.
        """
        failures: list[ReplyFailed] = []
        tools = [DEFINITION] if self.may_search else []
        tools += toolbox.definitions if toolbox else []
        for model in self.models:
            if not model.breaker.admit():
                failures.append(ReplyFailed("model_down"))
                continue
            written = StreamedAnswer(LinkFilter(prompt.links), sink)
            attempt = _Attempt(
                model=model,
                retries=0 if again or model.breaker.probing else model.retries,
                person=person,
                prompt=prompt,
                tools=tools,
                toolbox=toolbox,
                written=written,
                deadline=asyncio.get_running_loop().time() + self.answer_seconds,
            )
            try:
                reply = await _attended(attempt.answer(), sink)
            except (openai.OpenAIError, ReplyFailed) as error:
                failed = error if isinstance(error, ReplyFailed) else failure_of(error)
                _log_failure(model.model, failed, error)
                if failed.passes:
                    model.breaker.failed(_digest(person, prompt))
                else:
                    model.breaker.answered()
                if written.characters or written.calls:
                    raise failed from error
                failures.append(failed)
                if not (failed.passes or failed.needs_operator):
                    break
            else:
                model.breaker.answered()
                return replace(reply, model=model.model)
        # The message waits while one of the models may answer later.
        raise next((failed for failed in failures if failed.passes), failures[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One model's attempt at an answer, over all responses that it takes.

    A failed request is repeated `retries` times. `deadline` is a time of the event loop's clock.
    """

    model: ModelRequests
    retries: int
    person: Person
    prompt: Prompt
    tools: Sequence[dict[str, Any]]
    toolbox: Toolbox | None
    written: StreamedAnswer
    deadline: float

    async def answer(self) -> Reply:
        """Return the answer. Raises `openai.OpenAIError` and `ReplyFailed`."""
        written = self.written
        conversation: list[Any] = list(self.prompt.input)
        try:
            for number in range(MAX_ROUNDS):
                # No tools in the last round, so that the model has to answer.
                output = await self._round(conversation, with_tools=number < MAX_ROUNDS - 1)
                calls = [item for item in output if item["type"] == "function_call"]
                if written.is_full or not (self.tools and calls):
                    return _whole(written)
                conversation += sent_back(output)
                for call in calls:
                    if asyncio.get_running_loop().time() > self.deadline:
                        return self._late()
                    answered = {"call_id": call["call_id"], "output": await self._called(call)}
                    conversation.append({"type": "function_call_output", **answered})
        except TimeoutError:
            return self._late()
        written.cut = "cut_short"
        return _whole(written)

    def _late(self) -> Reply:
        log.warning("an answer was ended at its deadline")
        self.written.cut = "cut_slow"
        return _whole(self.written, "model_slow")

    async def _round(self, conversation: Sequence[Any], *, with_tools: bool) -> list[Event]:
        """Read one response of the model; return its output.

        Raises TimeoutError at the deadline.
        """
        written, tools = self.written, self.tools if with_tools else []
        reader, before = ResponseReader(written, self.model.model), written.characters
        began, silent = time.perf_counter(), True
        async with asyncio.timeout_at(self.deadline):
            begun = await self.model.begin(
                conversation, tools, identifier=_pseudonym(self.person), retries=self.retries
            )
        try:
            async with begun as stream:
                while (event := await next_event(stream, self.deadline)) is not None:
                    done = await reader.read(event)
                    if silent and written.characters > before:
                        silent = False
                        step_ended("first token", began)
                    if done:
                        await read_to_end(stream)
                        return reader.output
                    if written.is_full:
                        written.cut = "cut_short"
                        return reader.output
            raise ReplyFailed("model_down")
        finally:
            self._count(reader.tokens, conversation, written.characters - before)

    async def _called(self, call: Mapping[str, Any]) -> str:
        """Run a tool call of the model and return its output."""
        identity, name, arguments = call["call_id"], call["name"], call["arguments"]
        written = self.written
        written.calls += 1
        if name == SEARCH_TOOL and DEFINITION in self.tools:
            if written.searches == MAX_SEARCHES:
                return json.dumps({"error": "Too many searches for one answer. Answer now."})
            written.searches += 1
            return await self._searched(identity, arguments)
        if self.toolbox is None:
            return json.dumps({"error": f"There is no tool {name[:40]!r}."})
        await written.task(identity, name, "in_progress")
        answer = await self.toolbox.call(name, arguments)
        await written.task(identity, name, "complete")
        written.links.know(self.toolbox.own_words)
        return answer

    async def _searched(self, identity: str, arguments: str) -> str:
        written = self.written
        # The search may open an address in its query, which can hold what the model knows.
        query = written.line(query_in(arguments))[:QUERY_CHARACTERS].strip()
        await written.task(identity, WEB_SEARCH, "in_progress", query)
        found = await search_web(
            self.model, query, identifier=_pseudonym(self.person), zone=self.prompt.zone
        )
        state: TaskState = "error" if found.failed else "complete"
        await written.task(identity, WEB_SEARCH, state, query)
        count_tokens(self.person.team_id, found.tokens)
        written.cite(found.citations)
        return found.output

    def _count(self, tokens: TokenUse, conversation: Sequence[Any], characters: int) -> None:
        """Count the tokens of a response; estimate them where it was left before its end."""
        if not (tokens or characters):
            return
        texts = [one["content"] for one in conversation if isinstance(one.get("content"), str)]
        sent, model = sum(map(estimated_tokens, texts)), self.model.model
        estimated = {(model, "input"): sent, (model, "output"): characters // 4}
        count_tokens(self.person.team_id, tokens or Counter(estimated))


async def _attended(answer: Coroutine[Any, Any, Reply], sink: AnswerSink) -> Reply:
    """Await `answer`; whenever it takes another second, ask whether it is still wanted."""
    task = asyncio.ensure_future(answer)
    try:
        while not task.done():
            done, _ = await asyncio.wait({task}, timeout=CHECK_SECONDS)
            if not done:
                await sink.check()
        return task.result()
    finally:
        # Cancelled, it closes its connection to the model; an error of that is not logged.
        if not task.done():
            await cancel_until_done(task)
        await asyncio.gather(task, return_exceptions=True)


def _log_failure(model: str, failed: ReplyFailed, error: Exception) -> None:
    count("errors", kind=failed.cause)
    named = f" ({failed.code})" if failed.code else ""
    if failed.needs_operator:
        log.error(
            "ALERT: the model %s refuses every request%s: check its key, name and quota",
            model,
            named,
        )
    log.warning("the model %s did not answer: %s%s", model, fault(error), named)


def _digest(person: Person, prompt: Prompt) -> str:
    """Return a digest that identifies a request: who asks, and what."""
    request = json.dumps([person.scope, prompt.input[-1]["content"]], sort_keys=True)
    return hashlib.sha256(request.encode()).hexdigest()


def _pseudonym(person: Person) -> str:
    """Return the identifier of a person for the model's provider: a hash."""
    return hashlib.sha256(person.scope.encode()).hexdigest()[:40]


def _whole(written: StreamedAnswer, without_text: Cause = "model_empty") -> Reply:
    reply = written.whole()
    if not reply.text.strip():
        raise ReplyFailed("model_policy" if reply.cut == "cut_filtered" else without_text)
    return reply
