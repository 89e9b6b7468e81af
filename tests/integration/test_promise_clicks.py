"""Promises in Slack's interface: what is said of one, and what each button does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from bot.acts.kinds import PromiseTo
from bot.notices.notices import SHOW_NOTICE, add_notice, show_notice
from memory import (
    DM,
    Change,
    FormationResult,
    PersonMessage,
    add_memories,
    list_changes,
)
from memory.model import PROMISE_KIND
from memory.postgres import person_transaction
from tests.integration.app import App, receiving
from tests.integration.person import SlackPerson
from tests.integration.test_promises import MORNING, SENTENCE, asks, minute
from tests.person import Place, acts_in, elements, shown
from tests.waiting import until

pytestmark = pytest.mark.own_slack


@pytest.fixture
async def ann(app: App) -> AsyncIterator[SlackPerson]:
    """A person who has told the app of a promise."""
    async with receiving(app):
        yield SlackPerson(app, "ja")


async def told(ann: SlackPerson, food: str = "", **content: Any) -> Place:
    """Let the person promise something, and name a food; return the notice below the answer."""
    message = await ann.say("Hello")
    turn = ann.app.turn(message)["id"]
    source = PersonMessage(
        actor="command", text=SENTENCE, channel=message.channel_id, ts=message.ts
    )
    given = {"promise": "the Q3 figures", "to": "Mia", **content}
    app, namespace = ann.app, ann.person.namespace(DM)
    liked = [({"food_name": food, "preference": 80}, source)] if food else []
    changes: list[Change] = []
    for kind, contents in (
        ("UserFoodPreference", liked),
        (PROMISE_KIND, [(given, source)]),
    ):
        changes += await add_memories(
            app.pool, app.embedder, namespace, kind, contents, batch=turn
        )
    async with person_transaction(app.pool, ann.person) as transaction:
        formed = FormationResult(changes=tuple(changes))
        await add_notice(app.core, transaction, turn, formed)
    for job in app.take_jobs(SHOW_NOTICE):
        await show_notice(app.core, **job)
    seen = [one for one in await ann.seen() if one.get("thread_ts") == message.ts]
    return {**seen[-1], "channel": "dm"}


async def due(ann: SlackPerson) -> tuple[str | None, str | None, str]:
    """Return day, time and state of the person's promise."""
    found = (await ann.memory("Q3")).content
    return found["due"], found["due_time"], found["state"]


async def becomes(
    ann: SlackPerson, *expected: tuple[str | None, str | None, str]
) -> None:
    """Wait until the promise has this day, time and state."""

    async def same() -> bool:
        return (await due(ann),) == expected

    await until(same)


def tomorrow() -> str:
    """Return the day of a promise that is due tomorrow where the playground's people are."""
    now = datetime.now(ZoneInfo("America/Los_Angeles"))
    return (now + timedelta(days=1)).date().isoformat()


def two_days_ago() -> str:
    """Return the day of a promise that was due two days ago."""
    return (datetime.now(UTC) - timedelta(days=2)).date().isoformat()


async def test_a_promise_is_told_with_its_reminder_and_changed_by_its_buttons(
    ann: SlackPerson,
) -> None:
    """One line below the answer says when; *Edit* opens the form, where a day is no sentence.

    The notice alone says what it changed; in the panel the day can be taken away again.
    """
    notice = await told(ann, food="ramen", due="2099-11-27", due_time="10:00")
    assert notice["text"].count("\n") == 1
    assert "Mia" in shown(notice)
    assert "2099" in shown(notice)
    await ann.press(notice, "edit")
    form = await ann.form_opens()
    await ann.submit(form, due="2098-01-02", due_time="11:30")
    await becomes(ann, ("2098-01-02", "11:30", "open"))
    edited = await ann.changed(notice)
    assert acts_in(edited, "undo", what="changes")
    assert [one for one in await ann.seen() if one.get("is_ephemeral")] == []
    said = [
        one.sources
        for one in await ann.app.memories(ann.person)
        if "Mia" in str(one.content)
    ]
    assert [[one["evidence"] for one in sources] for sources in said] == [[SENTENCE]]
    panel = await ann.panel()
    await ann.press(panel, "edit", key=(await ann.memory("Q3")).key)
    await ann.submit(await ann.form_opens(), due="", due_time="")
    await becomes(ann, (None, None, "open"))


async def reminded(ann: SlackPerson) -> Place:
    """Let the reminders of a minute come; return the newest message."""
    ann.app.rows(
        "UPDATE reminders SET at = now() WHERE user_id = %s RETURNING key",
        ann.person.user_id,
    )
    await minute(ann.app)
    found = [
        one for one in await ann.seen() if asks(one) and "Q3 figures" in shown(one)
    ]
    return {**found[-1], "channel": "dm"}


async def update_notice(ann: SlackPerson, notice: Place) -> Place:
    """Do the jobs that update notices; return a notice as it is then."""
    for job in ann.app.take_jobs(SHOW_NOTICE):
        await show_notice(ann.app.core, **job)
    [found] = [one for one in await ann.seen() if one["ts"] == notice["ts"]]
    return {**found, "channel": "dm"}


