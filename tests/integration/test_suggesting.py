"""What is shown in the Messages tab before anything is asked, on PostgreSQL and the playground."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.home.suggested_prompts import SUGGEST
from bot.locale import say
from bot.memories.person_data import erase_person
from bot.views.suggestions import suggested_prompts
from memory import Person
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


async def opened(app: App, place: PersonThread, tab: str = "messages") -> list[dict[str, Any]]:
    """Deliver that a tab was opened, do the work that waits; return what was suggested."""
    app.slack.forget_calls()
    event = {
        "type": "app_home_opened",
        "user": place.user,
        "channel": place.channel,
        "tab": tab,
        "event_ts": place.ts,
    }
    assert await app.deliver(event) == 200
    return await suggested(app, place)


async def suggested(app: App, place: PersonThread) -> list[dict[str, Any]]:
    """Do the work that waits for a person; return what was suggested since the calls were shown."""
    jobs = app.rows(
        "DELETE FROM procrastinate_jobs WHERE task_name = %s AND args->>'user' = %s RETURNING args",
        SUGGEST,
        place.user,
    )
    for job in jobs:
        await app.wiring.suggested_prompts.suggest(**job["args"])
    return [call["args"] for call in app.slack.calls("assistant.threads.setSuggestedPrompts")]


async def test_prompts_follow_what_is_remembered(app: App) -> None:
    """The next time the tab is opened the prompts build on what was said, in the whole tab.

    While memory is paused nothing of it is suggested.
    """
    place = app.slack.place(locale="ja-JP")
    [first] = await opened(app, place)
    assert first["channel_id"] == place.channel
    assert first["title"] == say("ja", "greeting")
    assert "thread_ts" not in first
    assert first["prompts"][-1]["message"] == "私について何を覚えていますか？"
    message = await app.ask(place, "I love ramen")
    await app.form(message)
    [second] = await opened(app, place)
    assert "ramen" in json.dumps(second, ensure_ascii=False)
    assert "title" not in second, "they know each other"
    await app.wiring.controls.pause(message.person, None)
    [paused] = await opened(app, place)
    assert "ramen" not in json.dumps(paused)
    assert "title" not in paused


async def test_nothing_is_posted_unasked(app: App) -> None:
    """A person who installs the app, or opens one of its tabs, is sent no message."""
    place = app.slack.place()
    await opened(app, place, "messages")
    posts = app.slack.calls("chat.postMessage", "chat.postEphemeral", "chat.startStream")
    assert posts == []
    assert await opened(app, place, "about") == []


async def test_prompts_that_slack_refuses_do_no_harm(app: App) -> None:
    """Where Slack takes no prompts nothing is raised: those of the manifest are shown."""
    place = app.slack.place()
    app.slack.fault("assistant.threads.setSuggestedPrompts", error="internal_error")
    [tried] = await opened(app, place)
    assert tried["channel_id"] == place.channel


async def test_what_is_forgotten_is_not_in_a_prompt(app: App) -> None:
    """Prompts that name a memory are chosen again when it is forgotten, without being asked for."""
    place = app.slack.place()
    await app.form(await app.ask(place, "I love ramen"))
    assert "ramen" in json.dumps(await opened(app, place))
    app.slack.forget_calls()
    await app.wiring.memory_actions.everything_forgotten(
        Person(app.slack.team_id, place.user), "en"
    )
    [anew] = await suggested(app, place)
    assert anew["channel_id"] == place.channel
    assert "ramen" not in json.dumps(anew)
    assert app.rows("SELECT named FROM prompted WHERE user_id = %s", place.user) == [
        {"named": False}
    ]


async def test_who_is_erased_gets_the_prompts_of_somebody_new(app: App) -> None:
    """After an erasure they are in the person's language, and nothing is kept for them."""
    place = app.slack.place(locale="ja-JP")
    who = Person(app.slack.team_id, place.user)
    await app.form(await app.ask(place, "I love ramen"))
    await opened(app, place)
    app.slack.forget_calls()
    await erase_person(app.pool, who)
    app.wiring.profiles.invalidate(who)
    [anew] = await suggested(app, place)
    assert anew["prompts"] == suggested_prompts("ja", [])
    for table in ("prompted", "person_settings"):
        assert app.rows(f"SELECT 1 FROM {table} WHERE user_id = %s", place.user) == []
