"""The chat model for formation: one attempt per call, and what failures mean."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import SecretStr

from memory.metrics import count_tokens
from memory.model.errors import FormationUnavailable, MemoryModelRefused, WordsUnreadable
from memory.model.schemas import DECLARATION
from memory.model.text import clean_content

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.runnables import Runnable
    from openai import AsyncOpenAI

_log = logging.getLogger(__name__)

# Seconds: an answer comes whole, and a model on modest hardware that reasons takes minutes.
MODEL_TIMEOUT = 180.0
# Calls are rare, and a connection kept alive would outlive its event loop.
_ONE_CALL = {"Connection": "close"}

Api: TypeAlias = Literal["responses", "chat"]
"""OpenAI's API that a memory model is called through: /responses or /chat/completions."""
ToolDefinition: TypeAlias = dict[str, Any]
"""A tool as chat completions take it: ``{"type": "function", "function": …}``."""
TokenUse: TypeAlias = Counter[tuple[str, str]]
"""Tokens by model and kind: input, cache_write (input that the model put into its cache), cached
(input that it had there) or output."""
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
_MAX_DESCRIPTION = 300  # characters, in a tool's definition
_NAME = re.compile(r"[\w.\[\]-]{1,60}")


def provider_and_name(model: str) -> tuple[str, str]:
    """Return the provider and the model's own name of a LangChain model name.

    The provider is what precedes the first colon, as `init_chat_model` reads it. Names without one
    are OpenAI's, and so are those of fine-tuned models (``ft:gpt-4.1-mini:acme::abc``). Source:
    https://reference.langchain.com/python/langchain/chat_models/base/init_chat_model
    """
    provider, colon, name = model.partition(":")
    return (provider, name) if colon and provider != "ft" else ("openai", model)


def memory_model(
    *,
    model: str,
    api_key: SecretStr | str | None = None,
    base_url: str | None = None,
    client: AsyncOpenAI | None = None,
    api: Api = "responses",
) -> BaseChatModel:
    """Return the chat model for formation; a failed call is not retried.

    `model` is an OpenAI model, or ``provider:model`` as LangChain's `init_chat_model` takes it
    (requires that provider's package and key; raises ImportError or ValueError without them).
    `api_key` and `base_url` are OpenAI's, by default those of the environment; other providers'
    packages read their own variables, and ValueError is raised where one of the two is given.
    `client` lends its connections, which it keeps open and closes.
    OpenAI models are called through `api`, also behind `base_url`. Parameters that only some
    model families accept, such as a temperature, are not sent.
    """
    provider, name = provider_and_name(model)
    if provider != "openai":
        if api_key is not None or base_url is not None:
            raise ValueError(f"{provider} takes its key and address from its own variables.")
        from langchain.chat_models import init_chat_model

        return init_chat_model(model, max_retries=0, timeout=MODEL_TIMEOUT)
    from langchain_openai import ChatOpenAI

    key = SecretStr(api_key) if isinstance(api_key, str) else api_key
    through: dict[str, Any] = {"default_headers": _ONE_CALL}
    if client is not None:
        secret = key.get_secret_value() if key else None
        own = client.with_options(
            api_key=secret, base_url=base_url, max_retries=0, timeout=MODEL_TIMEOUT
        )
        through = {"root_async_client": own, "async_client": own.chat.completions}
    return ChatOpenAI(
        model=name,
        api_key=key,
        base_url=base_url,
        use_responses_api=api == "responses",
        temperature=None,  # ChatOpenAI would send 1 to models called o1…
        max_retries=0,
        timeout=MODEL_TIMEOUT,
        store=False,
        **through,
    )


def tokens_used(model: str, reported: UsageMetadata) -> TokenUse:
    """Return the tokens that LangChain reports of a call."""
    details = reported.get("input_token_details", {})
    cached, written = details.get("cache_read") or 0, details.get("cache_creation") or 0
    used: TokenUse = Counter()
    used[model, "input"] = max(reported["input_tokens"] - cached - written, 0)
    used[model, "cache_write"] = written
    used[model, "cached"] = cached
    used[model, "output"] = reported["output_tokens"]
    return +used


