"""What is typed after the slash commands, and the clicks that follow, on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from bot.locale import LANGUAGES, Language, say
from bot.views.forgetting import FORGET_PERIOD_ACTION, UNDO_ACTION
from bot.views.subcommands import MEMORIES
from memory import MAX_MEMORIES, Memory, Person, Selection, edit_memory, list_changes, undo_change
from playground.blocks import view_errors
from tests.integration.app import App
from tests.integration.messages import says
from tests.integration.playground_slack import PersonThread
from tests.waiting import until

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


async def memories(app: App, place: PersonThread, text: str) -> dict[str, Any]:
    """Type ``/memories`` at a place; return the answer."""
    commands = app.wiring.slash_commands
    return await commands.memories(app.person(place), "en", text, place.channel)


async def forget(app: App, place: PersonThread, text: str) -> dict[str, Any]:
    """Type ``/forget`` at a place; return the answer."""
    commands = app.wiring.slash_commands
    return await commands.forget(app.person(place), "en", text, place.channel)


def value(payload: dict[str, Any], action: str) -> str:
    """Return the value of a payload's button."""
    [found] = [
        element["value"]
        for block in payload["blocks"]
        for element in block.get("elements", [])
        if element.get("action_id") == action
    ]
    return str(found)


async def contents(app: App, place: PersonThread) -> str:
    """Return all that is remembered of a person, as text."""
    found = await app.memories(app.person(place))
    return json.dumps([memory.content for memory in found], ensure_ascii=False)


async def test_each_use_has_an_answer(app: App) -> None:
    """Whatever is in the table is answered, and nothing else is."""
    answered = set(app.wiring.slash_commands.answers)
    assert answered == {use.name for use in MEMORIES if use.opens_modal != "always"}


async def test_add_forms_what_was_typed(app: App) -> None:
    """`/memories add` forms memories of the words at once, with the command as their source."""
    place = app.slack.place()
    answer = await memories(app, place, "add I love ramen")
    assert answer["text"].startswith("Remembered: ")
    assert "ramen" in answer["text"]
    assert value(answer, "view_changes")
    assert (await memories(app, place, "add I love ramen"))["text"] == say("en", "add_known")
    [memory] = await app.memories(app.person(place))
    assert memory.kind == "UserFoodPreference"
    assert memory.namespace.audience == "dm"
    assert memory.sources[0]["kind"] == "command"
    assert memory.sources[0]["evidence"] == "I love ramen"


async def test_add_keeps_as_a_fact_what_nothing_is_formed_of(app: App) -> None:
    """Where no memory is formed the words themselves are kept, in the audience of the place."""
    place = app.slack.place(channel="public")
    answer = await memories(app, place, "add My badge number ends in 7")
    assert "My badge number ends in 7" in answer["text"]
    [memory] = await app.memories(app.person(place))
    assert (memory.kind, memory.namespace.audience) == ("UserFact", "public")


async def test_add_asks_where_words_do_not_settle_a_change(app: App) -> None:
    """Words that contradict a memory without settling it bring the question, and no second fact."""
    place = app.slack.place()
    await memories(app, place, "add I live in Osaka")
    answer = await memories(app, place, "add I live in Tokyo")
    assert "Osaka" in answer["text"]
    assert "Tokyo" in answer["text"]
    assert len(await app.memories(app.person(place))) == 1


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("add \x01", "add_nothing"),
        ("add \u2060", "add_nothing"),
        ("add password=hunter2hunter2", "add_refused_secret"),
        (f"add The code of the depot is {'7 ' * 1_000}", "add_refused"),
    ],
)
async def test_add_says_why_nothing_was_stored(app: App, text: str, key: str) -> None:
    """Words without a letter, a secret, or words too long are one sentence and no row."""
    place = app.slack.place()
    assert (await memories(app, place, text))["text"] == say("en", key, what="a password")
    assert await contents(app, place) == "[]"


async def test_add_stores_nothing_while_memory_is_off(app: App) -> None:
    """A pause holds for the command too."""
    place = app.slack.place()
    assert "Memory is paused until" in (await memories(app, place, "pause 2h"))["text"]
    refused = await memories(app, place, "add I love ramen")
    assert refused["text"] == say("en", "add_paused")
    assert "resume_memory" in json.dumps(refused["blocks"])
    assert await contents(app, place) == "[]"
    assert (await memories(app, place, "resume"))["text"] == say("en", "resumed")
    await memories(app, place, "add I love ramen")
    assert "ramen" in await contents(app, place)


