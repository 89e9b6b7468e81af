"""The model's answer: requests with tool calls between them.

It is read from the events of one or more responses. Text goes to the person, links follow
`bot.pipeline.links`, and names `bot.pipeline.mentions`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from bot.delivery.splitting import closing_fence, open_fence
from bot.models.failures import Cause, ReplyFailed, failed_by, log_failure
from bot.models.model import Event, Model, tokens_of
from bot.pipeline.citations import CitationFilter
from bot.pipeline.links import LinkFilter, filter_links, links_in, normal
from bot.pipeline.loops import LoopDetector, without_repetitions
from bot.pipeline.mentions import AnswerNames
from bot.pipeline.output_items import (
    Item,
    calls_in,
    checked_item,
    is_refusal,
    output_of,
    printable,
    raw_text_of,
    sent_back,
)
from bot.pipeline.prompt import Prompt, evidence_of
from bot.pipeline.sink import ReplySink
from bot.pipeline.tools import Toolbox
from bot.pipeline.web_search import (
    QUERY_CHARACTERS,
    SEARCH_DEFINITION,
    SEARCH_TOOL,
    query_in,
    search_web,
)
from bot.types import COMMENTARY, Citation, CutReason, Reply
from memory import Person
from memory.credentials import redact_texts
from memory.metrics import count_tokens, step, step_ended
from memory.model import Json, ThoughtFilter, model_error_in, objects

log = logging.getLogger(__name__)

MAX_ROUNDS = 5  # requests to the model for one answer
MAX_CALLS = 20  # tool calls for one answer, web searches among them
MAX_ANSWER = 40_000  # characters of an answer: four messages in Slack
MAX_ITEMS = 64  # output items of one response


@step("model")
async def ask_model(
    model: Model,
    person: Person,
    prompt: Prompt,
    sink: ReplySink,
    toolbox: Toolbox | None,
    *,
    may_search: bool,
) -> Reply:
    """Return the answer of the model; its pieces are written to `sink`.

    `may_search`: the model may search the web. After a response that takes too long, or
    `MAX_ANSWER` characters, an answer is cut off.

    Links in it are the person's own or citations of a web search: see `bot.pipeline.links`. An
    exception that the sink raises ends the request. One answer takes at most `MAX_ROUNDS`
    responses, between which the model's calls of `toolbox` and of the web search are carried out.

    Raises `ReplyFailed`, possibly after pieces were passed on. If the model answers others, the
    cause is ``model_this_message``, or ``model_slow`` if no answer began in time. A response that
    breaks the format of the Responses API is not requested again.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """
    if not await model.breaker.is_answering():
        raise ReplyFailed(model.breaker.cause)
    tools = [SEARCH_DEFINITION] if may_search else []
    if toolbox is not None:
        tools += toolbox.definitions
    names = AnswerNames(prompt.mentions)
    marks = CitationFilter([*prompt.memories_by_mark, *prompt.lines_by_mark])
    attempt = _Attempt(
        model=model,
        person=person,
        prompt=prompt,
        tools=tools,
        toolbox=toolbox,
        written=StreamedAnswer(marks, LinkFilter(prompt.links), names, sink),
    )
    try:
        reply = await attempt.answer()
    except ReplyFailed as failed:
        await _record_failure(model, failed)
        raise
    model.breaker.answered()
    return reply


async def _record_failure(model: Model, failed: ReplyFailed) -> None:
    """Log a failure, record whether it can be the model's fault, and ask the breaker's probe."""
    log_failure(model.name, failed)
    if not failed.passes:
        model.breaker.answered()
        return
    model.breaker.failed(failed.cause, silent=failed.silent)
    if failed.cause == "model_down" and await model.breaker.is_answering():
        log.warning("a request fails while the model answers others")
        failed.cause = "model_slow" if failed.silent else "model_this_message"


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """An attempt at an answer, over all responses that it takes.

    `calls` counts the tool calls of the model.
    """

    model: Model
    person: Person
    prompt: Prompt
    tools: Sequence[dict[str, Any]]
    toolbox: Toolbox | None
    written: StreamedAnswer
    calls: int = 0

    async def answer(self) -> Reply:
        """Return the answer. Raises `ReplyFailed`."""
        written = self.written
        conversation: list[Any] = list(self.prompt.input)
        try:
            for number in range(MAX_ROUNDS):
                # No tools in the last round, so that the model has to answer.
                is_last = number == MAX_ROUNDS - 1
                await self._round(conversation, [] if is_last else self.tools)
                calls = calls_in(written.output)
                if written.is_over or not (self.tools and calls):
                    return self._whole()
                conversation += sent_back(written.output)
                for call in calls:
                    output = await self._call_tool(call)
                    conversation.append(output_of(call, output))
        except TimeoutError:
            log.warning("an answer was ended at its deadline")
            await written.flush()
            written.cut = "cut_short"
            return self._whole("model_slow")
        written.cut = "cut_short"
        return self._whole()

    def _whole(self, without_text: Cause = "model_empty") -> Reply:
        """Return the answer, which may be empty if the calls of the tools suffice.

        Raises `ReplyFailed` with `without_text` if it is empty otherwise.
        """
        calls_suffice = self.toolbox is not None and self.toolbox.suffice
        if calls_suffice and self.written.is_empty:
            return Reply(text="")
        return self.written.whole(without_text)

    async def _round(
        self, conversation: Sequence[Any], tools: Sequence[dict[str, Any]]
    ) -> None:
        """Read one response of the model. Raises TimeoutError at the deadline."""
        written = self.written
        before = written.characters
        began = time.perf_counter()
        written.begin_response()
        events = self.model.events(
            conversation,
            tools,
            identifier=_pseudonym(self.person),
            prefixes=self.prompt.prefixes,
        )
        try:
            async with aclosing(events):
                async for event in events:
                    is_silent = written.characters == before
                    await written.read(event)
                    if is_silent and written.characters > before:
                        step_ended("first token", began)
                    if written.is_over:
                        break
            await written.end_response(self.model.output_limit)
        finally:
            tokens = tokens_of(written.response or {}, self.model.name)
            count_tokens(self.person.team_id, tokens)

    async def _call_tool(self, call: Json) -> str:
        """Run a tool call of the model and return its output."""
        name = call["name"]
        arguments = call["arguments"]
        self.calls += 1
        if self.calls > MAX_CALLS:
            error = "Too many tool calls for one answer. Answer now."
            return json.dumps({"error": error})
        if name == SEARCH_TOOL and SEARCH_DEFINITION in self.tools:
            return await self._search(arguments)
        if self.toolbox is None:
            return json.dumps({"error": f"There is no tool {name[:40]!r}."})
        answer = await self.toolbox.call(name, arguments)
        for memory in self.toolbox.looked_up:
            self.written.links.known |= links_in(evidence_of(memory))
        return answer

    async def _search(self, arguments: str) -> str:
        written = self.written
        # The search may open an address in its query, and that can carry what the model knows.
        known = await asyncio.to_thread(lambda: self.prompt.credentials)
        [redacted] = redact_texts(query_in(arguments), known=known)
        line = written.one_line(redacted.text)
        query = line[:QUERY_CHARACTERS].strip().replace("<", "").replace(">", "")
        found = await search_web(
            self.model, query, identifier=_pseudonym(self.person), zone=self.prompt.zone
        )
        count_tokens(self.person.team_id, found.tokens)
        written.cite(found.citations)
        return found.output


def _pseudonym(person: Person) -> str:
    """Return the identifier of a person for the model's provider: a hash."""
    return hashlib.sha256(person.scope.encode()).hexdigest()[:40]


