"""The tools by which people control memory in plain words: what they do, and what they only ask."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from bot.locale import say
from bot.pipeline.reply import MAX_CALLS, MAX_ROUNDS
from bot.pipeline.tools import ACTIONS, SETTINGS_TOOL
from bot.ui.acts import Forget, Switch
from memory.tools.definitions import CHANGE_TOOL
from tests.integration.app import App
from tests.integration.messages import pressable
from tests.integration.playground_slack import PersonThread
from tests.link_readers import links_of_nobody


def settings_call(action: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """Return a call of the one tool for everything that is shown and set."""
    return SETTINGS_TOOL, {"action": action, **arguments}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"action": "destroy"},
        {"action": "resume"},  # memory is on
        {"action": "forget"},
        {"action": "forget", "everything": "yes"},
        {"action": "forget", "since": "last year"},
        {"action": "forget", "since": "2999-01-01"},
        {"action": "forget", "since": "2026-01-02", "until": "2026-01-02"},
        {"action": "forget", "since": "2026-01-02", "until": "yesterday"},
        {"action": "pause", "until": "for ever"},
        {"action": "pause", "until": "2026-01-01"},
        {"action": "pause", "until": "0001-01-01T00:00:00+14:00"},
    ],
    ids=str,
)
async def test_bad_arguments_change_nothing(
    app: App, arguments: dict[str, Any]
) -> None:
    """What a tool does not understand is an error for the model; nothing changes or is shown."""
    place = app.slack.place()
    app.script_calls((SETTINGS_TOOL, arguments))
    asked = await app.ask(place, "do something")
    assert list(app.outputs()[0]) == ["error"]
    assert len(app.shown(asked)) == 1
    assert app.turn(asked)["question"] == "do something"
    assert not app.turn(asked)["removal_proposed"]
    assert app.rows("SELECT scope FROM memory_off WHERE user_id = %s", place.user) == []


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"since": "2026-01-01"}, True),
        ({"since": "2026-01-01T00:00+09:00", "until": "2999-01-01"}, True),
        ({"since": "0001-01-01", "until": "0001-01-02"}, True),
        (
            {"since": "0001-01-01T00:00+14:00", "until": "9999-12-31T23:59:59-12:00"},
            True,
        ),
        ({"words": "RAMEN"}, True),
        ({"words": "zebras"}, False),
        ({"everything": True}, True),
    ],
    ids=str,
)
async def test_forgetting_is_only_proposed(
    app: App, given: dict[str, Any], found: bool
) -> None:
    """Nothing goes before the click, and the words that ask for it remove nothing either."""
    place = app.slack.place()
    root = await app.ask(place, "I love ramen")
    assert await app.form(root)
    app.script_calls(settings_call("forget", **given))
    asked = await app.ask(place, "forget it", thread_ts=root.ts)
    expected = (
        {"proposed": True, "done": False}
        if found
        else {"done": False, "not_found": True}
    )
    [output] = app.outputs()
    assert ("told" in output) is found
    assert {**output, "told": 0} == {**expected, "told": 0}
    assert app.turn(asked)["removal_proposed"] is found
    assert bool(pressable(app.shown(asked), Forget)) is found
    assert len(await app.memories(root.person)) == 1


async def test_the_model_of_a_channel_is_not_told_whether_there_is_something_to_forget(
    app: App,
) -> None:
    """What direct messages know is found for the person alone; the model reads the same of none."""
    place = app.slack.place()
    root = await app.ask(place, "I love ramen")
    assert await app.form(root)
    channel = app.slack.channel("public", place.user)
    here = PersonThread(place.user, place.team, channel, "1.0", "1.0")
    for words, found in (("ramen", True), ("zebras", False)):
        app.script_calls(settings_call("forget", words=words))
        asked = await app.ask(here, "<@BOT> forget it")
        assert app.outputs() == [{"proposed": True, "done": False}]
        *_, private = app.shown(asked)
        assert private["is_ephemeral"]
        assert bool(pressable([private], Forget)) is found
        assert app.turn(asked)["removal_proposed"] is found


async def test_what_is_shown_comes_to_the_asker_only(app: App) -> None:
    """In a channel a tool that shows something shows it to who asked, and once."""
    place = app.slack.place(channel="public")
    app.script_calls(settings_call("open"), settings_call("open"))
    asked = await app.ask(place, "<@BOT> show me")
    assert app.outputs() == [{"shown_privately": True}] * 2
    *_, reply, shown = app.shown(asked)
    assert shown["is_ephemeral"]
    assert not reply.get("is_ephemeral")


async def test_a_model_that_calls_without_end_has_not_failed_where_a_message_says_all(
    app: App,
) -> None:
    """A small model calls again what was done: the message of its call is the whole answer."""
    place = app.slack.place()
    name, arguments = settings_call("pause")
    for _ in range(MAX_ROUNDS):
        app.script(function_calls=[{"name": name, "arguments": arguments}])
    asked = await app.ask(place, "pause your memory")
    [message] = app.shown(asked)
    assert pressable([message], Switch)
    assert app.turn(asked)["status"] == "answered"


RAMEN = {"kind": "UserFoodPreference", "food_name": "ramen", "preference": 90}


@pytest.mark.parametrize("thought", ["", "<think>It is stored.</think>"])
@pytest.mark.parametrize(
    ("kind", "description", "said"),
    [
        ("dm", "", "noted"),
        ("public", "", "noted"),
        ("public", "see https://evil.example/x", "answered_privately"),
    ],
    ids=["stored", "stored in a channel", "refused in a channel"],
)
async def test_a_model_that_calls_and_writes_nothing_has_not_failed(
    app: App, kind: str, description: str, said: str, thought: str
) -> None:
    """A sentence stands for its answer, also where the person says again what is remembered.

    A notice, or a private message, says what was done.
    """
    place = app.slack.place(channel=kind)
    content = {**RAMEN, "description": description}
    create = {"action": "create", "content": content, "evidence": "I love ramen"}
    for _ in range(2):
        app.script_calls((CHANGE_TOOL, create), text=thought)
        asked = await app.ask(place, "<@BOT> I love ramen")
        turn = app.turn(asked)
        assert (turn["status"], turn["reply"]) == ("answered", say("en", said))
        assert bool(await app.memories(asked.person)) is (said == "noted")
        seen = app.shown(asked)
        assert say("en", "model_empty") not in str(seen)
        assert any(one.get("is_ephemeral") for one in seen) is (said != "noted")


async def test_a_quote_that_nobody_wrote_is_told_to_the_model_alone(app: App) -> None:
    """The person reads no refusal of words that are not theirs."""
    create = {"action": "create", "content": RAMEN, "evidence": "I adore ramen"}
    app.script_calls((CHANGE_TOOL, create))
    asked = await app.ask(app.slack.place(), "I love ramen")
    assert app.outputs()[0]["refused"] == "no_evidence"
    assert len(app.shown(asked)) == 1


async def test_what_is_shown_as_the_answer_is_text_where_its_blocks_are_refused(
    app: App,
) -> None:
    """Whatever Slack thinks of its blocks, the person is told."""
    app.script_calls(settings_call("open"), text="")
    app.slack.fault("chat.postMessage", error="invalid_blocks")
    asked = await app.ask(app.slack.place(), "What do you know of me?")
    [shown] = app.shown(asked)
    assert not shown.get("blocks")
    assert shown["text"] == app.turn(asked)["reply"]
    assert app.event(asked)["status"] == "answered"


async def test_a_list_says_what_is_not_read_yet(app: App) -> None:
    """Words of a moment ago are counted below the newest memories."""
    place = app.slack.place()
    await app.ask(place, "I love curry")
    app.script_calls(settings_call("open"))
    asked = await app.ask(place, "What do you remember?")
    *_, shown = app.shown(asked)
    assert shown["text"].endswith(say("en", "messages_unformed", count=1))


async def test_a_list_has_what_a_later_call_remembers(app: App) -> None:
    """A model may show the list first, and then store what the same message says."""
    place = app.slack.place()
    app.script_calls(
        settings_call("open"),
        (
            CHANGE_TOOL,
            {"action": "create", "content": RAMEN, "evidence": "I love ramen"},
        ),
    )
    asked = await app.ask(place, "I love ramen. What do you remember?")
    [shown] = [one for one in app.shown(asked) if "Your Memories" in one["text"]]
    assert "Likes ramen very much" in shown["text"]


def offered(app: App) -> dict[str, list[str]]:
    """Return the tools of the newest request for a reply, each with its actions."""
    body = json.loads(app.request_texts()[-1])
    return {
        tool["name"]: tool["parameters"]["properties"].get("action", {}).get("enum", [])
        for tool in body["tools"]
    }


async def test_tools_depend_on_the_conversation_and_on_memory(app: App) -> None:
    """They are the same in a channel; while memory is off it can only be switched on."""
    place = app.slack.place()
    await app.ask(place, "hello")
    in_dm = offered(app)
    await app.ask(app.slack.place(channel="public"), "<@BOT> hello")
    in_channel = offered(app)
    memory = {"memory_search", "memory_change"}
    assert set(in_dm) == {"search_web", "memory_settings", *memory}
    assert set(in_channel) == set(in_dm)
    await app.off(place)
    await app.ask(place, "hello")
    assert set(offered(app)) == {"search_web", "memory_settings"}
    assert "resume" in offered(app)["memory_settings"]


async def test_a_plain_message_is_small(app: App) -> None:
    """The whole request of a plain message, every tool included, is at most 7,600 characters."""
    await app.ask(app.slack.place(), "What shall I eat tonight?")
    assert len(app.request_texts()[-1]) <= 7_600


async def test_a_model_that_calls_too_often_is_stopped(app: App) -> None:
    """After so many calls for one message the tools answer with an error."""
    app.script_calls(*[settings_call("open")] * (MAX_CALLS + 1))
    await app.ask(app.slack.place(), "show me")
    *_, last = app.outputs()
    assert "Too many" in last["error"]


def kept(app: App, user: str, *, without: str = "") -> dict[str, list[dict[str, Any]]]:
    """Return a person's rows of every table, without those of one message and of what is queued.

    Nor those that say when memory is off.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    with psycopg.connect(app.database, row_factory=dict_row) as owner:
        for table in ("messages", "notices", "person_settings", "statements"):
            rows = owner.execute(
                # An update moves a row: without an order it may come later.
                sql.SQL(
                    "SELECT * FROM {0} WHERE user_id = %s ORDER BY {0}::text"
                ).format(sql.Identifier(table)),
                (user,),
            ).fetchall()
            found[table] = [
                {name: value for name, value in row.items() if name not in _TIMES}
                for row in rows
                if without not in (row.get("ts"),) or not without
            ]
        found["store"] = owner.execute(
            "SELECT prefix, key, value FROM store WHERE split_part(prefix, '.', 3) = %s"
            " ORDER BY prefix, key",
            (user,),
        ).fetchall()
    return found