async def test_a_person_with_five_thousand_memories_is_told_so(app: App) -> None:
    """Nothing new is stored and nothing is deleted; what is taken back makes room."""
    place = app.slack.place()
    who = app.person(place)
    assert "ramen" in (await memories(app, place, "add I love ramen"))["text"]
    app.rows(
        "INSERT INTO store (prefix, key, value, updated_at) SELECT %s, 'k' || n,"
        " jsonb_build_object('kind', 'UserFact', 'content', jsonb_build_object('fact',"
        " 'thing ' || n), 'sources', '[]'::jsonb), now() - interval '1 day'"
        " FROM generate_series(1, 4999) AS n RETURNING key",
        who.namespace("dm").prefix,
    )
    full = say("en", "memories_full", limit=MAX_MEMORIES)
    for text in ("add I love sushi", "add My badge number ends in 7"):
        assert (await memories(app, place, text))["text"] == full
    create = {"action": "create", "evidence": "I love natto"}
    content = {"kind": "UserFoodPreference", "food_name": "natto", "preference": 90}
    app.script_calls(("memory_change", {**create, "content": content}))
    asked = await app.ask(place, "Remember that I love natto")
    assert says(app.shown(asked), "memories_full", limit=MAX_MEMORIES)
    assert says(await memories(app, place, ""), "memories_full", limit=MAX_MEMORIES)
    assert len(await app.memories(who)) == MAX_MEMORIES
    said = await app.ask(place, "I don't like ramen any more. I love udon.")
    assert "udon" not in json.dumps(await app.form(said))
    assert len(await app.memories(who)) == MAX_MEMORIES - 1
    assert "sushi" in (await memories(app, place, "add I love sushi"))["text"]
    assert (await memories(app, place, "add I love udon"))["text"] == full


@pytest.mark.parametrize("text", ["resume tomorrow", "on vacation", "再開発"])
async def test_resume_with_other_words_asks_first(app: App, text: str) -> None:
    """What may mean something else ends no pause: it brings the button that does."""
    place = app.slack.place()
    await memories(app, place, "pause")
    asked = await memories(app, place, text)
    assert asked["text"].endswith(say("en", "resume_ask"))
    assert "From then on I remember" in asked["text"]
    assert value(asked, "resume_memory")
    assert await app.wiring.controls.off(app.person(place)) == "paused"
    assert (await memories(app, place, "再開！"))["text"] == say("en", "resumed")


@pytest.mark.parametrize("words", ["", "30m", "2h", "3d", "today", "30分", "今日"])
async def test_a_pause_by_command(app: App, words: str) -> None:
    """Each form pauses memory at once; without one it is paused until it is resumed."""
    place = app.slack.place(tz="Asia/Tokyo")
    shown = (await memories(app, place, f"pause {words}"))["text"]
    assert ("paused until you resume it" in shown) is (words == "")
    assert "Memory is paused until" in shown


async def test_no_pause_while_memory_is_off(app: App) -> None:
    """Who switched memory off is told so and gets no pause; one from before outlasts a Yes."""
    place = app.slack.place()
    who, controls = app.person(place), app.wiring.controls
    await controls.refuse(who)
    assert (await memories(app, place, "pause 2h"))["text"] == say("en", "off_refused")
    assert says(await controls.pause_form(who, "en", "soon"), "off_refused")
    assert says(await controls.pause_saved(who, "en", view={}), "off_refused")
    await controls.pause_chosen(who, "en", "hour")
    assert (await controls.agreed(who, "en"))["text"] == say("en", "consent_agreed")
    for words, said in (("2h", "once the pause is over: "), ("", "once you resume memory: ")):
        await memories(app, place, f"pause {words}")
        await controls.refuse(who)
        agreed = await controls.agreed(who, "en")
        assert said in agreed["text"]
        assert value(agreed, "resume_memory")


async def test_settings_are_shown_and_switched(app: App) -> None:
    """`/memories settings` says how things are, with a button that changes each way."""
    place = app.slack.place()
    who, controls = app.person(place), app.wiring.controls
    shown = await controls.settings_shown(who, "en")
    assert say("en", "settings_on") in shown["text"]
    assert value(shown, "refuse_memory")
    await controls.refused(who, "en")
    shown = await controls.settings_shown(who, "en")
    assert say("en", "off_refused") in shown["text"]
    assert value(shown, "agree_to_memory")
    await controls.agree(who)
    shown = await controls.retention_chosen(who, "en", "30")
    assert "30 days" in shown["text"]
    await controls.choose(who, language="ja", notices=False)
    assert await app.wiring.profiles.language(who) == "ja"
    shown = await controls.settings_shown(who, "en")
    assert say("en", "settings_notices_off") in shown["text"]
    assert "日本語" in shown["text"]
    assert "30 days" in shown["text"]


