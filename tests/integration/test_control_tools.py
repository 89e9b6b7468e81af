"""The tools by which people control memory in plain words: what they do, and what they only ask."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from bot.memories.data import TABLES
from bot.pipeline.tools.controls import SETTINGS_TOOL
from bot.pipeline.tools.toolbox import MAX_CALLS
from bot.users.incognito import EVERYWHERE
from memory import Person
from tests.integration.app import App

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


def settings(app: App, user: str) -> dict[str, Any]:
    """Return a person's row of settings."""
    [row] = app.rows("SELECT * FROM person_settings WHERE user_id = %s", user)
    return row


def settings_call(action: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """Return a call of the one tool for everything that is shown and set."""
    return SETTINGS_TOOL, {"action": action, **arguments}


async def test_what_deletes_or_switches_on_is_only_proposed(app: App) -> None:
    """How long to keep, memory on and off, and the end of a pause are questions with buttons."""
    place = app.slack.place()
    app.script_calls(settings_call("change", retention_days=30))
    asked = await app.ask(place, "keep my memories for 30 days")
    assert app.outputs()[0]["proposed"] is True
    assert settings(app, place.user)["retention_days"] is None
    assert "keep_memories_for" in json.dumps(app.shown(asked))
    app.script_calls(settings_call("change", memory="off"))
    asked = await app.ask(place, "turn memory off")
    assert settings(app, place.user)["consent"] == "unknown"
    assert app.turn(asked)["words"] == "turn memory off"
    assert "refuse_memory" in json.dumps(app.shown(asked))
    await app.wiring.controls.refuse(asked.person)
    app.script_calls(settings_call("change", memory="on"))
    asked = await app.ask(place, "turn memory on")
    assert settings(app, place.user)["consent"] == "refused"
    assert "agree_to_memory" in json.dumps(app.shown(asked))
    await app.wiring.controls.agree(asked.person)
    await app.wiring.controls.pause(asked.person)
    app.script_calls(settings_call("resume"))
    asked = await app.ask(place, "resume your memory")
    assert app.outputs() == [{"proposed": True, "done": False}]
    assert "resume_memory" in json.dumps(app.shown(asked))
    assert await app.wiring.controls.off(asked.person) == "paused"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"action": "destroy"},
        {"action": ["pause"]},
        {"action": "quiet_thread"},  # not in a direct message
        {"action": "change"},
        {"action": "change", "notices": "no", "language": "fr", "retention_days": -1},
        {"action": "change", "retention_days": True, "memory": "maybe"},
        {"action": "forget_period"},
        {"action": "forget_period", "since": "last year"},
        {"action": "forget_period", "since": "2026-13-01"},
        {"action": "forget_period", "since": "2999-01-01"},
        {"action": "forget_period", "since": "2026-01-02", "until": "2026-01-02"},
        {"action": "forget_period", "since": "2026-01-02", "until": "yesterday"},
        {"action": "forget_period", "since": ["2026-01-02"]},
        {"action": "forget_period", "scope": "previous_message"},
        {"action": "do_not_remember", "scope": "all"},
        {"action": "do_not_remember", "scope": ["this_message"]},
        {"action": "pause", "until": "for ever"},
        {"action": "pause", "until": "tomorrow"},
        {"action": "pause", "until": "2026-01-01"},
        {"action": "pause", "until": "2026-01-01T10:00+09:00"},
        {"action": "pause", "until": "2999-01-01"},
        {"action": "pause", "until": "9999-12-31T23:59:59"},
        {"action": "pause", "until": "0001-01-01T00:00:00+14:00"},
        {"action": "change_where_used", "about": "ramen"},
        {"action": "change_where_used", "about": " ", "where": "here"},
    ],
    ids=str,
)
async def test_bad_arguments_change_nothing(app: App, arguments: dict[str, Any]) -> None:
    """What a tool does not understand is an error for the model; nothing changes or is shown."""
    place = app.slack.place()
    app.script_calls((SETTINGS_TOOL, arguments))
    asked = await app.ask(place, "do something")
    assert list(app.outputs()[0]) == ["error"]
    assert len(app.shown(asked)) == 1
    assert not app.turn(asked)["off_record"]
    assert not app.turn(asked)["asked"]
    row = settings(app, place.user)
    assert (row["notices"], row["consent"], row["retention_days"]) == (True, "unknown", None)


@pytest.mark.parametrize(
    ("given", "now"),
    [
        ({"since": "2026-01-01"}, True),
        ({"until": "2999-01-01"}, True),
        ({"since": "2026-01-01T00:00+09:00", "until": "2999-01-01"}, True),
        ({"since": "2020-01-01T08:00", "until": "2020-01-02T08:00:00Z"}, False),
        ({"since": "0001-01-01", "until": "0001-01-02"}, False),
        ({"scope": "this_thread"}, True),
    ],
    ids=str,
)
async def test_forgetting_a_period_is_only_proposed(
    app: App, given: dict[str, str], now: bool
) -> None:
    """Nothing goes before the click, and the words that ask for it remove nothing either."""
    place = app.slack.place()
    root = await app.ask(place, "I love ramen")
    assert await app.form(root)
    app.script_calls(settings_call("forget_period", **given))
    asked = await app.ask(place, "forget it", thread_ts=root.ts)
    expected = {"proposed": True, "done": False} if now else {"done": False, "not_found": True}
    assert app.outputs() == [expected]
    assert app.turn(asked)["asked"] is now
    assert ("forget_period" in json.dumps(app.shown(asked))) is now
    assert len(await app.memories(root.person)) == 1


SHOWING = ["show_memories", "show_settings", "show_history", "show_help"]