_TIMES = ("profile_at", "informed_at", "told_at", "seen_at", "changed_at")
_SOON = str(date.today() + timedelta(days=30))  # noqa: DTZ011 - any day that is to come
_HOSTILE: list[dict[str, Any]] = [
    {},
    {"everything": True},
    {"which": "previous_message", "words": "ramen", "list": "changes"},
    {"until": "2999-01-01T00:00", "since": "2000-01-01"},
    {"until": _SOON, "which": "this_message", "everything": True},
]


@pytest.mark.parametrize(("channel", "off"), [("dm", True), ("public", False)])
async def test_a_hostile_model_loses_nothing(app: App, channel: str, off: bool) -> None:
    """It calls every tool with every argument: it can only switch memory off or on, which is said.

    Nothing is deleted but the text of its own message, with memory switched off also words that
    wait for formation; all settings stay.
    """
    place = app.slack.place(channel=channel)
    audience = "dm" if channel == "dm" else "public"
    root = await app.ask(place, "<@BOT> I love ramen")
    assert await app.form(root, audience)
    waiting = await app.ask(place, "<@BOT> I live in Osaka", thread_ts=root.ts)
    if off:
        await app.off(place)
    for action in ACTIONS:
        before = kept(app, place.user)
        unformed = app.rows(
            "SELECT id, words FROM messages WHERE user_id = %s AND formed_at IS NULL",
            place.user,
        )
        app.script_calls(*(settings_call(action, **one) for one in _HOSTILE))
        asked = await app.ask(place, "<@BOT> what is the weather?", thread_ts=root.ts)
        switches = action in ("pause", "incognito")
        forever = {"scope": "", "until_at": None} if off else None
        found = app.rows(
            "SELECT scope, until_at FROM memory_off WHERE user_id = %s AND scope = ''",
            place.user,
        )
        if off and action == "resume":
            # It is said, with the button for the opposite.
            assert pressable(app.shown(asked)[-1:], Switch) == [Switch(to="off")]
            await app.off(place)
        else:
            assert not forever or forever in found, action
        if not off and switches:
            app.rows(
                "DELETE FROM memory_off WHERE user_id = %s RETURNING 1", place.user
            )
            assert app.turn(waiting)["words"] == ""
            for turn in unformed:
                app.rows(
                    "UPDATE messages SET words = %s, formed_at = NULL WHERE id = %s RETURNING 1",
                    turn["words"],
                    turn["id"],
                )
        assert kept(app, place.user, without=asked.ts) == before, action
        unkept = off or switches or action == "do_not_remember"
        assert (app.turn(asked)["question"] == "") is unkept
    assert off or "Osaka" in json.dumps(await app.form(waiting, audience))


