"""Promises: reminded of in time, once a day for all of them, while the person wants to be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest

from bot.acts.kinds import ButtonAct, ChangePromise, Move, Snooze, clicked_act
from bot.acts.lines import due_line
from bot.locale import Localizer, say
from bot.off.switches import turn_off
from bot.promises.reminders import REMIND, remind, remind_of_due
from bot.queue.pulse import SILENCE_SECONDS
from memory import (
    DM,
    Memory,
    PersonMessage,
    Selection,
    add_memories,
    forget,
    undo_changes,
    undo_forgetting,
)
from memory.model import PROMISE_KIND
from memory.store import next_reminders
from tests.integration.app import App
from tests.integration.clock import EARLY, Clock
from tests.integration.playground_slack import PersonThread
from tests.person import elements, shown
from tests.waiting import until

SENTENCE = "I promised Mia the Q3 figures"
WHAT = "the Q3 figures for Mia"
MORNING = 9
"""The hour of the morning's reminders on people's clocks."""


def due_soon(clock: Clock) -> dict[str, Any]:
    """Return the day and time of what nobody waits for and is reminded of now."""
    return {**clock.in_hours(-0.1), "to": None}


def due_later(clock: Clock) -> dict[str, Any]:
    """Return the day and time of what nobody waits for and is reminded of in half an hour."""
    return {**clock.in_hours(0.5), "to": None}


def due_today(clock: Clock) -> dict[str, str]:
    """Return the day of a promise that is due today."""
    return clock.in_days(0)


def due_tomorrow(clock: Clock) -> dict[str, str]:
    """Return the day of a promise that is due tomorrow."""
    return clock.in_days(1)


def due_yesterday(clock: Clock) -> dict[str, str]:
    """Return the day of a promise that was due yesterday."""
    return clock.in_days(-1)


def without_day(_: Clock) -> dict[str, None]:
    """Return that a promise has no day."""
    return {"due": None}


@pytest.fixture(autouse=True)
async def idle(app: App) -> None:
    """Leave no work of the tests before."""
    app.rows("DELETE FROM procrastinate_jobs RETURNING id")
    app.rows("DELETE FROM store RETURNING key")


async def promised(
    app: App, place: PersonThread, what: str = WHAT, **content: Any
) -> Memory:
    """Let a person promise something, four days ago; return the memory."""
    await zone(app, place, app.clock.zone())
    person = app.person(place)
    said_at = datetime.now(UTC) - timedelta(hours=100)
    ts = f"{said_at.timestamp():.6f}"
    origin = PersonMessage(
        actor="formation",
        text=SENTENCE,
        channel=place.channel,
        ts=ts,
        zone=ZoneInfo(app.clock.zone()),
    )
    given = [({"promise": what, "to": "Mia", **content}, origin)]
    await add_memories(
        app.pool, app.embedder, person.namespace(DM), PROMISE_KIND, given
    )
    [memory] = [
        one for one in await app.memories(person) if one.content.get("promise") == what
    ]
    return memory


async def minute(app: App) -> None:
    """Do what the job of each minute does for promises, and the jobs that it adds."""
    await remind_of_due(app.pool, app.core.queue)
    for job in app.take_jobs(REMIND):
        await remind(app.core, **job)


def reminders(app: App, place: PersonThread) -> list[dict[str, Any]]:
    """Return the reminders in a person's direct messages."""
    return [
        one for one in app.slack.seen(place.user) if "Mia" in shown(one) and asks(one)
    ]


def asks(message: dict[str, Any]) -> bool:
    """Return whether a message asks what became of a promise."""
    acts = map(clicked_act, elements(message))
    return any(isinstance(act, ChangePromise) for act in acts)


Happens: TypeAlias = Callable[[App, PersonThread, Memory], Awaitable[None]]


async def nothing(app: App, place: PersonThread, memory: Memory) -> None:
    """Nothing happens."""


