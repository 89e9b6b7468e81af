"""The model's answer: requests with tool calls between them, and the next model if one fails.

A web search is a separate request to the Responses API that contains only the query.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import openai
from babel.core import get_global

from bot.cancellation import cancel_until_done
from bot.logs import fault
from bot.pipeline.answer import AnswerSink, StreamedAnswer, printable, sent_back, text_of
from bot.pipeline.links import LinkFilter, is_web_address, links_in
from bot.pipeline.model import ModelRequests, ReplyFailed, failure_of, tokens_of
from bot.pipeline.prompt import Prompt, estimated_tokens, framed, shortened
from bot.pipeline.tools import Toolbox
from bot.slack.messages import objects
from bot.types import COMMENTARY, WEB_SEARCH, Citation, Reply, Task, TaskState
from memory import Person
from memory.formation import TokenUse
from memory.metrics import count, count_tokens, step, step_ended
from memory.tools import function_tool, read_arguments

log = logging.getLogger(__name__)

MAX_ROUNDS = 5  # requests to the model for one answer
MAX_SEARCHES = 5  # web searches for one answer
ANSWER_SECONDS = 300.0  # for one answer, over all rounds and their tools
CHECK_SECONDS = 1.0
SEARCH_TOOL = "search_web"
SEARCH_DEFINITION = function_tool(
    SEARCH_TOOL,
    "Search the web, for what is recent or you do not know. The search sees the query alone:"
    " put nothing personal into it.",
    {"query": {"type": "string"}},
    ["query"],
)
MAX_SOURCES = 10
QUERY_CHARACTERS = 200  # as many as its task shows
MAX_URL = 2_000  # characters of a cited address
_RESULT_TOKENS = 3_000
_SEARCH_SECONDS = 60.0  # for the whole search
_MAX_OUTPUT_TOKENS = 8_000  # reasoning included


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
        self, person: Person, prompt: Prompt, sink: AnswerSink, toolbox: Toolbox | None = None
    ) -> Reply:
        """Return the model's answer, each piece of which is written to `sink` as it comes.

        Links in it are the person's own or citations of a web search: see `bot.pipeline.links`.
        While no piece comes, `sink.check` is awaited about once a second. An exception that the
        sink raises ends the request. One answer takes at most `MAX_ROUNDS` responses, between which
        the model's calls of `toolbox` and of the web search are carried out.

        Raises `ReplyFailed`, possibly after pieces were passed on. A response that breaks the
        format of the Responses API is not asked for again. Only failures that can pass count for
        the breaker.
        """
        failures: list[ReplyFailed] = []
        for model in self.models:
            if not model.breaker.admit():
                failures.append(ReplyFailed("model_down"))
                continue
            attempt = _Attempt(
                model=model,
                person=person,
                prompt=prompt,
                tools=[SEARCH_DEFINITION] * self.may_search
                + [*(toolbox.definitions if toolbox else ())],
                toolbox=toolbox,
                written=StreamedAnswer(LinkFilter(prompt.links), sink),
                deadline=asyncio.get_running_loop().time() + self.answer_seconds,
            )
            try:
                reply = await _attended(attempt.answer(), sink)
            except (openai.OpenAIError, ReplyFailed) as error:
                failed = error if isinstance(error, ReplyFailed) else failure_of(error)
                _log_failure(model.model, failed, error)
                if failed.passes:
                    model.breaker.failed((person, prompt.question))
                else:
                    model.breaker.answered()
                if attempt.written.characters or attempt.calls:
                    raise failed from error
                failures.append(failed)
                if not (failed.passes or failed.needs_operator):
                    break
            else:
                model.breaker.answered()
                return replace(reply, model=model.model)
        # The message waits while one of the models may answer later.
        raise next((failed for failed in failures if failed.passes), failures[0])


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One model's attempt at an answer, over all responses that it takes.

    `deadline` is a time of the event loop's clock. `calls` counts the tool calls that were carried
    out, `searches` the web searches among them.
    """

    model: ModelRequests
    person: Person
    prompt: Prompt
    tools: Sequence[dict[str, Any]]
    toolbox: Toolbox | None
    written: StreamedAnswer
    deadline: float
    calls: int = 0
    searches: int = 0

    async def answer(self) -> Reply:
        """Return the answer. Raises `openai.OpenAIError` and `ReplyFailed`."""
        written = self.written
        conversation: list[Any] = list(self.prompt.input)
        try:
            for number in range(MAX_ROUNDS):
                # No tools in the last round, so that the model has to answer.
                await self._round(conversation, self.tools if number < MAX_ROUNDS - 1 else [])
                calls = [item for item in written.output if item["type"] == "function_call"]
                if written.is_full or not (self.tools and calls):
                    return written.whole()
                conversation += sent_back(written.output)
                for call in calls:
                    answered = {"call_id": call["call_id"], "output": await self._called(call)}
                    conversation.append({"type": "function_call_output", **answered})
        except TimeoutError:
            log.warning("an answer was ended at its deadline")
            written.cut = "cut_slow"
            return written.whole("model_slow")
        written.cut = "cut_short"
        return written.whole()

    async def _round(self, conversation: Sequence[Any], tools: Sequence[dict[str, Any]]) -> None:
        """Read one response of the model. Raises TimeoutError at the deadline."""
        written, before, began = self.written, self.written.characters, time.perf_counter()
        written.begin_response()
        identifier = _pseudonym(self.person)
        events = self.model.events(
            conversation, tools, identifier=identifier, deadline=self.deadline
        )
        try:
            async with aclosing(events):
                async for event in events:
                    silent = written.characters == before
                    await written.read(event)
                    if silent and written.characters > before:
                        step_ended("first token", began)
                    if written.is_full:
                        break
            if written.response is None:
                if not written.is_full:
                    raise ReplyFailed("model_down")
                await written.flush()
                written.cut = "cut_short"
        finally:
            self._count_tokens(conversation, written.characters - before)

    async def _called(self, call: Mapping[str, Any]) -> str:
        """Run a tool call of the model and return its output."""
        identity, name, arguments = call["call_id"], call["name"], call["arguments"]
        self.calls += 1
        if name == SEARCH_TOOL and SEARCH_DEFINITION in self.tools:
            if self.searches == MAX_SEARCHES:
                return json.dumps({"error": "Too many searches for one answer. Answer now."})
            self.searches += 1
            return await self._searched(identity, arguments)
        if self.toolbox is None:
            return json.dumps({"error": f"There is no tool {name[:40]!r}."})
        sink = self.written.sink
        await sink.task(Task(id=identity, name=name, state="in_progress"))
        answer = await self.toolbox.call(name, arguments)
        await sink.task(Task(id=identity, name=name, state="complete"))
        self.written.links.known |= links_in(self.toolbox.own_words)
        return answer

    async def _searched(self, identity: str, arguments: str) -> str:
        written = self.written
        # The search may open an address in its query, which can hold what the model knows.
        query = written.line(query_in(arguments))[:QUERY_CHARACTERS].strip()
        task = Task(id=identity, name=WEB_SEARCH, state="in_progress", detail=query)
        await written.sink.task(task)
        found = await search_web(
            self.model, query, identifier=_pseudonym(self.person), zone=self.prompt.zone
        )
        state: TaskState = "error" if found.failed else "complete"
        await written.sink.task(replace(task, state=state))
        count_tokens(self.person.team_id, found.tokens)
        written.cite(found.citations)
        return found.output

    def _count_tokens(self, conversation: Sequence[Any], characters: int) -> None:
        """Count the tokens of a response; estimate them where it was left before its end."""
        model = self.model.model
        tokens = tokens_of(self.written.response or {}, model)
        if not tokens and characters:
            texts = [one["content"] for one in conversation if isinstance(one.get("content"), str)]
            tokens[model, "input"] = sum(map(estimated_tokens, texts))
            tokens[model, "output"] = characters // 4
        count_tokens(self.person.team_id, tokens)


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