@pytest.mark.parametrize(
    ("fact", "typed"),
    [
        ("My blog is example.com", "<http://example.com|example.com>"),
        ("I work in R&D", "R&amp;D"),
    ],
)
async def test_forgetting_words_that_slack_has_changed(app: App, fact: str, typed: str) -> None:
    """Slack sends links and `&` of `/memories forget` in its own markup."""
    place = app.slack.place()
    await memories(app, place, f"add {fact}")
    found = await memories(app, place, f"forget {typed}")
    assert found["text"].startswith(say("en", "forget_ask"))


async def test_forgetting_today(app: App) -> None:
    """`/forget today` shows what it would take, and its click takes memories, words and texts.

    Undo brings back the memories.
    """
    place = app.slack.place()
    who = app.person(place)
    old = await app.ask(place, "I love ramen")
    await app.form(old)
    for table, column, whose in (
        ("store", "prefix", who.namespace("dm").prefix),
        ("memory_versions", "user_id", who.user_id),
    ):
        app.rows(
            f"UPDATE {table} SET value = jsonb_set(value, '{{sources,0,ts}}',"
            f" '\"1700000000.000100\"') WHERE {column} = %s RETURNING key",
            whose,
        )
    app.rows(
        "UPDATE turns SET question_ts = '1700000000.000100' WHERE question_ts = %s RETURNING id",
        old.ts,
    )
    await app.form(await app.ask(place, "I love sushi"))
    fresh = await app.ask(place, "I love natto")
    question = await forget(app, place, "today")
    assert question["text"].startswith("Forget what you told me since ")
    assert "sushi" in question["text"]
    assert "ramen" not in question["text"]
    assert "sushi" in await contents(app, place)
    chosen = value(question, FORGET_PERIOD_ACTION)
    done = await app.wiring.memory_actions.period_forgotten(who, "en", chosen)
    assert "sushi" not in await contents(app, place)
    assert "ramen" in await contents(app, place)
    assert app.turn(fresh)["words"] == ""
    assert "natto" not in json.dumps(await app.form(fresh))
    again = await app.wiring.memory_actions.period_forgotten(who, "en", chosen)
    assert again["text"] == say("en", "forgotten_already")
    assert (await forget(app, place, "today"))["text"] == say("en", "forget_period_none")
    await app.wiring.memory_actions.brought_back(who, "en", value(done, UNDO_ACTION))
    assert "sushi" in await contents(app, place)
    assert app.turn(fresh)["words"] == ""


def ledger(app: App, who: Person) -> list[str]:
    """Return a person's ledger entries, oldest first, as PostgreSQL prints them."""
    found = app.rows(
        "SELECT c::text AS entry FROM memory_versions c"
        " WHERE user_id = %s AND deleted_at IS NULL ORDER BY number",
        who.user_id,
    )
    return [row["entry"] for row in found]


async def undo_newest(app: App, who: Person) -> None:
    """Undo a person's newest change."""
    [entry] = await list_changes(app.pool, who, limit=1)
    await undo_change(app.pool, app.embedder, who, entry.id)


@pytest.mark.parametrize("words", ["today", "this thread"])
async def test_forgetting_takes_what_was_undone(app: App, words: str) -> None:
    """What was said then and undone leaves the history, and returns there with Undo."""
    place = app.slack.place()
    who, actions = app.person(place), app.wiring.memory_actions
    await app.form(await app.ask(place, "I love ramen"))
    await undo_newest(app, who)
    before = ledger(app, who)
    assert len(before) == 2
    pressed = value(await forget(app, place, words), FORGET_PERIOD_ACTION)
    done = await actions.period_forgotten(who, "en", pressed)
    assert ledger(app, who) == []
    assert "ramen" not in json.dumps(await memories(app, place, "history"))
    again = await actions.period_forgotten(who, "en", pressed)
    assert again["text"] == say("en", "forgotten_already")
    await actions.brought_back(who, "en", value(done, UNDO_ACTION))
    assert ledger(app, who) == before


