"""The world's changes are followed: people who leave, channels that become something else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.home.suggested_prompts import SuggestedPrompts
from bot.listeners.change_events import Changes
from bot.pipeline.tools.viewing import ViewedChannels
from bot.runtime.retention import erase_deactivated
from bot.slack.audiences import Audiences
from bot.users.offboarding import Offboarding
from bot.users.profiles import Profiles
from bot.users.workspaces import Workspaces
from memory import PUBLIC, Embedder
from tests.integration.homes import homes_of
from tests.integration.house import House
from tests.integration.playground_slack import Place
from tests.integration.work import sql

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


async def nobody_follows(*_: object) -> None:
    """Nothing is remembered of a message here that was no turn."""


@pytest.fixture
def changes(house: House, embedder: Embedder) -> Changes:
    """What is tested."""
    client = house.slack.client()
    people, workspaces = Profiles(house.pool, client), Workspaces(house.pool)
    return Changes(
        inbox=house.inbox,
        turns=house.turns,
        audiences=house.parts.audiences,
        people=people,
        suggesting=SuggestedPrompts(house.pool, house.queue, client, people, consent="notice"),
        viewing=ViewedChannels(house.pool, client, None, house.slack.bot_user_id),
        homes=homes_of(house.pool, house.queue, house.slack.client(), people, embedder),
        workspaces=workspaces,
        offboarding=Offboarding(
            house.pool, house.queue, client, workspaces, house.slack.bot_user_id
        ),
        sessions=house.sessions,
        follow=nobody_follows,
        bot_user_id=house.slack.bot_user_id,
    )


def told(house: House, **event: Any) -> dict[str, Any]:
    """Return an event as Slack delivers it."""
    team = house.slack.team_id
    return {"team_id": team, "authorizations": [{"team_id": team}], "event": event}


async def test_who_is_deactivated_is_neither_remembered_nor_recalled(
    house: House, changes: Changes
) -> None:
    """Of somebody whose account is deactivated nothing is formed or read, until it is active."""
    place = house.slack.place()
    message = await house.ask(place, "I love ramen")
    await house.learning.form(message.team_id, message.user_id, "dm")
    [ramen] = await house.memories(message.person)
    await house.ask(place, "I love sushi")
    user = {"id": place.user, "deleted": True}
    await changes.note(told(house, type="user_change", user=user))
    await house.learning.form(message.team_id, message.user_id, "dm")
    assert await house.memories(message.person) == [ramen]
    await house.ask(place, "What can I eat?")
    assert "ramen" not in json.dumps(house.prompts()[-1])
    await changes.note(told(house, type="user_change", user={**user, "deleted": False}))
    await house.ask(place, "What can I eat?")
    assert "ramen" in json.dumps(house.prompts()[-1])


async def test_a_stranger_who_changes_leaves_no_row(house: House, changes: Changes) -> None:
    """A change of somebody who never wrote to the app is not kept; only that they left is."""
    user, _ = house.slack.person()
    profile = {"id": user, "deleted": False, "locale": "ja-JP"}
    await changes.note(told(house, type="user_change", user=profile))
    rows = sql(house, "SELECT user_id FROM person_settings WHERE user_id = %s", user)
    assert rows == []


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
        ("public", {"type": "channel_archive"}, {"archived": True}, PUBLIC),
        ("public", {"type": "channel_left"}, {}, PUBLIC),
        ("private", {"type": "group_left"}, {}, "own"),
        ("public", {"type": "channel_id_changed"}, {}, PUBLIC),
    ],
    ids=lambda value: str(value.get("subtype") or value.get("type")) if "type" in value else "",
)
async def test_what_a_channel_is_is_asked_anew(
    house: House,
    changes: Changes,
    kind: str,
    event: dict[str, Any],
    change: dict[str, Any],
    audience: str,
) -> None:
    """After each such event Slack is asked again; until it answers the channel sees its own."""
    user, team = house.slack.person()
    channel = house.slack.channel(kind, user)
    person = house.slack.message(Place(user, team, channel, "1.0", "1.0")).person
    audiences: Audiences = house.parts.audiences
    await audiences.view_in(person, channel)
    if change:
        house.slack.control("channels/update", {"channel": channel, **change})
    named = {"old_channel_id": channel, "new_channel_id": "C0"} if "id" in event["type"] else {}
    await changes.note(told(house, **event, channel=channel, **named))
    assert await audiences.is_shared(person.namespace(channel))
    house.slack.forget_calls()
    view = await audiences.view_in(person, channel)
    assert view.own.audience == (channel if audience == "own" else audience)
    assert len(house.slack.calls("conversations.info")) == 1


async def test_what_was_said_in_public_stays_public(house: House, changes: Changes) -> None:
    """A channel made private keeps what was said from then on; what was public before stays so."""
    user, team = house.slack.person()
    channel, other = house.slack.channel("public", user), house.slack.channel("public", user)
    place = Place(user, team, channel, "1.0", "1.0")
    message = await house.ask(place, "I love ramen")
    await house.learning.form(message.team_id, user, PUBLIC)
    house.slack.control("channels/update", {"channel": channel, "private": True})
    event = {"type": "message", "subtype": "channel_convert_to_private", "channel": channel}
    await changes.note(told(house, **event))
    await house.ask(place, "I love sushi")
    await house.learning.form(message.team_id, user, channel)
    audiences = {
        m.content["food_name"]: m.namespace.audience for m in await house.memories(message.person)
    }
    assert audiences == {"ramen": PUBLIC, "sushi": channel}
    await house.ask(Place(user, team, other, "1.0", "1.0"), "What can I eat?")
    prompt = json.dumps(house.prompts()[-1])
    assert "ramen" in prompt
    assert "sushi" not in prompt


async def gone_for(house: House, changes: Changes, place: Place, days: float) -> None:
    """Let somebody's account be deactivated, so many days ago."""
    house.slack.control("users/update", {"user": place.user, "deleted": True})
    user = {"id": place.user, "deleted": True}
    await changes.note(told(house, type="user_change", user=user))
    sql(
        house,
        "UPDATE person_settings SET deactivated_at = now() - make_interval(secs => %s)"
        " WHERE user_id = %s",
        days * 86_400,
        place.user,
    )


