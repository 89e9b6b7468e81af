"""LangChain's chat models, by provider."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel
from langchain_core.messages.ai import UsageMetadata
from openai import AsyncOpenAI
from pydantic import SecretStr

from memory.model.providers import OPENAI, OPENAI_HOST, provider_and_name, speaks_openai

# Seconds. A memory model's answer is not streamed, and the person's next words wait for it.
MODEL_TIMEOUT = 100.0
CACHE_OPTIONS = "prompt_cache_options"
# Calls are rare, and a connection kept alive would outlive its event loop.
_ONE_CALL = {"Connection": "close"}

TokenUse: TypeAlias = Counter[tuple[str, str]]
"""Tokens by model and kind: input, cache_write (input written to the model's cache), cached (input
read from it) or output."""


def memory_model(
    *,
    model: str,
    api_key: SecretStr | str | None = None,
    base_url: str | None = None,
    client: AsyncOpenAI | None = None,
    reasoning_effort: str | None = None,
    timeout: float = MODEL_TIMEOUT,
) -> BaseChatModel:
    """Return a chat model; a failed call is not retried, and waits `timeout` seconds for a byte.

    `model` is an OpenAI model, or ``provider:model`` as LangChain's `init_chat_model` takes it
    (requires that provider's package and key; raises ImportError or ValueError without them).
    `api_key` and `base_url` are OpenAI's, by default those of the environment; other providers'
    packages read their own variables, and giving either raises ValueError. The connections of
    `client` are shared, and it stays their owner. OpenAI's models, also behind `base_url`, are
    asked by the Responses API, those of ``openai-chat:`` over /chat/completions, with
    `reasoning_effort` if it is given. Parameters that only some model families accept, such as a
    temperature, are not sent.
    """
    provider, name = provider_and_name(model)
    if not speaks_openai(model):
        if api_key is not None or base_url is not None:
            raise ValueError(
                f"{provider} takes its key and address from its own variables."
            )
        from langchain.chat_models import init_chat_model  # few installations need it

        return init_chat_model(model, max_retries=0, timeout=timeout)
    # Importing LangChain's package takes 65 ms, which start-up need not wait for.
    from langchain_openai import ChatOpenAI

    if isinstance(api_key, str):
        api_key = SecretStr(api_key)
    through: dict[str, Any] = {"default_headers": _ONE_CALL}
    if client is not None:
        own = client.with_options(
            api_key=api_key.get_secret_value() if api_key else None,
            base_url=base_url,
            max_retries=0,
            timeout=timeout,
        )
        through = {"root_async_client": own, "async_client": own.chat.completions}
    has_responses = provider == OPENAI
    if has_responses:
        through["store"] = False
    if has_responses and urlsplit(base_url or "").hostname == OPENAI_HOST:
        # No later request begins like this one: nothing is written to the cache, which costs more.
        through[CACHE_OPTIONS] = {"mode": "explicit"}
    return ChatOpenAI(
        model=name,
        api_key=api_key,
        base_url=base_url,
        use_responses_api=has_responses,
        reasoning_effort=reasoning_effort,
        temperature=None,  # ChatOpenAI would send 1 to models called o1…
        max_retries=0,
        timeout=timeout,
        stream_chunk_timeout=0,  # Python 3.11's `wait_for` can swallow a cancellation
        **through,
    )


def token_use(
    model: str, *, sent: int, cached: int, cache_write: int, output: int
) -> TokenUse:
    """Return the tokens of a call; `sent` are all of the input."""
    used: TokenUse = Counter()
    used[model, "input"] = sent - cached - cache_write
    used[model, "cache_write"] = cache_write
    used[model, "cached"] = cached
    used[model, "output"] = output
    return +used


def tokens_used(model: str, reported: UsageMetadata) -> TokenUse:
    """Return the tokens that LangChain reports for a call."""
    details = reported.get("input_token_details", {})
    return token_use(
        model,
        sent=reported["input_tokens"],
        cached=details.get("cache_read") or 0,
        cache_write=details.get("cache_creation") or 0,
        output=reported["output_tokens"],
    )
