"""The app of `tests.integration`, before model servers that others wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest

from bot.config import Settings
from bot.runtime.wiring import open_model_clients
from memory import Pool
from tests.conftest import Server
from tests.databases import SPACE
from tests.integration.app import App, open_app
from tests.integration.conftest import playground_process as playground_process
from tests.integration.conftest import slack as slack
from tests.integration.playground_slack import PlaygroundSlack
from tests.real_servers.servers import LLAMA_MODEL

OpenAppAt: TypeAlias = Callable[..., AbstractAsyncContextManager[App]]
ANSWER_TOKENS = 16


def model_settings(url: str, *, key: str = "none", **settings: Any) -> dict[str, Any]:
    """Return the settings that lead the app to a model server; answers are short."""
    return {
        "openai_base_url": url,
        "openai_api_key": key,
        "reply_model": LLAMA_MODEL,
        "memory_model": LLAMA_MODEL,
        "embedding_model": LLAMA_MODEL,
        "web_search": False,
        "max_output_tokens": ANSWER_TOKENS,
        **settings,
    }


@pytest.fixture
def open_app_at(
    pool: Pool, database: str, slack: PlaygroundSlack, stand_in: Server
) -> OpenAppAt:
    """Wire the app before the model server at an address; embeddings are the stand-in's."""

    @asynccontextmanager
    async def open_at(url: str, **settings: Any) -> AsyncIterator[App]:
        given = model_settings(url, **settings)
        given |= {
            "embedding_base_url": stand_in.openai_base_url,
            "embedding_model": SPACE.model,
        }
        async with open_model_clients(Settings(**given)) as clients:
            yield await open_app(
                pool,
                database,
                slack,
                stand_in,
                clients.replies,
                clients=clients,
                **given,
            )

    return open_at
