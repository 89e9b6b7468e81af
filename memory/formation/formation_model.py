"""Asks the memory model, with one attempt per request, and interprets failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, convert_to_messages
from langchain_core.runnables import Runnable

from memory.formation.chat_model import tokens_used
from memory.formation.schema_calls import conversation_text, read_calls, response_format
from memory.formation.tool_definitions import ToolDefinition, with_function
from memory.metrics import count_tokens
from memory.model.errors import (
    FormationUnavailable,
    MemoryModelRefused,
    WordsUnreadable,
    name_in,
)
from memory.model.text import clean_content
from memory.model.thoughts import without_thoughts

_log = logging.getLogger(__name__)

Way: TypeAlias = Literal["tools", "schema"]
"""How a model calls tools: by function calls, or in JSON that follows a schema."""

TEAM: ContextVar[str] = ContextVar("team")
"""The team for which the tokens of this task's calls are counted."""

# Codes of a failed response that are temporary: three of `ResponseErrorCode` in OpenAI's OpenAPI
# document, and two that OpenAI sends besides. With any other the same text would fail again.
_PASSING_CODES = frozenset(
    {
        "server_error",
        "rate_limit_exceeded",
        "vector_store_timeout",
        "server_is_overloaded",
        "slow_down",
    }
)
# Request timeout, conflict, too early, too many requests: the same request can succeed later.
_PASSING_STATUSES = frozenset({408, 409, 425, 429})
_NOT_IMPLEMENTED = 501
_SERVER_ERROR = 500
# Statuses that may be due to the request itself, such as too many tokens, or its tools, or to a
# server without /responses. OpenRouter refuses what moderation flags with 403.
_MAY_BE_THE_REQUEST = frozenset({400, 403, 404, 405, 413, 422, _NOT_IMPLEMENTED})
# How a call failed. `always`: every request would fail now. `broken`: an answer that is not of the
# API, or a 500, which may be temporary, or llama.cpp's for output that it cannot parse. `endless`:
# cut off at its limit.
_How: TypeAlias = Literal["always", "refused", "broken", "slow", "endless"]
# What the packages raise while they read an answer of another form.
_UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)

# The limit of an answer, because small models repeat themselves without end. A model that thinks
# needs more, and gets it after it has been cut off once.
MAX_OUTPUT_TOKENS = 2_000
_MAX_THINKING_TOKENS = 8_000
_CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "content_filter"})

PROBE_TOOL: ToolDefinition = {
    "type": "function",
    "function": {
        "name": "RepeatWord",
        "description": "Repeats a word.",
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string"}},
            "required": ["word"],
        },
    },
}
_PROBE = [
    ("system", "Call RepeatWord with the word that the person says."),
    ("user", "tea"),
]
_PROBE_SECONDS = 15.0


class _CallFailed(Exception):
    """A request failed: `how`, and the `error` for callers if other requests fail, too."""

    def __init__(
        self, how: _How, why: str, error: FormationUnavailable | None = None
    ) -> None:
        super().__init__(why)
        self.how = how
        self.why = why
        self.error = error or FormationUnavailable(
            f"The memory model did not answer ({why})."
        )

    @property
    def unreadable(self) -> WordsUnreadable:
        """The error for callers if other requests do not fail."""
        return WordsUnreadable(self.why, refused=self.how == "refused")


