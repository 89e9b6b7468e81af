"""The stand-in model on a loopback port, and the real `openai` client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import openai
import pytest

from kioku_stand_in import create_model_app
from openai_double.conformance import TRAFFIC, verify
from openai_double.testing import Double, running


@pytest.fixture
def stand_in() -> Iterator[Double]:
    """The stand-in model; all it receives and sends conforms to OpenAI's schemas."""
    with running(create_model_app()) as double:
        with TRAFFIC.watched(double.url, lambda: True):
            yield double
        verify(TRAFFIC)


@pytest.fixture
async def client(stand_in: Double) -> AsyncIterator[openai.AsyncOpenAI]:
    """The real client, without retries."""
    async with openai.AsyncOpenAI(
        base_url=stand_in.base_url, api_key="x", max_retries=0
    ) as one:
        yield one
