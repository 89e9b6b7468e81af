"""The ledger, direct changes, questions, sources and ends, on the real PostgreSQL."""

from __future__ import annotations

import asyncio
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
    MemoryView,
    Namespace,
    Person,
    PersonMessage,
    Pool,
    Question,
    add_memory,
    answer_question,
    edit_memory,
    expire_due,
    forget,
    history,
    is_source,
    list_memories,
    memory_view,
    move_memory,
    open_questions,
    person_transaction,
    recall_memories,
    source_deleted,
    source_edited,
    undo_change,
    undo_changes,
    undo_forget,
)
from memory.formation.evidence import TypedMessage
from memory.formation.questions import QuestionAnswer
from memory.formation.user_store import UserStore
from memory.model.schemas import UserFact, UserFoodPreference
from memory.store.forgetting import Forgotten
from tests.conftest import owner_rows, printed
from tests.integration.scripted_model import ScriptedModel

ALICE = Person("T1", "U1")
BOB = Person("T1", "U12")
OWN = ALICE.namespace(DM)
WIDE = memory_view(ALICE.namespace(PUBLIC))
TABLES = ("store", "store_vectors", "memory_changes", "memory_questions", "memory_expiries")
COMMAND = {"kind": "command", "channel": "D1", "ts": "900.1", "permalink": None, "evidence": ""}


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

    async def run(self, text: str, ts: str, seen: MemoryView | None = None) -> UserStore:
        """Let a run begin that reads one message."""
        said = [TypedMessage(PersonMessage(text=text, channel="D1", ts=ts))]
        return await UserStore.load(
            self.pool,
            self.embedder,
            seen or memory_view(OWN),
            said,
            schemas=[UserFoodPreference, UserFact],
        )

    async def propose(self, store: UserStore, change: Change, evidence: str, **fields: Any) -> None:
        """Let a model write other fields of a memory in a run that has begun."""
        content = {**(change.after or {}), **fields, "evidence": evidence}
        await store.aput(
            change.namespace.parts, change.key, {"kind": change.kind, "content": content}
        )
        await store.judge(None)

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
        await store.judge(None)
        return await store.commit(at=datetime.now(UTC))

    async def change(self, text: str, **more: Any) -> Change:
        """Let a model write as in `say`; return the one change."""
        [change] = (await self.say(text, **more)).changes
        return change

    async def like(self, name: str, *, ts: str = "1.0", level: int = 80) -> Change:
        """Remember a food of which the person says that they love it."""
        return await self.change(f"I love {name}", ts=ts, content=food(name, level))

    async def undo(self, change_id: UUID) -> None:
        """Take a change back."""
        await undo_change(self.pool, self.embedder, ALICE, change_id)

    async def edit(self, reference: str, content: dict[str, Any], **more: Any) -> Change:
        """Let the person edit a memory by a command."""
        return await edit_memory(
            self.pool, self.embedder, ALICE, reference, content, COMMAND, **more
        )

    async def move(self, reference: str, audience: str) -> Change:
        """Let the person move a memory."""
        return await move_memory(self.pool, self.embedder, ALICE, reference, audience)

    async def add(self, kind: str, content: dict[str, Any], namespace: Namespace = OWN) -> Change:
        """Let a person add a memory by a command."""
        return await add_memory(self.pool, self.embedder, namespace, kind, content, COMMAND)

    async def answer(self, question: Question, answer: QuestionAnswer) -> list[Change]:
        """Let the person answer a question."""
        return await answer_question(self.pool, self.embedder, ALICE, question.id, answer)

    async def bring_back(self, forgotten: Forgotten) -> None:
        """Take a forgetting back."""
        assert forgotten.undo is not None
        await undo_forget(self.pool, ALICE, forgotten.undo)

    async def is_forgotten(self, reference: str, word: str) -> list[str]:
        """Forget a memory: no table has the word any more, and Undo brings back every byte.

        Returns the references of what was forgotten.
        """
        before = self.printed()
        forgotten = await forget(self.pool, ALICE, [reference])
        assert word not in str(self.printed())
        await self.bring_back(forgotten)
        assert self.printed() == before
        return [memory.reference for memory in forgotten.memories]


