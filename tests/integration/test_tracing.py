"""`memory` as a library: the caller's runs are traced as it chose, its own model calls are not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from bot.telemetry import disable_telemetry
from tests.collector import TRUE_NAMES, Collector
from tests.conftest import Server
from tests.databases import SPACE
from tests.fork_server import SOURCES

pytestmark = pytest.mark.slow

CALLER = """
import asyncio, os
import openai
from langgraph.func import entrypoint
from langsmith.run_trees import get_cached_client
from memory import (
    DM, Embedder, EmbeddingSpace, Former, Person, PersonMessage, create_pool, list_memories,
    memory_model, memory_view,
)

async def main():
    ann = Person("ACME", "ANN")
    base_url = os.environ["OPENAI_BASE_URL"]
    chat = memory_model(model="kioku-stand-in", api_key="x", base_url=base_url)
    async with openai.AsyncOpenAI() as client, create_pool(os.environ["DATABASE_URL"]) as pool:
        space = EmbeddingSpace(os.environ["SPACE"], int(os.environ["DIMENSIONS"]))
        former = Former(pool, Embedder(client, space), chat)

        @entrypoint()
        async def app(text: str) -> str:
            words = PersonMessage(text="I love ramen", channel="web", ts="1700000000.000100")
            await former.form(memory_view(ann.namespace(DM)), [words])
            return "done"

        await app.ainvoke("what the caller says")
        print(len(await list_memories(pool, ann)))

before = dict(os.environ)
get_cached_client(auto_batch_tracing=False)  # each run is sent before the call returns
asyncio.run(main())
assert dict(os.environ) == before, "the environment was changed"
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A telemetry server."""
    with closing(Collector()) as served:
        yield served


def called(stand_in: Server, database: str, **settings: str) -> None:
    """Run another application's program that uses `memory`; it stores one memory."""
    given = {
        **os.environ,
        "PYTHONPATH": SOURCES,
        "OPENAI_BASE_URL": stand_in.openai_base_url,
        "OPENAI_API_KEY": "stand-in",
        "DATABASE_URL": database,
        "SPACE": SPACE.model,
        "DIMENSIONS": str(SPACE.dimensions),
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CALLER],
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


def test_a_formation_is_in_no_trace(
    stand_in: Server, database: str, collector: Collector
) -> None:
    """The caller's run is traced as it chose; what a formation sends its model is not in it."""
    called(stand_in, database, **collector.settings("LANGSMITH_TRACING_V2"))
    traced = "".join(collector.bodies)
    assert "what the caller says" in traced
    assert "ramen" not in traced


def test_an_application_may_switch_all_of_it_off() -> None:
    """No variable that switches telemetry on is left; others are."""
    environment = dict.fromkeys(
        (
            *TRUE_NAMES,
            "LANGSMITH_GATEWAY",
            "LANGSMITH_OTEL_ENABLED",
            "LANGSMITH_RUNS_ENDPOINTS",
            "LANGCHAIN_LOG",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_PYTHON_TRACER_PROVIDER",
            "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE",
            "HTTPS_PROXY",
        ),
        "true",
    )
    disable_telemetry(environment)
    left = {name for name, value in environment.items() if value not in ("false", "")}
    assert left == {"HTTPS_PROXY", "OTEL_SDK_DISABLED"}
    assert environment["LANGSMITH_TRACING_V2"] == "false"