class FormationModel:
    """A chat model that is asked with tools, in the way in which it can call them.

    The way is determined once: by tools, or, if a model or its server has none, by a JSON schema
    over /chat/completions (docs/decisions/0041-json-schema.md). No request forces a tool, because
    some servers refuse that, such as vLLM with gpt-oss
    (https://github.com/vllm-project/vllm/issues/53626); the instructions name it instead.
    """

    def __init__(self, chat: BaseChatModel) -> None:
        self._chat = chat
        name = getattr(chat, "model_name", None)
        self._name = str(name or getattr(chat, "model", type(chat)))
        # Other providers' packages support tools, and have other names for the limit.
        self._is_openai = hasattr(chat, "use_responses_api")
        self._limit = MAX_OUTPUT_TOKENS
        self._ways: Sequence[Way] = ("tools",)
        self.way: Way | None = "tools"
        if self._is_openai:
            self._ways = ("tools", "schema")
            self.way = None

    async def ask(
        self, messages: Sequence[Any], tools: Sequence[ToolDefinition]
    ) -> AIMessage:
        """Return the model's answer, in a form that can be sent back.

        Raises `WordsUnreadable` if the model fails on these messages but answers others, and
        `FormationUnavailable` if it fails on others, too, or the failure is temporary.
        """
        known = self.way
        way = known or "tools"
        try:
            answer = await self._whole_answer(way, messages, tools)
        except _CallFailed as failure:
            return await self._answer_after(failure, way, messages, tools)
        if answer.tool_calls:
            self.way = way
        elif known is None:
            # There was nothing to remember, or the server did not pass on the tools. Another run
            # may have found out meanwhile.
            if self.way is None:
                self.way = await self._find_way()
            if self.way == "schema":
                return await self._last_answer("schema", messages, tools)
        return answer

    async def _answer_after(
        self,
        failure: _CallFailed,
        way: Way,
        messages: Sequence[Any],
        tools: Sequence[ToolDefinition],
    ) -> AIMessage:
        """Return the answer to a second request, after a failure. Raises as `ask` does."""
        if failure.how == "always":
            raise self._logged(failure) from failure
        found = await self._find_way()
        if found is None:
            raise self._logged(failure) from failure
        if found == way and failure.how in ("refused", "slow"):
            self.way = found
            raise failure.unreadable from None
        # The tools may be at fault: a broken call, or one without an end.
        last_way = self._ways[-1]
        answer = await self._last_answer(last_way, messages, tools)
        if self.way is None and failure.how == "endless":
            found = last_way  # tools make it answer without an end
        self.way = found
        return answer

    async def _last_answer(
        self, way: Way, messages: Sequence[Any], tools: Sequence[ToolDefinition]
    ) -> AIMessage:
        """Return the answer of a model that answers other requests. Raises as `ask` does."""
        try:
            return await self._whole_answer(way, messages, tools)
        except _CallFailed as failed:
            if failed.how == "always":
                raise self._logged(failed) from failed
            raise failed.unreadable from None

    @staticmethod
    def _logged(failure: _CallFailed) -> FormationUnavailable:
        if isinstance(failure.error, MemoryModelRefused):
            _log.error("%s", failure.error)
        return failure.error

    async def _find_way(self) -> Way | None:
        """Return how the model calls a tool in a test without a person's words; None if it is away.

        A model that answers but calls no tool in either way is asked with tools.
        """
        found: Way | None = None
        for way in self._ways:
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    answer = await self._answer(way, _PROBE, [PROBE_TOOL])
            except (_CallFailed, WordsUnreadable, TimeoutError):
                continue
            if answer.tool_calls:
                return way
            found = "tools"
        return found

    async def _whole_answer(
        self, way: Way, messages: Sequence[Any], tools: Sequence[ToolDefinition]
    ) -> AIMessage:
        """Return an answer that was not cut off and whose calls are JSON. Raises `_CallFailed`."""
        answer = await self._answer(way, messages, tools)
        if self._is_cut_off(answer) and _thinks(answer):
            self._limit = _MAX_THINKING_TOKENS
            answer = await self._answer(way, messages, tools)
        if self._is_cut_off(answer):
            raise _CallFailed("endless", "its answer had no end")
        if answer.invalid_tool_calls:
            # Without it the answer would say that there is nothing, or less, to remember.
            raise _CallFailed("broken", "its call was not JSON")
        return _resendable(answer)

    async def _answer(
        self, way: Way, messages: Sequence[Any], tools: Sequence[ToolDefinition]
    ) -> AIMessage:
        """Return the answer to one request. Raises `_CallFailed`."""
        try:
            if way == "tools":
                answer = await self._with_tools(tools).ainvoke(messages)
            else:
                text = conversation_text(convert_to_messages(messages), tools)
                answer = await self._with_schema(tools).ainvoke([("user", text)])
        except Exception as fault:  # noqa: BLE001 - each provider's package has errors of its own
            raise _failure(fault, self._name) from None
        team = TEAM.get(None)
        if team is not None and answer.usage_metadata:
            model = answer.response_metadata.get("model_name", self._name)
            count_tokens(team, tokens_used(model, answer.usage_metadata))
        if way == "schema" and not self._is_cut_off(answer):
            answer = _with_calls(answer, tools)
        return answer

    def _with_schema(self, tools: Sequence[ToolDefinition]) -> Runnable[Any, AIMessage]:
        """Return the model with a schema, through the API that every server has."""
        chat = self._chat.model_copy(update={"use_responses_api": False})
        return chat.bind(
            extra_body={"response_format": response_format(tools)},
            max_tokens=self._limit,
        )

    def _with_tools(self, tools: Sequence[ToolDefinition]) -> Runnable[Any, AIMessage]:
        if not self._is_openai:
            return self._chat.bind_tools(tools)
        if not getattr(self._chat, "use_responses_api", False):
            return self._chat.bind_tools(tools, max_tokens=self._limit)
        # There `strict` is true by default, which refuses optional fields. Source:
        # https://platform.openai.com/docs/guides/function-calling
        loose = [with_function(tool, strict=False) for tool in tools]
        return self._chat.bind_tools(loose, max_tokens=self._limit)

    def _is_cut_off(self, answer: AIMessage) -> bool:
        """Return whether an answer ended at its limit.

        Providers have several names for the reason, and llama.cpp reports a complete answer.
        """
        said = answer.response_metadata
        details = said.get("incomplete_details") or {}
        reasons = (
            said.get("finish_reason"),
            said.get("stop_reason"),
            details.get("reason"),
        )
        if any(str(reason).lower() in _CUT_OFF for reason in reasons):
            return True
        used = answer.usage_metadata
        return (
            self._is_openai
            and used is not None
            and used["output_tokens"] >= self._limit
        )


