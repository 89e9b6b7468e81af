"""The model's answer: requests with tool calls between them, and the next model if one fails.

It is read from the events of one or more responses. Text goes to the person, commentary becomes a
task, links follow `bot.pipeline.links`, and names `bot.pipeline.mentions`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import openai

from bot.cancellation import cancel_until_done
from bot.delivery.reply_stream import closing_fence, open_fence
from bot.pipeline.links import LinkFilter, links_in, normal
from bot.pipeline.mentions import AnswerNames
from bot.pipeline.model import (
    Cause,
    Event,
    ModelRequests,
    ReplyFailed,
    checked_item,
    failure_of,
    failure_of_code,
    log_failure,
    printable,
    sent_back,
    text_of,
    tokens_of,
)
from bot.pipeline.prompt import Prompt, estimated_tokens
from bot.pipeline.sink import AnswerSink
from bot.pipeline.tools import Toolbox
from bot.pipeline.web_search import (
    QUERY_CHARACTERS,
    SEARCH_DEFINITION,
    SEARCH_TOOL,
    query_in,
    search_web,
)
from bot.slack.messages import objects
from bot.types import COMMENTARY, WEB_SEARCH, Citation, CutReason, Reply, Task, TaskState
from memory import Person
from memory.metrics import count_tokens, step, step_ended
from memory.model import References

log = logging.getLogger(__name__)

MAX_ROUNDS = 5  # requests to the model for one answer
MAX_SEARCHES = 5  # web searches for one answer
ANSWER_SECONDS = 300.0  # until the last event of an answer's responses; a tool call is not cut off
CHECK_SECONDS = 1.0


MAX_ANSWER = 40_000  # characters of an answer: four messages in Slack
MAX_ITEMS = 64  # output items of one response


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
                written=StreamedAnswer(
                    LinkFilter(prompt.links), sink, AnswerNames(prompt.references, prompt.mentioned)
                ),
                deadline=asyncio.get_running_loop().time() + self.answer_seconds,
            )
            try:
                reply = await _attended(attempt.answer(), sink)
            except (openai.OpenAIError, ReplyFailed) as error:
                failed = error if isinstance(error, ReplyFailed) else failure_of(error)
                log_failure(model.model, failed, error)
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


def _pseudonym(person: Person) -> str:
    """Return the identifier of a person for the model's provider: a hash."""
    return hashlib.sha256(person.scope.encode()).hexdigest()[:40]


