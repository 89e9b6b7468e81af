"""Asks the memory model, with one attempt per request, and interprets failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from memory.formation.chat_model import CACHE_OPTIONS, tokens_used
from memory.formation.tool_definitions import ToolDefinition, with_function
from memory.metrics import count_tokens
from memory.model.errors import (
    FormationUnavailable,
    MemoryModelRefused,
    WordsUnreadable,
)
from memory.model.model_errors import ErrorCause, ModelError, model_error
from memory.model.text import clean_content
from memory.model.thoughts import without_thoughts

_log = logging.getLogger(__name__)

TEAM: ContextVar[str] = ContextVar("team")
"""The team for which the tokens of this task's calls are counted."""

# The limit of an answer, because small models repeat themselves without end. A model that thinks
# needs more, and gets it after it has been cut off once.
MAX_OUTPUT_TOKENS = 2_000
_MAX_THINKING_TOKENS = 8_000
_CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "content_filter"})
_SERVER_ERROR = 500
_WRONG_KEY = 401

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
_FAILED = ModelError(cause="model_failed")


class _CallFailed(Exception):
    """A request failed with `error`; `is_broken`: the same request may succeed at once.

    That is an answer that is not of the API, a call that is not JSON, or a 500, with which some
    servers say that they cannot parse what their model wrote.
    """

    def __init__(
        self, error: ModelError, why: str = "", *, is_broken: bool = False
    ) -> None:
        self.error = error
        self.why = ", ".join(filter(None, (why, error.told)))
        self.is_broken = is_broken
        super().__init__(self.why)

    @property
    def refusal(self) -> ErrorCause | None:
        """What a refusal means; None if there was none."""
        return None if self.error is _FAILED else self.error.cause

    @property
    def may_be_the_words(self) -> bool:
        """Whether the server may answer other words."""
        if self.error.passes:
            return self.is_broken or self.error.silent
        return self.error.cause != "model_quota" and self.error.status != _WRONG_KEY

    @property
    def unreadable(self) -> WordsUnreadable:
        """The error for callers if other requests do not fail."""
        return WordsUnreadable(self.why, self.refusal)