def _with_calls(answer: AIMessage, tools: Sequence[ToolDefinition]) -> AIMessage:
    """Return an answer that follows the schema, with the tool calls in its text."""
    try:
        calls = read_calls(str(answer.text), tools)
    except (ValueError, RecursionError):
        raise _CallFailed("broken", "its answer was not of the schema") from None
    return answer.model_copy(update={"content": "", "tool_calls": calls})


def _thinks(answer: AIMessage) -> bool:
    """Return whether the model thought before it answered."""
    used = answer.usage_metadata
    if used is not None:
        details = used.get("output_token_details", {})
        if details.get("reasoning"):
            return True
    for block in answer.content:
        if isinstance(block, dict) and block.get("type") == "reasoning":
            return True
    text = str(answer.text)
    return without_thoughts(text) != text


def _failure(fault: Exception, model: str) -> Exception:
    """Return what a failed call means, by its status and error code.

    The error's text may quote the person, so neither the text nor a long code is logged or raised.
    """
    status = _status(fault) or _status(fault.__cause__)
    code = _code(fault)
    if status is None and code and code not in _PASSING_CODES:
        return WordsUnreadable(code, refused=True)
    why = type(fault).__name__
    if status:
        why += f", HTTP {status}"
    if code:
        why += f", {code}"
    if status is not None and _is_refusal(status, code):
        param = name_in(getattr(fault, "param", None))
        refused = MemoryModelRefused(model, status=status, code=code, param=param)
        how: _How = "refused" if status in _MAY_BE_THE_REQUEST else "always"
        return _CallFailed(how, why, refused)
    return _CallFailed(_how_unanswered(fault, status, code), why)


def _how_unanswered(fault: Exception, status: int | None, code: str) -> _How:
    """Return how a call failed that was not refused."""
    is_unexplained = status is None and not code
    if status == _SERVER_ERROR or (is_unexplained and isinstance(fault, _UNREADABLE)):
        return "broken"
    is_timeout = "timeout" in type(fault).__name__.lower()
    if is_timeout and not has_not_arrived(fault):
        return "slow"
    return "always"


def _is_refusal(status: int, code: str) -> bool:
    """Return whether the same request would be refused again."""
    if status in _PASSING_STATUSES:
        return code == "insufficient_quota"
    return 400 <= status < 500 or status == _NOT_IMPLEMENTED


def has_not_arrived(fault: BaseException) -> bool:
    """Return whether a request did not reach the model: no connection, or one that was closed.

    The SDK reports a timeout when aiohttp says that the server disconnected; httpx, below it,
    reports a connect timeout.
    """
    cause = fault.__cause__
    while cause is not None:
        if "connect" in type(cause).__name__.lower():
            return True
        cause = cause.__cause__
    return False


def _status(fault: BaseException | None) -> int | None:
    """Return the HTTP status of an error of a provider's package.

    OpenAI and Anthropic call it `status_code`, Google `code`; botocore has it in `response`.
    """
    found = [
        getattr(fault, "status_code", None),
        getattr(fault, "code", None),
        _reported_code(fault),
    ]
    response = getattr(fault, "response", None)
    if isinstance(response, dict):
        metadata = response.get("ResponseMetadata", {})
        found.append(metadata.get("HTTPStatusCode"))
    for status in found:
        if isinstance(status, int):
            return status
    return None


def _code(fault: Exception) -> str:
    """Return the error code of a failed call; "" if it has none."""
    code = name_in(getattr(fault, "code", None))
    return code or name_in(_reported_code(fault))


def _reported_code(fault: BaseException | None) -> object:
    """Return the code of an error that a response holds, which LangChain raises as a ValueError.

    The error is the API's object, or JSON as the server sent it, whose code may be a status.
    """
    if not isinstance(fault, ValueError) or not fault.args:
        return None
    error = fault.args[0]
    if isinstance(error, dict):
        return error.get("code")
    return getattr(error, "code", None)


def _resendable(answer: AIMessage) -> AIMessage:
    """Return the parts of an answer that can be sent back: text and tool calls.

    The API rejects a reasoning item that it has not stored. A lone surrogate in an argument could
    not be encoded. Each call has an id of its own, by which LangMem tells them apart: some servers
    give them none (MLX) or the same one. Mistral's ids are nine letters and digits.
    """
    calls = []
    for number, call in enumerate(answer.tool_calls):
        arguments = clean_content(call["args"])
        calls.append({**call, "args": arguments, "id": f"call{number:05}"})
    update = {
        "content": str(answer.text),
        "additional_kwargs": {},
        "tool_calls": calls,
    }
    return answer.model_copy(update=update)
