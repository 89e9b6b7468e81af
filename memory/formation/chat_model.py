"""The chat model for formation: one attempt per call, and what its failures mean."""

from __future__ import annotations

import logging
import re
import types
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import SecretStr

from memory.formation.tool_definitions import tool_definitions
from memory.model.errors import FormationUnavailable, MemoryModelRefused
from memory.model.text import clean_content

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.messages.ai import UsageMetadata

_log = logging.getLogger(__name__)

# Seconds: an answer comes whole, and a model on modest hardware that reasons takes minutes.
MODEL_TIMEOUT = 180.0
# Calls are rare, and a connection kept alive would outlive its event loop.
_ONE_CALL = {"Connection": "close"}

Api: TypeAlias = Literal["responses", "chat"]
"""OpenAI's API that a memory model is called through: /responses or /chat/completions."""
TokenUse: TypeAlias = Counter[tuple[str, str]]
"""Tokens by model and kind: input, cache_write (input that the model put into its cache), cached
(input that it had there) or output."""

# Error codes that concern the text of one request: the same text is always refused.
_FINAL = frozenset({"bio_policy", "content_filter", "cyber_policy", "invalid_prompt"})
_TOO_LONG_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
# vLLM and others name it in words only, and so does OpenAI for what exceeds a minute's tokens.
_TOO_LONG = re.compile(
    r"maximum context length|context length is only|context window|Request too large"
    r"|tokens must be reduced"
)
# Codes of a failed response (`ResponseErrorCode` in OpenAI's OpenAPI document) that are temporary.
_PASSING_CODES = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
# Request timeout, conflict, too early, too many requests: the same request can succeed later.
_PASSING_STATUSES = frozenset({408, 409, 425, 429})
_NOT_IMPLEMENTED = 501
_TOOL_CHOICE = re.compile(r"tool[ _]choice", re.IGNORECASE)
_NAME = re.compile(r"[\w.\[\]-]{1,60}")


class ModelCallFailed(BaseException):
    """A model call failed. Not an Exception, because trustcall retries after every Exception.

    `final`: the same text would be refused again; `too_long`: a part of it may not be. `refused`:
    every request would be refused.
    """

    def __init__(
        self,
        fault: str,
        *,
        final: bool = False,
        too_long: bool = False,
        refused: MemoryModelRefused | None = None,
    ) -> None:
        super().__init__(fault)
        self.final = final or too_long
        self.too_long = too_long
        self.refused = refused

    def error(self) -> FormationUnavailable:
        """Return the error that callers get."""
        return self.refused or FormationUnavailable(f"The memory model did not answer ({self}).")


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
    api: Api = "responses",
) -> BaseChatModel:
    """Return the chat model for formation; a failed call is not retried.

    `model` is an OpenAI model, or ``provider:model`` as LangChain's `init_chat_model` takes it
    (requires that provider's package and key; raises ImportError or ValueError without them).
    `api_key` and `base_url` are OpenAI's, by default those of the environment; other providers'
    packages read their own variables, and ValueError is raised where one of the two is given.
    OpenAI models are called through `api`, also behind `base_url`. Parameters that only some
    model families accept, such as a temperature, are not sent.
    """
    provider, name = provider_and_name(model)
    if provider != "openai":
        if api_key is not None or base_url is not None:
            raise ValueError(f"{provider} takes its key and address from its own variables.")
        from langchain.chat_models import init_chat_model

        chat = type(init_chat_model(model, max_retries=0))
        own = {"default_headers": _ONE_CALL} if "default_headers" in chat.model_fields else {}
        return failing_once(chat(model=name, max_retries=0, timeout=MODEL_TIMEOUT, **own), model)
    from langchain_openai import ChatOpenAI

    openai = ChatOpenAI(
        model=name,
        api_key=SecretStr(api_key) if isinstance(api_key, str) else api_key,
        base_url=base_url,
        use_responses_api=api == "responses",
        temperature=None,  # ChatOpenAI would send 1 to models called o1…
        max_retries=0,
        timeout=MODEL_TIMEOUT,
        store=False,
        default_headers=_ONE_CALL,
    )
    return failing_once(openai, model)


def counted_tokens(answer: AIMessage) -> TokenUse:
    """Return the tokens that a call used, as reported by the model."""
    model = str(answer.response_metadata.get("model_name", ""))
    return token_use(model, answer.usage_metadata) if answer.usage_metadata else Counter()


def token_use(model: str, reported: UsageMetadata) -> TokenUse:
    """Return the tokens that LangChain reports for calls of `model`."""
    details = reported.get("input_token_details", {})
    cached, written = details.get("cache_read") or 0, details.get("cache_creation") or 0
    return +Counter(
        {
            (model, "input"): max(reported["input_tokens"] - cached - written, 0),
            (model, "cache_write"): written,
            (model, "cached"): cached,
            (model, "output"): reported["output_tokens"],
        }
    )