def clicked(button: str) -> Happens:
    """Return that the person presses a button: it was done, dropped, or not wanted today."""

    async def happens(app: App, place: PersonThread, memory: Memory) -> None:
        key = memory.key
        acts: dict[str, ButtonAct] = {
            "done": ChangePromise(key=key, to="done"),
            "dropped": ChangePromise(key=key, to="dropped"),
            "tomorrow": Snooze(key=key),
        }
        await app.click(app.person(place), acts[button])

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
    await turn_off(app.core, app.person(place))


async def deactivated(app: App, place: PersonThread, memory: Memory) -> None:
    """The person's account is deactivated."""
    person = app.person(place)
    await app.core.people.settings(person)
    await app.core.people.store_change(person, {"deleted": True, "locale": "en-US"})


def moved(hour: int) -> Happens:
    """Return that the person moves to where the clock shows this hour."""

    async def happens(app: App, place: PersonThread, memory: Memory) -> None:
        await zone(app, place, app.clock.zone(hour))

    happens.__name__ = f"moved to {hour}:00"
    return happens


async def zone(app: App, place: PersonThread, name: str) -> None:
    """Set a person's time zone, as Slack tells of it."""
    person = app.person(place)
    await app.core.people.settings(person)
    await app.core.people.store_change(
        person, {"locale": "en-US", "tz": name, "deleted": False}
    )