async def remembered(house: House, user: str) -> list[str]:
    """Return the tables that hold something of a person, but where it was said."""
    tables = ("store", "turns", "person_settings", "memory_changes")
    about = "SELECT 1 FROM {} t WHERE strpos(t::text, %s) > 0"
    return [table for table in tables if sql(house, about.format(table), user)]


async def test_who_was_deactivated_is_erased_after_thirty_days(
    house: House, changes: Changes
) -> None:
    """Thirty days after the deactivation nothing of the person is left; a day before, all of it."""
    gone, leaving, back, unheard = (house.slack.place() for _ in range(4))
    for place in (gone, leaving, back, unheard):
        message = await house.ask(place, "I love ramen")
        await house.learning.form(message.team_id, message.user_id, "dm")
    await gone_for(house, changes, gone, 30.1)
    await gone_for(house, changes, leaving, 29.9)
    await gone_for(house, changes, back, 30.1)
    user = {"id": back.user, "deleted": False}
    await changes.note(told(house, type="user_change", user=user))
    await gone_for(house, changes, unheard, 30.1)
    # If nothing wakes the database, the event that the account is active again is missed.
    house.slack.control("users/update", {"user": unheard.user, "deleted": False})
    people = Profiles(house.pool, house.slack.client())
    house.slack.fault("users.info", error="internal_error", times=1)
    assert await erase_deactivated(house.pool, people) == 0
    assert await remembered(house, gone.user)
    assert await erase_deactivated(house.pool, people) == 1
    assert await remembered(house, gone.user) == []
    for place in (leaving, back, unheard):
        assert {"store", "turns", "person_settings"} <= set(await remembered(house, place.user))
    assert await erase_deactivated(house.pool, people) == 0
    [row] = sql(
        house, "SELECT deactivated_at FROM person_settings WHERE user_id = %s", unheard.user
    )
    assert row["deactivated_at"] is None


async def test_users_info_tells_of_a_deactivation(house: House) -> None:
    """If the event was missed, asking Slack for a profile finds the account deactivated."""
    place = house.slack.place()
    await house.ask(place, "I love ramen")
    sql(house, "UPDATE person_settings SET profile_at = NULL WHERE user_id = %s", place.user)
    house.slack.control("users/update", {"user": place.user, "deleted": True})
    person = house.slack.message(place).person
    assert (await Profiles(house.pool, house.slack.client()).settings(person)).deactivated