@pytest.fixture
def ledger(pool: Pool, model_embedder: Embedder, database: str) -> Ledger:
    """Where Alice's memories are changed."""
    return Ledger(pool, model_embedder, database)


def food(name: str, level: int | None = 80, **more: Any) -> dict[str, Any]:
    """Return a food's content as its schema has it."""
    return {"food_name": name, "cuisine": None, "preference": level, "description": None} | more


async def test_every_writer_enters_what_it_did(ledger: Ledger) -> None:
    """Formation, edits, moves and undo each leave one entry, newest first, with whole values."""
    liked = await ledger.like("soba")
    again = (await ledger.say("I love soba", ts="2.0", content=food("soba"), key=liked.key)).changes
    edited = await ledger.edit(liked.reference, food("soba", 90))
    moved = await ledger.move(liked.reference, PUBLIC)
    await ledger.undo(moved.id)
    gone = (await ledger.say("I hate soba", ts="3.0", content=None, key=liked.key)).changes
    entries = await history(ledger.pool, ALICE)
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
    assert await history(ledger.pool, ALICE, limit=1) == entries[:1]
    assert await history(ledger.pool, ALICE, before=entries[1].at) == [*entries[2:]]
    assert await history(ledger.pool, ALICE, reference=liked.reference) == entries
    assert await history(ledger.pool, ALICE, reference="dm/other") == []
    assert await history(ledger.pool, BOB) == []


@pytest.mark.parametrize("what", ["remember", "update", "confirm", "remove", "edit", "move"])
async def test_undo_restores_the_exact_bytes(ledger: Ledger, what: str) -> None:
    """After any change, undo leaves rows, dates and vectors byte for byte as before."""
    liked = await ledger.like("ramen")
    before = ledger.printed("store", "store_vectors", "memory_expiries")
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
            change = await ledger.edit(liked.reference, content)
        case _:
            change = await ledger.move(liked.reference, PUBLIC)
    assert ledger.printed("store", "store_vectors", "memory_expiries") != before
    entry = await undo_change(ledger.pool, ledger.embedder, ALICE, change.id)
    assert ledger.printed("store", "store_vectors", "memory_expiries") == before
    assert (entry.actor, entry.before is None, entry.after is None) == (
        "undo",
        change.after is None,
        what == "remember",
    )
    with pytest.raises(ChangeGone):
        await ledger.undo(change.id)
    await ledger.undo(entry.id)
    assert ledger.printed("store") != before


async def test_undo_needs_no_embedding(ledger: Ledger, model: ScriptedModel) -> None:
    """The vector comes from the ledger; only where a new model took it away it is made again."""
    liked = await ledger.like("ramen")
    change = await ledger.change("I hate ramen", ts="2.0", content=None, key=liked.key)
    vectors = ledger.printed("store_vectors")
    model.embeddings_status = 500
    await ledger.undo(change.id)
    model.embeddings_status = 200
    change = await ledger.change("I hate ramen", ts="3.0", content=None, key=liked.key)
    ledger.rows("UPDATE memory_changes SET vector = NULL")
    await ledger.undo(change.id)
    assert ledger.printed("store_vectors") != vectors


async def test_a_change_is_not_undone_over_a_newer_one(ledger: Ledger) -> None:
    """A change that is not the newest of its memory is not undone over the newer one."""
    liked = await ledger.like("ramen")
    await ledger.edit(liked.reference, food("ramen", 9))
    before = ledger.printed()
    with pytest.raises(ChangedSince):
        await ledger.undo(liked.id)
    assert ledger.printed() == before
    newest, older = await history(ledger.pool, ALICE)
    assert (newest.changed_since, older.changed_since) == (False, True)
    await ledger.undo(newest.id)
    assert not (await history(ledger.pool, ALICE))[2].changed_since


