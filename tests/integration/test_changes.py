"""Changes, their Undo, questions and what messages no longer say, on the real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from memory import (
    DM,
    PUBLIC,
    Change,
    ChangeGone,
    Embedder,
    FormationResult,
    InvalidContent,
    MemoryFull,
    MemoryView,
    Person,
    PersonMessage,
    Pool,
    Selection,
    add_memories,
    answer_question,
    edit_memory,
    forget,
    list_changes,
    list_memories,
    memory_view,
    move_memory,
    open_questions,
    recall_memories,
    undo_changes,
)
from memory.formation import take_back
from memory.formation.evidence import TypedMessage
from memory.model.merging import MAX_STATEMENTS
from memory.postgres import person_transaction
from memory.store import (
    MAX_MEMORIES,
    change_channel,
    read_not_remembered,
)
from memory.store.edits import statement_of
from memory.store.questions import ask
from tests.databases import owner_rows
from tests.memories import ApprovedStore

ALICE = Person("T1", "U1")
BOB = Person("T1", "U12")
OWN = memory_view(ALICE.namespace(DM))
WIDE = memory_view(ALICE.namespace(PUBLIC))
KIND = "UserFoodPreference"
FIRST, SECOND = "1700000001.000000", "1700000002.000000"


class Ledger:
    """One person's memories, and what the database holds of them."""

    def __init__(self, pool: Pool, embedder: Embedder, database: str) -> None:
        self.pool, self.embedder, self.database = pool, embedder, database

    def rows(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the database as its owner."""
        return owner_rows(self.database, statement, *parameters)

    async def run(self, text: str, ts: str, view: MemoryView = OWN) -> ApprovedStore:
        """Let a run begin that reads one message."""
        said = [TypedMessage(PersonMessage(text=text, channel="D1", ts=ts))]
        return await ApprovedStore.load(self.pool, self.embedder, view, said)

    async def say(
        self,
        text: str,
        *,
        ts: str,
        content: dict[str, Any] | None,
        key: str = "",
        view: MemoryView = OWN,
    ) -> FormationResult:
        """Let a model write `content` (None: remove) because of `text`."""
        store = await self.run(text, ts, view)
        key = key or str(uuid4())
        if content is None:
            await store.adelete(view.own.parts, key)
        else:
            value = {"kind": KIND, "content": {**content, "evidence": text}}
            await store.aput(view.own.parts, key, value)
        return await store.commit()

    async def change(self, text: str, **more: Any) -> Change:
        """Let a model write as in `say`; return the one change."""
        [change] = (await self.say(text, **more)).changes
        return change

    async def like(
        self, name: str, *, ts: str = "1700000001.0", level: int = 80
    ) -> Change:
        """Remember a food of which the person says that they love it."""
        return await self.change(f"I love {name}", ts=ts, content=food(name, level))

    async def undo(self, change: Change) -> list[Change]:
        """Take a change back."""
        return await undo_changes(self.pool, self.embedder, ALICE, ids=[change.id])

    async def edit(self, key: str, content: dict[str, Any], **more: Any) -> Change:
        """Let the person edit a memory; return the one change."""
        origin = PersonMessage(actor="modal", text="typed")
        edited = edit_memory(
            self.pool, self.embedder, ALICE, key, content, origin, **more
        )
        [change] = await edited
        return change

    async def levels(self) -> list[int]:
        """Return the levels of what is remembered."""
        return [content["preference"] for content in await self.contents()]

    async def contents(self) -> list[dict[str, Any]]:
        """Return what is remembered, newest first."""
        return [memory.content for memory in await list_memories(self.pool, ALICE)]


@pytest.fixture
def ledger(pool: Pool, model_embedder: Embedder, database: str) -> Ledger:
    """Where Alice's memories are changed."""
    return Ledger(pool, model_embedder, database)


def food(name: str, level: int | None = 80, **more: Any) -> dict[str, Any]:
    """Return a food's content as its schema has it."""
    return {
        "food_name": name,
        "cuisine": None,
        "preference": level,
        "description": None,
    } | more


async def test_every_writer_leaves_a_change(ledger: Ledger) -> None:
    """Formation, edits and moves each leave one change, newest first, with the values around it.

    Each has the time at which it was made, whenever its message was written.
    """
    begin = datetime.now(UTC)
    liked = await ledger.like("soba")
    again = await ledger.change(
        "I love soba", ts="1700000002.0", content=food("soba"), key=liked.key
    )
    edited = await ledger.edit(liked.key, food("soba", 90))
    moved = await move_memory(ledger.pool, ledger.embedder, ALICE, liked.key, PUBLIC)
    gone = await ledger.change(
        "I hate soba",
        ts=f"{datetime.now(UTC).timestamp():.6f}",
        content=None,
        key=liked.key,
    )
    entries = await list_changes(ledger.pool, ALICE)
    times = [entry.at for entry in entries]
    assert times == sorted(times, reverse=True)
    assert begin - timedelta(seconds=2) < times[-1] <= datetime.now(UTC)
    assert [entry.action for entry in entries] == [
        "removed",
        "moved",
        "updated",
        "confirmed",
        "remembered",
    ]
    assert entries == [gone, moved, edited, again, liked]
    assert [(e.before or {}).get("preference") for e in entries] == [
        *(90, 90, 80, 80, None)
    ]
    assert await list_changes(ledger.pool, ALICE, limit=1) == entries[:1]
    assert await list_changes(ledger.pool, ALICE, key=liked.key) == entries
    assert await list_changes(ledger.pool, ALICE, batch=liked.batch) == [liked]
    assert await list_changes(ledger.pool, ALICE, key="other") == []
    assert await list_changes(ledger.pool, BOB) == []


async def test_as_many_changes_are_listed_as_are_wanted(ledger: Ledger) -> None:
    """A move of what is undone is no change to show: an older one takes its place."""
    liked = [
        await ledger.like(name, ts=f"170000000{number}.0")
        for number, name in enumerate(("ramen", "sushi", "natto"))
    ]
    await move_memory(ledger.pool, ledger.embedder, ALICE, liked[2].key, PUBLIC)
    await ledger.undo(liked[2])
    for limit in (1, 2, 3, 4):
        found = await list_changes(ledger.pool, ALICE, limit=limit)
        newest = [change.id for change in reversed(liked)]
        assert [change.id for change in found] == newest[:limit]


async def test_what_gets_the_name_of_another_thing_by_a_yes_joins_it(
    ledger: Ledger,
) -> None:
    """The old memory is taken back, its details are said of the other; Undo brings back both."""
    sushi = await ledger.change(
        "sushi, raw", ts="1700000001.0", content=food("sushi", 90, description="raw")
    )
    ramen = await ledger.like("ramen", ts="1700000002.0", level=5)
    store = await ledger.run("It is ramen", "4000000000.0")
    await ledger.edit(sushi.key, food("sushi", 80, description="raw"))
    before = await ledger.contents()
    content = food("ramen", 90, description="raw")
    value = {"kind": KIND, "content": {**content, "evidence": "It is ramen"}}
    await store.aput(OWN.own.parts, sushi.key, value)
    [question] = (await store.commit()).questions
    changes = await answer_question(
        ledger.pool, ledger.embedder, ALICE, question.id, "yes"
    )
    assert [(one.key, one.action) for one in changes] == [
        (sushi.key, "removed"),
        (ramen.key, "updated"),
    ]
    assert await ledger.contents() == [food("ramen", 80, description="raw")]
    again = await ledger.like("sushi", ts="4000000001.0", level=1)
    assert again.key == sushi.key
    await ledger.undo(again)
    ids = [one.id for one in changes]
    await undo_changes(ledger.pool, ledger.embedder, ALICE, ids=ids)
    assert sorted(await ledger.contents(), key=str) == sorted(before, key=str)


async def test_a_memory_has_at_most_two_hundred_statements(ledger: Ledger) -> None:
    """The oldest go on which nothing rests; what the memory says, and for whom, stays."""
    await ledger.change(
        "Ramen, hot",
        ts="1700000001.0",
        content=food("ramen", description="hot"),
        view=WIDE,
    )
    ledger.rows(
        "INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, content,"
        " subject, evidence, channel, ts, said_at, zone, batch)"
        " SELECT gen_random_uuid(), team_id, user_id, key, audience, kind, act, actor,"
        " content - 'description', subject, evidence || i, channel, (1700000100 + i)::text || '.0',"
        " said_at + i * interval '1 s', zone, gen_random_uuid()"
        " FROM statements, generate_series(1, 250) AS i RETURNING 1"
    )
    await ledger.like("ramen", ts="1700009999.0", level=5)
    [row] = ledger.rows("SELECT count(*) AS n, min(ts) AS first FROM statements")
    assert row == {"n": MAX_STATEMENTS, "first": "1700000001.0"}
    assert await ledger.contents() == [food("ramen", 5, description="hot")]


async def test_a_person_has_a_limited_number_of_memories(ledger: Ledger) -> None:
    """What is new is refused in every way; what is known may change."""
    liked = await ledger.like("ramen")
    ledger.rows(
        "INSERT INTO store (prefix, key, value) SELECT %s, 'k' || n,"
        " jsonb_build_object('kind', 'UserFact', 'content', jsonb_build_object('fact', n::text))"
        " FROM generate_series(1, %s) AS n RETURNING 1",
        *(OWN.own.prefix, MAX_MEMORIES - 1),
    )
    words = "I love soba and udon"
    store = await ledger.run(words, "1700000002.0", OWN)
    for name in ("soba", "udon"):
        value = {"kind": KIND, "content": {**food(name), "evidence": words}}
        await store.aput(OWN.own.parts, str(uuid4()), value)
    refused = await store.commit()
    assert ([one.reason for one in refused.refused], refused.changes) == (
        ["full", "full"],
        (),
    )
    given = [({"food_name": "soba"}, PersonMessage(actor="command"))]
    with pytest.raises(MemoryFull):
        await add_memories(ledger.pool, ledger.embedder, OWN.own, KIND, given)
    await ledger.edit(liked.key, food("ramen", 7))
    for name, key in (("soba", liked.key), ("ramen", "gone")):
        words_of = PersonMessage(actor="question", text=name)
        said = statement_of(key, KIND, DM, food(name), words_of, batch=uuid4())
        async with person_transaction(ledger.pool, ALICE, locked=True) as transaction:
            await ask(transaction, [said])
        *_, question = await open_questions(ledger.pool, ALICE)
        answering = answer_question(
            ledger.pool, ledger.embedder, ALICE, question.id, "both"
        )
        if name == "soba":
            with pytest.raises(MemoryFull):
                await answering
        else:
            await answering
    [why] = await read_not_remembered(ledger.pool, ALICE)
    assert (why.sentence, why.reason) == (words, "full")


async def test_what_a_form_lacks_is_said_while_the_person_is_locked(
    ledger: Ledger,
) -> None:
    """A form is answered at once, whatever is being written of the person's memories."""
    given = [({"food_name": ""}, PersonMessage(actor="modal"))]
    async with person_transaction(ledger.pool, ALICE, locked=True):
        with pytest.raises(InvalidContent):
            await add_memories(ledger.pool, ledger.embedder, OWN.own, KIND, given)


async def test_a_channel_that_gets_another_id_keeps_its_memories(
    ledger: Ledger,
) -> None:
    """What was said in it is known under the new id, and no longer under the old one."""
    old, new = (memory_view(ALICE.namespace(channel)) for channel in ("G1", "C9"))
    liked = await ledger.change(
        "I love soba", ts="1700000001.0", content=food("soba"), view=old
    )
    async with person_transaction(ledger.pool, ALICE, locked=True) as transaction:
        await change_channel(transaction, "G1", "C9")
    found = (await recall_memories(ledger.pool, ledger.embedder, new, "?")).memories
    assert [one.key for one in found] == [liked.key]
    assert not (await recall_memories(ledger.pool, ledger.embedder, old, "?")).memories


async def test_undone_words_do_not_count_again_by_a_second_formation(
    ledger: Ledger,
) -> None:
    """Another sentence of their message was edited; other words are something new."""
    liked = await ledger.like("soba", ts=FIRST)
    await ledger.undo(liked)
    again = await ledger.say("I love soba", ts=FIRST, content=food("soba"))
    assert again.changes == ()
    assert await ledger.contents() == []
    await ledger.like("soba", ts=SECOND)
    assert await ledger.contents() == [food("soba")]


async def test_what_would_be_over_is_not_asked(ledger: Ledger) -> None:
    """Its end came while the question was open."""
    origin = PersonMessage(actor="question", text="I love soba", channel="D1", ts=FIRST)
    until = datetime.now(UTC) - timedelta(hours=1)
    said = statement_of(
        str(uuid4()), KIND, DM, food("soba"), origin, batch=uuid4(), until=until
    )
    async with person_transaction(ledger.pool, ALICE, locked=True) as transaction:
        await ask(transaction, [said])
    assert await open_questions(ledger.pool, ALICE) == []
    with pytest.raises(ChangeGone):
        await answer_question(ledger.pool, ledger.embedder, ALICE, said.id, "yes")


async def test_what_was_taken_back_stays_so_when_a_typo_is_mended(
    ledger: Ledger,
) -> None:
    """The mended sentence is as old as its message."""
    liked = await ledger.change("I lvoe soba.", ts=FIRST, content=food("soba"))
    await ledger.change("I hate soba", ts=SECOND, content=None, key=liked.key)
    message = ("D1", FIRST)
    await take_back(ledger.pool, ledger.embedder, ALICE, message, is_deleted=False)
    await ledger.say("I love soba.", ts=FIRST, content=food("soba"))
    assert await ledger.contents() == []


async def test_a_second_formation_of_a_sentence_adds_nothing_to_undo(
    ledger: Ledger,
) -> None:
    """The model proposes a known memory again, with the sentence that it was formed from."""
    liked = await ledger.change("I love soba.", ts=FIRST, content=food("soba"))
    store = await ledger.run("I love soba. Good morning!", FIRST)
    value = {"kind": KIND, "content": {**food("soba"), "evidence": "I love soba."}}
    await store.aput(OWN.own.parts, liked.key, value)
    await store.commit()
    await ledger.undo(liked)
    assert await ledger.contents() == []


async def known_in_public(ledger: Ledger) -> str:
    """Return what a public channel knows of Alice's memories."""
    found = await recall_memories(ledger.pool, ledger.embedder, WIDE, "food")
    return " ".join(str(one.content) for one in found.memories)


async def test_forgetting_a_day_does_not_undo_its_clicks(ledger: Ledger) -> None:
    """What was moved to direct messages today stays there when today's words are forgotten."""
    liked = await ledger.change(
        "I love ramen", ts=FIRST, content=food("ramen"), view=WIDE
    )
    await move_memory(ledger.pool, ledger.embedder, ALICE, liked.key, DM)
    await edit_memory(
        ledger.pool,
        ledger.embedder,
        ALICE,
        liked.key,
        food("ramen", 5),
        PersonMessage(actor="command"),
    )
    now = datetime.now(UTC)
    today = Selection(since=now - timedelta(hours=12), until=now + timedelta(hours=1))
    assert not (await forget(ledger.pool, ALICE, today)).memories
    assert await ledger.contents() == [food("ramen", 5)]
    assert await known_in_public(ledger) == ""
