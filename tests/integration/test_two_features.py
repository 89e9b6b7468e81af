"""Two things that people do, and that meet: neither undoes what the other one promises."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from slack_sdk.errors import SlackApiError

from bot.acts.kinds import ChangePromise, Edit, Remember, Snooze, Switch
from bot.acts.lines import due_line
from bot.conversation import backfill
from bot.conversation.backfill import CATCH_UP, READ_MISSED
from bot.conversation.inbox import take_message
from bot.conversation.turns import end_turn, read_start, store_begin
from bot.data.person import export_person
from bot.forgetting.forgetting import forget_selection
from bot.locale import Localizer, say
from bot.notices.notices import update_notices
from bot.off.switches import turn_on
from bot.promises.reminders import (
    REMIND,
    SHOW_REMINDER,
    remind,
    remind_of_due,
    show_reminder,
)
from memory import (
    DM,
    PUBLIC,
    PersonMessage,
    Selection,
    add_memories,
    edit_memory,
    move_memory,
)
from memory.postgres import person_transaction
from tests.integration.app import App, MakeApp
from tests.integration.playground_slack import PersonThread
from tests.integration.test_promises import (
    due_soon,
    minute,
    next_morning,
    promised,
    reminders,
)
from tests.integration.test_promises import idle as idle
from tests.person import shown
from tests.waiting import until


async def test_a_form_that_was_opened_before_a_move_does_not_undo_it(app: App) -> None:
    """It is saved as it was, and its menu still shows the old place."""
    place = app.slack.place(channel="public")
    person = app.person(place)
    given = [
        (
            {"fact": "I have diabetes"},
            PersonMessage(actor="command", text="I have diabetes"),
        )
    ]
    await add_memories(
        app.pool, app.embedder, person.namespace(PUBLIC), "UserFact", given
    )
    [memory] = await app.memories(person)
    opened = await app.click(person, Edit(key=memory.key))
    await move_memory(app.pool, app.embedder, person, memory.key, DM)
    answer = await app.submit(person, opened)
    assert answer.line == say("en", "changed_meanwhile")
    [left] = await app.memories(person)
    assert left.audience == DM


@pytest.mark.parametrize("scope", ["everywhere", "channel"])
async def test_memory_turned_off_while_a_turn_begins_keeps_nothing_of_it(
    app: App, scope: str
) -> None:
    """It has read that memory is on, and not stored anything yet."""
    place = app.slack.place()
    message = await app.receive(place, "I love ramen")
    claimed = await take_message(app.core, message.thread, uuid4())
    assert claimed is not None
    start = await read_start(app.core, claimed)
    await app.off(place, "" if scope == "everywhere" else place.channel)
    words = "I love ramen"
    turn = await store_begin(app.core, start, question=words, words=words)
    await end_turn(app.core, turn, "answered", reply="Noted.")
    await turn_on(app.core, message.person)
    formed = await app.form(message)
    stored = app.turn(message)
    assert (stored["on_record"], stored["question"], stored["words"]) == (False, "", "")
    assert formed == []


@pytest.mark.parametrize("shortcut", ["remember_this", "keep_for_channel"])
async def test_memory_that_is_off_in_a_conversation_is_so_for_its_shortcuts(
    app: App, shortcut: str
) -> None:
    """The message is in a thread, and was not written to the app."""
    place = app.slack.place(channel="public")
    root = await app.ask(place, "<@BOT> hello")
    await app.off(place, place.channel)
    said = app.slack.say(
        place.user, place.channel, "We deploy on Fridays", thread_ts=root.ts
    )
    here = PersonThread(place.user, place.team, place.channel, said["ts"], root.ts)
    answer = await app.interface.point_at(here, app.person(place), shortcut)
    assert await app.memories(app.person(place)) == []
    assert "Memory is off" in answer.line


@pytest.mark.parametrize("shortcut", ["remember_this", "keep_for_channel"])
async def test_what_is_older_than_memories_are_kept_is_not_remembered_for_an_hour(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, shortcut: str
) -> None:
    """The next upkeep would delete it. Here thirty days are over at once."""
    app = await make_app(retention_days=30)
    monkeypatch.setattr("bot.remembering.adding._DAY_SECONDS", 0)
    place = app.slack.place(channel="public", text="We deploy on Fridays")
    answer = await app.interface.point_at(place, app.person(place), shortcut)
    assert answer.line == say("en", "remember_too_old", days=30)
    assert await app.memories(app.person(place)) == []


@pytest.mark.parametrize("after", [None, "Never mind"])
async def test_a_refused_sentence_cannot_be_stored_after_its_message_is_gone(
    app: App, after: str | None
) -> None:
    """The button below the refusal is pressed when the message was deleted or edited."""
    said = await app.ask(app.slack.place(), "My sister has asthma")
    button = Remember(text="My sister has asthma", channel=said.channel_id, ts=said.ts)
    await app.change(said, after)
    answer = await app.click(said.person, button)
    assert answer.line == say("en", "changed_meanwhile")
    assert await app.memories(said.person) == []


async def test_an_export_before_the_end_of_undo_has_nothing_of_what_is_forgotten(
    app: App,
) -> None:
    """Neither memories nor messages."""
    said = await app.ask(app.slack.place(), "I love natto")
    await app.form(said)
    before = await export_person(app.pool, said.person, app.core.settings)
    assert "natto" in json.dumps(before)
    await forget_selection(app.core, said.person, Selection(everything=True))
    document = await export_person(app.pool, said.person, app.core.settings)
    assert "natto" not in json.dumps(document)


@pytest.mark.parametrize("meanwhile", ["off", "done"])
async def test_a_reminder_that_could_not_be_posted_does_not_come_late(
    app: App, meanwhile: str
) -> None:
    """Between the minute's job and the post memory is turned off, or the promise is kept.

    When memory is on or the promise open again, the next reminder is that of tomorrow.
    """
    place = app.slack.place()
    memory = await promised(app, place, **due_soon(app.clock))
    person = app.person(place)
    await remind_of_due(app.pool, app.core.queue)
    clicked = None
    if meanwhile == "off":
        await app.off(place)
    else:
        clicked = await app.click(person, ChangePromise(key=memory.key, to="done"))
    for job in app.take_jobs(REMIND):
        await remind(app.core, **job)
    if clicked is None:
        await turn_on(app.core, person)
    else:
        await app.click(person, clicked.undo)
    await minute(app)
    posted = "SELECT 1 FROM reminders WHERE user_id = %s AND ts IS NOT NULL"
    assert app.rows(posted, place.user) == []
    tomorrow = app.clock.now().date() + timedelta(days=1)
    assert await next_morning(app, place, memory) == tomorrow


async def test_a_reminder_that_slack_puts_off_comes_later(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate limit lasts longer than the patience, and there is no direct message to look in."""
    monkeypatch.setattr("bot.promises.reminders.PATIENCE_SECONDS", 0.0)
    place = app.slack.place(channel="public")
    await promised(app, place, **due_soon(app.clock))
    await remind_of_due(app.pool, app.core.queue)
    [job] = app.take_jobs(REMIND)
    app.slack.fault("chat.postMessage", error="ratelimited", retry_after=1, times=1)
    with pytest.raises(SlackApiError):
        await remind(app.core, **job)
    assert reminders(app, place) == []

    async def posted() -> bool:
        try:
            await remind(app.core, **job)
        except SlackApiError:
            return False
        return True

    await until(posted)
    assert len(reminders(app, place)) == 1


