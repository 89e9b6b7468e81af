"""Promises: reminded of in time, once a day for all of them, while the person wants to be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest
from psycopg.types.json import Jsonb

from bot.locale import Localizer, say
from bot.memories.promises import REMIND, remind, remind_of_due, snooze
from bot.memories.switches import turn_off
from bot.notices import next_reminders
from bot.queue.pulse import SILENCE_SECONDS
from bot.ui.acts import ButtonAct, ChangePromise, Snooze, clicked_act
from bot.ui.promises import due_line
from memory import (
    DM,
    Memory,
    PersonMessage,
    Selection,
    add_memories,
    forget,
    undo_forgetting,
)
from memory.model import PROMISE_KIND
from tests.integration.app import App
from tests.integration.clock import EARLY, Clock
from tests.integration.playground_slack import PersonThread
from tests.person import elements, shown
from tests.waiting import until

SENTENCE = "I promised Mia the Q3 figures"
WHAT = "the Q3 figures"
MORNING = 9
"""The hour of the morning's reminders on people's clocks."""
LEAD = 2
"""The hours by which another reminder comes before the time that a promise names."""


def due_soon(clock: Clock) -> dict[str, str]:
    """Return the day and time of a promise that is reminded of now."""
    return clock.in_hours(LEAD - 0.1)


def due_later(clock: Clock) -> dict[str, str]:
    """Return the day and time of a promise that is reminded of in half an hour."""
    return clock.in_hours(LEAD + 0.5)


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
        actor="formation", text=SENTENCE, channel=place.channel, ts=ts
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
        (due_yesterday, nothing, 1),
        (due_today, nothing, 0),
        (due_today, moved(MORNING), 1),
        (due_tomorrow, moved(MORNING), 0),
        (without_day, nothing, 0),
        *((due_soon, clicked(one), 0) for one in ("done", "dropped", "tomorrow")),
        (due_soon, forgotten, 0),
        (due_soon, forgotten_and_back, 1),
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
    await promised(app, place, **due_yesterday(app.clock))
    seen = []
    for hour in (EARLY, EARLY, MORNING, MORNING):
        await zone(app, place, app.clock.zone(hour))
        await minute(app)
        seen.append(len(reminders(app, place)))
    assert seen == [1, 1, 2, 2]


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
    memory = await promised(app, heavy, **due_yesterday(app.clock))
    await promised(app, place, **due_yesterday(app.clock))
    app.rows(
        "INSERT INTO store (prefix, key, value, updated_at)"
        " SELECT prefix, gen_random_uuid(), value, now() - interval '100 hours'"
        " FROM store, generate_series(1, 400) WHERE key = %s RETURNING key",
        memory.key,
    )
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


async def test_rows_that_cannot_be_read_hide_nobodys_reminder(app: App) -> None:
    """Another tool may have written a day that does not exist, or a person who cannot be one."""
    place = app.slack.place()
    memory = await promised(app, place, **due_yesterday(app.clock))
    prefix = memory.namespace.prefix
    yesterday = due_yesterday(app.clock)
    strange = [
        (prefix, {**memory.content, "due": f"{yesterday['due']}x"}),
        (prefix, {**memory.content, **yesterday, "due_time": "noon"}),
        ("chat.T 1.nobody.dm", memory.content),
    ]
    for number, (where, content) in enumerate(strange):
        app.rows(
            "INSERT INTO store (prefix, key, value) VALUES (%s, %s, %s) RETURNING key",
            where,
            f"strange-{number}",
            Jsonb({"kind": PROMISE_KIND, "content": content}),
        )
    await minute(app)
    assert len(reminders(app, place)) == 1


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
    app: App, place: PersonThread
) -> tuple[dict[str, str], asyncio.Task[None]]:
    """Let a reminder be posted by a call that Slack loses a second later; return its job."""
    await app.ask(place, "Hello")
    await promised(app, place, **due_soon(app.clock))
    await remind_of_due(app.pool, app.core.queue)
    [job] = app.take_jobs(REMIND)
    app.slack.forget_calls()
    app.slack.fault("chat.postMessage", delay_ms=1_000, drop="before")
    posting = asyncio.create_task(remind(app.core, **job))
    await until(lambda: app.slack.calls("chat.postMessage"))
    return job, posting


@pytest.mark.parametrize("is_posted", [False, True])
async def test_a_crash_around_the_post_leads_to_one_message(
    app: App, is_posted: bool
) -> None:
    """Whether Slack has carried out the post or not, the next attempt leaves one reminder."""
    place = app.slack.place()
    job, posting = await asked_for(app, place)
    if is_posted:
        await posting
        app.rows("UPDATE reminders SET ts = NULL RETURNING key")
    else:
        posting.cancel()
        await asyncio.wait({posting})
    await minute(app)
    await remind(app.core, **job)
    [reminder] = reminders(app, place)
    assert app.rows("SELECT ts FROM reminders WHERE ts <> ''") == [
        {"ts": reminder["ts"]}
    ]


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


async def test_tomorrow_puts_the_reminder_off_and_leaves_the_promise(app: App) -> None:
    """The next reminder is tomorrow morning; what is said later ends that."""
    place = app.slack.place()
    memory = await promised(app, place, **app.clock.in_days(3))
    person = app.person(place)

    async def next_day() -> date:
        found = await next_reminders(app.pool, person, [memory.key])
        moment = found[memory.key].astimezone(ZoneInfo(app.clock.zone()))
        assert (moment.hour, moment.minute) == (MORNING, 0)
        return moment.date()

    today = app.clock.now().date()
    assert await next_day() == today + timedelta(days=3)
    day = today + timedelta(days=1)
    await snooze(app.pool, person, memory.key, day)
    assert await next_day() == day
    origin = PersonMessage(actor="command")
    given = [({**memory.content, **app.clock.in_days(2)}, origin)]
    await add_memories(
        app.pool, app.embedder, person.namespace(DM), PROMISE_KIND, given
    )
    assert await next_day() == today + timedelta(days=2)
    [kept] = await app.memories(person)
    assert kept.content["due"] == app.clock.in_days(2)["due"]


BERLIN = "Europe/Berlin"
TWO_HOURS, NO_LEAD = "2 hours", "0"
MARCH = "2026-03-01 12:00+00"


@pytest.mark.parametrize(
    ("due", "due_time", "lead", "said_at", "snoozed_to", "expected"),
    [
        # Over the change of summer time, too.
        ("2026-03-28", None, TWO_HOURS, MARCH, None, ["28 09:00", "29 09:00"]),
        # A time in the afternoon: in the morning as well.
        (
            "2026-03-27",
            "15:00",
            TWO_HOURS,
            MARCH,
            None,
            ["27 09:00", "27 13:00", "28 09:00"],
        ),
        # Two hours before it is no later than the morning.
        ("2026-03-27", "11:00", TWO_HOURS, MARCH, None, ["27 09:00", "28 09:00"]),
        ("2026-03-27", "01:30", TWO_HOURS, MARCH, None, ["26 23:30", "28 09:00"]),
        # A time that the clock leaves out.
        ("2026-03-29", "02:30", TWO_HOURS, MARCH, None, ["29 00:30", "30 09:00"]),
        # Nobody waits for it: at its time, and in the morning if that is earlier.
        (
            "2026-03-27",
            "15:00",
            NO_LEAD,
            MARCH,
            None,
            ["27 09:00", "27 15:00", "28 09:00"],
        ),
        ("2026-03-27", "09:00", NO_LEAD, MARCH, None, ["27 09:00", "28 09:00"]),
        ("2026-03-27", "07:15", NO_LEAD, MARCH, None, ["27 07:15", "28 09:00"]),
        (
            "2026-03-27",
            "16:00",
            NO_LEAD,
            "2026-03-27 14:00+00",
            None,
            ["27 16:00", "28 09:00"],
        ),
        # Made on its day, in the afternoon: in an hour, or between now and its time.
        (
            "2026-03-27",
            None,
            TWO_HOURS,
            "2026-03-27 14:00+00",
            None,
            ["27 16:00", "28 09:00"],
        ),
        (
            "2026-03-27",
            "19:00",
            TWO_HOURS,
            "2026-03-27 14:00+00",
            None,
            ["27 17:00", "28 09:00"],
        ),
        (
            "2026-03-27",
            "16:00",
            TWO_HOURS,
            "2026-03-27 14:00+00",
            None,
            ["27 15:30", "28 09:00"],
        ),
        # Made when its time, or its day, was over.
        (
            "2026-03-27",
            "12:00",
            TWO_HOURS,
            "2026-03-27 14:00+00",
            None,
            ["27 16:00", "28 09:00"],
        ),
        (
            "2026-03-20",
            "12:00",
            TWO_HOURS,
            "2026-03-27 07:00+00",
            None,
            ["27 09:00", "28 09:00"],
        ),
        # Put off: its day and its time do not count.
        (
            "2026-03-27",
            "15:00",
            TWO_HOURS,
            MARCH,
            "2026-03-28",
            ["28 09:00", "29 09:00"],
        ),
        (None, None, TWO_HOURS, MARCH, "2026-03-28", ["28 09:00", "29 09:00"]),
        (None, None, TWO_HOURS, MARCH, None, []),
        (None, "15:00", TWO_HOURS, MARCH, None, []),
    ],
)
def test_when_a_promise_is_reminded_of(
    app: App,
    due: str | None,
    due_time: str | None,
    lead: str,
    said_at: str,
    snoozed_to: str | None,
    expected: list[str],
) -> None:
    """In the morning in the person's zone, `lead` before a named time, and in the next morning.

    Morning and lead are arguments: those of the app are chosen in the view `promise_reminders`.
    Expected are the day and the time of the person's clock.
    """
    found = app.rows(
        "SELECT at FROM reminder_moments("
        "%s::date, %s::time, '09:00', %s, %s::timestamptz, %s::date, %s) ORDER BY at",
        due,
        due_time,
        lead,
        said_at,
        snoozed_to,
        BERLIN,
    )
    moments = [row["at"].astimezone(ZoneInfo(BERLIN)) for row in found]
    assert [f"{moment:%d %H:%M}" for moment in moments] == expected


async def test_the_model_reads_what_was_promised_and_what_became_of_it(
    app: App,
) -> None:
    """“What did I promise?” is answered from the prompt: what, to whom, by when, and its state."""
    place = app.slack.place()
    due = due_later(app.clock)
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
