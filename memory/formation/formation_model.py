"""Asks the memory model: one attempt for each request, and what a failure means."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from memory.formation.chat_model import tokens_used
from memory.formation.tool_definitions import ToolDefinition
from memory.metrics import count_tokens
from memory.model.errors import FormationUnavailable, MemoryModelRefused, WordsUnreadable
from memory.model.text import clean_content, without_thoughts

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.runnables import Runnable

_log = logging.getLogger(__name__)

TEAM: ContextVar[str] = ContextVar("team")
"""The team that the tokens of a task's calls are counted for."""

# Error codes that concern the text of one request: the same text is always refused.
_FINAL = frozenset(
    {"bio_policy", "content_filter", "context_length_exceeded", "cyber_policy", "invalid_prompt"}
)
# Codes of a failed response (`ResponseErrorCode` in OpenAI's OpenAPI document) that are temporary.
_PASSING_CODES = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
# Request timeout, conflict, too early, too many requests: the same request can succeed later.
_PASSING_STATUSES = frozenset({408, 409, 425, 429})
_NOT_IMPLEMENTED = 501
_SERVER_ERROR = 500
# llama.cpp answers 400 to what exceeds its context, and 500 to its model's output that it cannot
# parse, or to what its chat template refuses.
_MAY_BE_THE_WORDS = frozenset({400, 413, 422, _SERVER_ERROR})
_NAME = re.compile(r"[\w.\[\]-]{1,60}")

# Tokens that an answer may have: small models repeat themselves without end. A model that thinks
# needs more, which it is given once it has been cut off while it thought.
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
_PROBE = [("system", "Call RepeatWord with the word that the person says."), ("user", "tea")]
_PROBE_SECONDS = 15.0


class _CallFailed(Exception):
    """A request failed: with which HTTP status, if there was one, and what that means."""

    def __init__(
        self, why: str, error: FormationUnavailable, status: int | None, *, timed_out: bool
    ) -> None:
        super().__init__(why)
        self.why = why
        self.error = error
        self.may_pass = status == _SERVER_ERROR
        self.is_refusal = isinstance(error, MemoryModelRefused)
        self.may_be_the_words = timed_out or status in _MAY_BE_THE_WORDS