class FormationModel:
    """A chat model that is asked with tools, which it must be able to call.

    No request forces a tool, because some servers refuse that, such as vLLM with gpt-oss
    (https://github.com/vllm-project/vllm/issues/53626); the instructions name it instead. So an
    answer without a call may say that there is nothing to remember. The first one, and a failure
    that may be the words', are followed by a request without a person's words (`RepeatWord`).

    The effort of reasoning and the options of the cache, or ``store: false`` where a refusal names
    it, are left out from the first refusal on that they were the cause of.
    """

    def __init__(self, chat: BaseChatModel) -> None:
        self._chat = chat
        name = getattr(chat, "model_name", None)
        self._name = str(name or getattr(chat, "model", type(chat)))
        # Other providers' packages have other names for the limit.
        self._is_openai = hasattr(chat, "use_responses_api")
        self._limit = MAX_OUTPUT_TOKENS
        self._calls_tools = False

    async def ask(
        self, messages: Sequence[Any], tools: Sequence[ToolDefinition]
    ) -> AIMessage:
        """Return the model's answer, in a form that can be sent back.

        Raises `WordsUnreadable` if the model fails on these messages but answers others,
        `MemoryModelRefused` if it refuses every request or calls no tools, and
        `FormationUnavailable` if it does not answer now.
        """
        try:
            answer = await self._whole_answer(messages, tools)
        except _CallFailed as failure:
            if not failure.unreadable.may_pass:
                raise failure.unreadable from None
            if not failure.may_be_the_words or not await self._answers_others():
                raise self._away(failure) from failure
            if not failure.is_broken:
                raise failure.unreadable from None
            try:
                answer = await self._whole_answer(messages, tools)
            except _CallFailed as again:
                if again.may_be_the_words:
                    raise again.unreadable from None
                raise self._away(again) from again
        if answer.tool_calls:
            self._calls_tools = True
        elif not self._calls_tools and not await self._answers_others():
            raise FormationUnavailable("The memory model did not answer.")
        return answer

    def _away(self, failure: _CallFailed) -> FormationUnavailable:
        """Return the error for callers of a model that answers no request."""
        if failure.error.passes or failure.error.is_unreadable:
            return FormationUnavailable(
                f"The memory model did not answer ({failure.why})."
            )
        return self._refused(failure.error.told, failure.error)

    def _refused(self, why: str, error: ModelError | None = None) -> MemoryModelRefused:
        refused = MemoryModelRefused(self._name, why, error)
        _log.error("%s", refused)
        return refused

    async def _answers_others(self) -> bool:
        """Return whether the model answers a small request; raises `MemoryModelRefused`.

        It is raised if the answer does not call the tool that it asks to be called.
        """
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                answer = await self._answer(_PROBE, [PROBE_TOOL])
        except (_CallFailed, TimeoutError):
            return False
        if not answer.tool_calls:
            raise self._refused("it calls no tools")
        self._calls_tools = True
        return True

    async def _whole_answer(
        self, messages: Sequence[Any], tools: Sequence[ToolDefinition]
    ) -> AIMessage:
        """Return an answer that was not cut off and whose calls are JSON. Raises `_CallFailed`."""
        answer = await self._answer(messages, tools)
        if self._is_cut_off(answer) and _thinks(answer):
            self._limit = _MAX_THINKING_TOKENS
            answer = await self._answer(messages, tools)
        if self._is_cut_off(answer):
            raise _CallFailed(_FAILED, "its answer had no end")
        if answer.invalid_tool_calls:
            # Without it the answer would say that there is nothing, or less, to remember.
            raise _CallFailed(_FAILED, "its call was not JSON", is_broken=True)
        return _resendable(answer)

    async def _answer(
        self, messages: Sequence[Any], tools: Sequence[ToolDefinition]
    ) -> AIMessage:
        """Return the answer to one request, or to one with fewer parameters."""
        try:
            return await self._answer_of(self._chat, messages, tools)
        except _CallFailed as failure:
            chat = self._with_fewer_parameters(failure.error)
            if chat is None:
                raise
        answer = await self._answer_of(chat, messages, tools)
        self._chat = chat
        return answer

    def _with_fewer_parameters(self, error: ModelError) -> BaseChatModel | None:
        """Return the model without what a refusal may be about; None if there is nothing."""
        if error.status is None or error.cause != "model_failed":
            return None
        fewer: dict[str, Any] = {"reasoning_effort": None, CACHE_OPTIONS: None}
        if error.field_of(("store", "reasoning", CACHE_OPTIONS)) == "store":
            fewer = {"store": None}
        sent = {name: getattr(self._chat, name, left) for name, left in fewer.items()}
        if sent == fewer:
            return None
        return self._chat.model_copy(update=fewer)

    async def _answer_of(
        self,
        chat: BaseChatModel,
        messages: Sequence[Any],
        tools: Sequence[ToolDefinition],
    ) -> AIMessage:
        """Return the answer to one request. Raises `_CallFailed`."""
        try:
            answer = await self._with_tools(chat, tools).ainvoke(messages)
        except Exception as fault:  # noqa: BLE001 - each provider's package has errors of its own
            error = model_error(fault)
            is_broken = error.is_unreadable or error.status == _SERVER_ERROR
            why = type(fault).__name__
            raise _CallFailed(error, why, is_broken=is_broken) from None
        team = TEAM.get(None)
        if team is not None and answer.usage_metadata:
            model = answer.response_metadata.get("model_name", self._name)
            count_tokens(team, tokens_used(model, answer.usage_metadata))
        return answer

    def _with_tools(
        self, chat: BaseChatModel, tools: Sequence[ToolDefinition]
    ) -> Runnable[Any, AIMessage]:
        if not self._is_openai:
            return chat.bind_tools(tools)
        if not getattr(chat, "use_responses_api", False):
            return chat.bind_tools(tools, max_tokens=self._limit)
        # There `strict` is true by default, which refuses optional fields. Source:
        # https://platform.openai.com/docs/guides/function-calling
        loose = [with_function(tool, strict=False) for tool in tools]
        return chat.bind_tools(loose, max_tokens=self._limit)

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
