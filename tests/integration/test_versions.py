"""Versions, direct changes, questions, sources and ends, on the real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from memory import (
    DM,
    PUBLIC,
    Change,
    ChangedSince,
    ChangeGone,
    Embedder,
    FormationResult,
    MemoryFull,
    MemoryView,
    Namespace,
    Person,
    PersonMessage,
    Pool,
    Question,
    Selection,
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
    undo_forgetting,
)
from memory.formation import source_changed, sources_among
from memory.formation.evidence import TypedMessage
from memory.postgres import person_transaction
from memory.store import MAX_MEMORIES, embed_missing, expire_due
from memory.store.forgetting import Forgotten
from tests.databases import owner_rows, printed
from tests.memories import ApprovedStore, add_memory

ALICE = Person("T1", "U1")
BOB = Person("T1", "U12")
OWN = ALICE.namespace(DM)
WIDE = memory_view(ALICE.namespace(PUBLIC))
ROWS = ("store", "store_vectors")
TABLES = (*ROWS, "memory_versions", "memory_questions")
COMMAND = {"kind": "command", "channel": "D1", "ts": "900.1", "evidence": ""}


class Ledger:
    """One person's memories, and what the database holds of them."""

    def __init__(self, pool: Pool, embedder: Embedder, database: str) -> None:
        self.pool, self.embedder, self.database = pool, embedder, database

    def rows(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the database as its owner."""
        return owner_rows(self.database, statement, *parameters)

    def printed(self, *tables: str) -> dict[str, list[str]]:
        """Return all rows of these tables as PostgreSQL prints them; a vector's own dates apart."""
        return printed(self.database, *(tables or TABLES), vector_dates=False)

    def fill(self, own: Namespace, number: int) -> None:
        """Put as many facts beside the memories, without versions and vectors."""
        self.rows(
            "INSERT INTO store (prefix, key, value) SELECT %s, 'k' || n,"
            " jsonb_build_object('kind', 'UserFact', 'content', jsonb_build_object('fact',"
            " n::text)) FROM generate_series(1, %s) AS n RETURNING 1",
            *(own.prefix, number),
        )

    async def run(self, text: str, ts: str, seen: MemoryView | None = None) -> ApprovedStore:
        """Let a run begin that reads one message."""
        said = [TypedMessage(PersonMessage(text=text, channel="D1", ts=ts))]
        return await ApprovedStore.load(self.pool, self.embedder, seen or memory_view(OWN), said)

    async def propose(
        self, store: ApprovedStore, change: Change, evidence: str, **fields: Any
    ) -> None:
        """Let a model write other fields of a memory in a run that has begun."""
        content = {**(change.after or {})["content"], **fields, "evidence": evidence}
        await store.aput(
            change.namespace.parts, change.key, {"kind": change.kind, "content": content}
        )

    async def say(
        self,
        text: str,
        *,
        ts: str,
        content: dict[str, Any] | None,
        key: str = "new",
        seen: MemoryView | None = None,
    ) -> FormationResult:
        """Let a model write `content` (None: remove) because of `text`."""
        store = await self.run(text, ts, seen)
        parts = (seen or memory_view(OWN)).own.parts
        if content is None:
            await store.adelete(parts, key)
        else:
            value = {"kind": "UserFoodPreference", "content": {**content, "evidence": text}}
            await store.aput(parts, key, value)
        return await store.commit()

    async def change(self, text: str, **more: Any) -> Change:
        """Let a model write as in `say`; return the one change."""
        [change] = (await self.say(text, **more)).changes
        return change

    async def like(self, name: str, *, ts: str = "1.0", level: int = 80) -> Change:
        """Remember a food of which the person says that they love it."""
        return await self.change(f"I love {name}", ts=ts, content=food(name, level))

    async def undo(self, change_id: UUID, person: Person = ALICE) -> list[Change]:
        """Take a change back; return the change that this is, or nothing."""
        return await undo_changes(self.pool, self.embedder, person, ids=[change_id])

    async def edit(self, key: str, content: dict[str, Any], **more: Any) -> Change:
        """Let the person edit a memory by a command."""
        return await edit_memory(self.pool, self.embedder, ALICE, key, content, COMMAND, **more)

    async def move(self, key: str, audience: str) -> Change:
        """Let the person move a memory."""
        return await move_memory(self.pool, self.embedder, ALICE, key, audience)

    async def answer(self, question: Question, answer: str) -> list[Change]:
        """Let the person answer a question."""
        return await answer_question(self.pool, self.embedder, ALICE, question.id, answer)

    async def forget(self, *keys: str) -> Forgotten:
        """Forget memories; without keys everything."""
        chosen = Selection(keys=keys) if keys else Selection(everything=True)
        return await forget(self.pool, ALICE, chosen)

    async def bring_back(self, forgotten: Forgotten) -> None:
        """Take a forgetting back."""
        assert forgotten.id is not None
        await undo_forgetting(self.pool, ALICE, forgotten.id)
        await embed_missing(self.pool, self.embedder, ALICE)

    async def purge(self) -> None:
        """Let ten minutes pass."""
        self.rows(
            "UPDATE forgotten_versions SET deleted_at = now() - interval '11 minutes' RETURNING 1"
        )
        await expire_due(self.pool)

    async def is_forgotten(self, key: str, word: str) -> None:
        """Forget a memory, undo it, and forget it for good: no table has the word any more."""
        tables = (*ROWS, "memory_versions")
        before = self.printed(*tables)
        await self.bring_back(await self.forget(key))
        assert self.printed(*tables) == before
        await self.forget(key)
        await self.purge()
        assert word not in str(self.printed())


@pytest.fixture
def ledger(pool: Pool, model_embedder: Embedder, database: str) -> Ledger:
    """Where Alice's memories are changed."""
    return Ledger(pool, model_embedder, database)


def food(name: str, level: int | None = 80, **more: Any) -> dict[str, Any]:
    """Return a food's content as its schema has it."""
    return {"food_name": name, "cuisine": None, "preference": level, "description": None} | more


async def test_every_writer_enters_what_it_did(ledger: Ledger) -> None:
    """Formation, edits, moves and undo each leave one version, newest first, with whole values."""
    liked = await ledger.like("soba")
    again = (await ledger.say("I love soba", ts="2.0", content=food("soba"), key=liked.key)).changes
    edited = await ledger.edit(liked.key, food("soba", 90))
    moved = await ledger.move(liked.key, PUBLIC)
    assert await ledger.undo(moved.id)
    gone = (await ledger.say("I hate soba", ts="3.0", content=None, key=liked.key)).changes
    entries = await list_changes(ledger.pool, ALICE)
    assert [(e.action, e.actor) for e in entries] == [
        ("removed", "formation"),
        ("restored", "undo"),
        ("moved", "command"),
        ("updated", "command"),
        ("confirmed", "formation"),
        ("remembered", "formation"),
    ]
    changes = [liked, *again, edited, moved, gone[0]]
    assert {e.id for e in entries} > {c.id for c in changes}
    assert entries[3].after is not None
    assert [s["ts"] for s in entries[3].after["sources"]] == ["1.0", "2.0", "900.1"]
    assert await list_changes(ledger.pool, ALICE, limit=1) == entries[:1]
    assert await list_changes(ledger.pool, ALICE, key=liked.key) == entries
    assert await list_changes(ledger.pool, ALICE, key="other") == []
    assert await list_changes(ledger.pool, BOB) == []


@pytest.mark.parametrize("what", ["remember", "update", "confirm", "remove", "edit", "move"])
async def test_undo_restores_the_exact_bytes(ledger: Ledger, what: str) -> None:
    """After any change, undo leaves rows, dates and vectors byte for byte as before."""
    liked = await ledger.like("ramen")
    before = ledger.printed(*ROWS)
    change: Change
    match what:
        case "remember":
            change = await ledger.like("soba", ts="2.0")
        case "update":
            change = await ledger.change(
                "I love spicy ramen", ts="2.0", content=food("spicy ramen"), key=liked.key
            )
        case "confirm":
            change = await ledger.change(
                "I love ramen", ts="2.0", content=food("ramen"), key=liked.key
            )
            assert change.action == "confirmed"
        case "remove":
            change = await ledger.change("I hate ramen", ts="2.0", content=None, key=liked.key)
        case "edit":
            content = food("ramen", 5, description="miso")
            change = await ledger.edit(liked.key, content)
        case _:
            change = await ledger.move(liked.key, PUBLIC)
    assert ledger.printed(*ROWS) != before
    [entry] = await ledger.undo(change.id)
    assert ledger.printed(*ROWS) == before
    assert (entry.actor, entry.before is None, entry.after is None) == (
        "undo",
        change.after is None,
        what == "remember",
    )
    assert await ledger.undo(change.id) == []
    assert await ledger.undo(entry.id)
    assert ledger.printed("store") != before


async def test_a_change_is_not_undone_over_a_newer_one(ledger: Ledger) -> None:
    """A change that is not the newest of its memory is not undone over the newer one."""
    liked = await ledger.like("ramen")
    await ledger.edit(liked.key, food("ramen", 9))
    before = ledger.printed()
    assert await ledger.undo(liked.id) == []
    assert ledger.printed() == before
    newest, older = await list_changes(ledger.pool, ALICE)
    assert (newest.changed_since, older.changed_since) == (False, True)
    assert await ledger.undo(newest.id)
    assert not (await list_changes(ledger.pool, ALICE))[2].changed_since


async def test_a_message_whose_memory_was_forgotten_is_not_formed_again(ledger: Ledger) -> None:
    """A message delivered again brings nothing back, until the forgetting is undone."""
    await ledger.like("ramen")
    forgotten = await ledger.forget()
    again = await ledger.say("I love ramen", ts="1.0", content=food("ramen"))
    assert (again.changes, [one.reason for one in again.refused]) == ((), ["unusable"])
    assert ledger.printed("store") == {"store": []}
    assert await ledger.like("soba", ts="2.0")
    await ledger.bring_back(forgotten)
    text = "I love ramen, with pork"
    told = food("ramen", description="with pork")
    assert (await ledger.say(text, ts="1.0", content=told)).changes


async def test_a_message_that_is_being_formed_can_be_forgotten(ledger: Ledger) -> None:
    """A run of a message that the application's texts name as forgotten stores nothing."""
    store = await ledger.run("I love ramen", ts="1.0")
    content = food("ramen", evidence="I love ramen")
    await store.aput(OWN.parts, "new", {"kind": "UserFoodPreference", "content": content})

    async def delete_texts(*_: object) -> list[tuple[str, str]]:
        return [("D1", "1.0")]

    everything = Selection(everything=True)
    await forget(ledger.pool, ALICE, everything, delete_texts=delete_texts)
    formed = await store.commit()
    assert (formed.changes, len(formed.refused)) == ((), 1)
    assert ledger.printed("store") == {"store": []}


async def test_a_memory_is_not_moved_beside_one_about_the_same(ledger: Ledger) -> None:
    """Where the thing is known, it is not moved there; a correction can be made public.

    What is said and written later changes the correction, not the memory that it hides.
    """
    wide = await ledger.change("I love ramen", ts="1.0", content=food("ramen", 90), seen=WIDE)
    narrow = await ledger.change("Ramen is so-so", ts="2.0", content=food("Ramen", 50))
    before = ledger.printed()
    with pytest.raises(ChangedSince):
        await ledger.move(wide.key, DM)
    assert ledger.printed() == before
    await ledger.move(narrow.key, PUBLIC)
    [memory] = (await recall_memories(ledger.pool, ledger.embedder, WIDE, "?")).memories
    assert memory.content["preference"] == 50
    ledger.fill(WIDE.own, 60)
    said = await ledger.change("Ramen: 5", ts="3.0", content=food("ramen", 5), seen=WIDE)
    given = (WIDE.own, "UserFoodPreference", food("ramen", 9), COMMAND)
    written = await add_memory(ledger.pool, ledger.embedder, *given)
    assert said.key == written.key == narrow.key


async def test_a_deleted_message_leaves_what_a_memory_has_of_the_one_it_supersedes(
    ledger: Ledger,
) -> None:
    """What is rebuilt begins with what the wider memory says now; its own changes stay."""
    wide = await ledger.change("I love ramen", ts="1.0", content=food("ramen", 90), seen=WIDE)
    pork = food("ramen", 90, description="pork")
    await ledger.change("I love pork in it", ts="1.5", content=pork, key=wide.key, seen=WIDE)
    pork["preference"] = 50
    narrow = await ledger.change("Ramen is so-so", ts="2.0", content=pork)
    spicy = {**pork, "cuisine": "spicy"}
    await ledger.change("I eat ramen spicy", ts="3.0", content=spicy, key=narrow.key)
    for ts, changed, level in (("1.5", 2, 50), ("2.0", 1, 90), ("1.0", 2, None)):
        pool, embedder = ledger.pool, ledger.embedder
        changes = await source_changed(pool, embedder, ALICE, "D1", ts, None)
        assert len(changes) == changed
        [memory] = (await recall_memories(pool, embedder, memory_view(OWN), "?")).memories
        assert (memory.key, memory.content) == (narrow.key, food("ramen", level, cuisine="spicy"))


async def test_the_first_and_the_newest_sources_are_kept(ledger: Ledger) -> None:
    """Of many messages that say it a version has twenty; what a dropped one told stays."""
    liked = await ledger.like("ramen", ts="0.0")
    pork = food("ramen", description="with pork")
    for n in range(1, 24):
        await ledger.change(f"I love ramen {n}", ts=f"{n}.0", content=pork, key=liked.key)
    await source_changed(ledger.pool, ledger.embedder, ALICE, "D1", "9.0", None)
    [memory] = await list_memories(ledger.pool, ALICE)
    kept = [0, *(n for n in range(5, 24) if n != 9)]
    assert [ts for _, ts in memory.source_messages] == [f"{n}.0" for n in kept]
    assert memory.content == pork


async def test_an_edit_of_what_has_changed_since_is_refused(ledger: Ledger) -> None:
    """The person sees what the memory says now, and edits that."""
    liked = await ledger.like("ramen")
    before = ledger.printed()
    with pytest.raises(ChangedSince):
        await ledger.edit(liked.key, food("ramen", 5), seen=datetime.now(UTC))
    assert ledger.printed() == before


async def ask_to_replace(ledger: Ledger, key: str, *messages: str) -> None:
    """Leave a question whether the memory may be replaced."""
    [row] = ledger.rows("SELECT value FROM store WHERE key = %s", key)
    new = {**row["value"], "content": food("udon", 70)}
    new["sources"] = [*new["sources"], {"kind": "message", "channel": "D1", "ts": "7.0"}]
    ledger.rows(
        "INSERT INTO memory_questions (id, team_id, user_id, kind, audience, key, before, after,"
        " messages, batch, expires_at)"
        " VALUES (%s, 'T1', 'U1', 'replace', 'dm', %s, %s, %s, %s, gen_random_uuid(), %s)",
        uuid4(),
        key,
        Jsonb(row["value"]),
        Jsonb(new),
        Jsonb([{"channel": "D1", "ts": ts} for ts in messages or ("7.0",)]),
        datetime.now(UTC) + timedelta(days=1),
    )


@pytest.mark.parametrize("answer", ["yes", "no", "both"])
async def test_a_replacement_is_the_persons_to_decide(ledger: Ledger, answer: Any) -> None:
    """Yes replaces, no keeps the old, both keeps two memories; then the question is gone."""
    liked = await ledger.like("ramen")
    await ask_to_replace(ledger, liked.key)
    [question] = await open_questions(ledger.pool, ALICE)
    changes = await ledger.answer(question, answer)
    names = {m.content["food_name"]: m for m in await list_memories(ledger.pool, ALICE)}
    assert set(names) == {"yes": {"udon"}, "no": {"ramen"}, "both": {"ramen", "udon"}}[answer]
    assert len(changes) == (answer != "no")
    if "udon" in names:
        places = [ts for _, ts in names["udon"].source_messages]
        assert places == (["1.0", "7.0"] if answer == "yes" else ["7.0"])
    with pytest.raises(ChangeGone):
        await ledger.answer(question, answer)


async def test_both_are_kept_where_there_is_room_for_a_memory(ledger: Ledger) -> None:
    """With as many memories as a person has, nothing is stored, and the question stays open."""
    await ask_to_replace(ledger, (await ledger.like("ramen")).key)
    questions = await open_questions(ledger.pool, ALICE)
    ledger.fill(OWN, MAX_MEMORIES - 1)
    with pytest.raises(MemoryFull):
        await ledger.answer(questions[0], "both")
    assert await open_questions(ledger.pool, ALICE) == questions


async def changed_privately(ledger: Ledger) -> FormationResult:
    """Remember something publicly; change it in a direct message."""
    await ledger.say("I love soba", ts="1.0", content=food("soba", 40), seen=WIDE)
    return await ledger.say("I love soba a lot", ts="2.0", content=food("soba", 95))


async def test_a_change_made_privately_can_be_applied_to_the_public_memory(ledger: Ledger) -> None:
    """A yes changes the wider memory and removes the narrower; one Undo, neither."""
    formed = await changed_privately(ledger)
    [change] = formed.changes
    assert change.action == "updated"
    [question] = formed.questions
    assert (question.asks, question.namespace.audience) == ("widen", PUBLIC)
    assert question.batch == change.batch
    listed = await list_memories(ledger.pool, ALICE)
    assert [m.content["preference"] for m in listed] == [95, 40]
    before = ledger.printed(*ROWS)
    done = await ledger.answer(question, "yes")
    assert [(one.namespace.audience, one.action) for one in done] == [
        (DM, "removed"),
        (PUBLIC, "updated"),
    ]
    left = await list_memories(ledger.pool, ALICE)
    assert [(m.namespace.audience, m.content["preference"]) for m in left] == [(PUBLIC, 95)]
    assert {one.id for one in await list_changes(ledger.pool, ALICE, batch=change.batch)} == {
        change.id,
        *(one.id for one in done),
    }
    ids = [one.id for one in done]
    await undo_changes(ledger.pool, ledger.embedder, ALICE, ids=ids)
    assert ledger.printed(*ROWS) == before


async def test_a_wider_memory_is_removed_by_a_yes(ledger: Ledger) -> None:
    """What is taken back in a narrower audience stays as it is, and the person is asked."""
    other = await ledger.change("I love udon", ts="0.5", content=food("udon"), seen=WIDE)
    [narrow] = (await changed_privately(ledger)).changes
    store = await ledger.run("I hate soba and udon", ts="3.0")
    await store.adelete(OWN.parts, narrow.key)
    await store.adelete(other.namespace.parts, other.key)
    formed = await store.commit()
    assert [(one.key, one.action) for one in formed.changes] == [(narrow.key, "removed")]
    left = {memory.key for memory in await list_memories(ledger.pool, ALICE)}
    assert {one.key for one in formed.questions} == left
    assert other.key in left
    assert {one.asks for one in formed.questions} == {"remove"}


@pytest.mark.parametrize("shares", ["memory", "message", "subject", "private version"])
async def test_forgetting_deletes_a_question_that_quotes(ledger: Ledger, shares: str) -> None:
    """A question goes with the memory it is about, and with another memory that it quotes."""
    form, text = {"kind": "modal"}, "I love soba and duck" if shares == "message" else "I love soba"
    seen = WIDE if shares == "private version" else None
    asked = await ledger.change(text, ts="1.0", content=food("soba"), seen=seen)
    match shares:
        case "memory":  # without a message
            given = (OWN, "UserFoodPreference", food("duck"), form)
            gone = asked = await add_memory(ledger.pool, ledger.embedder, *given)
        case "private version":
            duck = food("soba", 95, description="duck")
            gone = await ledger.change("I love soba with duck", ts="2.0", content=duck)
        case _:
            ts = "1.0" if shares == "message" else "3.0"
            gone = await ledger.change("I love soba and duck", ts=ts, content=food("duck"))
    if shares != "private version":
        store = await ledger.run("Of soba: like duck", ts="2.0")
        written = {**(asked.after or {})["content"], "preference": 60}
        await edit_memory(ledger.pool, ledger.embedder, ALICE, asked.key, written, form)
        if shares == "subject":
            await ledger.propose(store, asked, "Of soba: like duck", description="like duck")
        else:
            await store.adelete(asked.namespace.parts, asked.key)
        await store.commit()
    assert len(await open_questions(ledger.pool, ALICE)) == 1
    await ledger.forget(gone.key)
    await ledger.purge()
    assert "duck" not in str(ledger.printed())


async def test_a_question_whether_to_remember_goes_with_the_memory_it_would_supersede(
    ledger: Ledger,
) -> None:
    """Forgetting deletes the question whose yes would store the memory's words again."""
    content = food("soba", 40, description="with duck")
    wide = await ledger.change("I love soba with duck", ts="1.0", content=content, seen=WIDE)
    store = await ledger.run("I love soba a lot", ts="2.0")
    edited = {**content, "preference": 50}
    await ledger.edit(wide.key, edited)
    await ledger.propose(store, wide, "I love soba a lot", preference=95)
    [question] = (await store.commit()).questions
    assert question.asks == "store"
    await ledger.is_forgotten(wide.key, "duck")


@pytest.mark.parametrize("asks", ["replace", "remove", "widen", "store"])
async def test_a_deleted_message_takes_the_questions_that_it_led_to(
    ledger: Ledger, asks: str
) -> None:
    """A question of any kind goes with a message that led to it, and with no other."""
    match asks:
        case "widen":
            await changed_privately(ledger)
        case _:
            await meanwhile_edited(ledger, asks)
    [question] = await open_questions(ledger.pool, ALICE)
    said = [("D1", "2.0")]
    assert (question.asks, [question.message]) == (asks, said)
    async with person_transaction(ledger.pool, ALICE) as connection:
        assert await sources_among(connection, ALICE, said) == said
    await source_changed(ledger.pool, ledger.embedder, ALICE, "D1", "3.0", None)
    assert len(ledger.rows("SELECT id FROM memory_questions")) == 1
    await source_changed(ledger.pool, ledger.embedder, ALICE, "D1", "2.0", None)
    assert ledger.rows("SELECT id FROM memory_questions") == []
    async with person_transaction(ledger.pool, ALICE) as connection:
        assert await sources_among(connection, ALICE, said) == []


async def meanwhile_edited(ledger: Ledger, asks: str) -> None:
    """Leave a question about a memory of message 1.0, edited while message 2.0 was formed."""
    seen = WIDE if asks == "store" else None
    liked = await ledger.change("I love soba", ts="1.0", content=food("soba"), seen=seen)
    store = await ledger.run("Of soba: so so", ts="2.0")
    await ledger.edit(liked.key, food("soba", 60))
    if asks == "remove":
        await store.adelete(liked.namespace.parts, liked.key)
    else:
        await ledger.propose(store, liked, "Of soba: so so", preference=50)
    await store.commit()


async def test_the_same_under_an_earlier_key_is_forgotten_too(ledger: Ledger) -> None:
    """Forgetting takes the versions of the same thing before it was remembered again."""
    first = await ledger.like("ramen")
    await ledger.say("I hate ramen", ts="2.0", content=None, key=first.key)
    again = await ledger.like("ramen", ts="3.0")
    assert again.key != first.key
    await ledger.is_forgotten(again.key, "ramen")


@pytest.mark.parametrize("removed", [True, False])
async def test_what_supersedes_a_memory_is_forgotten_with_it(ledger: Ledger, removed: bool) -> None:
    """It began as a copy of the wider memory, and has its words under whatever subject."""
    content = food("soba", 40, description="with duck")
    wide = await ledger.change("I love soba with duck", ts="1.0", content=content, seen=WIDE)
    udon = {**content, "food_name": "udon"}
    narrow = await ledger.change("I mean udon", ts="2.0", content=udon, key=wide.key)
    assert narrow.key != wide.key
    if removed:
        await ledger.change("I hate udon", ts="3.0", content=None, key=narrow.key)
    await ledger.is_forgotten(wide.key, "duck")
    assert await list_memories(ledger.pool, ALICE) == []


async def test_an_expired_memory_is_hidden_then_deleted(ledger: Ledger, pool: Pool) -> None:
    """What is due is shown nowhere, then truly deleted, and no version keeps text of it."""
    later = datetime.now(UTC) + timedelta(hours=1)
    ended, stays = await ledger.like("ramen"), await ledger.like("soba", ts="2.0")
    for change in (ended, stays):
        set_end(ledger, change, later)
    assert len(await list_memories(pool, ALICE)) == 2
    assert await expire_due(pool) == []
    set_end(ledger, ended, datetime.now(UTC) - timedelta(seconds=1))
    assert [m.key for m in await list_memories(pool, ALICE)] == [stays.key]
    recalled = await recall_memories(pool, ledger.embedder, memory_view(OWN), "?")
    assert [m.key for m in recalled.memories] == [stays.key]
    with pytest.raises(ChangeGone):
        await ledger.edit(ended.key, food("ramen"))
    assert await expire_due(pool) == [ended.key]
    assert "ramen" not in str(ledger.printed())
    assert {one.key for one in await list_changes(pool, ALICE)} == {stays.key}
    assert await ledger.undo(ended.id) == []
    assert await expire_due(pool) == []


def set_end(ledger: Ledger, change: Change, end: datetime) -> None:
    """Let a memory end at a moment."""
    for table in ("store", "memory_versions"):
        ledger.rows(
            f"UPDATE {table} SET expires_at = %s WHERE key = %s RETURNING 1", end, change.key
        )