async def test_another_persons_change_cannot_be_undone(ledger: Ledger) -> None:
    """A change is undone by its person only."""
    liked = await ledger.like("ramen")
    with pytest.raises(ChangeGone):
        await undo_change(ledger.pool, ledger.embedder, BOB, liked.id)
    with pytest.raises(ChangeGone):
        await ledger.undo(uuid4())


async def test_forgetting_takes_the_ledger_along(ledger: Ledger) -> None:
    """Forgotten means no trace in ledger and questions, and Undo brings back every byte."""
    liked = await ledger.like("ramen")
    other = await ledger.like("soba", ts="5.0")
    await ledger.edit(liked.reference, food("ramen", 9))
    await ask_to_replace(ledger, liked.key)
    await ledger.is_forgotten(liked.reference, "ramen")
    assert len(ledger.printed()["memory_questions"]) == 1
    await forget(ledger.pool, ALICE, [liked.reference])
    assert [e.key for e in await history(ledger.pool, ALICE)] == [other.key]
    assert await open_questions(ledger.pool, ALICE) == []
    with pytest.raises(ChangeGone):
        await ledger.undo(liked.id)


async def test_what_the_ledger_alone_knows_can_be_forgotten(ledger: Ledger) -> None:
    """The entries of a memory that was removed go when it is forgotten, and come back."""
    liked = await ledger.like("ramen")
    await ledger.say("I hate ramen", ts="2.0", content=None, key=liked.key)
    before = ledger.printed()
    forgotten = await forget(ledger.pool, ALICE, [liked.reference])
    assert forgotten.memories == ()
    assert ledger.printed("memory_changes") == {"memory_changes": []}
    receipts = ledger.rows("SELECT ts FROM forgotten_sources ORDER BY ts")
    assert [r["ts"] for r in receipts] == ["1.0"]
    await ledger.bring_back(forgotten)
    assert ledger.printed() == before


async def test_a_message_whose_memory_was_forgotten_is_not_formed_again(ledger: Ledger) -> None:
    """A message delivered again brings nothing back, until the forgetting is undone."""
    await ledger.like("ramen")
    forgotten = await forget(ledger.pool, ALICE, None)
    again = await ledger.say("I love ramen", ts="1.0", content=food("ramen"))
    assert (again.changes, [one.reason for one in again.refused]) == ((), ["deleted_meanwhile"])
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
    await store.judge(None)

    async def blank_texts(*_: object) -> list[dict[str, Any]]:
        return [{"text": "I love ramen", "places": [["D1", "1.0"]]}]

    await forget(ledger.pool, ALICE, None, blank_texts=blank_texts)
    formed = await store.commit(at=datetime.now(UTC))
    assert (formed.changes, len(formed.refused)) == ((), 1)
    assert ledger.printed("store") == {"store": []}


async def test_adding_a_known_memory_updates_it(ledger: Ledger) -> None:
    """Adding the same thing again updates the one memory; other kinds stay apart."""
    liked = await ledger.like("Ramen")
    added = await ledger.add("UserFoodPreference", {"food_name": "ramen", "description": "miso"})
    assert (added.key, added.action) == (liked.key, "updated")
    assert added.after == food("ramen", description="miso")
    other = await ledger.add("UserFact", {"fact": "ramen"})
    assert other.action == "remembered"
    assert len(await list_memories(ledger.pool, ALICE)) == 2


async def test_moving_a_memory_changes_only_its_audience(ledger: Ledger) -> None:
    """A moved memory keeps key, value, dates and vector, and is seen where it is now.

    A reference from before the move is followed to it.
    """
    liked = await ledger.like("ramen")
    before = ledger.rows("SELECT key, value::text, created_at, updated_at FROM store")
    assert not (await recall_memories(ledger.pool, ledger.embedder, WIDE, "?")).memories
    moved = await ledger.move(liked.reference, PUBLIC)
    assert moved.reference == f"public/{liked.key}"
    [entry, _] = await history(ledger.pool, ALICE)
    assert entry.moved_from == OWN
    assert ledger.rows("SELECT key, value::text, created_at, updated_at FROM store") == before
    assert len((await recall_memories(ledger.pool, ledger.embedder, WIDE, "?")).memories) == 1
    assert len(ledger.printed("store_vectors")["store_vectors"]) == 1
    for reference in (moved.reference, liked.reference):
        with pytest.raises(ChangedSince):
            await ledger.move(reference, PUBLIC)
    narrowed = await ledger.move(liked.reference, "C1")
    assert narrowed.reference == f"C1/{liked.key}"
    edited = await ledger.edit(moved.reference, food("soba"))
    assert edited.reference == narrowed.reference