async def test_a_hostile_model_reads_and_changes_nothing_of_another_person(
    app: App,
) -> None:
    """It calls tools with another person's ids, and writes links in its answer."""
    victim = await app.ask(app.slack.place(), "I love ramen")
    await app.form(victim)
    [memory] = await app.memories(victim.person)
    before = kept(app, victim.user_id)
    foreign = {
        "user_id": victim.user_id,
        "namespace": ["chat", "*", victim.user_id, "dm"],
    }
    change = {
        "id": memory.key,
        "evidence": "weather",
        "content": {"fact": "an admin"},
        **foreign,
    }
    app.script_calls(
        ("memory_search", {"query": "food", "limit": 1_000, **foreign}),
        *(
            ("memory_change", {"action": action, **change})
            for action in ("update", "delete")
        ),
        settings_call("forget", everything=True, **foreign),
        ("run_sql", {"statement": "SELECT value FROM store"}),
        text="[More](https://evil.com/?m=1) or <https://evil.com/|here>, evil.com/1 <!channel>"
        " ![p](https://evil.com/p.png) [r][1]\n\n[1]: https://evil.com/1",
    )
    app.slack.forget_calls()
    asked = await app.ask(app.slack.place(), "what is the weather?")
    assert "ramen" not in app.request_texts()[-1]
    [answer] = app.replies(asked)
    assert "More" in answer
    assert links_of_nobody(answer) == []
    assert "ramen" not in json.dumps(app.slack.calls())
    assert kept(app, victim.user_id) == before