def _is_refusal(answer: AIMessage) -> bool:
    """Return whether the model refused, in chat completions or the Responses API."""
    blocks = answer.content if isinstance(answer.content, list) else []
    return bool(answer.additional_kwargs.get("refusal")) or any(
        isinstance(block, dict) and block.get("type") == "refusal" for block in blocks
    )


def _down(fault: Exception, model: str) -> ModelCallFailed:
    """Classify a failed call by its status and error code.

    The error's text may quote the person, so neither the text nor a long code is logged or raised.
    LangChain raises a failed response as a ValueError with the API's error object.
    """
    from langchain_core.exceptions import ContextOverflowError

    failed = fault.args[0] if isinstance(fault, ValueError) and fault.args else None
    status = _status(fault) or _status(fault.__cause__)
    code = _name(getattr(fault, "code", None) or getattr(failed, "code", None))
    param = _name(getattr(fault, "param", None))
    name = type(fault).__name__
    if code in _TOO_LONG_CODES or isinstance(fault, ContextOverflowError) or status == 413:
        return ModelCallFailed(name, too_long=True)
    if code in _FINAL:
        return ModelCallFailed(name, final=True)
    if status in (400, 429) and _TOO_LONG.search(str(fault)):
        return ModelCallFailed(name, too_long=True)
    if status is None:
        return ModelCallFailed(name, final=bool(code) and code not in _PASSING_CODES)
    passes = status in _PASSING_STATUSES and code != "insufficient_quota"
    if passes or not (400 <= status < 500 or status == _NOT_IMPLEMENTED):
        return ModelCallFailed(name)
    refused = MemoryModelRefused(model, status=status, code=code, param=param)
    _log.error("%s", refused)
    return ModelCallFailed(name, refused=refused)


def _refuses_choice(fault: Exception) -> bool:
    """Return whether a request was refused because it said which tool the model calls.

    vLLM answers 501 for that with gpt-oss: https://github.com/vllm-project/vllm/issues/53626
    """
    status = _status(fault) or _status(fault.__cause__)
    named = status in (400, 422) and _TOOL_CHOICE.search(str(fault)) is not None
    return named or status == _NOT_IMPLEMENTED


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


def failing_once(chat: BaseChatModel, name: str = "") -> BaseChatModel:
    """Return a copy of `chat` for trustcall; one that this function made, itself.

    It raises `ModelCallFailed`: trustcall takes any other error for a bad answer, asks again, and
    then drops the words. Tools get short definitions, and answers can be sent back.
    """
    own = type(chat)
    if own.__module__ == __name__:
        return chat
    name = name or str(getattr(chat, "model_name", None) or getattr(chat, "model", own.__name__))
    definition = tool_definitions(says_strict=bool(getattr(chat, "use_responses_api", False)))
    forces = True  # until a server refuses to be told which tool the model calls

    async def ainvoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal forces
        chooses = kwargs.get("tool_choice", "auto") != "auto"
        if chooses and not forces:
            del kwargs["tool_choice"]
            chooses = False
        try:
            return _resendable(await own.ainvoke(self, *args, **kwargs))
        except Exception as fault:  # noqa: BLE001 (raised again as an error trustcall does not catch)
            if not (chooses and _refuses_choice(fault)):
                raise _down(fault, name) from None
        _log.warning("the memory model %s cannot be told which tool to call", name)
        forces = False
        return await ainvoke(self, *args, **kwargs)

    def bind_tools(self: Any, tools: Sequence[Any], **kwargs: Any) -> Any:
        names = [getattr(tool, "__name__", "") for tool in tools]
        if kwargs.get("tool_choice") == "any" and "PatchFunctionErrors" not in names:
            kwargs["tool_choice"] = "auto"
        return own.bind_tools(self, [definition(tool) for tool in tools], **kwargs)

    members = {"ainvoke": ainvoke, "bind_tools": bind_tools, "__module__": __name__}
    copy = chat.model_copy()
    made = types.new_class(own.__name__, (own,), exec_body=lambda body: body.update(members))
    object.__setattr__(copy, "__class__", made)
    return copy


def _resendable(answer: AIMessage) -> AIMessage:
    """Return an answer as it can be sent back: its text and tool calls, and whether it refused.

    The API refuses a reasoning item that it has not stored. A lone surrogate in an argument could
    not be encoded.
    """
    return answer.model_copy(
        update={
            "content": str(answer.text),
            "additional_kwargs": {"refusal": True} if _is_refusal(answer) else {},
            "tool_calls": [
                {**call, "args": clean_content(call["args"], None)} for call in answer.tool_calls
            ],
        }
    )