async def test_tomorrow_below_an_old_reminder_loses_no_later_one(app: App) -> None:
    """When the promise is moved to a later day the buttons go; a late click does nothing."""
    place = app.slack.place()
    await app.ask(place, "Hello")
    memory = await promised(app, place, **due_soon(app.clock))
    await minute(app)
    assert len(reminders(app, place)) == 1
    later: dict[str, Any] = {**app.clock.in_days(10), "due_time": None}
    source = PersonMessage(actor="command", zone=ZoneInfo(app.clock.zone()))
    person = app.person(place)
    content = {**memory.content, **later}
    await edit_memory(app.pool, app.embedder, person, memory.key, content, source)
    async with person_transaction(app.pool, person) as transaction:
        await update_notices(app.core, transaction, keys=[memory.key])
    answer = await app.click(person, Snooze(key=memory.key))
    assert answer.line == say("en", "changed_meanwhile")
    for job in app.take_jobs(SHOW_REMINDER):
        await show_reminder(app.core, **job)
    assert reminders(app, place) == []
    localizer = Localizer("en", ZoneInfo(app.clock.zone()))
    [left] = [one for one in app.slack.seen(place.user) if "Q3" in shown(one)]
    assert due_line(localizer, later) in shown(left)
    assert await next_morning(app, place, memory) == date.fromisoformat(later["due"])


