"""The world's changes are followed: people who leave, channels that become something else."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from bot.conversation.audiences import view_of_audience
from bot.conversation.channels import CHANGE_CHANNEL, change_channel
from bot.conversation.turns import FORM_MEMORIES
from bot.runtime.maintenance import erase_deactivated
from memory import PUBLIC
from tests.integration.app import App
from tests.integration.messages import seen_at
from tests.integration.playground_slack import PersonThread


def told(app: App, **event: Any) -> dict[str, Any]:
    """Return an event as Slack delivers it."""
    team = app.slack.team_id
    return {"team_id": team, "authorizations": [{"team_id": team}], "event": event}


async def test_who_is_deactivated_is_neither_remembered_nor_recalled(app: App) -> None:
    """Of somebody whose account is deactivated nothing is formed or read, until it is active."""
    place = app.slack.place()
    message = await app.ask(place, "I love ramen")
    await app.form(message)
    [ramen] = await app.memories(message.person)
    await app.ask(place, "I love sushi")
    user = {"id": place.user, "deleted": True, "locale": "en-US"}
    await app.note(told(app, type="user_change", user=user))
    await app.form(message)
    assert await app.memories(message.person) == [ramen]
    await app.ask(place, "What can I eat?")
    assert "ramen" not in json.dumps(app.prompts()[-1])
    await app.note(told(app, type="user_change", user={**user, "deleted": False}))
    await app.ask(place, "What can I eat?")
    assert "ramen" in json.dumps(app.prompts()[-1])


@pytest.mark.parametrize(
    ("kind", "event", "change", "audience"),
    [
        (
            "public",
            {"type": "message", "subtype": "channel_convert_to_private"},
            {"private": True},
            "own",
        ),
        (
            "private",
            {"type": "message", "subtype": "channel_convert_to_public"},
            {"private": False},
            PUBLIC,
        ),
        ("public", {"type": "channel_shared"}, {"shared": True}, "own"),
        ("connect", {"type": "channel_unshared"}, {"shared": False}, PUBLIC),
        ("public", {"type": "channel_left"}, {}, PUBLIC),
    ],
    ids=lambda value: (
        str(value.get("subtype") or value.get("type")) if "type" in value else ""
    ),
)
async def test_the_kind_of_a_changed_channel_is_asked_again(
    app: App,
    kind: str,
    event: dict[str, Any],
    change: dict[str, Any],
    audience: str,
) -> None:
    """After each such event Slack is asked again; until it answers the channel sees its own."""
    user, team = app.slack.person()
    channel = app.slack.channel(kind, user)
    later = f"{time.time() + 60:.6f}"
    message = app.slack.message(
        PersonThread(user, team, channel, later, later), audience=None
    )
    person = message.person
    await seen_at(app.core, message)
    if change:
        app.slack.control("channels/update", {"channel": channel, **change})
    await app.note(told(app, **event, channel=channel))
    waiting = await view_of_audience(app.core, person.namespace(channel))
    assert waiting.audiences == (channel,)
    app.slack.forget_calls()
    view = await seen_at(app.core, message)
    assert view.own.audience == (channel if audience == "own" else audience)
    assert len(app.slack.calls("conversations.info")) == 1


async def convert(app: App, channel: str, to: str) -> None:
    """Let an app of an admin make a channel private or public."""
    app.slack.control(
        "channels/update", {"channel": channel, "private": to == "private"}
    )
    event = {
        "type": "message",
        "subtype": f"channel_convert_to_{to}",
        "channel": channel,
    }
    assert await app.deliver({**event, "bot_id": "B0ADMIN"}) == 200


async def test_what_waits_is_remembered_under_the_new_id(app: App) -> None:
    """The id changes after an answer and before its words are formed."""
    place = app.slack.place(channel="private")
    message = await app.ask(place, "<@BOT> I love ramen")
    [waiting] = app.take_jobs(FORM_MEMORIES)
    ids = {"old_channel_id": place.channel, "new_channel_id": "C0NEWID999"}
    await app.deliver({"type": "channel_id_changed", **ids})
    for job in app.take_jobs(CHANGE_CHANNEL):
        await change_channel(app.core, **job)
    for job in [waiting, *app.take_jobs(FORM_MEMORIES)]:
        await app.form_words(job["team"], job["user"], job["audience"])
    [ramen] = await app.memories(message.person)
    assert ramen.audience == "C0NEWID999"


async def test_what_was_said_in_public_stays_public(app: App) -> None:
    """A channel made private keeps what was said from then on; what was public before stays so."""
    user, team = app.slack.person()
    channel, other = (
        app.slack.channel("public", user),
        app.slack.channel("public", user),
    )
    place = PersonThread(user, team, channel, "1.0", "1.0")
    message = await app.ask(place, "I love ramen")
    await app.form(message, PUBLIC)
    await convert(app, channel, "private")
    await app.ask(place, "I love sushi")
    await app.form(message, channel)
    audiences = {
        m.content["food_name"]: m.audience for m in await app.memories(message.person)
    }
    assert audiences == {"ramen": PUBLIC, "sushi": channel}
    await app.ask(PersonThread(user, team, other, "1.0", "1.0"), "What can I eat?")
    prompt = json.dumps(app.prompts()[-1])
    assert "ramen" in prompt
    assert "sushi" not in prompt


@pytest.mark.parametrize("formed", [False, True])
async def test_what_is_edited_after_a_change_is_of_the_changed_channel(
    app: App, formed: bool
) -> None:
    """Words that only a private channel has seen stay in it, though the message was public once."""
    user, team = app.slack.person()
    channel, other = (
        app.slack.channel("public", user),
        app.slack.channel("public", user),
    )
    place = PersonThread(user, team, channel, "1.0", "1.0")
    message = await app.ask(place, "I love ramen")
    if formed:
        await app.form(message, PUBLIC)
    await convert(app, channel, "private")
    await app.change(message, "I love sushi")
    elsewhere = await app.ask(
        PersonThread(user, team, other, "1.0", "1.0"), "What can I eat?"
    )
    assert elsewhere.channel_id == other
    assert "sushi" not in json.dumps(app.prompts()[-1])
    assert channel in {
        job["args"]["audience"] for job in app.formations(message.person)
    }
    assert await app.form(message, PUBLIC) == []
    await app.form(message, channel)
    [sushi] = await app.memories(message.person)
    assert (sushi.content["food_name"], sushi.audience) == ("sushi", channel)


async def test_what_waited_in_private_does_not_become_public(app: App) -> None:
    """A message written before its channel became public is remembered in the channel alone."""
    user, team = app.slack.person()
    channel, other = (
        app.slack.channel("private", user),
        app.slack.channel("public", user),
    )
    place = PersonThread(user, team, channel, "1.0", "1.0")
    await app.ask(place, "hello")
    message = await app.receive(place, "I love ramen")
    await convert(app, channel, "public")
    await app.answering.drain(message.thread)
    assert app.turn(message)["audience"] == channel
    await app.form(message, channel)
    await app.ask(PersonThread(user, team, other, "1.0", "1.0"), "What can I eat?")
    assert "ramen" not in json.dumps(app.prompts()[-1])
    later = replace(app.written(place, "I love sushi"), ts=f"{time.time() + 3:.6f}")
    assert (await seen_at(app.core, later)).own.audience == PUBLIC


async def gone_for(app: App, place: PersonThread, days: float) -> None:
    """Let somebody's account be deactivated, so many days ago."""
    app.slack.control("users/update", {"user": place.user, "deleted": True})
    user = {"id": place.user, "deleted": True}
    await app.note(told(app, type="user_change", user=user))
    app.rows(
        "UPDATE person_settings SET deactivated_at = now() - make_interval(secs => %s)"
        " WHERE user_id = %s",
        days * 86_400,
        place.user,
    )


