"""The providers of models, by LangChain's names of models."""

from __future__ import annotations

from typing import Final

OPENAI: Final = "openai"
OPENAI_HOST: Final = "api.openai.com"
OPENAI_CHAT: Final = "openai-chat"
"""Servers that have OpenAI's /chat/completions, and no Responses API."""
PROVIDERS: Final = frozenset(
    {
        OPENAI,
        OPENAI_CHAT,
        "anthropic",
        "anthropic_bedrock",
        "azure_ai",
        "azure_openai",
        "baseten",
        "bedrock",
        "bedrock_converse",
        "bedrock_mantle_anthropic",
        "bedrock_mantle_openai",
        "cohere",
        "deepseek",
        "fireworks",
        "google_anthropic_vertex",
        "google_genai",
        "google_vertexai",
        "groq",
        "huggingface",
        "ibm",
        "langsmith",
        "litellm",
        "meta",
        "mistralai",
        "nvidia",
        "ollama",
        "openrouter",
        "perplexity",
        "together",
        "upstage",
        "xai",
    }
)
"""Those that LangChain's `init_chat_model` knows, and `OPENAI_CHAT`."""


def provider_and_name(model: str) -> tuple[str, str]:
    """Split a LangChain model name into the provider and the provider's name of the model.

    What precedes the first colon is the provider if it is one of `PROVIDERS`. Every other name is
    of a server of OpenAI's API, such as ``gpt-6-luna``, ``ft:gpt-4.1-mini:acme::abc`` or Ollama's
    ``qwen3:8b``. Source: https://reference.langchain.com/python/langchain/models/
    """
    provider, colon, name = model.partition(":")
    if colon and provider in PROVIDERS:
        return provider, name
    return OPENAI, model


def speaks_openai(model: str) -> bool:
    """Return whether a model is asked at a server of OpenAI's API."""
    return provider_and_name(model)[0] in (OPENAI, OPENAI_CHAT)