class StreamedAnswer:
    """The text of one answer, over all responses of the model that it takes.

    `characters` counts what the model wrote, commentary included; `is_full`: they have reached
    `MAX_ANSWER`, and what follows is not taken. Of the response that is read, `output` holds the
    items that are complete, `response` is the whole one when it has ended, else None.

    Messages, and the text parts within one, become paragraphs of the answer. A message that begins
    with the ``phase`` ``commentary`` is shown as a task and is no part of it. Some servers send no
    events of items: these are then read from the response that the last event contains.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming, and the schema
    ``MessagePhase`` of https://github.com/openai/openai-openapi
    """

    def __init__(
        self, links: LinkFilter, sink: AnswerSink, names: AnswerNames | None = None
    ) -> None:
        self.links = links
        self.names = names or AnswerNames(References())
        self.sink = sink
        self.characters = 0
        self._parts: list[str] = []
        self._half = ""
        self._citations: dict[str, Citation] = {}
        self._comments = 0
        self._gap = self._refused = False
        self.begin_response()

    def begin_response(self) -> None:
        """Begin to read another response."""
        self.cut: CutReason | None = None
        self.output: list[Event] = []
        self.response: Event | None = None
        self._part: object = None
        self._is_comment = False

    @property
    def is_full(self) -> bool:
        """Whether the text has reached its limit."""
        return self.characters >= MAX_ANSWER

    async def read(self, event: Event) -> None:
        """Take the next event of a response.

        Raises `ReplyFailed` for a failure, and for what is not of the API's form.
        """
        match event:
            case {"type": "response.output_text.delta" | "response.refusal.delta" as kind}:
                self._refused |= kind == "response.refusal.delta"
                await self._read_text(event)
            case {"type": "response.output_item.added", "item": {"type": "message", **fields}}:
                self._part, self._is_comment = None, fields.get("phase") == COMMENTARY
            case {"type": "response.output_item.done"}:
                item = self._add(event.get("item"))
                if item["type"] == "message":
                    if self._is_comment:
                        await self._comment(text_of(item))
                    self._is_comment = False
            case {"type": "response.completed" | "response.incomplete" as kind}:
                response = event.get("response")
                self.response = response if isinstance(response, dict) else {}
                await self._read_items(self.response)
                await self.flush()
                if kind == "response.incomplete":
                    filtered = "content_filter" in str(self.response.get("incomplete_details"))
                    self.cut = "cut_filtered" if filtered else "cut_short"
            case {"type": "error"}:
                raise failure_of_code(event.get("code"))
            case {"type": "response.failed", "response": {"error": {"code": code}}}:
                raise failure_of_code(code)
            case {"type": "response.failed"}:
                raise ReplyFailed("model_failed")

    def cite(self, citations: Sequence[Citation]) -> None:
        """Allow links to the pages that a web search cites in the text that follows."""
        for citation in citations:
            titled = replace(citation, title=self.line(citation.title))
            self._citations.setdefault(citation.url, titled)
            self.links.known.add(normal(citation.url))

    def line(self, text: str) -> str:
        """Return another text as one line; links in it follow the same rules."""
        links = LinkFilter(self.links.known)
        shown = links.feed(printable(text)) + links.flush()
        return " ".join(self.names.line(shown).split())

    async def flush(self) -> None:
        """Show the text that was held back; a piece of text has ended."""
        self._half = ""
        await self._show(self.links.flush())
        await self._pass_on(self.names.flush())

    def whole(self, without_text: Cause = "model_empty") -> Reply:
        """Return the whole answer; close a code block that was cut off.

        Raises `ReplyFailed` with `without_text` for an answer without text.
        """
        text = "".join(self._parts)
        if not text.strip():
            raise ReplyFailed("model_policy" if self.cut == "cut_filtered" else without_text)
        if self.cut and (fence := open_fence(text)):
            text = f"{text.rstrip()}\n{closing_fence(fence)}"
        citations = tuple(self._citations.values())
        return Reply(text=text, citations=citations, cut=self.cut, refused=self._refused)

    async def _read_text(self, event: Event) -> None:
        piece = event.get("delta")
        if not isinstance(piece, str):
            raise ReplyFailed("model_malformed")
        part = event.get("output_index"), event.get("content_index")
        if part != self._part:
            await self._new_paragraph()
            self._part = part
        await self._write(piece)

    async def _read_items(self, response: Event) -> None:
        """Read the items of a whole response, where no event has brought any."""
        for one in [] if self.output else objects(response.get("output")):
            item = self._add(one)
            if item["type"] == "message" and self._part is None:
                if item.get("phase") == COMMENTARY:
                    await self._comment(text_of(item))
                else:
                    await self._new_paragraph()
                    await self._write(text_of(item))

    def _add(self, item: object) -> Event:
        if len(self.output) == MAX_ITEMS:
            raise ReplyFailed("model_malformed")
        self.output.append(checked_item(item))
        return self.output[-1]

    async def _comment(self, text: str) -> None:
        """Tell a whole message of commentary as a task."""
        if shown := self.line(text):
            self._comments += 1
            identity = f"commentary-{self._comments}"
            await self.sink.task(Task(id=identity, name=COMMENTARY, state="complete", detail=shown))

    async def _new_paragraph(self) -> None:
        """Separate the text that follows by a blank line: it is another message, or part of one."""
        await self.flush()
        self._gap = bool(self._parts)

    async def _write(self, piece: str) -> None:
        room = max(MAX_ANSWER - self.characters, 0)
        self.characters += len(piece)
        if self._is_comment:
            return
        if len(piece) > room:
            piece = piece[: piece.rfind(" ", 0, room) + 1] or piece[:room]
        piece = self._half + piece
        # JSON can cut a character outside the basic plane into two escapes, one in each piece.
        self._half = piece[-1:] if "\ud800" <= piece[-1:] < "\udc00" else ""
        text = printable(piece.removesuffix(self._half))
        if self._gap:
            text = text.lstrip("\n")
            if not text:
                return
            end = "".join(self._parts[-2:])[-2:]
            text = "\n" * (2 - len(end) + len(end.rstrip("\n"))) + text
            self._gap = False
        await self._show(self.links.feed(text))

    async def _show(self, text: str) -> None:
        await self._pass_on(self.names.feed(text))

    async def _pass_on(self, text: str) -> None:
        if text:
            self._parts.append(text)
            await self.sink.write(text)
