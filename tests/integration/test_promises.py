"""Promises: reminded of once, at their time, and only while the person wants to be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, get_args
from zoneinfo import ZoneInfo

import pytest

from bot.memories.promises import REMIND, remind, remind_of_due
from bot.memories.switches import turn_off
from bot.slack.client import SLACK_FAULTS
from bot.ui.acts import ChangePromise, PromiseTo
from bot.ui.promises import remind_at
from memory import DM, Memory, Origin, Selection, add_memories, forget, undo_forgetting
from memory.model import PROMISE_KIND
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.person import shown

SENTENCE = "I promised Mia the Q3 figures"


@pytest.fixture(autouse=True)
async def idle(app: App) -> None:
    """Leave no work of the tests before."""
    app.rows("DELETE FROM procrastinate_jobs RETURNING id")
    app.rows("DELETE FROM store RETURNING key")


async def promised(app: App, place: PersonThread, **content: Any) -> Memory:
    """Let a person promise something, four days ago; return the memory."""
    await zone(app, place, "UTC")
    person = app.person(place)
    said_at = datetime.now(UTC) - timedelta(hours=100)
    ts = f"{said_at.timestamp():.6f}"
    origin = Origin(actor="command", evidence=SENTENCE, channel=place.channel, ts=ts)
    given = [({"promise": "the Q3 figures", "to": "Mia", **content}, origin)]
    await add_memories(app.pool, app.embedder, person.namespace(DM), PROMISE_KIND, given)
    [memory] = [one for one in await app.memories(person) if one.kind == PROMISE_KIND]
    return memory


def ago(hours: float = 0, minutes: float = 0) -> dict[str, str]:
    """Return the day and time of a promise that was due so long ago, in UTC."""
    moment = datetime.now(UTC) - timedelta(hours=hours, minutes=minutes)
    return {"due": moment.date().isoformat(), "due_time": f"{moment:%H:%M}"}


async def minute(app: App) -> None:
    """Do what the job of each minute does for promises, and the jobs that it adds."""
    await remind_of_due(app.pool, app.wiring.app.queue)
    for job in app.take_jobs(REMIND):
        await remind(app.wiring.app, **job)


def reminders(app: App, place: PersonThread) -> list[dict[str, Any]]:
    """Return the reminders in a person's direct messages."""
    seen = app.slack.seen(place.user)
    return [one for one in seen if SENTENCE in json.dumps(one) and "promised this" in shown(one)]


Happens: TypeAlias = Callable[[App, PersonThread, Memory], Awaitable[None]]


async def nothing(app: App, place: PersonThread, memory: Memory) -> None:
    """Nothing happens."""


def clicked(button: PromiseTo) -> Happens:
    """Return that the person presses a button: it was done, dropped, moved or not wanted."""

    async def happens(app: App, place: PersonThread, memory: Memory) -> None:
        await app.click(app.person(place), ChangePromise(key=memory.key, to=button))

    happens.__name__ = button
    return happens


async def forgotten(app: App, place: PersonThread, memory: Memory) -> None:
    """The promise is forgotten."""
    await forget(app.pool, app.person(place), Selection(keys=[memory.key]))


async def forgotten_and_back(app: App, place: PersonThread, memory: Memory) -> None:
    """The promise is forgotten, and that is undone."""
    done = await forget(app.pool, app.person(place), Selection(keys=[memory.key]))
    assert done.id is not None
    await undo_forgetting(app.pool, app.embedder, app.person(place), done.id)


async def off(app: App, place: PersonThread, memory: Memory) -> None:
    """Memory is switched off."""
    await turn_off(app.wiring.app, app.person(place))


async def deactivated(app: App, place: PersonThread, memory: Memory) -> None:
    """The person's account is deactivated."""
    person = app.person(place)
    await app.wiring.app.people.settings(person)
    await app.wiring.app.people.changed(person, {"deleted": True, "locale": "en-US"})


async def uninstalled(app: App, place: PersonThread, memory: Memory) -> None:
    """The workspace removes the app."""
    app.rows(
        "INSERT INTO workspaces (team_id, left_at) VALUES (%s, now()) RETURNING team_id",
        app.slack.team_id,
    )


def moved(zone_name: str) -> Happens:
    """Return that the person moves to another time zone."""

    async def happens(app: App, place: PersonThread, memory: Memory) -> None:
        await zone(app, place, zone_name)

    happens.__name__ = zone_name
    return happens


async def zone(app: App, place: PersonThread, name: str) -> None:
    """Set a person's time zone, as Slack tells of it."""
    person = app.person(place)
    await app.wiring.app.people.settings(person)
    await app.wiring.app.people.changed(person, {"locale": "en-US", "tz": name, "deleted": False})