async def remembered(app: App, user: str) -> list[str]:
    """Return the tables that hold something of a person, but where it was said."""
    tables = ("store", "messages", "person_settings", "statements")
    # That something was forgotten stays known, by ids alone.
    about = "SELECT 1 FROM {} t WHERE strpos(t::text, %s) > 0 AND strpos(t::text, 'forgotten') = 0"
    return [table for table in tables if app.rows(about.format(table), user)]


async def test_who_was_deactivated_is_erased_after_thirty_days(app: App) -> None:
    """Thirty days after the deactivation nothing of the person is left; a day before, all of it."""
    gone, leaving, back, unheard, missed = (app.slack.place() for _ in range(5))
    for place in (gone, leaving, back, unheard, missed):
        message = await app.ask(place, "I love ramen")
        await app.form(message)
    await gone_for(app, gone, 30.1)
    await gone_for(app, leaving, 29.9)
    await gone_for(app, back, 30.1)
    user = {"id": back.user, "deleted": False}
    await app.note(told(app, type="user_change", user=user))
    await gone_for(app, unheard, 30.1)
    # If nothing wakes the database, the event that the account is active again is missed.
    app.slack.control("users/update", {"user": unheard.user, "deleted": False})
    # Or the event of the deactivation itself.
    app.slack.control("users/update", {"user": missed.user, "deleted": True})
    app.rows(
        "UPDATE person_settings SET profile_at = now() - interval '31 days' WHERE user_id = %s"
        " RETURNING user_id",
        missed.user,
    )
    app.slack.fault("users.info", error="user_not_visible", times=1)
    await erase_deactivated(app.core)
    assert await remembered(app, gone.user)
    await erase_deactivated(app.core)
    assert await remembered(app, gone.user) == []
    for place in (leaving, back, unheard, missed):
        assert {"store", "messages", "person_settings"} <= set(
            await remembered(app, place.user)
        )
    await erase_deactivated(app.core)
    deactivated = "SELECT deactivated_at IS NOT NULL AS is FROM person_settings WHERE user_id = %s"
    assert app.rows(deactivated, unheard.user) == [{"is": False}]
    assert app.rows(deactivated, missed.user) == [{"is": True}]
    await gone_for(app, missed, 30.1)
    await erase_deactivated(app.core)
    assert await remembered(app, missed.user) == []
