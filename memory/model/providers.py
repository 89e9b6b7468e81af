"""The providers of models, by LangChain's names of models."""

from __future__ import annotations


def provider_and_name(model: str) -> tuple[str, str]:
    """Split a LangChain model name into the provider and the provider's name of the model.

    The provider is what precedes the first colon, as `init_chat_model` reads it. Names without one
    are OpenAI's, and so are those of fine-tuned models (``ft:gpt-4.1-mini:acme::abc``). Source:
    https://reference.langchain.com/python/langchain/chat_models/base/init_chat_model
    """
    provider, colon, name = model.partition(":")
    if not colon or provider == "ft":
        return "openai", model
    return provider, name
