"""Words that the memory model cannot read: passed over, listed, and told to the person."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from bot.acts.kinds import Position
from bot.config import ModelServer
from bot.locale import say
from bot.notices.notices import TELL_UNREAD, tell_unread
from bot.remembering.formation import MAX_FAILURES
from bot.runtime.wiring import create_openai_client
from memory import FormationUnavailable
from memory.model import has_not_arrived
from tests.integration.app import App
from tests.waiting import SECONDS

POISON = "Nobody reads this"


def poison(app: App, **how: Any) -> None:
    """Let the memory model fail with each request that holds the poisoned words."""
    fail(app, "formation", match=POISON, **how)


def fail(app: App, kind: str, **how: Any) -> None:
    """Let each request of a kind fail."""
    app.fault(kind=kind, times=-1, **how)


async def test_the_next_message_is_remembered_and_the_person_told_once_a_day(
    app: App,
) -> None:
    """What the model fails with alone holds up nothing; *Changes* and one line say so."""
    poison(app, status=500)
    place = app.slack.place()
    unread = await app.ask(place, POISON)
    remembered = await app.ask(place, "I like udon")
    for failures in range(1, MAX_FAILURES + 1):
        assert await app.form(remembered) == []
        assert app.jobs(TELL_UNREAD) == []
        [job] = app.formations(unread.person)
        assert job["args"]["failures"] == str(failures)
        assert 4**failures - 3 < job["due_in"] <= 4**failures
    assert [one["food_name"] for one in await app.form(remembered)] == ["udon"]
    assert app.turn(unread)["formed_at"] is not None
    content = await app.panel(unread.person, Position(list="changes"))
    refused = [(one.reason, one.sentence) for one in content.not_remembered]
    assert (content.unformed, refused) == (0, [("unreadable", POISON)])
    [job] = app.take_jobs(TELL_UNREAD)
    await tell_unread(app.core, **job)
    told = say("en", "messages_unread")
    assert [one["text"] for one in app.shown(remembered) if one["text"] == told] == [
        told
    ]

    again = await app.ask(place, POISON)
    for _ in range(MAX_FAILURES + 1):
        await app.form(again)
    [job] = app.take_jobs(TELL_UNREAD)
    await tell_unread(app.core, **job)
    assert told not in [one["text"] for one in app.shown(again)]


@pytest.mark.parametrize("probe", [500, 503])
async def test_words_wait_while_the_model_fails_for_everybody(
    app: App, probe: int
) -> None:
    """An outage passes nothing over: the words stay, and nobody is told."""
    poison(app, status=500)
    fail(app, "probe", status=probe)
    message = await app.ask(app.slack.place(), POISON)
    with pytest.raises(FormationUnavailable):
        await app.form(message)
    content = await app.panel(message.person, Position(list="changes"))
    assert (content.unformed, content.not_remembered) == (1, [])
    assert app.jobs(TELL_UNREAD) == []


@pytest.mark.parametrize(("closes", "unread"), [(True, True), (False, False)])
async def test_a_closed_connection_is_no_slow_model(closes: bool, unread: bool) -> None:
    """Words that a server has not read are not taken for words that it cannot read."""

    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not closes:
            await reader.read()
        writer.close()
        served.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        address = ModelServer(f"http://127.0.0.1:{port}/v1", "none")
        seconds = SECONDS if closes else 0.5
        async with create_openai_client(address, seconds=seconds) as client:
            once = client.with_options(max_retries=0)
            with pytest.raises(openai.APITimeoutError) as failed:
                await once.responses.create(model="m", input="I like udon")
        await served.wait()
    assert has_not_arrived(failed.value) is unread
