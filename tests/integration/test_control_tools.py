"""The tools by which people control memory in plain words: what they do, and what they only ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.locale import say
from bot.person.tools import _SHOWS
from bot.toolbox import MAX_CALLS
from tests.integration.wired import Wired

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


def settings(app: Wired, user: str) -> dict[str, Any]:
    """Return a person's row of settings."""
    [row] = app.rows("SELECT * FROM person_settings WHERE user_id = %s", user)
    return row


async def test_settings_in_plain_words(app: Wired) -> None:
    """Notices and language are changed at once, and the settings shown."""
    place = app.slack.place()
    app.script_calls(("change_settings", {"notices": False, "language": "ja"}))
    asked = await app.ask(place, "no notices please, and speak Japanese")
    assert app.outputs() == [{"done": ["notices", "language"]}]
    row = settings(app, place.user)
    assert (row["notices"], row["language"]) == (False, "ja")
    shown = json.dumps(app.shown(asked), ensure_ascii=False)
    assert say("ja", "settings_notices_off") in shown
    app.script_calls(("change_settings", {"language": "slack"}))
    await app.ask(place, "as in my Slack again")
    assert settings(app, place.user)["language"] is None


async def test_what_deletes_or_switches_on_is_only_proposed(app: Wired) -> None:
    """How long to keep, and memory on, are questions with buttons; memory off is done at once."""
    place = app.slack.place()
    app.script_calls(("change_settings", {"retention_days": 30}))
    asked = await app.ask(place, "keep my memories for 30 days")
    assert app.outputs()[0]["proposed"] is True
    assert settings(app, place.user)["retention_days"] is None
    assert "keep_memories_for" in json.dumps(app.shown(asked))
    app.script_calls(("change_settings", {"memory": "off"}))
    asked = await app.ask(place, "turn memory off")
    assert settings(app, place.user)["consent"] == "refused"
    assert app.turn(asked)["off_record"]
    app.script_calls(("change_settings", {"memory": "on"}))
    asked = await app.ask(place, "turn memory on")
    assert settings(app, place.user)["consent"] == "refused"
    assert "agree_to_memory" in json.dumps(app.shown(asked))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("change_settings", {}),
        ("change_settings", {"notices": "no", "language": "fr", "retention_days": -1}),
        ("change_settings", {"retention_days": True, "memory": "maybe"}),
        ("forget_period", {}),
        ("forget_period", {"period": "last year"}),
        ("do_not_remember", {"which": "all"}),
        ("pause_memory", {"duration": "for ever"}),
    ],
)
async def test_bad_arguments_change_nothing(
    app: Wired, name: str, arguments: dict[str, Any]
) -> None:
    """What a tool does not understand is an error for the model; nothing changes or is shown."""
    place = app.slack.place()
    app.script_calls((name, arguments))
    asked = await app.ask(place, "do something")
    assert list(app.outputs()[0]) == ["error"]
    assert len(app.shown(asked)) == 1
    assert not app.turn(asked)["off_record"]
    row = settings(app, place.user)
    assert (row["notices"], row["consent"], row["retention_days"]) == (True, "unknown", None)


@pytest.mark.parametrize("period", ["last_hour", "today", "yesterday", "this_thread"])
async def test_forgetting_a_period_is_only_proposed(app: Wired, period: str) -> None:
    """Nothing goes before the click, and the words that ask for it remove nothing either."""
    place = app.slack.place()
    root = await app.ask(place, "I love ramen")
    assert await app.form(root)
    app.script_calls(("forget_period", {"period": period}))
    asked = await app.ask(place, "forget it", thread_ts=root.ts)
    assert app.outputs() == [{"proposed": True, "done": False}]
    assert app.turn(asked)["asked"]
    shown = json.dumps(app.shown(asked))
    assert ("forget_period" in shown) is (period != "yesterday")
    assert len(await app.memories(root.person)) == 1


@pytest.mark.parametrize("name", sorted(_SHOWS.keys() - {"export_memories"}))
async def test_what_is_shown_comes_to_the_asker_only(app: Wired, name: str) -> None:
    """In a channel a tool that shows something shows it to whoever asked."""
    place = app.slack.place(channel="public")
    app.script_calls((name, {}))
    asked = await app.ask(place, "<@BOT> show me")
    assert app.outputs() == [{"shown_privately": True}]
    assert app.shown(asked)[-1]["is_ephemeral"]


async def test_a_model_that_calls_too_often_is_stopped(app: Wired) -> None:
    """After so many calls for one message the tools answer with an error."""
    place = app.slack.place()
    app.script_calls(*[("resume_memory", {})] * (MAX_CALLS + 1))
    await app.ask(place, "resume")
    *_, last = app.outputs()
    assert "Too many" in last["error"]
