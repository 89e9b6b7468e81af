"""The SQL statements of a message, and of a process at rest: ``bench/trace.py``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bench.recording import Trace, traced
from bench.trace import Cases, Traced
from bot.config import load_settings
from bot.runtime.service import open_service
from tests.conftest import Server, login_of, open_playground

pytestmark = pytest.mark.slow

PLAIN, TEACHING, UNRELATED, AT_REST = 20, 40, 2, 2.0
# More in the first minute of an hour, or where the window holds the end of one run and the next.
MINUTELY = 100
_OF_A_JOB = 4


@pytest.fixture
async def cases(database: str, stand_in: Server) -> Traced:
    """The four cases, played to an app in this process."""
    with open_playground("--no-model") as playground:

        async def control(path: str, body: dict[str, Any]) -> Any:
            return await asyncio.to_thread(playground.call, f"/_playground/{path}", body)

        environment = {
            "DATABASE_URL": login_of(database),
            **playground.socket_settings,
            **stand_in.model_settings,
            "KIOKU_REPLY_MODEL": "kioku-stand-in",
            "KIOKU_FORMATION_DELAY": "3",
        }
        settings = load_settings(environment, dotenv=None)
        with traced() as take:
            async with open_service(settings, environment["DATABASE_URL"]):
                return await Cases(control, database, take).play()


def own(trace: Trace) -> list[str]:
    """The statements for a message, without polls that found nothing on a busy machine.

    For each job that ends a worker asks twice: for the job, and for the next one. What is asked
    beyond that are workers that were woken for a job which another one had taken by then.
    """
    texts = [one.text for one in trace.own]
    polls = [text for text in texts if text.startswith("WITH busy AS")]
    ends = sum("procrastinate_finish_job" in text for text in texts)
    for surplus in polls[2 * ends :]:
        texts.remove(surplus)
    return texts


def around_minutely(trace: Trace) -> int:
    """The minute's job is also taken and finished, as any job, and workers ask for the next one."""
    return _OF_A_JOB if trace.minutely else 0


async def test_statements_of_messages(cases: Traced) -> None:
    """Messages, and a process at rest, send at most these."""
    for trace, most in (
        (cases.plain, PLAIN),
        (cases.teaching, TEACHING),
        (cases.unrelated, UNRELATED),
    ):
        sent = own(trace)
        assert len(sent) - around_minutely(trace) <= most, sent
    assert cases.rest.rate - around_minutely(cases.rest) / cases.rest.seconds < AT_REST
    assert cases.rest.minutely <= MINUTELY
