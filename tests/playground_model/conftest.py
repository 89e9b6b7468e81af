"""The stand-in model on a loopback port, the real `openai` client, and its controls."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import openai
import pytest

from kioku_stand_in import create_model_app
from tests.conformance.traffic import TRAFFIC
from tests.loopback import serving
from tests.playground_model.controls import Controls


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The address of a fresh server."""
    async with (
        serving(create_model_app(), shutdown_timeout=1) as address,
        aiohttp.ClientSession() as http,
    ):
        await http.post(f"{address}/_model/settings", json={"record_traffic": True})
        yield address
        async with http.get(f"{address}/_model/traffic") as answer:
            TRAFFIC.take(await answer.json())


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """The real client, without retries."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as one:
        yield one


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Plain HTTP."""
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def controls(url: str, session: aiohttp.ClientSession) -> Controls:
    """The controls of the server."""
    return Controls(url, session)