async def test_a_memory_is_not_moved_beside_one_about_the_same(ledger: Ledger) -> None:
    """Where the thing is known, it is not moved there; a correction can be made public."""
    wide = await ledger.change("I love ramen", ts="1.0", content=food("ramen", 90), seen=WIDE)
    narrow = await ledger.change("Ramen is so-so", ts="2.0", content=food("Ramen", 50))
    before = ledger.printed()
    with pytest.raises(ChangedSince):
        await ledger.move(wide.reference, DM)
    assert ledger.printed() == before
    await ledger.move(narrow.reference, PUBLIC)
    [memory] = (await recall_memories(ledger.pool, ledger.embedder, WIDE, "?")).memories
    assert memory.content["preference"] == 50


async def test_what_is_superseded_stays_so_where_it_is_moved(ledger: Ledger) -> None:
    """A superseded memory that is moved is not current again; each change can still be undone."""
    mine = memory_view(OWN)
    wide = await ledger.change("I love ramen", ts="1.0", content=food("ramen", 90), seen=WIDE)
    narrow = await ledger.change("Ramen is so-so", ts="2.0", content=food("ramen", 50))
    before = ledger.printed("store", "store_vectors")
    moved = await ledger.move(wide.reference, "C1")
    [current] = (await recall_memories(ledger.pool, ledger.embedder, mine, "?")).memories
    assert (current.key, current.supersedes) == (narrow.key, (("C1", wide.key),))
    await ledger.undo(moved.id)
    assert ledger.printed("store", "store_vectors") == before
    await ledger.move(wide.reference, "C1")
    await ledger.undo(narrow.id)
    [current] = (await recall_memories(ledger.pool, ledger.embedder, mine, "?")).memories
    assert current.reference == f"C1/{wide.key}"


async def test_an_edit_and_a_run_at_the_same_moment(ledger: Ledger) -> None:
    """What the person edits during a run stays; what the run found is stored or asked."""
    liked = await ledger.like("ramen")
    [shown] = await list_memories(ledger.pool, ALICE)
    store = await ledger.run("I love ramen with miso", ts="2.0")
    await ledger.propose(store, liked, "I love ramen with miso", description="with miso")
    formed, _ = await asyncio.gather(
        store.commit(at=datetime.now(UTC)),
        ledger.edit(liked.reference, food("ramen", 95), seen=shown.updated_at),
    )
    [memory] = await list_memories(ledger.pool, ALICE)
    assert memory.content["preference"] == 95
    if formed.changes:  # the run was first: the edit left its field alone
        assert memory.content["description"] == "with miso"
        assert {ts for _, ts in memory.source_messages} == {"1.0", "2.0", "900.1"}
    else:  # the edit was first: what the verdict was about is another version now
        [question] = formed.questions
        assert question.after is not None
        assert question.after["content"]["description"] == "with miso"
    with pytest.raises(ChangedSince):
        await ledger.edit(liked.reference, food("ramen", 5), seen=datetime.now(UTC))