async def test_a_promise_without_a_day_asks_for_one(ann: SlackPerson) -> None:
    """*Tomorrow* sets a reminder, and its notice asks no more; the promise stays without a day.

    Home lists the open promise first, with its next reminder, and its menu ends it.
    """
    notice = await told(ann)
    assert ann.sentence("promise_pick") in shown(notice)
    await ann.press(notice, "snooze")
    await ann.changed(notice)
    notice = await update_notice(ann, notice)
    assert ann.sentence("promise_pick") not in shown(notice)
    assert f"{MORNING}:00" in shown(notice)
    assert await due(ann) == (None, None, "open")
    await ann.remember("ramen")
    home = shown(await ann.open_home())
    title = f"*{ann.sentence('promises_title')}*"
    assert home.index(title) < home.index("Q3 figures") < home.index("ramen")
    key = (await ann.memory("Q3")).key
    when = ann.sentence("day_tomorrow", time=f"{MORNING}:00")
    assert ann.sentence("row_remind", when=when) in home
    for state in get_args(PromiseTo):
        done = await ann.click(await ann.home(), "promise", key=key, to=state)
        await becomes(ann, (None, None, state))
        assert ann.sentence("promises_title") not in shown(await ann.home())
        await ann.click(done, "undo", what="changes")


@pytest.mark.parametrize("state", get_args(PromiseTo))
async def test_an_answer_to_a_reminder_changes_the_promise(
    ann: SlackPerson, state: str
) -> None:
    """The result takes the place of the promise's row, with *Undo*; the other row stays."""
    before = tomorrow()
    await told(ann, due=before)
    content = {"promise": "the minutes", "due": before}
    source = PersonMessage(actor="command", text="I promised the minutes")
    await add_memories(
        ann.app.pool,
        ann.app.embedder,
        ann.person.namespace(DM),
        PROMISE_KIND,
        [(content, source)],
    )
    key = (await ann.memory("Q3")).key
    reminder = await reminded(ann)
    await ann.press(reminder, "promise", key=key, to=state)
    await becomes(ann, (before, None, state))
    answered = {**await ann.changed(reminder), "channel": "dm"}
    assert "the minutes" in shown(answered)
    assert [one for one in elements(answered) if key in one["value"]] == []
    assert ann.sentence(f"promise_line_{state}", what="").strip("：") in shown(answered)
    await ann.press(answered, "undo", what="changes")
    await becomes(ann, (before, None, "open"))
    again = await ann.changed(answered)
    assert len(again["blocks"]) == len(answered["blocks"])


async def test_tomorrow_says_when_the_reminder_comes(
    ann: SlackPerson,
) -> None:
    """What was promised stays as it was said; the notice says when the person is reminded next."""
    before = tomorrow()
    notice = await told(ann, due=before)
    reminder = await reminded(ann)
    await ann.press(reminder, "snooze")
    answered = {**await ann.changed(reminder), "channel": "dm"}
    snoozed = ann.sentence("snoozed", what="")
    assert snoozed in shown(answered)
    assert f"{MORNING}:00" in snoozed
    assert await due(ann) == (before, None, "open")
    assert f"{MORNING}:00" in shown(await update_notice(ann, notice))
    assert elements(answered) == []


async def test_a_notice_follows_what_later_words_change(ann: SlackPerson) -> None:
    """After “by Monday instead” the first notice says the new day."""
    notice = await told(ann, due="2098-11-27")
    message = await ann.say("By the 28th of November, 2097 instead")
    turn = ann.app.turn(message)["id"]
    source = PersonMessage(
        actor="formation",
        text=message.text,
        channel=message.channel_id,
        ts=message.ts,
    )
    given = [({"promise": "the Q3 figures", "due": "2097-11-28"}, source)]
    app = ann.app
    await add_memories(
        app.pool,
        app.embedder,
        ann.person.namespace(DM),
        PROMISE_KIND,
        given,
        batch=turn,
    )
    changes = await list_changes(app.pool, ann.person, batch=turn)
    async with person_transaction(app.pool, ann.person) as transaction:
        formed = FormationResult(changes=tuple(changes))
        await add_notice(app.core, transaction, turn, formed)
    text = shown(await update_notice(ann, notice))
    assert "2097" in text
    assert "2098" not in text


async def test_a_promise_takes_no_day_that_has_passed(ann: SlackPerson) -> None:
    """The form says so at its field, and asks for the day of a time.

    An overdue promise whose day is left alone can be edited.
    """
    notice = await told(ann, due=two_days_ago())
    await ann.press(notice, "edit")
    form = await ann.form_opens()
    refused = await ann.submit(form, due="2020-01-01")
    assert refused["ack"]["errors"] == {"due": ann.sentence("form_past")}
    refused = await ann.submit(form, due="", due_time="17:00")
    assert refused["ack"]["errors"] == {"due": ann.sentence("form_missing")}
    await ann.submit(form, due=two_days_ago(), sentence="I promised Mia the Q3 numbers")

    async def is_edited() -> bool:
        return str((await ann.memory("Q3")).content["promise"]) == "the Q3 numbers"

    await until(is_edited)
