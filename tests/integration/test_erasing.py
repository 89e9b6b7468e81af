"""Erasing a person: everywhere, for good, also against what runs at that moment."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from typing import Any

import pytest

from bot.acts.kinds import Forget
from bot.config import load_settings
from bot.data.person import EXPORTED, erase_person, export_person
from bot.remembering.formation import mark_formed, read_unformed
from memory import DM, Overtaken, Person, Selection, memory_view
from memory.formation.evidence import TypedMessage
from memory.postgres import PersonTransaction, load_statements
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.memories import ApprovedStore

pytestmark = pytest.mark.slow

# Of these something outlives the person: ids of messages and of what was forgotten, where memory is
# off, and the hour's count.
OUTLIVE = {"messages", "forgotten", "memory_off", "people"}
# What says nothing that the person or another part of the export does not.
NOT_EXPORTED = {"store_vectors", "reminders", "people"}
PARTS = {
    "memories": "store",
    "forgotten": "forgotten",
    "settings": "person_settings",
}


@pytest.fixture
def place(app: App) -> PersonThread:
    """Somebody's direct message."""
    return app.slack.place()


def test_every_table_with_rows_of_people_is_erased_and_exported(app: App) -> None:
    """A table of people's rows goes with its person, and is counted, and exported.

    Or it is named here. The vectors go with their memories.
    """
    found = app.rows(
        "SELECT table_name AS name FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name)"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND column_name = 'user_id'"
    )
    tables = {row["name"] for row in found}
    cascading = app.rows(
        "SELECT conrelid::regclass::text AS name FROM pg_constraint"
        " WHERE confrelid = 'people'::regclass AND confdeltype = 'c'"
    )
    gone = {row["name"] for row in cascading} | {"store_vectors"}
    assert tables == gone | OUTLIVE
    counted = load_statements("bot.data", "data")["count_rows"]
    assert all(f" {table}" in counted for table in gone)
    exported = {PARTS.get(part, part) for part in EXPORTED}
    assert tables == exported | NOT_EXPORTED


async def test_erase_wins_against_formation_200_times(app: App) -> None:
    """Whenever it comes while memories are being formed, nothing comes back.

    The model's part holds no lock and is left out but for a few: what it wants is written, as by
    every formation, with the words it was made of taken up in the same transaction.
    """
    chance = random.Random(5)
    limit = asyncio.Semaphore(4)
    outcomes: Counter[str] = Counter()

    async def form(person: Person, whole: bool) -> None:
        if whole:
            await app.form_words(person.team_id, person.user_id, DM)
            return
        own = person.namespace(DM)
        unformed = await read_unformed(app.pool, own)
        said = [TypedMessage(one) for one in unformed.words]
        store = await ApprovedStore.load(app.pool, app.embedder, memory_view(own), said)
        for key, name in (("a", "ramen"), ("b", "tempura")):
            content = {
                "food_name": name,
                "preference": 80,
                "evidence": f"I love {name}",
            }
            await store.aput(
                own.parts, key, {"kind": "UserFoodPreference", "content": content}
            )

        async def in_commit(transaction: PersonTransaction, *_: object) -> None:
            await mark_formed(transaction, unformed)

        try:
            await store.commit(in_commit)
        except Overtaken:
            outcomes["overtaken"] += 1

    lone = Person("TLONE", "U1")
    insert_turn(app, lone, 0)
    begin = time.perf_counter()
    await form(lone, whole=False)
    wait = time.perf_counter() - begin
    await erase_person(app.pool, lone)

    async def race(number: int) -> None:
        nonlocal wait
        person = Person("TRACE", f"U{number:04d}")
        async with limit:
            for said in range(2):
                insert_turn(app, person, said)
            forming = asyncio.create_task(form(person, whole=number % 40 == 0))
            await asyncio.sleep(chance.uniform(0.5, 1.5) * wait)
            erased = await erase_person(app.pool, person)
            written = bool(erased.counts["store"])
            outcomes["written before"] += written
            # The next one comes closer to the moment of the commit, however fast the machine is.
            wait *= 0.8 if written else 1.25
            await forming
            assert not any(erased.left.values())

    await asyncio.gather(*(race(number) for number in range(200)))
    left = app.rows(
        "SELECT 1 FROM store UNION ALL SELECT 1 FROM store_vectors"
        " UNION ALL SELECT 1 FROM statements"
        " UNION ALL SELECT 1 FROM messages WHERE user_id <> '' OR words <> ''",
    )
    assert left == []
    assert outcomes["overtaken"] > 5, f"The race was never close: {outcomes}"
    assert outcomes["written before"] > 5, f"The race was never close: {outcomes}"


def insert_turn(app: App, person: Person, number: int) -> None:
    """Let the person have said something that nobody has remembered yet."""
    app.rows(
        "INSERT INTO messages (id, team_id, user_id, channel_id, thread, audience, ts,"
        " question, words, reply, status, begun_at, ended_at)"
        " VALUES (gen_random_uuid(), %s, %s, %s, %s, 'dm', %s, %s, %s, 'Good.', 'answered', now(),"
        " now())",
        person.team_id,
        person.user_id,
        f"D{person.user_id}",
        f"{person.team_id}.D{person.user_id}.{number}.0",
        f"170000000{number}.000100",
        *["I love " + ("ramen", "tempura")[number]] * 2,
    )


async def test_an_export_tells_everything(app: App, place: PersonThread) -> None:
    """Memories, history, conversation, settings, and who received the words."""
    message = await app.ask(place, "I love ramen")
    await app.form_words(place.team, place.user, DM)
    chosen = {
        "OPENAI_API_KEY": "sk-1",
        "KIOKU_REPLY_MODEL": "m-1",
        "KIOKU_MEMORY_MODEL": "anthropic:m-2",
        "KIOKU_EMBEDDING_MODEL": "m-4",
    }
    settings = load_settings(chosen, dotenv=None)
    kept: dict[str, Any] = await export_person(app.pool, message.person, settings)
    assert json.loads(json.dumps(kept)) == kept
    assert kept["format"] == "kioku-export"
    assert [turn["question"] for turn in kept["messages"] if turn["question"]] == [
        "I love ramen"
    ]
    assert [m["content"]["food_name"] for m in kept["memories"]] == ["ramen"]
    assert kept["received_by"] == {
        "replies": "m-1 (api.openai.com)",
        "memories": "m-2 (anthropic)",
        "search": "m-4 (api.openai.com)",
    }
    without_model = load_settings({}, dotenv=None)
    kept = await export_person(app.pool, message.person, without_model)
    assert set(kept["received_by"].values()) == {"kioku-stand-in (127.0.0.1)"}


async def test_an_export_has_nothing_that_is_forgotten(
    app: App, place: PersonThread
) -> None:
    """Not the message, its answer, or another message that names it, until it is undone."""
    message = await app.ask(place, "I love ramen")
    await app.form(message)
    await app.ask(place, "How is the weather?")
    await app.ask(place, "Where is ramen from?")
    settings = load_settings({}, dotenv=None)
    selection = Selection(messages=[(message.channel_id, message.ts)])
    forgotten = await app.click(
        message.person, Forget(messages=tuple(selection.messages))
    )
    kept = await export_person(app.pool, message.person, settings)
    assert "ramen" not in json.dumps(kept)
    await app.click(message.person, forgotten.undo)
    kept = await export_person(app.pool, message.person, settings)
    questions = [turn["question"] for turn in kept["messages"]]
    assert questions == [
        "I love ramen",
        "How is the weather?",
        "Where is ramen from?",
    ]
