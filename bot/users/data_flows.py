"""The receivers of a person's words: each model in use, with its host."""

from __future__ import annotations

from urllib.parse import urlsplit

from bot.config import Settings
from bot.views.home import DataFlow
from memory import provider_and_name


def data_flows(settings: Settings) -> list[DataFlow]:
    """Return the receivers of a person's words, one for each purpose.

    The fallback model gets what the reply model gets, while that does not answer. A model of
    another provider than OpenAI's API has the provider's name as its host.
    """
    flows = [_of_api("replies", settings, settings.reply_model)]
    if settings.fallback_model is not None:
        flows.append(_of_api("fallback", settings, settings.fallback_model))
    flows.append(_of_memories(settings))
    flows.append(_of_api("search", settings, settings.embedding_model))
    return flows


def _of_api(purpose: str, settings: Settings, model: str) -> DataFlow:
    host = urlsplit(settings.openai_base_url or "https://api.openai.com").hostname or ""
    return DataFlow(purpose=purpose, model=model, host=host)


def _of_memories(settings: Settings) -> DataFlow:
    provider, model = provider_and_name(settings.memory_model_name)
    if provider == "openai":
        return _of_api("memories", settings, model)
    return DataFlow(purpose="memories", model=model, host=provider)