def _failure(fault: Exception, model: str) -> FormationUnavailable:
    """Return what a failed call means, by its status and error code.

    The error's text may quote the person, so neither the text nor a long code is logged or raised.
    LangChain raises a failed response as a ValueError with the API's error object.
    """
    failed = fault.args[0] if isinstance(fault, ValueError) and fault.args else None
    status = _status(fault) or _status(fault.__cause__)
    code = _name(getattr(fault, "code", None) or getattr(failed, "code", None))
    name = type(fault).__name__
    if code in _FINAL or (status is None and code and code not in _PASSING_CODES):
        return WordsUnreadable(f"The memory model refuses these words ({code}).")
    passes = status in _PASSING_STATUSES and code != "insufficient_quota"
    if status is None or passes or not (400 <= status < 500 or status == _NOT_IMPLEMENTED):
        return FormationUnavailable(f"The memory model did not answer ({name}).")
    param = _name(getattr(fault, "param", None))
    refused = MemoryModelRefused(model, status=status, code=code, param=param)
    _log.error("%s", refused)
    return refused


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


class FormationModel:
    """A chat model that is asked with tools, one attempt for each request.

    No request says which tool the model calls: some servers refuse that, such as vLLM with gpt-oss
    (https://github.com/vllm-project/vllm/issues/53626), and the instructions say it.
    """

    def __init__(self, chat: BaseChatModel) -> None:
        self.chat = chat
        self._name = str(getattr(chat, "model_name", None) or getattr(chat, "model", type(chat)))

    async def ask(self, messages: Sequence[Any], tools: Sequence[ToolDefinition]) -> AIMessage:
        """Return the model's answer, as it can be sent back. Raises `FormationUnavailable`."""
        try:
            answer = await self._with_tools(tools).ainvoke(messages)
        except Exception as fault:  # noqa: BLE001 - each provider's package has errors of its own
            raise _failure(fault, self._name) from None
        team = TEAM.get(None)
        if team is not None and answer.usage_metadata:
            model = answer.response_metadata.get("model_name", self._name)
            count_tokens(team, tokens_used(model, answer.usage_metadata))
        return _resendable(answer)

    def _with_tools(self, tools: Sequence[ToolDefinition]) -> Runnable[Any, AIMessage]:
        if not getattr(self.chat, "use_responses_api", False):
            return self.chat.bind_tools(tools)
        # The OpenAI client takes 5 ms to compare each of `tools` with each type of tool there is,
        # and none for `extra_body`. `strict` is said, because a missing one is taken for true, with
        # which optional fields are refused:
        # https://platform.openai.com/docs/guides/function-calling
        functions = [one["function"] for one in tools]
        given = [{"type": "function", "strict": False, **one} for one in functions]
        return self.chat.bind(extra_body={"tools": given})


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


def tool_definition(tool: Any) -> ToolDefinition:
    """Return the definition of a tool, a class or a schema, without needless parts."""
    # The same classes are sent in every run, and converting one takes 0.5 ms.
    define = _cached_definition if isinstance(tool, type) else _definition
    return define(tool)


def _definition(tool: Any) -> ToolDefinition:
    from langchain_core.utils.function_calling import convert_to_openai_tool

    definition = convert_to_openai_tool(tool)
    function = definition["function"]
    parameters = _compact(function["parameters"])
    for needless in ("description", DECLARATION):  # models' APIs refuse unknown keywords
        parameters.pop(needless, None)
    return {**definition, "function": {**function, "parameters": parameters}}


_cached_definition = lru_cache(maxsize=64)(_definition)


def _compact(schema: Any) -> Any:
    """Return a JSON schema without examples, long descriptions, defaults and types of null.

    trustcall's tools come with pages of them in each request. LangChain's package for Google takes
    a list of types for a text (langchain-google-genai 4.4.2).
    """
    if isinstance(schema, list):
        return [_compact(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if (key, value) == ("default", None) or (key == "examples" and isinstance(value, list)):
            continue
        kept[key] = _compact(value)
        if key == "description" and isinstance(value, str):
            kept[key] = value[:_MAX_DESCRIPTION]
    options = [one for one in kept.get("anyOf", []) if one != {"type": "null"}]
    if len(options) == 1:
        del kept["anyOf"]
        kept = {**options[0], **kept}
    return kept