async def test_memory_on_in_words_ends_what_turns_it_off_here(app: App) -> None:
    """It was turned off in the channel, and is turned on in a thread of it."""
    place = app.slack.place(channel="public")
    root = await app.ask(place, "<@BOT> hello")
    await app.off(place, place.channel)
    await app.ask(place, "<@BOT> turn memory on again", thread_ts=root.ts)
    later = await app.ask(place, "<@BOT> I love soba", thread_ts=root.ts)
    assert app.turn(later)["words"] == "I love soba"


async def test_a_conversation_is_not_said_to_be_on_while_memory_is_off_everywhere(
    app: App,
) -> None:
    """The button is below an earlier message about the conversation."""
    place = app.slack.place()
    said = await app.ask(place, "hello")
    await app.off(place, place.channel)
    await app.off(place)
    answer = await app.click(said.person, Switch(to="on", scope=place.channel))
    assert answer.line.startswith("*Memory is off")


async def test_a_mention_below_a_message_to_nobody_is_caught_up_with(app: App) -> None:
    """Both came while the app was away."""
    place = app.slack.place(channel="public", text="Good morning, all")
    await backfill.record_heard(app.core)
    app.rows(
        "UPDATE installation SET heard_at = now() - interval '10 minutes' RETURNING 1"
    )
    mention = f"<@{app.slack.bot_user_id}> why?"
    said = app.slack.say(place.user, place.channel, mention, thread_ts=place.ts)
    await backfill.record_heard(app.core)
    # Slack lists its conversations in pages, and each page has a job.
    while plans := app.take_jobs(CATCH_UP):
        for job in plans:
            await backfill.catch_up(app.core, **job)
    while reads := [
        one for one in app.take_jobs(READ_MISSED) if one["channel"] == place.channel
    ]:
        for job in reads:
            await backfill.read_missed_messages(app.core, **job)
    found = "SELECT status FROM messages WHERE channel_id = %s AND ts = %s"
    assert app.rows(found, place.channel, said["ts"]) == [{"status": "waiting"}]


@pytest.mark.parametrize("label", ["", "|secret-plan"])
async def test_the_name_of_a_private_channel_stays_in_it(app: App, label: str) -> None:
    """Its member writes it elsewhere; Slack may send the name with the reference."""
    place = app.slack.place(channel="public")
    private = {"kind": "private", "members": [place.user], "name": "secret-plan"}
    hidden = app.slack.control("channels", private)["id"]
    await app.ask(place, f"<@BOT> I love the memes in <#{hidden}{label}>")
    elsewhere = app.slack.channel("public", place.user)
    there = app.slack.say(place.user, elsewhere, "-")
    far = PersonThread(place.user, place.team, elsewhere, there["ts"], there["ts"])
    await app.ask(far, "<@BOT> What do I love?")
    assert "the memes in" in app.request_texts()[-1]
    assert "secret-plan" not in app.request_texts()[-1]