def _pseudonym(person: Person) -> str:
    """Return the identifier of a person for the model's provider: a hash."""
    return hashlib.sha256(person.scope.encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The result of a search: `output` for the model, the cited pages, and the tokens used."""

    output: str
    citations: tuple[Citation, ...] = ()
    tokens: TokenUse = field(default_factory=Counter)
    failed: bool = False


def location(zone: str) -> dict[str, str]:
    """Return the country of a time zone as `user_location`; without one OpenAI assumes the USA."""
    country = get_global("zone_territories").get(zone)
    return {"type": "approximate"} | ({"country": country} if country else {})


async def search_web(
    model: ModelRequests, query: str, *, identifier: str, zone: str
) -> SearchResult:
    """Search the web; if the search fails, the output tells the model so.

    `identifier` identifies the person to the provider, as in the request for the answer. `zone`
    is the person's time zone: the search is told its country.

    Source: https://platform.openai.com/docs/guides/tools-web-search
    """
    if not query:
        return _failed("`query` is empty: write what to search for.")
    body = {
        "model": model.model,
        "input": query,
        "tools": [{"type": "web_search", "user_location": location(zone)}],
        "max_output_tokens": _MAX_OUTPUT_TOKENS,
        "store": False,
        "safety_identifier": identifier,
    }
    try:
        async with asyncio.timeout(_SEARCH_SECONDS):
            response = await model.whole(body, seconds=_SEARCH_SECONDS)
    except (openai.OpenAIError, TimeoutError, ValueError, RecursionError) as error:
        log.warning("a web search failed: %s", fault(error))
        return _failed("The web search failed. Answer without it, and say so.")
    response = response if isinstance(response, dict) else {}
    tokens, items = tokens_of(response, model.model), objects(response.get("output"))
    done = [(one.get("type"), one.get("status")) for one in items]
    if ("web_search_call", "completed") not in done:
        # The model answered without a search: what it says and cites is no result of one.
        return _failed("No web search took place. Answer without it, and say so.", tokens)
    # Commentary is no part of what was found.
    messages = [
        one for one in items if one.get("type") == "message" and one.get("phase") != COMMENTARY
    ]
    text = printable("\n\n".join(filter(None, map(text_of, messages))))
    if not text:
        return _failed("The web search found nothing. Answer without it, and say so.", tokens)
    kept = _cited(messages)[:MAX_SOURCES]
    sources = [{"title": one.title, "url": one.url} for one in kept]
    output = framed({"result": shortened(text, _RESULT_TOKENS), "sources": sources})
    return SearchResult(output=output, citations=kept, tokens=tokens)


def query_in(arguments: str) -> str:
    """Return the query in the arguments of a tool call, or "".

    Without backticks: the filter of links leaves host names in inline code unchanged.
    """
    query = (read_arguments(arguments) or {}).get("query")
    return query.replace("`", " ") if isinstance(query, str) else ""


def _failed(sentence: str, tokens: TokenUse | None = None) -> SearchResult:
    output = framed({"error": sentence})
    return SearchResult(output=output, tokens=tokens or Counter(), failed=True)


def _cited(messages: Sequence[Mapping[str, Any]]) -> tuple[Citation, ...]:
    """Return the pages that are cited, each once."""
    cited: dict[str, Citation] = {}
    for part in (part for one in messages for part in objects(one.get("content"))):
        for annotation in objects(part.get("annotations")):
            match annotation:
                case {"type": "url_citation", "url": str(url)} if len(url) <= MAX_URL:
                    if is_web_address(url):
                        title = annotation.get("title")
                        named = printable(title) if isinstance(title, str) else ""
                        cited.setdefault(url, Citation(url=url, title=named or url))
    return tuple(cited.values())
