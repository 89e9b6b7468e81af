"""A double on a loopback port, checked against OpenAI's schemas, and the real `openai` client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import openai
import pytest

from openai_double import Answer, Prompt, create_app, make_answer
from openai_double.conformance import TRAFFIC, verify
from openai_double.serving import serving

from .controls import Controls


def answer_politely(prompt: Prompt) -> Answer:
    """Return the answer to a request that no script of a test matches."""
    if "thanks" in prompt.last_user_text:
        return make_answer("You're welcome!")
    return make_answer("Hello! Tell me about yourself and your work, then ask me.")


@pytest.fixture
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a double with one more model of each kind; its traffic must conform.

    A test marked ``nonconforming`` violates OpenAI's schemas on purpose, and fails if it does not.
    The double shares the test's event loop, so a connection that it resets has been read until
    then.
    """
    app = create_app(
        answer_politely,
        kinds=("reply", "formation"),
        models={"local-model": 0, "local-embedding": 256},
    )
    async with serving(app, 0) as address, aiohttp.ClientSession() as http:
        await http.post(f"{address}/_model/settings", json={"record_traffic": True})
        yield address
        async with http.get(f"{address}/_model/traffic") as answer:
            traffic = await answer.json()
            TRAFFIC.add_records(traffic["records"])
    nonconforming = request.node.get_closest_marker("nonconforming") is not None
    verify(TRAFFIC, nonconforming=nonconforming)


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """The real client, without retries."""
    async with openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key="x", max_retries=0
    ) as one:
        yield one


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Plain HTTP."""
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def controls(url: str, session: aiohttp.ClientSession) -> Controls:
    """The controls of the double."""
    return Controls(url, session)
