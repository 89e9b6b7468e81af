"""The model's answer: requests with tool calls between them.

It is read from the events of one or more responses. Text goes to the person, links follow
`bot.answering.links`, and names `bot.answering.filters`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from bot.answering.context import Thread
from bot.answering.filters import AnswerNames, CitationFilter
from bot.answering.links import LinkFilter, links_in
from bot.answering.output_items import calls_only_others, sent_back
from bot.answering.prompt import Prompt, evidence_of
from bot.answering.streamed_answer import StreamedAnswer
from bot.answering.tools import Toolbox
from bot.answering.web_search import (
    QUERY_CHARACTERS,
    SEARCH_DEFINITION,
    SEARCH_TOOL,
    query_in,
    search_web,
)
from bot.delivery.reply_sink import ReplySink
from bot.models.failures import Cause, ReplyFailed, log_failure
from bot.models.model import Model, tokens_of
from bot.types import Reply
from memory import Memory, Person
from memory.credentials import redact_texts
from memory.metrics import count_tokens, step, step_ended
from memory.model import Json
from memory.recall import Recalled

Step: TypeAlias = Literal[
    "repeat", "files", "others", "earlier", "memories", "all_memories", "tools"
]

_STEPS: Final[Mapping[Cause, tuple[Step, ...]]] = {
    "model_too_long": ("files", "earlier", "memories"),
    "model_policy": ("others", "earlier", "all_memories"),
    "model_failed": ("files", "tools", "earlier", "memories"),
    "model_this_message": ("files", "repeat", "tools"),
}


class Reduction:
    """The request for one answer, reduced in steps to what the model can answer.

    ::

        whole ─┬─ too long ───────────────▶ without files ─▶ without thread and history
               │                              ─▶ with few memories ─▶ given up
               ├─ the content is refused ─▶ without others' words ────────▶ without history
               │                              ─▶ without memories ─▶ given up
               ├─ refused ────────────────▶ without files ─▶ tools ─▶ thread and history
               │                              ─▶ with few memories ─▶ given up
               ├─ failed as the only one
               │  of several ─────────────▶ without files ─▶ the same once more
               │                              ─▶ without tools ─▶ given up
               └─ broken off half-way ────▶ the same once more ─▶ given up

    Each step is taken once, and only if it takes something away or repeats the request. `left_out`
    names what the answer must say was left out, except files, which the prompt itself names.
    `declined` are the memories with which the content was refused.
    """

    def __init__(
        self, prompt: Prompt, tools: Toolbox | None, *, may_search: bool
    ) -> None:
        self.prompt = prompt
        self.tools = tools
        self.may_search = may_search
        self.left_out: list[Step] = []
        self.declined: Sequence[Memory] = ()
        self._repeated = False

    def reduce(self, failed: ReplyFailed, *, half_done: bool) -> bool:
        """Reduce the request after a failure; return False if there is nothing more to try.

        `half_done`: text was shown, or tools have changed something.
        """
        may_pass = failed.passes or failed.cause == "model_this_message"
        steps = _STEPS.get(failed.cause, ())
        if half_done and may_pass:
            steps = ("repeat", *steps)
        for one in steps:
            if not self._take(one, failed.cause):
                continue
            if one not in ("files", "repeat"):
                self.left_out.append(one)
            return True
        return False

    def _take(self, step: Step, cause: Cause) -> bool:
        """Take one thing out of the request, or repeat it; return whether that was possible."""
        prompt = self.prompt
        match step:
            case "repeat":
                is_first = not self._repeated
                self._repeated = True
                return is_first
            case "tools":
                had_tools = self.tools is not None or self.may_search
                self.tools = None
                self.may_search = False
                return had_tools
            case "files":
                too_long = cause == "model_too_long"
                self.prompt = prompt.without_files(too_long=too_long)
            case "others":
                self.prompt = prompt.without_others()
            case "earlier":
                self.prompt = replace(
                    prompt, thread=Thread(), exchanges=(), recent_words=()
                )
            case "memories":
                self.prompt = prompt.with_fewer_memories()
            case "all_memories":
                self.declined = prompt.recalled.memories
                self.prompt = replace(prompt, recalled=Recalled())
        return self.prompt.input != prompt.input


log = logging.getLogger(__name__)

MAX_ROUNDS = 5  # requests to the model for one answer
MAX_CALLS = 20  # tool calls for one answer, web searches among them


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

    Links in it are the person's own or citations of a web search: see `bot.answering.links`. An
    exception that the sink raises ends the request. One answer takes at most `MAX_ROUNDS`
    responses, between which the model's calls of `toolbox` and of the web search are carried out.

    Raises `ReplyFailed`, possibly after pieces were passed on; if the model answers others, with
    its `cause_alone`. A response that breaks the format of the Responses API is not requested
    again.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """
    if not await model.breaker.is_answering():
        raise ReplyFailed(model.breaker.cause)
    tools = [SEARCH_DEFINITION] if may_search else []
    if toolbox is not None:
        tools += toolbox.definitions
    names = AnswerNames(prompt.mentions)
    marks = CitationFilter(prompt.marks.values())
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
    alone = failed.cause_alone
    if alone != failed.cause and await model.breaker.is_answering():
        log.warning("a request fails while the model answers others")
        failed.cause = alone


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
            tools = self.tools
            for number in range(MAX_ROUNDS):
                if number == MAX_ROUNDS - 1:
                    tools = []  # so that the model has to answer
                await self._round(conversation, tools)
                if tools and written.is_empty and calls_only_others(written.output):
                    log.warning("the model called tools that are not the app's")
                    tools = []
                    continue
                calls = [
                    one for one in written.output if one["type"] == "function_call"
                ]
                if written.is_over or not (self.tools and calls):
                    return self._whole()
                conversation += sent_back(written.output)
                for call in calls:
                    returned = {
                        "type": "function_call_output",
                        "call_id": call["call_id"],
                        "output": await self._call_tool(call),
                    }
                    conversation.append(returned)
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