@pytest.fixture
async def stays(app: App) -> AsyncIterator[None]:
    """Let the workspace have the app again."""
    yield
    app.rows("DELETE FROM workspaces RETURNING team_id")


@pytest.mark.usefixtures("stays")
@pytest.mark.parametrize(
    ("due", "happens", "expected"),
    [
        (ago(minutes=1), nothing, 1),
        (ago(minutes=-30), nothing, 0),
        (ago(hours=-30), nothing, 0),
        ({"due": None}, nothing, 0),
        *((ago(minutes=1), clicked(one), 0) for one in get_args(PromiseTo)),
        (ago(minutes=1), forgotten, 0),
        (ago(minutes=1), forgotten_and_back, 1),
        (ago(minutes=1), off, 0),
        (ago(minutes=1), deactivated, 0),
        (ago(minutes=1), uninstalled, 0),
        (ago(minutes=1), moved("Etc/GMT+4"), 0),
        (ago(hours=-2), moved("Etc/GMT-4"), 1),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
async def test_what_happens_before_its_time_decides_whether_a_reminder_comes(
    app: App, due: dict[str, Any], happens: Happens, expected: int
) -> None:
    """Due and open: one message in the person's own DM. Anything else: none."""
    place = app.slack.place()
    memory = await promised(app, place, **due)
    await happens(app, place, memory)
    await minute(app)
    await minute(app)
    assert len(reminders(app, place)) == expected


async def test_what_happens_between_two_minutes_counts(app: App) -> None:
    """A job that was added before the person kept the promise posts nothing."""
    for happens in (clicked("done"), forgotten, off):
        place = app.slack.place()
        memory = await promised(app, place, **ago(minutes=1))
        await remind_of_due(app.pool, app.wiring.app.queue)
        await happens(app, place, memory)
        for job in app.take_jobs(REMIND):
            await remind(app.wiring.app, **job)
        assert reminders(app, place) == []


async def test_an_unanswered_reminder_comes_once_more_after_a_day(app: App) -> None:
    """Not within a day, once after it, and never a third time."""
    place = app.slack.place()
    await promised(app, place, **ago(hours=48))
    seen = []
    for hours in (0, 1, 24, 24, 24):
        app.rows(
            "UPDATE notices SET expires_at = expires_at - make_interval(hours => %s)"
            " WHERE starts_with(kind, 'reminder ') RETURNING kind",
            hours,
        )
        await minute(app)
        seen.append(len(reminders(app, place)))
    assert seen == [1, 1, 2, 2, 2]


async def test_two_processes_remind_once(app: App) -> None:
    """Of two that take the same job one posts."""
    place = app.slack.place()
    await promised(app, place, **ago(minutes=1))
    await remind_of_due(app.pool, app.wiring.app.queue)
    await remind_of_due(app.pool, app.wiring.app.queue)
    [job] = app.take_jobs(REMIND)
    await asyncio.gather(*(remind(app.wiring.app, **job) for _ in range(2)))
    assert len(reminders(app, place)) == 1


@pytest.mark.parametrize("moment", ["before", "during", "after"])
async def test_a_crash_around_the_post_leads_to_one_message(app: App, moment: str) -> None:
    """Whether Slack has carried out the post or not, the next attempt leaves one reminder."""
    place = app.slack.place()
    await app.ask(place, "Hello")
    await promised(app, place, **ago(minutes=1))
    await remind_of_due(app.pool, app.wiring.app.queue)
    [job] = app.take_jobs(REMIND)
    if moment == "after":
        await remind(app.wiring.app, **job)
        app.rows("UPDATE notices SET message_id = '' RETURNING kind")
    else:
        app.slack.fault("chat.postMessage", drop="after" if moment == "during" else "before")
        with pytest.raises(SLACK_FAULTS):
            await remind(app.wiring.app, **job)
    await minute(app)
    await remind(app.wiring.app, **job)
    assert len(reminders(app, place)) == 1


def test_a_days_reminder_comes_at_nine_in_the_persons_zone() -> None:
    """Its moment follows from the day and the zone, over the change of summer time, too."""
    said = datetime(2026, 3, 1, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    assert remind_at("2026-03-28", said, berlin) == datetime(2026, 3, 28, 8, tzinfo=UTC)
    assert remind_at("2026-03-29", said, berlin) == datetime(2026, 3, 29, 7, tzinfo=UTC)
    # A time that the clock leaves out, and one that it shows twice.
    assert remind_at("2026-03-29 02:30", said, berlin) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert remind_at("2026-10-25 02:30", said, berlin) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    noon = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert remind_at("2026-03-28", noon, berlin) == noon + timedelta(hours=1)
