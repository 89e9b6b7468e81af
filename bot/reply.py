"""The Responses API call."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import openai
from openai.types.responses import ResponseStreamEvent, ToolParam

from bot.logs import fault
from bot.prompt import Prompt
from memory import Person

log = logging.getLogger(__name__)

OnText: TypeAlias = Callable[[str], Awaitable[None]]
Cause: TypeAlias = Literal["model_down", "model_busy", "model_refused"]


class ReplyFailed(Exception):
    """The model gave no whole answer; `cause` names the sentence the person is told."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(f"The model gave no whole answer: {cause}.")
        self.cause: Cause = cause


class Stopped(Exception):
    """The person stopped the answer, or deleted the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A page the answer cites."""

    url: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer in Markdown. `cut_short` says that the model ran into its length limit."""

    text: str
    citations: tuple[Citation, ...] = ()
    cut_short: bool = False


class Replier:
    """Asks the model for answers, as a stream.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """

    def __init__(self, client: openai.AsyncOpenAI, *, model: str, web_search: bool) -> None:
        self._client = client
        self._model = model
        self._tools: list[ToolParam] = [{"type": "web_search"}] if web_search else []

    async def reply(self, person: Person, prompt: Prompt, on_text: OnText) -> Reply:
        """Return the model's answer; `on_text` is awaited for each piece of it as it comes.

        Raises `ReplyFailed`; pieces may have been handed over by then.
        """
        try:
            return await self._stream(person, prompt, on_text)
        except openai.OpenAIError as error:
            log.warning("the model did not answer: %s", fault(error))
            raise ReplyFailed(_cause(error)) from error

    async def _stream(self, person: Person, prompt: Prompt, on_text: OnText) -> Reply:
        parts: list[str] = []
        citations: dict[str, Citation] = {}
        stream = await self._client.responses.create(
            model=self._model,
            input=list(prompt.input),
            tools=self._tools,
            store=False,
            safety_identifier=hashlib.sha256(person.scope.encode()).hexdigest()[:40],
            stream=True,
        )
        async with stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    parts.append(event.delta)
                    await on_text(event.delta)
                elif event.type == "response.output_text.annotation.added":
                    _cite(citations, event.annotation)
                elif event.type == "response.refusal.delta":
                    parts.append(event.delta)
                    await on_text(event.delta)
                elif event.type == "response.incomplete":
                    return _whole(parts, citations, cut_short=True)
                elif event.type == "response.completed":
                    return _whole(parts, citations, cut_short=False)
                else:
                    _raise_if_failed(event)
        raise ReplyFailed("model_down")


def _whole(parts: list[str], citations: dict[str, Citation], *, cut_short: bool) -> Reply:
    text = "".join(parts)
    if not text.strip():
        raise ReplyFailed("model_down")
    return Reply(text=text, citations=tuple(citations.values()), cut_short=cut_short)


def _cite(citations: dict[str, Citation], annotation: object) -> None:
    values = annotation if isinstance(annotation, dict) else vars(annotation)
    url = str(values.get("url") or "")
    if values.get("type") == "url_citation" and url.startswith(("http://", "https://")):
        citations.setdefault(url, Citation(url=url, title=str(values.get("title") or url)))


def _raise_if_failed(event: ResponseStreamEvent) -> None:
    if event.type == "response.failed":
        code = event.response.error.code if event.response.error else ""
        raise ReplyFailed("model_busy" if code == "rate_limit_exceeded" else "model_down")
    if event.type == "error":
        raise ReplyFailed("model_busy" if event.code == "rate_limit_exceeded" else "model_down")


def _cause(error: openai.OpenAIError) -> Cause:
    if isinstance(error, openai.RateLimitError):
        return "model_refused" if error.code == "insufficient_quota" else "model_busy"
    if isinstance(error, openai.APIStatusError) and error.status_code < 500:
        return "model_refused"
    return "model_down"