class StreamedAnswer:
    """The text of one answer, over all responses of the model that it takes.

    `characters` counts what the model wrote, commentary and thoughts included; `is_over`: the text
    has reached `MAX_ANSWER` or only repeats itself, and no more is taken. `output` holds the items
    that are complete in the response being read; `response` is the whole response once it has
    ended, else None. The model's thoughts are left out: see `memory.model.thoughts`.

    Messages, and the text parts within one, become paragraphs of the answer. A message that begins
    with the ``phase`` ``commentary`` is no part of it. Some servers send no events of items: these
    are then read from the response that the last event contains. Text that comes in no pieces is
    read from its item; where pieces and items of a response differ, the items are the answer.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming, and the schema
    ``MessagePhase`` of https://github.com/openai/openai-openapi
    """

    def __init__(
        self,
        marks: CitationFilter,
        links: LinkFilter,
        names: AnswerNames,
        sink: ReplySink,
    ) -> None:
        self.marks = marks
        self.links = links
        self.names = names
        self.sink = sink
        self.characters = 0
        self._text = ""
        self._newest = 0  # where the newest message begins in the text
        self._cited_before = 0  # what the messages before it cite
        self._thoughts = ThoughtFilter()
        self._loops = LoopDetector()
        self._is_loop = False
        self._half = ""
        self._citations: dict[str, Citation] = {}
        self._begins_paragraph = True
        self.begin_response()

    def begin_response(self) -> None:
        """Begin to read another response."""
        self.cut: CutReason | None = None
        self.output: list[Item] = []
        self.response: Item | None = None
        self._part: object = None
        self._is_comment = False
        self._refuses = False
        self._began = len(self._text)
        self._pieces: list[str] = []
        self._said: list[str] = []  # the texts of the items

    @property
    def is_over(self) -> bool:
        """Whether the text has reached its limit, or only repeats itself."""
        return self._is_loop or self.characters >= MAX_ANSWER

    @property
    def is_empty(self) -> bool:
        """Whether the answer has no text; commentary and thoughts are none."""
        return not self._text.strip()

    async def read(self, event: Event) -> None:
        """Take the next event of a response; unknown ones are ignored.

        Raises `ReplyFailed` for a failure, and for an event that breaks the API's format.
        """
        match event:
            case {"type": "response.output_text.delta" | "response.refusal.delta"}:
                await self._read_text(event)
            case {
                "type": "response.output_item.added",
                "item": {"type": "message", **message},
            }:
                self._part = None
                self._is_comment = message.get("phase") == COMMENTARY
            case {"type": "response.output_item.done"}:
                await self._read_item(event.get("item"))
            case {"type": "response.completed" | "response.incomplete"}:
                await self._read_response(event)
            case {"type": "error", **error} | {
                "type": "response.failed",
                "response": {"error": {**error}},
            }:
                raise failed_by(model_error_in(error))
            case {"type": "response.failed"}:
                raise ReplyFailed("model_failed")

    async def end_response(self, output_limit: int | None) -> None:
        """End a response that was read; raises `ReplyFailed` if it brought nothing.

        Without a last event it is whole if it brought whole items, and else was cut off. Some
        servers call a response complete although the limit of its tokens has cut it off.
        """
        await self.flush()
        if self.is_over:
            self.cut = "cut_loop" if self._is_loop else "cut_short"
            return
        await self._prefer_items()
        if self.response is None:
            if not (self.output or self._pieces):
                raise ReplyFailed("model_down")
            self.cut = None if self.output else "cut_ended"
            return
        if output_limit is None or self.cut is not None:
            return
        match self.response:
            case {"usage": {"output_tokens": int(tokens)}} if tokens >= output_limit:
                self.cut = "cut_short"

    def cite(self, citations: Sequence[Citation]) -> None:
        """Allow links to the pages that a web search cites in the text that follows."""
        for citation in citations:
            self._citations.setdefault(citation.url, citation)
            self.links.known.add(normal(citation.url))

    def one_line(self, text: str) -> str:
        """Return another text as one line; links in it follow the same rules."""
        shown = filter_links(printable(text), self.links.known)
        return " ".join(shown.split())

    async def flush(self) -> None:
        """Show the text that was held back; a piece of text has ended."""
        self._half = ""
        held = self._thoughts.flush()
        self._thoughts = ThoughtFilter()
        text = self.marks.feed(self._spaced(held)) + self.marks.flush()
        await self._show(self.links.feed(text) + self.links.flush())
        await self._pass_on(self.names.flush())

    def whole(self, without_text: Cause) -> Reply:
        """Return the whole answer; close a code block that was cut off.

        Raises `ReplyFailed` with `without_text` for an answer without text.
        """
        text = self._text
        if self.cut == "cut_loop":
            text = without_repetitions(text)
        if self.is_empty:
            if self.cut == "cut_filtered":
                without_text = "model_policy"
            raise ReplyFailed(without_text)
        if self.cut and (fence := open_fence(text)):
            text = f"{text.rstrip()}\n{closing_fence(fence)}"
        return Reply(
            text=text,
            cited=tuple(self.marks.cited),
            citations=tuple(self._citations.values()),
            links=frozenset(self.links.known),
            cut=self.cut,
            is_refusal=self._refuses,
        )

    async def _read_text(self, event: Event) -> None:
        piece = event.get("delta")
        if not isinstance(piece, str):
            raise ReplyFailed("model_malformed")
        if not self._is_comment:
            self._pieces.append(piece)
        part = (event.get("output_index"), event.get("content_index"))
        if part != self._part:
            await self._new_paragraph()
            self._part = part
        await self._write(piece)

    async def _read_response(self, event: Event) -> None:
        """Read the whole response in a last event, and whether it was cut off.

        Its items are read if no event has brought any. Some servers write so into the response
        alone, and call the event ``response.completed``.
        """
        response = event.get("response")
        if not isinstance(response, dict):
            response = {}
        self.response = response
        if not self.output:
            for item in objects(response.get("output")):
                await self._read_item(item)
        is_cut = event["type"] == "response.incomplete"
        if is_cut or response.get("status") == "incomplete":
            reason = str(response.get("incomplete_details"))
            is_filtered = "content_filter" in reason
            self.cut = "cut_filtered" if is_filtered else "cut_short"

    async def _read_item(self, item: object) -> None:
        """Read a whole item; its text, if the response does not come in pieces."""
        if len(self.output) == MAX_ITEMS:
            raise ReplyFailed("model_malformed")
        done = checked_item(item)
        self.output.append(done)
        if done["type"] != "message":
            return
        is_comment = self._is_comment or done.get("phase") == COMMENTARY
        self._is_comment = False
        if is_comment:
            return
        self._refuses = is_refusal(done)
        text = raw_text_of(done)
        self._said.append(text)
        if not self._pieces:
            await self._new_paragraph()
            await self._write(text)

    async def _prefer_items(self) -> None:
        """Show the items of a response in place of its pieces, where they differ.

        Some servers send thoughts as pieces of the answer, or a piece twice.
        """
        pieces = "".join(self._pieces)
        said = _letters("".join(self._said))
        if not (pieces and said) or said == _letters(pieces):
            return
        self.characters -= len(pieces)
        self._newest = self._began
        self._loops = LoopDetector()
        self._thoughts = ThoughtFilter()
        await self._restart()
        for text in self._said:
            await self._new_paragraph()
            await self._write(text)
        await self.flush()

    async def _new_paragraph(self) -> None:
        """Separate the text that follows by a blank line: it is another message, or part of one."""
        await self.flush()
        self._begins_paragraph = True
        self._newest = len(self._text)
        self._cited_before = len(self.marks.cited)

    async def _write(self, piece: str) -> None:
        room = max(MAX_ANSWER - self.characters, 0)
        self.characters += len(piece)
        if self._is_comment:
            return
        self._is_loop = self._is_loop or self._loops.feed(piece)
        if len(piece) > room:
            end_of_word = piece.rfind(" ", 0, room) + 1
            piece = piece[: end_of_word or room]
        piece = self._half + piece
        # JSON can cut a character outside the basic plane into two escapes, one in each piece.
        last = piece[-1:]
        self._half = last if "\ud800" <= last < "\udc00" else ""
        text = self._thoughts.feed(printable(piece.removesuffix(self._half)))
        if self._thoughts.restarts:
            await self._restart()
        await self._show(self.links.feed(self.marks.feed(self._spaced(text))))

    def _spaced(self, text: str) -> str:
        """Return a text, behind a blank line if it begins a paragraph that is not the first."""
        if not self._begins_paragraph:
            return text
        text = text.lstrip("\n")
        self._begins_paragraph = not text
        if not (text and self._text):
            return text
        return f"\n\n{text}"

    async def _restart(self) -> None:
        """Take back what was shown of the newest message: it was a thought."""
        self.marks.flush()
        del self.marks.cited[self._cited_before :]
        self.links.flush()
        self.names.flush()
        was_shown = len(self._text) > self._newest
        self._text = self._text[: self._newest]
        self._begins_paragraph = True
        if was_shown:
            self.sink.start_over()
            if self._text:
                await self.sink.write(self._text)

    async def _show(self, text: str) -> None:
        await self._pass_on(self.names.feed(text))

    async def _pass_on(self, text: str) -> None:
        if text:
            self._text += text
            await self.sink.write(text)


def _letters(text: str) -> str:
    """Return a model's text without white space, for comparison."""
    return "".join(printable(text).split())