@pytest.mark.parametrize("words", ["today", "everything"])
async def test_what_only_the_history_has_can_be_forgotten(app: App, words: str) -> None:
    """What was added and undone is in no list and in no text, and is still offered to be forgotten.

    So is an open question.
    """
    place = app.slack.place()
    who, actions = app.person(place), app.wiring.memory_actions
    none = {"today": "forget_period_none", "everything": "memories_none"}
    assert (await forget(app, place, words))["text"] == say("en", none[words])
    await memories(app, place, "add I take aspirin")
    await undo_newest(app, who)
    for _ in range(2):
        question = await forget(app, place, words)
        if words == "today":
            assert question["text"].endswith("Only the history of changes still has it.")
            pressed = value(question, FORGET_PERIOD_ACTION)
            await actions.period_forgotten(who, "en", pressed)
        else:
            assert question["text"] == say("en", "forget_words_ask")
            await actions.everything_forgotten(who, "en")
        assert ledger(app, who) == []
        assert app.rows("SELECT id FROM memory_questions WHERE user_id = %s", who.user_id) == []
        assert (await forget(app, place, words))["text"] == say("en", none[words])
        app.rows(
            "INSERT INTO memory_questions (id, team_id, user_id, kind, audience, key, before,"
            " after, batch, messages, expires_at) VALUES (gen_random_uuid(), %s, %s, 'store', 'dm',"
            " 'k', '{}', '{}', gen_random_uuid(), '[]', now() + interval '1 day') RETURNING id",
            who.team_id,
            who.user_id,
        )


LONG_AGO = ("1700000000.000100", "1700000001.000100")


async def undone_update(app: App, place: PersonThread) -> tuple[Memory, str]:
    """Return a memory of long ago that was changed today, with an Undo, and the change's notice."""
    who = app.person(place)
    told = await app.ask(place, "I live in Osaka")
    await app.form(told)
    app.script("In Osaka.")
    asked = await app.ask(place, "Where do I live?")
    for message, ts in zip((told, asked), LONG_AGO, strict=True):
        app.rows(
            "UPDATE turns SET question_ts = %s WHERE question_ts = %s RETURNING id", ts, message.ts
        )
    ts = json.dumps(LONG_AGO[0])
    app.rows(
        "UPDATE store SET value = jsonb_set(value, '{sources,0,ts}', %s) WHERE prefix = %s"
        " RETURNING key",
        ts,
        who.namespace("dm").prefix,
    )
    app.rows(
        "UPDATE memory_versions SET value = jsonb_set(value, '{sources,0,ts}', %s)"
        " WHERE user_id = %s RETURNING id",
        ts,
        who.user_id,
    )
    [memory] = await app.memories(who)
    said = await app.ask(place, "I live in Tokyo")
    source = {
        "kind": "message",
        "channel": said.channel_id,
        "ts": said.ts,
        "evidence": "I live in Tokyo",
    }
    change = await edit_memory(
        app.pool, app.embedder, who, memory.key, {"fact": "I live in Tokyo"}, source
    )
    await undo_change(app.pool, app.embedder, who, change.id)
    assert len(ledger(app, who)) == 3
    [notice] = app.rows(
        "INSERT INTO change_notices (turn_id, team_id, user_id, changes, ts)"
        " SELECT id, team_id, user_id, %s, '1.0' FROM turns WHERE question_ts = %s"
        " ON CONFLICT (turn_id) DO UPDATE SET changes = excluded.changes RETURNING turn_id",
        [change.id],
        said.ts,
    )
    app.take_jobs("show_notice")
    return memory, str(notice["turn_id"])


async def test_forgetting_today_takes_an_update_that_was_undone(app: App) -> None:
    """Of an older memory only the changes of today go; a reply from before that names it stays."""
    place = app.slack.place()
    who, actions = app.person(place), app.wiring.memory_actions
    memory, notice = await undone_update(app, place)
    before = ledger(app, who)
    pressed = value(await forget(app, place, "today"), FORGET_PERIOD_ACTION)
    done = await actions.period_forgotten(who, "en", pressed)
    assert ledger(app, who) == before[::2]
    assert await app.memories(who) == [memory]
    assert [job["turn"] for job in app.take_jobs("show_notice")] == [notice]
    [asked] = app.rows(
        "SELECT reply FROM turns WHERE user_id = %s AND question_ts = %s", who.user_id, LONG_AGO[1]
    )
    assert asked["reply"] == "In Osaka."
    await actions.brought_back(who, "en", value(done, UNDO_ACTION))
    assert ledger(app, who) == before