@pytest.mark.parametrize(
    ("due", "happens", "expected"),
    [
        (due_soon, nothing, 1),
        (due_later, nothing, 0),
        (due_yesterday, nothing, 0),
        (due_yesterday, moved(MORNING), 1),
        (due_today, nothing, 0),
        (due_today, moved(MORNING), 1),
        (due_tomorrow, moved(MORNING), 0),
        (without_day, nothing, 0),
        *((due_soon, clicked(one), 0) for one in ("done", "dropped", "tomorrow")),
        (due_soon, forgotten, 0),
        (due_soon, forgotten_and_back, 0),
        (due_soon, off, 0),
        (due_soon, deactivated, 0),
        (due_soon, moved(EARLY - 1), 0),
        (due_later, moved(EARLY + 1), 1),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
async def test_what_happens_before_its_time_decides_whether_a_reminder_comes(
    app: App, due: Callable[[Clock], dict[str, Any]], happens: Happens, expected: int
) -> None:
    """Due and open: one message in the person's own DM. Anything else: none."""
    place = app.slack.place()
    memory = await promised(app, place, **due(app.clock))
    await happens(app, place, memory)
    await minute(app)
    await minute(app)
    told = [shown(one) for one in reminders(app, place)]
    assert len(told) == expected, told


async def test_what_happens_between_two_minutes_counts(app: App) -> None:
    """A job that was added before the person kept the promise posts nothing."""
    for happens in (clicked("done"), clicked("tomorrow"), forgotten, off):
        place = app.slack.place()
        memory = await promised(app, place, **due_soon(app.clock))
        await remind_of_due(app.pool, app.core.queue)
        await happens(app, place, memory)
        for job in app.take_jobs(REMIND):
            await remind(app.core, **job)
        assert reminders(app, place) == []


async def test_an_unanswered_reminder_comes_once_more_the_next_morning(
    app: App,
) -> None:
    """Not before the morning of the day after, and never a third time."""
    place = app.slack.place()
    memory = await promised(app, place, **due_soon(app.clock))
    # Until it is posted it is the next one.
    assert await next_reminders(app.pool, app.person(place), [memory.key])
    await minute(app)
    tomorrow = app.clock.now().date() + timedelta(days=1)
    assert await next_morning(app, place, memory) == tomorrow
    place = app.slack.place()
    memory = await promised(app, place, **due_yesterday(app.clock))
    seen = []
    for hour in (EARLY, MORNING, MORNING):
        await zone(app, place, app.clock.zone(hour))
        await minute(app)
        seen.append(len(reminders(app, place)))
    assert seen == [0, 1, 1]
    assert await next_morning(app, place, memory) is None


async def next_morning(app: App, place: PersonThread, memory: Memory) -> date | None:
    """Return the day on whose morning a person is reminded of a promise next."""
    found = await next_reminders(app.pool, app.person(place), [memory.key])
    if not found:
        return None
    moment = found[memory.key].astimezone(ZoneInfo(app.clock.zone()))
    assert (moment.hour, moment.minute) == (MORNING, 0)
    return moment.date()


async def test_the_promises_of_a_day_come_in_one_message(app: App) -> None:
    """Each has one row, which says what, to whom and by when."""
    place = app.slack.place()
    evening = app.clock.in_hours(10)
    await promised(app, place, "the minutes", **due_today(app.clock))
    await promised(app, place, "a review", **due_yesterday(app.clock))
    await promised(app, place, "the slides", **evening)
    await promised(app, place, "the plan", **app.clock.in_days(1))
    await zone(app, place, app.clock.zone(MORNING))
    await minute(app)
    [reminder] = reminders(app, place)
    text = shown(reminder)
    assert say("en", "reminder_title") in text
    for what in ("a review", "the minutes", "the slides"):
        assert what in text
    assert "the plan" not in text
    localizer = Localizer("en", ZoneInfo(app.clock.zone()))
    for due in (due_today(app.clock), due_yesterday(app.clock), evening):
        day = due_line(localizer, due)
        assert f"(to Mia, by {day})" in text


async def test_many_promises_of_one_person_hide_nobodys(app: App) -> None:
    """However many are due, they are one message; whoever else has a promise is told as before."""
    heavy, place = app.slack.place(), app.slack.place()
    memory = await promised(app, heavy, **due_soon(app.clock))
    await promised(app, place, **due_soon(app.clock))
    source = PersonMessage(actor="command", zone=ZoneInfo(app.clock.zone()))
    content = {**memory.content, "to": "Mia"}
    pages = [({**content, "promise": f"page {n}"}, source) for n in range(400)]
    await add_memories(app.pool, app.embedder, memory.namespace, PROMISE_KIND, pages)
    app.rows("UPDATE reminders SET at = now() RETURNING key")
    await remind_of_due(app.pool, app.core.queue)
    jobs = app.take_jobs(REMIND)
    assert sorted(job["user"] for job in jobs) == sorted([heavy.user, place.user])
    for job in jobs:
        await remind(app.core, **job)
    assert len(reminders(app, place)) == 1
    [many] = reminders(app, heavy)
    assert say("en", "forget_more", count=386) in shown(many)
    await minute(app)
    assert len(reminders(app, heavy)) == 1


async def test_a_job_that_runs_twice_reminds_once(app: App) -> None:
    """Two processes that look at the same minute add one job, and its second run posts nothing."""
    place = app.slack.place()
    await promised(app, place, **due_soon(app.clock))
    await remind_of_due(app.pool, app.core.queue)
    await remind_of_due(app.pool, app.core.queue)
    [job] = app.take_jobs(REMIND)
    for _ in range(2):
        await remind(app.core, **job)
    assert len(reminders(app, place)) == 1


async def asked_for(
    app: App, place: PersonThread, *, is_posted: bool = False
) -> tuple[dict[str, str], asyncio.Task[None]]:
    """Let a reminder be posted by a call that Slack loses a second later; return its job.

    One that `is_posted` is lost after it was carried out.
    """
    await app.ask(place, "Hello")
    await promised(app, place, **due_soon(app.clock))
    await remind_of_due(app.pool, app.core.queue)
    [job] = app.take_jobs(REMIND)
    app.slack.forget_calls()
    drop = "after" if is_posted else "before"
    app.slack.fault("chat.postMessage", delay_ms=1_000, drop=drop)
    posting = asyncio.create_task(remind(app.core, **job))
    if is_posted:
        await until(lambda: reminders(app, place))
    else:
        await until(lambda: app.slack.calls("chat.postMessage"))
    return job, posting


@pytest.mark.parametrize("is_posted", [False, True])
async def test_a_crash_around_the_post_leads_to_one_message(
    app: App, is_posted: bool
) -> None:
    """Whether Slack has carried out the post or not, the next attempt leaves one reminder."""
    place = app.slack.place()
    job, posting = await asked_for(app, place, is_posted=is_posted)
    posting.cancel()
    await asyncio.wait({posting})
    await minute(app)
    await remind(app.core, **job)
    [reminder] = reminders(app, place)
    stored = "SELECT ts, message_id FROM reminders WHERE ts IS NOT NULL"
    assert app.rows(stored) == [{"ts": reminder["ts"], "message_id": None}]


@pytest.mark.parametrize(("is_taken_over", "expected"), [(False, 1), (True, 0)])
async def test_a_process_that_was_out_of_touch_posts_what_is_still_its_own(
    app: App, is_taken_over: bool, expected: int
) -> None:
    """It was suspended, say: another one may have settled meanwhile what became of its post."""
    place = app.slack.place()
    _, posting = await asked_for(app, place)
    app.core.queue.pulse._last_beat -= 2 * SILENCE_SECONDS
    if is_taken_over:
        app.rows("UPDATE reminders SET message_id = gen_random_uuid() RETURNING key")
    await posting
    assert len(reminders(app, place)) == expected


async def test_the_next_reminder_follows_what_becomes_of_a_promise(app: App) -> None:
    """*Tomorrow* leaves the promise; what is said later ends that, and Undo does not bring it back.

    What is not open has no reminder.
    """
    place = app.slack.place()
    memory = await promised(app, place, **due_today(app.clock))
    person = app.person(place)
    today = app.clock.now().date()
    tomorrow = today + timedelta(days=1)
    act = ChangePromise(key=memory.key, to="done")

    async def next_day() -> date | None:
        return await next_morning(app, place, memory)

    assert await next_day() == today
    await clicked("tomorrow")(app, place, memory)
    assert await next_day() == tomorrow
    [kept] = await app.memories(person)
    assert kept.content["due"] == due_today(app.clock)["due"]
    await app.click(person, Move(key=memory.key, to="public"))
    assert await next_day() == tomorrow
    done = await app.click(person, act)
    assert await next_day() is None
    await app.click(person, done.undo)
    assert await next_day() == today
    gone = await forget(app.pool, person, Selection(keys=[memory.key]))
    assert await next_day() is None
    assert gone.id is not None
    await undo_forgetting(app.pool, app.embedder, person, gone.id)
    assert await next_day() == today
    await clicked("tomorrow")(app, place, memory)
    origin = PersonMessage(actor="command", zone=ZoneInfo(app.clock.zone()))
    given = [({**memory.content, **app.clock.in_days(2)}, origin)]
    [said] = await add_memories(
        app.pool, app.embedder, person.namespace(DM), PROMISE_KIND, given
    )
    assert await next_day() == today + timedelta(days=2)
    await undo_changes(app.pool, app.embedder, person, ids=[said.id])
    assert await next_day() == today


async def test_the_model_reads_what_was_promised_and_what_became_of_it(
    app: App,
) -> None:
    """“What did I promise?” is answered from the prompt: what, to whom, by when, and its state."""
    place = app.slack.place()
    due = app.clock.in_hours(2)
    await promised(app, place, **due)
    await promised(app, place, "the minutes", state="done", **due_yesterday(app.clock))
    await app.ask(place, "What did I promise?")
    context = app.context()
    for word in (
        WHAT,
        "Mia",
        due["due"],
        due["due_time"],
        "open",
        "the minutes",
        "done",
    ):
        assert word in context