class FormationModel:
    """A chat model that is asked with tools.

    No request says which tool the model calls: some servers refuse that, such as vLLM with gpt-oss
    (https://github.com/vllm-project/vllm/issues/53626), and the instructions say it.
    """

    def __init__(self, chat: BaseChatModel) -> None:
        self._chat = chat
        self._name = str(getattr(chat, "model_name", None) or getattr(chat, "model", type(chat)))
        # What the package of another provider calls its limit is not known here.
        self._is_openai = hasattr(chat, "use_responses_api")
        self._limit = MAX_OUTPUT_TOKENS

    async def ask(self, messages: Sequence[Any], tools: Sequence[ToolDefinition]) -> AIMessage:
        """Return the model's answer, as it can be sent back.

        Raises `WordsUnreadable` where the model fails with these messages and answers others, and
        `FormationUnavailable` where it fails with others, too, or the failure can pass.
        """
        try:
            return await self._whole_answer(messages, tools)
        except _CallFailed as failed:
            failure = failed
        if failure.may_be_the_words and await self._answers_others():
            if failure.may_pass:
                try:
                    return await self._whole_answer(messages, tools)
                except _CallFailed as failed_again:
                    failure = failed_again
            if failure.may_be_the_words:
                raise WordsUnreadable(failure.why, refused=failure.is_refusal)
        if failure.is_refusal:
            _log.error("%s", failure.error)
        raise failure.error

    async def _answers_others(self) -> bool:
        """Return whether the model answers a request that holds no words of a person."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._answer(_PROBE, [PROBE_TOOL])
        except (_CallFailed, WordsUnreadable, TimeoutError):
            return False
        return True

    async def _whole_answer(
        self, messages: Sequence[Any], tools: Sequence[ToolDefinition]
    ) -> AIMessage:
        """Return an answer that was not cut off; raises `WordsUnreadable` for one that was."""
        answer = await self._answer(messages, tools)
        if self._is_cut_off(answer) and _thinks(answer):
            self._limit = _MAX_THINKING_TOKENS
            answer = await self._answer(messages, tools)
        if self._is_cut_off(answer):
            raise WordsUnreadable("its answer had no end")
        return _resendable(answer)

    async def _answer(self, messages: Sequence[Any], tools: Sequence[ToolDefinition]) -> AIMessage:
        """Return the answer to one request. Raises `WordsUnreadable` or `_CallFailed`."""
        try:
            answer = await self._with_tools(tools).ainvoke(messages)
        except Exception as fault:  # noqa: BLE001 - each provider's package has errors of its own
            raise _failure(fault, self._name) from None
        team = TEAM.get(None)
        if team is not None and answer.usage_metadata:
            model = answer.response_metadata.get("model_name", self._name)
            count_tokens(team, tokens_used(model, answer.usage_metadata))
        return answer

    def _with_tools(self, tools: Sequence[ToolDefinition]) -> Runnable[Any, AIMessage]:
        if not self._is_openai:
            return self._chat.bind_tools(tools)
        if not getattr(self._chat, "use_responses_api", False):
            return self._chat.bind_tools(tools, max_tokens=self._limit)
        # The OpenAI client takes 5 ms to compare each of `tools` with each type of tool there is,
        # and none for `extra_body`. `strict` is said, because a missing one is taken for true, with
        # which optional fields are refused:
        # https://platform.openai.com/docs/guides/function-calling
        functions = [one["function"] for one in tools]
        given = [{"type": "function", "strict": False, **one} for one in functions]
        return self._chat.bind(extra_body={"tools": given}, max_tokens=self._limit)

    def _is_cut_off(self, answer: AIMessage) -> bool:
        """Return whether an answer ended at its limit.

        Providers call the reason by several names, and llama.cpp says that the answer is complete.
        """
        said = answer.response_metadata
        details = said.get("incomplete_details") or {}
        reasons = (said.get("finish_reason"), said.get("stop_reason"), details.get("reason"))
        if any(str(reason).lower() in _CUT_OFF for reason in reasons):
            return True
        used = answer.usage_metadata
        return self._is_openai and used is not None and used["output_tokens"] >= self._limit


def _thinks(answer: AIMessage) -> bool:
    """Return whether the model thought before it answered."""
    used = answer.usage_metadata
    counted = used.get("output_token_details", {}).get("reasoning") if used else None
    blocks = [one for one in answer.content if isinstance(one, dict)]
    shown = any(one.get("type") == "reasoning" for one in blocks)
    text = str(answer.text)
    told = answer.additional_kwargs.get("reasoning_content")
    return bool(counted or shown or told or without_thoughts(text) != text)


def _failure(fault: Exception, model: str) -> Exception:
    """Return what a failed call means, by its status and error code.

    The error's text may quote the person, so neither the text nor a long code is logged or raised.
    LangChain raises a failed response as a ValueError with the API's error object.
    """
    failed = fault.args[0] if isinstance(fault, ValueError) and fault.args else None
    status = _status(fault) or _status(fault.__cause__)
    code = _name(getattr(fault, "code", None) or getattr(failed, "code", None))
    name = type(fault).__name__
    if code in _FINAL or (status is None and code and code not in _PASSING_CODES):
        return WordsUnreadable(code, refused=True)
    passes = status in _PASSING_STATUSES and code != "insufficient_quota"
    is_refusal = status is not None and (400 <= status < 500 or status == _NOT_IMPLEMENTED)
    error = FormationUnavailable(f"The memory model did not answer ({name}).")
    if is_refusal and not passes:
        param = _name(getattr(fault, "param", None))
        error = MemoryModelRefused(model, status=status or 0, code=code, param=param)
    why = ", ".join(filter(None, (name, f"HTTP {status}" if status else "", code)))
    return _CallFailed(why, error, status, timed_out="timeout" in name.lower())


def _status(fault: BaseException | None) -> int | None:
    """Return the HTTP status of an error of a provider's package.

    OpenAI and Anthropic call it `status_code`, Google `code`; botocore has it in `response`.
    """
    response = getattr(fault, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    found = (getattr(fault, "status_code", None), getattr(fault, "code", None))
    for status in (*found, metadata.get("HTTPStatusCode")):
        if isinstance(status, int):
            return status
    return None


def _name(value: object) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def _resendable(answer: AIMessage) -> AIMessage:
    """Return an answer as it can be sent back: its text and tool calls, and whether it refused.

    Chat completions and the Responses API say a refusal in different places. The API refuses a
    reasoning item that it has not stored. A lone surrogate in an argument could not be encoded.
    """
    blocks = [one for one in answer.content if isinstance(one, dict)]
    refused = any(one.get("type") == "refusal" for one in blocks)
    calls = [{**call, "args": clean_content(call["args"], None)} for call in answer.tool_calls]
    more = {"refusal": True} if refused or answer.additional_kwargs.get("refusal") else {}
    update = {"content": str(answer.text), "additional_kwargs": more, "tool_calls": calls}
    return answer.model_copy(update=update)