@pytest.mark.parametrize("action", SHOWING)
async def test_what_is_shown_comes_to_the_asker_only(app: App, action: str) -> None:
    """In a channel a tool that shows something shows it to who asked, and once."""
    place = app.slack.place(channel="public")
    app.script_calls(settings_call(action), settings_call(action))
    asked = await app.ask(place, "<@BOT> show me")
    assert app.outputs() == [{"shown_privately": True}] * 2
    *_, reply, shown = app.shown(asked)
    assert shown["is_ephemeral"]
    assert not reply.get("is_ephemeral")


def offered(app: App) -> dict[str, list[str]]:
    """Return the tools of the newest request for a reply, each with its actions."""
    body = json.loads(app.request_texts()[-1])
    return {
        tool["name"]: tool["parameters"]["properties"].get("action", {}).get("enum", [])
        for tool in body["tools"]
    }


async def test_tools_depend_on_the_conversation(app: App) -> None:
    """The view can be read in a direct message only, and a thread be quiet in a channel only."""
    await app.ask(app.slack.place(), "hello")
    in_dm = offered(app)
    await app.ask(app.slack.place(channel="public"), "<@BOT> hello")
    in_channel = offered(app)
    assert set(in_dm) - set(in_channel) == {"read_current_view"}
    assert set(in_channel) == {"search_web", "memory_search", "memory_change", "memory_settings"}
    assert set(in_channel["memory_settings"]) - set(in_dm["memory_settings"]) == {"quiet_thread"}
    assert "quiet_thread" not in app.request_texts()[-2]


async def test_without_memory_its_settings_stay(app: App) -> None:
    """While memory is off nothing searches or changes it, and it can be resumed."""
    place = app.slack.place()
    await app.wiring.controls.pause(Person(app.slack.team_id, place.user))
    await app.ask(place, "hello")
    assert set(offered(app)) == {"search_web", "memory_settings", "read_current_view"}
    assert "resume" in offered(app)["memory_settings"]


async def test_a_plain_message_is_small(app: App) -> None:
    """The whole request of a plain message, every tool included, is at most 7,600 characters."""
    await app.ask(app.slack.place(), "What shall I eat tonight?")
    assert len(app.request_texts()[-1]) <= 7_600


async def test_a_model_that_calls_too_often_is_stopped(app: App) -> None:
    """After so many calls for one message the tools answer with an error."""
    place = app.slack.place()
    app.script_calls(*[settings_call("resume")] * (MAX_CALLS + 1))
    await app.ask(place, "resume")
    *_, last = app.outputs()
    assert "Too many" in last["error"]


def kept(app: App, user: str, *, without: str = "") -> dict[str, list[dict[str, Any]]]:
    """Return a person's rows of every table, without those of one message and of what is queued.

    Nor those that say when memory is off, or a thread quiet.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    with psycopg.connect(app.database, row_factory=dict_row) as owner:
        for table in TABLES:
            rows = owner.execute(
                # An update moves a row: without an order it may come later.
                sql.SQL("SELECT * FROM {0} WHERE user_id = %s ORDER BY {0}::text").format(
                    sql.Identifier(table)
                ),
                (user,),
            ).fetchall()
            found[table] = [
                {name: value for name, value in row.items() if name not in _TIMES}
                for row in rows
                if without not in (row.get("question_ts"), row.get("ts")) or not without
            ]
        found["store"] = owner.execute(
            "SELECT prefix, key, value FROM store WHERE split_part(prefix, '.', 3) = %s"
            " ORDER BY prefix, key",
            (user,),
        ).fetchall()
    for table in ("person_requests", "incognito_threads", "quiet_threads"):
        del found[table]
    return found


_TIMES = ("profile_at", "told_at", "seen_at", "changed_at", "pauses")
_SOON = str(date.today() + timedelta(days=30))  # noqa: DTZ011 - any day that is to come
_HOSTILE: list[dict[str, Any]] = [
    {"until": "2999-01-01T00:00", "since": "2000-01-01"},
    {"until": _SOON, "scope": "this_message", "notices": False, "language": "ja"},
    {"scope": "previous_message", "retention_days": 1, "memory": "off"},
    {"scope": "this_thread", "about": "ramen", "where": "everywhere", "memory": "on"},
    {"language": "ja", "memory": "off", "notices": False, "retention_days": 0},
    {},
]


@pytest.mark.parametrize("channel", ["dm", "public"])
@pytest.mark.parametrize("paused", [False, True])
async def test_a_hostile_model_loses_nothing(app: App, channel: str, paused: bool) -> None:
    """It calls every tool with every argument: it can only make Kioku remember less from then on.

    Nothing is deleted but the text of its own message, and nothing is switched on without a click,
    including words that wait for formation; the language and all other settings stay.
    """
    place = app.slack.place(channel=channel)
    audience = "dm" if channel == "dm" else "public"
    root = await app.ask(place, "<@BOT> I love ramen")
    assert await app.form(root, audience)
    waiting = await app.ask(place, "<@BOT> I live in Osaka", thread_ts=root.ts)
    controls = app.wiring.controls
    if paused:
        await controls.pause(root.person)
    for action in offered(app)["memory_settings"]:
        if action.startswith(("show", "export")):
            continue
        before = kept(app, place.user)
        app.script_calls(*(settings_call(action, **one) for one in _HOSTILE))
        asked = await app.ask(place, "<@BOT> what is the weather?", thread_ts=root.ts)
        if not paused:
            await controls.resume(asked.person)
        await controls.incognito.end(asked.person, EVERYWHERE)
        await controls.choose(asked.person, notices=True)
        assert kept(app, place.user, without=asked.ts) == before, action
        blanked = paused or action in ("pause", "do_not_remember", "incognito_on")
        assert app.turn(asked)["off_record"] is blanked, action
    await controls.resume(root.person)
    assert "Osaka" in json.dumps(await app.form(waiting, audience))