async def ask_to_replace(ledger: Ledger, key: str, *messages: str) -> None:
    """Leave a question whether the memory may be replaced; earlier versions stored no messages."""
    [row] = ledger.rows("SELECT value FROM store WHERE key = %s", key)
    new = {**row["value"], "content": food("udon", 70)}
    new["sources"] = [*new["sources"], {"kind": "message", "channel": "D1", "ts": "7.0"}]
    ledger.rows(
        "INSERT INTO memory_questions (id, team_id, user_id, kind, audience, key, before, after,"
        " messages, expires_at) VALUES (%s, 'T1', 'U1', 'replace', 'dm', %s, %s, %s, %s, %s)",
        uuid4(),
        key,
        Jsonb(row["value"]),
        Jsonb(new),
        Jsonb([{"channel": "D1", "ts": ts} for ts in messages]) if messages else None,
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


async def test_a_question_about_what_changed_since(ledger: Ledger) -> None:
    """A question about what a memory no longer says is shown only if the change is undone.

    A yes to it changes nothing, and ends it.
    """
    liked = await ledger.like("ramen")
    await ask_to_replace(ledger, liked.key)
    change = await ledger.edit(liked.reference, food("ramen", 9))
    assert await open_questions(ledger.pool, ALICE) == []
    await ledger.undo(change.id)
    [question] = await open_questions(ledger.pool, ALICE)
    await ledger.edit(liked.reference, food("ramen", 9))
    for error in (ChangedSince, ChangeGone):
        with pytest.raises(error):
            await ledger.answer(question, "yes")


async def changed_privately(ledger: Ledger, *, ends: bool) -> FormationResult:
    """Remember something publicly; change it, or end it, in a direct message."""
    await ledger.say("I love soba", ts="1.0", content=food("soba", 40), seen=WIDE)
    text = "I hate soba" if ends else "I love soba a lot"
    return await ledger.say(text, ts="2.0", content=food("soba", 0 if ends else 95))


@pytest.mark.parametrize("ends", [False, True])
async def test_a_change_made_privately_can_be_applied_to_the_public_memory(
    ledger: Ledger, ends: bool
) -> None:
    """A yes changes, or removes, the wider memory and removes the narrower; one Undo, neither."""
    formed = await changed_privately(ledger, ends=ends)
    [change] = formed.changes
    assert change.action == ("removed" if ends else "updated")
    [question] = formed.questions
    assert (question.asks, question.namespace.audience) == ("widen", PUBLIC)
    assert (question.after is None) == ends
    listed = await list_memories(ledger.pool, ALICE)
    assert [m.content["preference"] for m in listed] == ([40] if ends else [95, 40])
    before = ledger.printed("store", "store_vectors")
    done = await ledger.answer(question, "yes")
    assert [(one.namespace.audience, one.action) for one in done] == [
        (DM, "removed"),
        (PUBLIC, "removed" if ends else "updated"),
    ]
    left = await list_memories(ledger.pool, ALICE)
    assert [(m.namespace.audience, m.content["preference"]) for m in left] == (
        [] if ends else [(PUBLIC, 95)]
    )
    assert len(ledger.printed("store")["store"]) == len(left)
    await undo_changes(ledger.pool, ledger.embedder, ALICE, [one.id for one in done])
    assert ledger.printed("store", "store_vectors") == before


@pytest.mark.parametrize("ends", [False, True])
async def test_a_private_memory_that_changed_since_is_not_applied_to_the_public_one(
    ledger: Ledger, ends: bool
) -> None:
    """A yes to a question that quotes what the private memory no longer says changes nothing."""
    formed = await changed_privately(ledger, ends=ends)
    [change], [question] = formed.changes, formed.questions
    await ledger.edit(change.reference, food("soba", 60))
    before = ledger.printed("store", "store_vectors", "memory_changes")
    with pytest.raises(ChangedSince):
        await ledger.answer(question, "yes")
    assert ledger.printed("store", "store_vectors", "memory_changes") == before
    assert await open_questions(ledger.pool, ALICE) == []


async def test_forgetting_a_private_memory_deletes_the_question_that_quotes_it(
    ledger: Ledger,
) -> None:
    """The question that quotes a forgotten private memory goes, and returns with Undo."""
    await ledger.say("I love soba", ts="1.0", content=food("soba", 40), seen=WIDE)
    text = "I love soba with duck"
    change = await ledger.change(text, ts="2.0", content=food("soba", 95, description="with duck"))
    assert len(await open_questions(ledger.pool, ALICE)) == 1
    await ledger.is_forgotten(change.reference, "duck")


async def test_a_question_whether_to_remember_goes_with_the_memory_it_would_supersede(
    ledger: Ledger,
) -> None:
    """Forgetting or expiry deletes the question whose yes would store the memory's words again."""
    content = food("soba", 40, description="with duck")
    wide = await ledger.change("I love soba with duck", ts="1.0", content=content, seen=WIDE)
    store = await ledger.run("I love soba a lot", ts="2.0")
    edited = {**content, "preference": 50}
    await ledger.edit(wide.reference, edited)
    await ledger.propose(store, wide, "I love soba a lot", preference=95)
    [question] = (await store.commit(at=datetime.now(UTC))).questions
    assert question.asks == "store"
    await ledger.is_forgotten(wide.reference, "duck")
    await set_end(ledger, wide, (datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    await expire_due(ledger.pool)
    assert "duck" not in str(ledger.printed())


async def test_forgetting_a_public_memory_deletes_the_row_that_hid_it_privately(
    ledger: Ledger,
) -> None:
    """Forgetting a public memory leaves no row behind that hid it in private."""
    await ledger.say("I love soba", ts="1.0", content=food("soba", 40), seen=WIDE)
    await ledger.say("I hate soba", ts="2.0", content=food("soba", 0))
    [memory] = await list_memories(ledger.pool, ALICE)
    assert not (await recall_memories(ledger.pool, ledger.embedder, memory_view(OWN), "?")).memories
    assert await ledger.is_forgotten(memory.reference, "soba") == [memory.reference]


async def test_a_deleted_message_takes_what_it_alone_said(ledger: Ledger) -> None:
    """A memory goes with its last source, and returns to what the other sources support."""
    liked = await ledger.like("ramen")
    alone = await ledger.like("soba", ts="2.0")
    await ledger.say("I love spicy ramen", ts="2.0", content=food("spicy ramen"), key=liked.key)
    await ledger.say(
        "Ramen is the best, I love ramen", ts="3.0", content=food("spicy ramen", 99), key=liked.key
    )
    changes = await source_deleted(ledger.pool, ledger.embedder, ALICE, "D1", "2.0")
    assert {(c.action, c.key) for c in changes} == {("updated", liked.key), ("removed", alone.key)}
    [memory] = await list_memories(ledger.pool, ALICE)
    assert memory.content == food("ramen", 99)
    assert [ts for _, ts in memory.source_messages] == ["1.0", "3.0"]
    assert await source_deleted(ledger.pool, ledger.embedder, ALICE, "D1", "2.0") == []
    assert await source_deleted(ledger.pool, ledger.embedder, BOB, "D1", "1.0") == []


@pytest.mark.parametrize("asks", ["replace", "remove", "widen", "store", "of an earlier version"])
async def test_a_deleted_message_takes_the_questions_that_it_led_to(
    ledger: Ledger, asks: str
) -> None:
    """A question of any kind goes with the message it was asked because of, and only with it."""
    match asks:
        case "of an earlier version":
            await ask_to_replace(ledger, (await ledger.like("ramen")).key)
        case "widen":
            await changed_privately(ledger, ends=True)
        case _:
            await meanwhile_edited(ledger, asks)
    [question] = await open_questions(ledger.pool, ALICE)
    ts = "7.0" if asks == "of an earlier version" else "2.0"
    assert question.asks == ("replace" if ts == "7.0" else asks)
    assert ("D1", ts) in question.messages
    async with person_transaction(ledger.pool, ALICE) as connection:
        assert await is_source(connection, ALICE, "D1", ts)
    if ts == "2.0":
        await source_deleted(ledger.pool, ledger.embedder, ALICE, "D1", "1.0")
        assert len(ledger.rows("SELECT id FROM memory_questions")) == 1
    await source_deleted(ledger.pool, ledger.embedder, ALICE, "D1", ts)
    assert ledger.rows("SELECT id FROM memory_questions") == []
    async with person_transaction(ledger.pool, ALICE) as connection:
        assert not await is_source(connection, ALICE, "D1", ts)


async def meanwhile_edited(ledger: Ledger, asks: str) -> None:
    """Leave a question about a memory of message 1.0, edited while message 2.0 was formed."""
    seen = WIDE if asks == "store" else None
    liked = await ledger.change("I love soba", ts="1.0", content=food("soba"), seen=seen)
    store = await ledger.run("Of soba: so so", ts="2.0")
    await ledger.edit(liked.reference, food("soba", 60))
    if asks == "remove":
        await store.adelete(liked.namespace.parts, liked.key)
        await store.judge(None)
    else:
        await ledger.propose(store, liked, "Of soba: so so", preference=50)
    await store.commit(at=datetime.now(UTC))


@pytest.mark.parametrize("answer", ["yes", "no", "both"])
async def test_what_was_to_replace_a_memory_outlives_its_message(
    ledger: Ledger, answer: Any
) -> None:
    """Where the old memory goes with its message, the question is whether to remember the new."""
    liked = await ledger.like("ramen")
    await ask_to_replace(ledger, liked.key, "7.0")
    [asked] = await open_questions(ledger.pool, ALICE)
    await source_deleted(ledger.pool, ledger.embedder, ALICE, "D1", "1.0")
    [question] = await open_questions(ledger.pool, ALICE)
    assert (question.id, question.asks, question.before["content"]) == (asked.id, "store", {})
    assert "ramen" not in str(ledger.rows("SELECT before, after FROM memory_questions"))
    await ledger.answer(question, answer)
    stored = await list_memories(ledger.pool, ALICE)
    assert [m.content["food_name"] for m in stored] == ([] if answer == "no" else ["udon"])
    assert all(m.source_messages == [("D1", "7.0")] for m in stored)


async def test_the_same_under_an_earlier_key_is_forgotten_too(ledger: Ledger) -> None:
    """Forgetting takes what the ledger says of the same thing before it was remembered again."""
    first = await ledger.like("ramen")
    await ledger.say("I hate ramen", ts="2.0", content=None, key=first.key)
    [removal, _] = await history(ledger.pool, ALICE)
    again = await ledger.like("ramen", ts="3.0")
    assert again.key != first.key
    with pytest.raises(ChangedSince):
        await ledger.undo(removal.id)
    assert not removal.changed_since
    assert {one.id: one.changed_since for one in await history(ledger.pool, ALICE)} == {
        again.id: False,
        removal.id: True,
        first.id: True,
    }
    await ledger.is_forgotten(again.reference, "ramen")


async def test_every_entry_under_an_earlier_key_is_compared(ledger: Ledger) -> None:
    """Forgetting takes what an earlier key said last, and not only what it said first."""
    first = await ledger.like("ramen")
    await ledger.say("I love udon", ts="2.0", content=food("udon"), key=first.key)
    await ledger.say("I hate udon", ts="3.0", content=None, key=first.key)
    again = await ledger.like("udon", ts="4.0")
    assert again.key != first.key
    await forget(ledger.pool, ALICE, [again.reference])
    assert "udon" not in str(ledger.printed())


async def test_what_a_deleted_message_narrowed_is_again_as_in_the_public_memory(
    ledger: Ledger,
) -> None:
    """Without the message that superseded a public memory, its fields are those of that memory."""
    wide = food("ramen", 90, cuisine="Japanese")
    await ledger.say("I love ramen", ts="1.0", content=wide, seen=WIDE)
    less = {**wide, "preference": 50}
    narrow = await ledger.change("Ramen is so-so", ts="2.0", content=less)
    detailed = {**less, "description": "no pork"}
    await ledger.say("Ramen without pork", ts="3.0", content=detailed, key=narrow.key)
    await source_deleted(ledger.pool, ledger.embedder, ALICE, "D1", "2.0")
    [memory] = [m for m in await list_memories(ledger.pool, ALICE) if m.namespace == OWN]
    assert memory.content == {**wide, "description": "no pork"}


async def test_an_edited_message_keeps_what_it_still_says(ledger: Ledger) -> None:
    """Of an edited message only what it no longer says is taken out."""
    liked = await ledger.like("ramen")
    await ledger.like("soba")
    words = PersonMessage(text="I love ramen. And green tea.", channel="D1", ts="1.0")
    changes = await source_edited(ledger.pool, ledger.embedder, ALICE, words)
    assert [(c.action, c.actor) for c in await history(ledger.pool, ALICE, limit=1)] == [
        ("removed", "source")
    ]
    assert len(changes) == 1
    assert [m.key for m in await list_memories(ledger.pool, ALICE)] == [liked.key]


async def test_an_expired_memory_is_hidden_then_deleted(ledger: Ledger, pool: Pool) -> None:
    """What is due is shown nowhere, then truly deleted, and the ledger keeps no text of it."""
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    ended, stays = await ledger.like("ramen"), await ledger.like("soba", ts="2.0")
    for change in (ended, stays):
        await set_end(ledger, change, later)
    assert len(await list_memories(pool, ALICE)) == 2
    assert await expire_due(pool) == []
    await set_end(ledger, ended, (datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    assert [m.key for m in await list_memories(pool, ALICE)] == [stays.key]
    recalled = await recall_memories(pool, ledger.embedder, memory_view(OWN), "?")
    assert [m.key for m in recalled.memories] == [stays.key]
    with pytest.raises(ChangeGone):
        await ledger.edit(ended.reference, food("ramen"))
    [change] = await expire_due(pool)
    assert (change.key, change.action, change.before) == (ended.key, "removed", food("ramen"))
    assert "ramen" not in str(ledger.printed())
    [newest, *_] = await history(pool, ALICE)
    assert (newest.key, newest.actor, newest.before) == (ended.key, "expiry", None)
    with pytest.raises(ChangeGone):
        await ledger.undo(newest.id)
    assert await expire_due(pool) == []


async def set_end(ledger: Ledger, change: Change, moment: str) -> None:
    """Let a memory end at a moment."""
    ledger.rows(
        "UPDATE store SET value = value || %s WHERE key = %s",
        Jsonb({"expires_at": moment}),
        change.key,
    )
    ledger.rows(
        "INSERT INTO memory_expiries VALUES (%s, %s, %s) ON CONFLICT (prefix, key)"
        " DO UPDATE SET expires_at = EXCLUDED.expires_at",
        change.namespace.prefix,
        change.key,
        moment,
    )


@pytest.mark.parametrize(("name", "keeps"), [("ramen", True), ("udon", False)])
async def test_another_subject_in_the_form_drops_the_end(
    ledger: Ledger, name: str, keeps: bool
) -> None:
    """The form has no field for the end: a detail keeps it, another subject drops it."""
    liked = await ledger.like("ramen")
    await set_end(ledger, liked, (datetime.now(UTC) + timedelta(hours=1)).isoformat())
    content = food(name, 80, description="hot")
    await ledger.edit(liked.reference, content)
    [memory] = await list_memories(ledger.pool, ALICE)
    assert memory.content == content
    assert (memory.expires_at is not None) == keeps
    assert len(ledger.rows("SELECT key FROM memory_expiries")) == keeps


async def test_unanswered_questions_go_in_time(ledger: Ledger) -> None:
    """The cleanup deletes the questions that have expired, and no other of the same person."""
    ramen, soba = await ledger.like("ramen"), await ledger.like("soba")
    for liked in (ramen, soba):
        await ask_to_replace(ledger, liked.key)
    await expire_due(ledger.pool)
    assert len(await open_questions(ledger.pool, ALICE)) == 2
    ledger.rows(
        "UPDATE memory_questions SET expires_at = now() - interval '1 second' WHERE key = %s",
        ramen.key,
    )
    assert len(await open_questions(ledger.pool, ALICE)) == 1
    await expire_due(ledger.pool)
    assert [row["key"] for row in ledger.rows("SELECT key FROM memory_questions")] == [soba.key]
