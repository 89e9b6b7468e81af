"""The SQL statements and files of a message, and of a process at rest: ``bench/trace.py``."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from bench.recording import Trace, traced
from bench.trace import Cases, Traced
from bot.config import load_settings
from bot.runtime.service import open_service
from tests.conftest import ROOT, Server, json_server, login_of

pytestmark = pytest.mark.slow

PLAIN, TEACHING, UNRELATED, AT_REST = 20, 40, 2, 2.0
# More in the first minute of an hour, or where the window holds the end of one run and the next.
MINUTELY = 100
_OF_A_JOB = 4
PAGE = (ROOT / "docs/explanation/one-message.md").read_text("utf-8")
_FILE = re.compile(r"`((?:bot|memory)/[a-z0-9_/]+\.py)`")
_BY_THE_CLOCK = {"bot/runtime/front.py"}


@pytest.fixture
async def cases(database: str, stand_in: Server) -> Traced:
    """The four cases, played to an app in this process."""
    with json_server(
        "playground", "--manifest", str(ROOT / "manifest.yml"), "--no-model"
    ) as playground:

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


def rows_of(section: str) -> list[str]:
    """Return the files that the rows of a section's table begin with, in order."""
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return [file for row in rows for file in _FILE.findall(row)]


async def test_statements_and_files_of_messages(cases: Traced) -> None:
    """Messages, and a process at rest, send at most these; the page names the files that ran."""
    traces = (cases.plain, cases.plain_formation, cases.teaching, cases.unrelated)
    ran = {file for trace in traces for file in trace.files}
    named = set(_FILE.findall(PAGE))
    assert not ran - named
    assert [file for file in named if not (ROOT / file).is_file()] == []
    of_messages, _ = PAGE.split("## A message that is edited or deleted")
    steps = [rows_of(section) for section in of_messages.split("\n##") if rows_of(section)]
    assert {file for files in steps for file in files} - ran <= _BY_THE_CLOCK
    in_order = list(cases.teaching.files)
    first_of_steps = [in_order.index(files[0]) for files in steps]
    assert first_of_steps == sorted(first_of_steps)
    sent = {
        "plain": own(cases.plain),
        "teaching": own(cases.teaching),
        "unrelated": own(cases.unrelated),
    }
    assert len(sent["plain"]) <= PLAIN, sent["plain"]
    assert len(sent["teaching"]) <= TEACHING, sent["teaching"]
    assert len(sent["unrelated"]) <= UNRELATED, sent["unrelated"]
    # The minute's job is also taken and finished, as any job, and workers ask for the next one.
    of_job = _OF_A_JOB if cases.rest.minutely else 0
    assert cases.rest.rate - of_job / cases.rest.seconds < AT_REST
    assert cases.rest.minutely <= MINUTELY