async def test_an_undo_restores_no_change_of_what_was_forgotten_since(app: App) -> None:
    """The changes of a period come back only for a memory that was not forgotten by itself."""
    place = app.slack.place()
    who, actions = app.person(place), app.wiring.memory_actions
    memory, _ = await undone_update(app, place)
    pressed = value(await forget(app, place, "today"), FORGET_PERIOD_ACTION)
    done = await actions.period_forgotten(who, "en", pressed)
    await actions.forgotten(who, "en", json.dumps({"memories": [memory.key]}))
    await actions.brought_back(who, "en", value(done, UNDO_ACTION))
    assert ledger(app, who) == []


async def test_what_is_stored_before_the_forgetting_has_its_lock_goes_too(app: App) -> None:
    """Forgetting a period waits for a formation under way, and takes what it has stored."""
    place = app.slack.place()
    who, actions = app.person(place), app.wiring.memory_actions
    said = await app.ask(place, "I love ramen")
    pressed = value(await forget(app, place, "today"), FORGET_PERIOD_ACTION)
    source = {"kind": "message", "channel": said.channel_id, "ts": said.ts, "evidence": said.text}
    content = {"food_name": "ramen", "preference": 90}
    stored = {"kind": "UserFoodPreference", "content": content, "sources": [source]}
    waiting = (
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with psycopg.connect(app.database) as forming:
        forming.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (who.prefix,)
        )
        forming.execute(
            "INSERT INTO store (prefix, key, value) VALUES (%s, 'k', %s)",
            (who.namespace("dm").prefix, Jsonb(stored)),
        )
        forgetting = asyncio.create_task(actions.period_forgotten(who, "en", pressed))
        await until(lambda: app.rows(waiting))
    done = await forgetting
    assert await contents(app, place) == "[]"
    await actions.brought_back(who, "en", value(done, UNDO_ACTION))
    assert "ramen" in await contents(app, place)


async def test_what_is_said_after_the_question_is_not_forgotten(app: App) -> None:
    """A period until now ends with the question that counts what is in it."""
    place = app.slack.place()
    await app.form(await app.ask(place, "I love ramen"))
    question = await forget(app, place, "last hour")
    later = await app.ask(place, "I love natto")
    await app.form(later)
    await app.wiring.memory_actions.period_forgotten(
        app.person(place), "en", value(question, FORGET_PERIOD_ACTION)
    )
    left = await contents(app, place)
    assert "ramen" not in left
    assert "natto" in left
    assert app.turn(later)["words"] == "I love natto"


async def test_a_memory_alone_has_the_last_day_of_the_person(app: App) -> None:
    """Each question about one memory, and the notice after it, have the day in their time zone."""
    place = app.slack.place(tz="Asia/Tokyo")
    who, modals = app.person(place), app.wiring.modals
    await memories(app, place, "add I love ramen")
    app.rows(
        "UPDATE store SET expires_at = '2099-01-31 20:00:00+00',"
        " updated_at = '2026-01-31 20:00:00+00' WHERE prefix = %s RETURNING key",
        who.namespace("dm").prefix,
    )
    [memory] = await app.memories(who)
    for shown in (
        await modals.audiences.form(who, "en", memory.key),
        await modals.editing.forget_form(who, "en", memory.key),
        await app.wiring.memory_actions.forget(who, "en", Selection(keys=[memory.key])),
    ):
        text = json.dumps(shown)
        assert "Feb 1, 2099" in text
        assert "Jan 31" not in text


@pytest.mark.usefixtures("within_an_hour")
async def test_forgetting_the_last_hour_and_yesterday(app: App) -> None:
    """The last hours and days hold what was said now; yesterday and last week do not."""
    place = app.slack.place(tz="Asia/Tokyo")
    await app.form(await app.ask(place, "I love ramen"))
    for words in ("last hour", "last 2 hours", "3d", "30m", "直近2時間", "今日"):
        assert "ramen" in (await forget(app, place, words))["text"]
    for words in ("昨日", "last week", "先週"):
        assert (await forget(app, place, words))["text"] == say("en", "forget_period_none")
    assert "ramen" in await contents(app, place)


async def test_forgetting_a_thread(app: App) -> None:
    """In a direct message the newest thread is meant; nothing of another thread goes."""
    place = app.slack.place()
    who = app.person(place)
    await app.form(await app.ask(place, "I love ramen"))
    root = await app.ask(place, "I love sushi")
    await app.form(await app.ask(place, "I love soba", thread_ts=root.ts))
    question = await forget(app, place, "this thread")
    await app.wiring.memory_actions.period_forgotten(
        who, "en", value(question, FORGET_PERIOD_ACTION)
    )
    left = await contents(app, place)
    assert "ramen" in left
    assert "sushi" not in left
    assert "soba" not in left


