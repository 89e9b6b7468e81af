"""The chat models that form memories, made from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from langchain_core.language_models import BaseChatModel
from openai import AsyncOpenAI
from pydantic import BaseModel

from bot.config import Settings
from memory import Embedder, Former, Pool, memory_model
from memory.model import provider_and_name


def create_chat_model(settings: Settings, client: AsyncOpenAI | None = None) -> BaseChatModel:
    """Return the LangChain chat model that forms memories.

    Raises what `memory.memory_model` raises. A model that speaks OpenAI's API shares the
    connections of `client`.
    """
    name = settings.memory_model_name
    if provider_and_name(name)[0] != "openai":
        return memory_model(model=name)
    server = settings.memory_server
    return memory_model(
        model=name,
        api_key=server.key,
        base_url=server.base_url,
        client=client,
        api="responses" if name == settings.memory_model else "chat",
        reasoning_effort=settings.memory_reasoning_effort,
    )


def create_former(
    settings: Settings,
    pool: Pool,
    embedder: Embedder,
    client: AsyncOpenAI,
    *,
    schemas: Sequence[type[BaseModel]],
) -> Former:
    """Return the `Former` for the memory model, which is made at first use."""
    model = partial(create_chat_model, settings, client)
    return Former(pool, embedder, model, schemas=schemas, sensitive=settings.sensitive)
