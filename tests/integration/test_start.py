"""What passes is waited for at the start; what is refused is said at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

import bot.app
from bot.config import Settings
from bot.queue.queue import Queue
from bot.runtime import worker
from bot.runtime.problems import BOT_TOKEN, Problem
from bot.runtime.slack_calls import call_slack
from bot.runtime.wiring import open_app
from memory import EmbeddingSpace, EmbeddingsUnavailable, Pool
from tests.conftest import Server
from tests.databases import SPACE, login_of, owner_rows
from tests.integration.app import App
from tests.integration.playground_slack import PlaygroundSlack
from tests.waiting import until

PASSING: list[list[dict[str, Any]]] = [
    [{"error": "ratelimited", "retry_after": 1}],
    [{"status": 500}],
    [{"drop": "before"}, {"drop": "after"}],
]


def settings(slack: PlaygroundSlack, **changed: Any) -> Settings:
    """Return the settings of an app in the playground."""
    client = slack.client()
    token = SecretStr(str(client.token))
    return Settings(
        **{"slack_bot_token": token, "slack_api_url": client.base_url, **changed}
    )


@pytest.mark.parametrize("faults", PASSING)
async def test_a_passing_trouble_does_not_end_the_start(
    slack: PlaygroundSlack, faults: list[dict[str, Any]]
) -> None:
    """Slack is asked again after a 429, a 500 and a lost connection, until it answers."""
    for fault in faults:
        slack.fault("auth.test", **fault)
    answer = await call_slack(settings(slack), BOT_TOKEN, "auth.test")
    assert answer["user_id"] == slack.bot_user_id
    assert len(slack.calls("auth.test")) == len(faults) + 1


@pytest.mark.failed_calls("auth.test: invalid_auth", because="The token is wrong.")
async def test_a_refusal_ends_the_start_at_once(slack: PlaygroundSlack) -> None:
    """A token that Slack refuses is named, without a second try."""
    wrong = settings(slack, slack_bot_token=SecretStr("xoxb-no"))
    with pytest.raises(
        Problem, match=r"Slack refuses SLACK_BOT_TOKEN \(invalid_auth\): inst"
    ):
        await call_slack(wrong, BOT_TOKEN, "auth.test")
    assert len(slack.calls("auth.test")) == 1


@pytest.mark.parametrize("fault", [{"status": 500}, {"delay_ms": 60_000.0}], ids=str)
async def test_an_embedding_model_that_is_away_does_not_end_the_start(
    database: str,
    stand_in: Server,
    slack: PlaygroundSlack,
    fault: dict[str, Any],
) -> None:
    """The size of its vectors is stored; that of a model with which nothing is embedded is not."""
    owner_rows(database, "UPDATE kioku_embedding_space SET model = 'own'")
    stand_in.call("/_model/faults", {"endpoint": "embeddings", "times": -1, **fault})
    models = {"openai_base_url": stand_in.openai_base_url, "embedding_model": "own"}
    async with open_app(settings(slack, **models), login_of(database)) as app:
        assert app.embedder.space == EmbeddingSpace("own", SPACE.dimensions)
    if "status" in fault:
        another = settings(slack, **{**models, "embedding_model": "another"})
        with pytest.raises(EmbeddingsUnavailable):
            async with open_app(another, login_of(database)):
                pass


def test_other_processes_start_before_the_large_imports() -> None:
    """What `kioku up` imports until PostgreSQL and the playground run is small."""
    program = (
        "import bot.runtime.local, sys;"
        " print({'aiohttp', 'slack_sdk', 'openai', 'langgraph'} & {*sys.modules})"
    )
    assert (
        subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"
    )


@pytest.fixture
async def core(app: App, pool: Pool) -> bot.app.App:
    """The application with a queue that does not work yet."""
    queue = Queue(pool)
    await queue.open()
    return replace(app.core, queue=queue)


async def test_no_warm_up_begins_in_a_process_that_has_ended(
    core: bot.app.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread begins in an event loop that is being closed."""
    begun: list[bool] = []
    left = asyncio.Event()
    monkeypatch.setattr(worker, "_WARM_UP_SECONDS", 0.5)
    monkeypatch.setattr(worker, "_make_ready", lambda _: begun.append(left.is_set()))
    loop = asyncio.get_running_loop()
    later = asyncio.Event()
    async with worker.open_worker(core):
        loop.call_later(0.5, later.set)
    left.set()
    await later.wait()
    await loop.shutdown_default_executor()
    assert True not in begun


async def test_a_warm_up_that_fails_is_logged_and_nothing_else(
    core: bot.app.App,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever needs what it was to load loads it, or says why that is impossible."""

    def fail(_: bot.app.App) -> None:
        raise ImportError("no such package")

    monkeypatch.setattr(worker, "_WARM_UP_SECONDS", 0.0)
    monkeypatch.setattr(worker, "_make_ready", fail)
    async with worker.open_worker(core):
        await until(lambda: "was not loaded before: ImportError" in caplog.text)