async def test_a_change_that_was_confirmed_since_can_be_undone(app: App) -> None:
    """The history shows an Undo for the confirmation first, and then for the change before it."""
    place = app.slack.place()
    who, changes = app.person(place), app.wiring.modals.changes
    await memories(app, place, "add I live in Osaka")
    [memory] = await app.memories(who)
    for _ in range(2):
        source = {"kind": "command", "evidence": "I live in Tokyo"}
        await edit_memory(
            app.pool, app.embedder, who, memory.key, {"fact": "I live in Tokyo"}, source
        )
    for line in ("Confirmed: I live in Tokyo", "Updated: I live in Tokyo (was: I live in Osaka)"):
        page = await changes.history(who, "en")
        [block] = [
            one
            for one in page["blocks"]
            if "accessory" in one and one["text"]["text"].startswith(line)
        ]
        await changes.undone(who, "en", block["accessory"]["value"])
    assert "Osaka" in await contents(app, place)


async def test_a_channels_thread_is_named_in_the_thread(app: App) -> None:
    """A command in a channel cannot know the thread, and says where to ask instead."""
    place = app.slack.place(channel="public")
    await app.ask(place, "<@BOT> I love ramen")
    assert (await forget(app, place, "this thread"))["text"] == say("en", "forget_thread_unknown")


async def test_a_period_covers_the_person_alone(app: App) -> None:
    """One person's button forgets nothing of another who said something at the same time."""
    ann, bo = app.slack.place(), app.slack.place()
    await app.form(await app.ask(ann, "I love ramen"))
    await app.form(await app.ask(bo, "I love sushi"))
    question = await forget(app, ann, "today")
    pressed = value(question, FORGET_PERIOD_ACTION)
    await app.wiring.memory_actions.period_forgotten(app.person(bo), "en", pressed)
    assert "ramen" in await contents(app, ann)
    assert "sushi" not in await contents(app, bo)


def submitted(memory: str, **chosen: Any) -> dict[str, Any]:
    """Return the form as Slack submits it."""

    def option(value: str) -> dict[str, Any]:
        return {"chosen": {"selected_option": {"value": value}}}

    notices = [{"value": "on"}] if chosen.get("notices", True) else []
    return {
        "state": {
            "values": {
                "memory": option(memory),
                "notices": {"chosen": {"selected_options": notices}},
                "language": option(chosen.get("language", "slack")),
                "retention": option(chosen.get("retention", "0")),
            }
        }
    }


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_form_holds_what_is_set_and_fits(app: App, language: Language) -> None:
    """The form shows how things are, whatever they are, and Slack would take it."""
    place = app.slack.place()
    who, controls = app.person(place), app.wiring.controls
    for change in ("", "pause", "refuse"):
        if change == "pause":
            await controls.pause(who)
            await controls.choose(who, language="ja", retention_days=45, notices=False)
        if change == "refuse":
            await controls.refuse(who)
        form = await controls.settings_form(who, language)
        assert view_errors(form) == []
        chosen = {
            block["block_id"]: block["element"]["initial_option"]["value"]
            for block in form["blocks"]
            if "initial_option" in block["element"]
        }
        assert chosen["memory"] == {"": "on", "pause": "stay", "refuse": "off"}[change]
        assert chosen["retention"] == ("45" if change else "0")
        assert chosen["language"] == ("ja" if change else "slack")


async def test_the_form_is_stored_whole(app: App) -> None:
    """What is chosen in the form holds at once, each choice by itself."""
    place = app.slack.place()
    who, controls = app.person(place), app.wiring.controls

    async def save(memory: str, **chosen: Any) -> str:
        view = await controls.settings_saved(who, "en", view=submitted(memory, **chosen))
        return json.dumps(view, ensure_ascii=False)

    assert "paused until" in await save("hour", retention="90")
    assert "90 days" in await save("stay", retention="90", notices=False)
    [row] = app.rows(
        "SELECT pauses @> now() AS paused, notices, retention_days FROM person_settings"
        " WHERE user_id = %s",
        place.user,
    )
    assert (row["paused"], row["notices"], row["retention_days"]) == (True, False, 90)
    assert say("en", "settings_on") in await save("on")
    assert "until you resume" in await save("open")
    assert say("en", "off_refused") in await save("off")
    assert say("ja", "settings_on") in await save("on", language="ja")
