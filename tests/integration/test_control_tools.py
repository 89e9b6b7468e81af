"""The tools by which people control memory in plain words: what they do, and what they only ask."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from bot.acts.kinds import Forget
from bot.answering.reply import MAX_CALLS
from bot.locale import say
from memory.tools.definitions import CHANGE_TOOL
from tests.integration.app import App
from tests.integration.messages import pressable
from tests.link_readers import links_of_nobody


async def test_what_is_shown_comes_to_the_asker_only(app: App) -> None:
    """In a channel what shows something is shown to who asked."""
    place = app.slack.place(channel="public")
    asked = await app.ask(place, "<@BOT> show me my memories")
    *_, reply, shown = app.shown(asked)
    assert shown["is_ephemeral"]
    assert not reply.get("is_ephemeral")


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
    app.slack.fault("chat.postMessage", error="invalid_blocks")
    asked = await app.ask(app.slack.place(), "What do you know of me?")
    [shown] = app.shown(asked)
    assert not shown.get("blocks")
    assert shown["text"] == say("en", "panel_none")
    assert app.event(asked)["status"] == "answered"


async def test_a_list_says_what_is_not_read_yet(app: App) -> None:
    """Words of a moment ago are counted below the newest memories."""
    place = app.slack.place()
    await app.ask(place, "I love curry")
    asked = await app.ask(place, "What do you remember?")
    *_, shown = app.shown(asked)
    assert shown["text"].endswith(say("en", "messages_unformed", count=1))


def offered(app: App) -> dict[str, list[str]]:
    """Return the tools of the newest request for a reply, each with its actions."""
    body = json.loads(app.request_texts()[-1])
    return {
        tool["name"]: tool["parameters"]["properties"].get("action", {}).get("enum", [])
        for tool in body["tools"]
    }


async def test_tools_depend_on_the_conversation_and_on_memory(app: App) -> None:
    """They are the same in a channel; while memory is off there are none of memories."""
    place = app.slack.place()
    await app.ask(place, "hello")
    in_dm = offered(app)
    await app.ask(app.slack.place(channel="public"), "<@BOT> hello")
    in_channel = offered(app)
    memory = {"memory_search", "memory_change"}
    assert set(in_dm) == {"search_web", *memory}
    assert set(in_channel) == set(in_dm)
    await app.off(place)
    await app.ask(place, "hello")
    assert set(offered(app)) == {"search_web"}


async def test_a_plain_message_is_small(app: App) -> None:
    """The whole request of a plain message, every tool included, is at most 7,600 characters."""
    await app.ask(app.slack.place(), "What shall I eat tonight?")
    assert len(app.request_texts()[-1]) <= 7_600


async def test_a_model_that_calls_too_often_is_stopped(app: App) -> None:
    """After so many calls for one message the tools answer with an error."""
    app.script_calls(*[("memory_search", {"query": "food"})] * (MAX_CALLS + 1))
    await app.ask(app.slack.place(), "show me")
    *_, last = app.outputs()
    assert "Too many" in last["error"]


def kept(app: App, user: str, *, without: str = "") -> dict[str, list[dict[str, Any]]]:
    """Return a person's rows of every table, without those of one message and of what is queued.

    Nor those that say when memory is off.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    with psycopg.connect(app.database, row_factory=dict_row) as owner:
        for table in ("messages", "person_settings", "statements"):
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


@pytest.mark.parametrize(("channel", "off"), [("dm", True), ("public", False)])
async def test_a_hostile_model_loses_nothing(app: App, channel: str, off: bool) -> None:
    """It deletes, updates without the person's words, and switches: everything stays as it was."""
    place = app.slack.place(channel=channel)
    audience = "dm" if channel == "dm" else "public"
    root = await app.ask(place, "<@BOT> I love ramen")
    assert await app.form(root, audience)
    [memory] = await app.memories(root.person)
    if off:
        await app.off(place)
    before = kept(app, place.user)
    change = {"id": memory.key, "evidence": "weather", "content": {"food_name": "mud"}}
    app.script_calls(
        *((CHANGE_TOOL, {"action": act, **change}) for act in ("update", "delete")),
        *(
            ("memory_settings", {"action": act})
            for act in ("pause", "resume", "forget")
        ),
    )
    asked = await app.ask(place, "<@BOT> what is the weather?", thread_ts=root.ts)
    assert kept(app, place.user, without=asked.ts) == before
    assert bool(pressable(app.shown(asked), Forget)) is not off
    is_off = app.rows("SELECT 1 FROM memory_off WHERE user_id = %s", place.user)
    assert bool(is_off) is off


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
        ("memory_settings", {"action": "forget", "everything": True, **foreign}),
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
