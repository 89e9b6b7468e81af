"""A model behind the Responses API: OpenAI's, or any server that has it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing, suppress
from itertools import pairwise
from typing import Any, Final

import httpx2
import openai

from bot.models.failures import ReplyFailed, failure_of
from bot.models.model import LAST_EVENTS, Items, Model, Prefix
from memory.model import OPENAI_HOST, Json

log = logging.getLogger(__name__)

_END_SECONDS = 0.2
# A RuntimeError is raised for too deep nesting.
_FAILURES = (openai.OpenAIError, httpx2.HTTPError, ValueError, RuntimeError)
_PLAIN: Any = object  # makes the SDK return the parsed JSON unchanged
_STORE: Final = "store"
_STREAM: Final = "stream"
_CACHE_KEY: Final = "prompt_cache_key"
_BREAKPOINT: Final = "prompt_cache_breakpoint"
_MARK: Final = {_BREAKPOINT: {"mode": "explicit"}}
_OPTIONAL: Final = ("max_output_tokens", "safety_identifier", "include", "reasoning")
_CALL_ID: Final = re.compile("[A-Za-z0-9]{9}")


class ResponsesModel(Model):
    """A model that is asked by the Responses API.

    ``include`` asks for encrypted reasoning items, which are sent back between the tool rounds of
    an answer: nothing is stored at the model's host. With `effort` the request has ``reasoning``.

    `left_out` has the fields that its server does not take, from the first refusal on until the
    process ends. ``store: false`` and ``stream`` are left out only where a refusal names them; the
    others, which nothing depends on, go together, if the request is taken without them.

    From GPT-5.6 on OpenAI finds in its cache only what ended at a breakpoint of an earlier request,
    and a write costs more than the input. So requests to OpenAI's own address mark the prefixes
    that the next one has, too, and name the person, whose requests reach the same cache. Source:
    https://developers.openai.com/api/docs/guides/prompt-caching

    Source: https://platform.openai.com/docs/api-reference/responses/create
    """

    searches = True

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        model: str,
        effort: str | None = None,
        max_output_tokens: int,
        first_event_seconds: float,
        answer_seconds: float,
    ) -> None:
        super().__init__(
            model,
            first_event_seconds=first_event_seconds,
            answer_seconds=answer_seconds,
            retries=min(client.max_retries, 1),
        )
        # The SDK would wait as long as a 429 says, and hold a place of this process.
        self._client = client.with_options(max_retries=0)
        self._effort = effort
        self._max_output_tokens = max_output_tokens
        self._caches = client.base_url.host == OPENAI_HOST

    @property
    def output_limit(self) -> int | None:
        """The limit of output tokens that is sent, if one is."""
        if "max_output_tokens" in self.left_out:
            return None
        return self._max_output_tokens

    async def respond(
        self,
        conversation: Items,
        tools: Items,
        identifier: str,
        prefixes: Sequence[Prefix] = (),
    ) -> AsyncGenerator[object, None]:
        """Yield the events of a new response. Raises `ReplyFailed`."""
        body = self._body(conversation, tools, identifier, prefixes)
        left_out = self.left_out
        while True:
            sent = _without(body, left_out)
            try:
                async with aclosing(self._events(sent)) as events:
                    async for event in events:
                        if left_out - self.left_out:
                            names = ", ".join(sorted(left_out))
                            log.warning("the model's server does not take %s", names)
                            self.left_out |= left_out
                        yield event
            except _FAILURES as error:
                failed = failure_of(error)
                refused = _refused(failed, sent)
                if not refused:
                    raise failed from error
                left_out |= refused
            else:
                return

    async def _events(self, body: Json) -> AsyncGenerator[object, None]:
        """Yield the events of a response; one that comes whole is an event."""
        if _STREAM not in body:
            yield _whole_event(await self._post(body))
            return
        stream = await self._client.post(
            "/responses",
            body=body,
            cast_to=_PLAIN,
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        async with stream:
            if "json" in stream.response.headers.get("content-type", ""):
                yield _whole_event(json.loads(await stream.response.aread()))
                return
            async for event in stream:
                yield event
                if isinstance(event, dict) and event.get("type") in LAST_EVENTS:
                    await _read_to_end(stream)
                    return

    async def whole(self, body: Json) -> Any:
        """Return the response to `body`, as parsed JSON; the caller limits the time.

        Raises `ReplyFailed`.
        """
        try:
            return await self._post(_without(body, self.left_out))
        except _FAILURES as error:
            raise failure_of(error) from error

    async def _post(self, body: Json) -> Any:
        client = self._client.with_options(timeout=None)  # nothing comes before the end
        return await client.post("/responses", body=body, cast_to=_PLAIN)

    def _body(
        self,
        conversation: Items,
        tools: Items,
        identifier: str,
        prefixes: Sequence[Prefix],
    ) -> Json:
        items = [dict(item) for item in conversation]
        if self._caches:
            items = with_breakpoints(items, prefixes)
        body: Json = {
            "model": self.name,
            "input": conservative(items),
            "tools": tools,
            _STORE: False,
            _STREAM: True,
            "max_output_tokens": self._max_output_tokens,
            "safety_identifier": identifier,
        }
        if tools:
            # Without tools no request follows in which reasoning could be sent back.
            body["include"] = ["reasoning.encrypted_content"]
        if self._caches:
            body[_CACHE_KEY] = identifier
        if self._effort:
            body["reasoning"] = {"effort": self._effort}
        return body


def _without(body: Json, left_out: Collection[str]) -> Json:
    """Return a body without these fields; without ``include`` no reasoning goes back."""
    body = {name: value for name, value in body.items() if name not in left_out}
    if "include" in left_out:
        items = body["input"]
        body["input"] = [one for one in items if one.get("type") != "reasoning"]
    if _BREAKPOINT in left_out:
        body["input"] = [_unmarked(item) for item in body["input"]]
    return body


def with_breakpoints(items: Sequence[Json], prefixes: Sequence[Prefix]) -> list[Json]:
    """Return messages in parts, with a breakpoint where a prefix ends.

    Only texts of users and of the system can have one, so each message of a user begins with a part
    of its own: at its end ends all that comes before the message.
    """
    marked: list[Json] = []
    for index, item in enumerate(items):
        ends = sorted({end for at, end in prefixes if at == index})
        role = item.get("role")
        if role == "user":
            parts = _parts(item["content"])
            begin = {"type": "input_text", "text": "\n"}
            item = {**item, "content": [begin | (_MARK if ends else {}), *parts]}
        elif role == "system" and ends:
            text = item["content"]
            parts = []
            for begun, end in pairwise([0, *ends]):
                part = {"type": "input_text", "text": text[begun:end]}
                parts.append(part | _MARK)
            item = {**item, "content": parts}
        marked.append(item)
    return marked


def _unmarked(item: Json) -> Json:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    parts = []
    for part in content:
        sent = {name: value for name, value in part.items() if name != _BREAKPOINT}
        parts.append(sent)
    return {**item, "content": parts}


def _refused(failed: ReplyFailed, sent: Json) -> frozenset[str]:
    """Return the fields without which a refused request may be taken."""
    if failed.status is None or failed.error is None:
        return frozenset()
    if failed.cause != "model_failed":
        return frozenset()
    fields = {_STORE, _STREAM, _CACHE_KEY, *_OPTIONAL} & sent.keys()
    named = failed.error.field_of(fields | {_BREAKPOINT})
    if _CACHE_KEY in sent and named in (_CACHE_KEY, _BREAKPOINT):
        return frozenset([_CACHE_KEY, _BREAKPOINT])
    if named in (_STORE, _STREAM):
        return frozenset([named])
    # A limit of the output may be what makes a request too long: a context must hold both.
    optional = frozenset([*_OPTIONAL, _CACHE_KEY, _BREAKPOINT])
    if _without(sent, optional) == sent:
        return frozenset()
    return optional


def _whole_event(response: Any) -> Json:
    """Return the last event of a response that came whole."""
    kind = "completed"
    if isinstance(response, dict) and response.get("error"):
        kind = "failed"
    return {"type": f"response.{kind}", "response": response}


async def _read_to_end(stream: openai.AsyncStream[object]) -> None:
    """Read a stream to its end, so that its connection can be used for another request."""
    with suppress(openai.OpenAIError, ValueError, TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            async for _ in stream:
                pass


def conservative(items: Sequence[Json]) -> list[Json]:
    """Return a conversation in the shape that every chat template takes.

    Roles alternate, each call is followed by its output, and ids of calls are nine letters and
    digits, as the templates of Mistral's models, Gemma 2 and Llama 3 want them. What others wrote
    stays in its frame: only the message around it is shared.
    """
    outputs = {
        item["call_id"]: item
        for item in items
        if item.get("type") == "function_call_output"
    }
    shaped: list[Json] = []
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call":
            shaped.append(_with_short_id(item))
            if item["call_id"] in outputs:
                shaped.append(_with_short_id(outputs[item["call_id"]]))
        elif kind != "function_call_output":
            _append(shaped, item)
    return shaped


def _append(shaped: list[Json], item: Json) -> None:
    """Append an item; a message joins the one before it that has the same role, and no phase."""
    before = shaped[-1] if shaped else {}
    has_phase = "phase" in item or "phase" in before
    if has_phase or item.get("role") is None or before.get("role") != item["role"]:
        shaped.append(item)
        return
    first = before["content"]
    second = item["content"]
    content: Any = [*_parts(first), *_parts(second)]
    if isinstance(first, str) and isinstance(second, str):
        content = f"{first}\n\n{second}"
    shaped[-1] = {**before, "content": content}


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    return list(content)


def _with_short_id(item: Json) -> Json:
    if _CALL_ID.fullmatch(item["call_id"]):
        return item
    digest = hashlib.sha256(item["call_id"].encode()).hexdigest()
    return {**item, "call_id": digest[:9]}
