"""Taking memories along and bringing them back, on the real PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.locale import LANGUAGES, Language, say
from memory import (
    DM,
    PUBLIC,
    Embedder,
    EmbeddingsUnavailable,
    NotAnExport,
    Person,
    Pool,
    add_memory,
    edit_memory,
    erase,
    export_memories,
    forget,
    history,
    import_memories,
    list_memories,
    move_memory,
    plan_import,
    undo_change,
)
from memory.store.import_plan import Fate
from tests.conftest import Server, printed

ALICE = Person("T1", "U1")
BOB = Person("T1", "U12")
TABLES = ("store", "store_vectors", "memory_expiries")
SOURCE = {
    "kind": "message",
    "channel": "D1",
    "ts": "1700000000.000100",
    "permalink": "https://acme.slack.com/archives/D1/p1700000000000100",
    "evidence": "I love ramen",
}


class Shelf:
    """Alice's memories, and documents of them."""

    def __init__(self, pool: Pool, embedder: Embedder, database: str) -> None:
        self.pool, self.embedder, self.database = pool, embedder, database

    async def fill(self) -> None:
        """Remember a few things of each kind, for several audiences, with changes."""
        own = ALICE.namespace(DM)
        ramen = await self.add(own, "UserFoodPreference", food_name="ramen", preference=80)
        await self.add(
            ALICE.namespace("C0PRIVATE"), "UserFact", fact="プロジェクトの鍵は金庫にある"
        )
        await self.add(own, "UserTechInterest", topic="pgvector", interest_level=70)
        await edit_memory(
            self.pool,
            self.embedder,
            ALICE,
            ramen,
            {"food_name": "miso ramen", "preference": 95},
            SOURCE | {"ts": "1700000001.000100"},
        )
        moved = await self.add(own, "UserFact", fact="I live in Osaka")
        await move_memory(self.pool, self.embedder, ALICE, moved, PUBLIC)

    async def add(self, namespace: Any, kind: str, **content: Any) -> str:
        change = await add_memory(self.pool, self.embedder, namespace, kind, content, SOURCE)
        return change.reference

    def printed(self) -> list[str]:
        """Return `store` and the vectors as PostgreSQL prints them; a vector's own dates apart."""
        found = printed(self.database, *TABLES, vector_dates=False)
        return [row for table in TABLES for row in found[table]]

    async def document(self, **changes: Any) -> str:
        """Return the export of Alice's memories, with some keys changed."""
        kept = await export_memories(self.pool, ALICE)
        return json.dumps({**kept, **changes}, ensure_ascii=False)

    async def take(self, text: str, person: Person = ALICE) -> list[str]:
        """Import; returns what was done, in order."""
        done = await import_memories(self.pool, self.embedder, person, text)
        return [change.action for change in done.changes]


@pytest.fixture
def shelf(pool: Pool, embedder: Embedder, database: str) -> Shelf:
    """Nothing is remembered yet."""
    return Shelf(pool, embedder, database)


async def test_export_erase_import_is_the_identity(shelf: Shelf) -> None:
    """The same rows come back: keys, bytes, dates, vectors; a second import changes nothing."""
    await shelf.fill()
    before, document = shelf.printed(), await shelf.document()
    await erase(shelf.pool, ALICE)
    assert shelf.printed() == []
    assert set(await shelf.take(document)) == {"remembered"}
    assert shelf.printed() == before
    assert await shelf.take(document) == []
    assert shelf.printed() == before
    assert json.loads(await shelf.document())["memories"] == json.loads(document)["memories"]


async def test_what_an_import_would_do_is_shown_first(shelf: Shelf) -> None:
    """The plan names what is added, updated and unchanged, and nothing is written by it."""
    await shelf.fill()
    document = json.loads(await shelf.document())
    newest = document["memories"][-1]
    newest["content"] = {**newest["content"], "fact": "I live in Kyoto"}
    newest["updated_at"] = datetime.now(UTC).isoformat()
    document["memories"].append(
        {"audience": "dm", "key": "k-1", "kind": "UserFact", "content": {"fact": "I have a cat"}}
    )
    before = shelf.printed()
    plan = await plan_import(shelf.pool, shelf.embedder, ALICE, json.dumps(document))
    assert [one.memory.value["content"]["fact"] for one in plan.of("added")] == ["I have a cat"]
    assert [one.memory.key for one in plan.of("updated")] == [newest["key"]]
    assert len(plan.of("unchanged")) == 3
    assert shelf.printed() == before
    assert sorted(await shelf.take(json.dumps(document))) == ["remembered", "updated"]


async def test_an_import_can_be_undone_and_is_in_the_history(shelf: Shelf) -> None:
    """Each memory that an import changed goes back by the ledger."""
    ramen = await shelf.add(ALICE.namespace(DM), "UserFoodPreference", food_name="ramen")
    before = shelf.printed()
    document = json.loads(await shelf.document())
    document["memories"][0]["content"]["preference"] = 10
    document["memories"][0]["updated_at"] = datetime.now(UTC).isoformat()
    await shelf.take(json.dumps(document))
    [newest, *_] = await history(shelf.pool, ALICE, reference=ramen)
    assert (newest.action, newest.actor) == ("updated", "import")
    await undo_change(shelf.pool, shelf.embedder, ALICE, newest.id)
    assert shelf.printed() == before


async def test_what_is_known_is_not_doubled(shelf: Shelf) -> None:
    """A memory of the same thing under another key stays one; the newer of two versions stays."""
    await shelf.add(ALICE.namespace(DM), "UserFoodPreference", food_name="ramen", preference=80)
    document = json.loads(await shelf.document())
    [entry] = document["memories"]
    other = {**entry, "key": "other-key"}
    assert await shelf.take(json.dumps({**document, "memories": [other]})) == []
    older = {**entry, "updated_at": "2020-01-01T00:00:00+00:00", "content": {"food_name": "udon"}}
    assert await shelf.take(json.dumps({**document, "memories": [older]})) == []
    twice = {**entry, "key": "a-1", "content": {"food_name": "soba"}}
    again = {**twice, "key": "a-2"}
    assert await shelf.take(json.dumps({**document, "memories": [twice, again]})) == ["remembered"]
    assert len(await list_memories(shelf.pool, ALICE)) == 2


async def test_a_document_reaches_nobody_else(shelf: Shelf) -> None:
    """Whatever it says of people and places, it is written to the importer's own memories."""
    await shelf.fill()
    document = json.loads(await shelf.document())
    document["person"] = {"team": "T1", "user": "U1"}
    for entry in document["memories"]:
        entry["prefix"] = f"chat.T1.U1.{entry['audience']}"
    before = {row for row in shelf.printed() if "T1.U1." in row}
    await shelf.take(json.dumps(document), BOB)
    assert {row for row in shelf.printed() if "T1.U1." in row} == before
    assert len(await list_memories(shelf.pool, BOB)) == len(await list_memories(shelf.pool, ALICE))


def nested(levels: int) -> Any:
    """Return a JSON value of objects within each other."""
    return {"x": nested(levels - 1)} if levels else "x"


SECRET = "my key is sk-proj-abcdefghijklmnop123456"
BAD: dict[str, Any] = {
    "no object": "ramen",
    "another's namespace": {"audience": "dm.U2"},
    "no audience": {"audience": None},
    "a key with dots": {"key": "a.b/c"},
    "a kind nobody knows": {"kind": "UserPassword"},
    "a field nobody knows": {"content": {"fact": "x y z", "prefix": "chat"}},
    "no content": {"content": None},
    "a secret": {"content": {"fact": SECRET}},
    "a secret that hides a memory": {
        "kind": "UserFoodPreference",
        "content": {"food_name": SECRET, "preference": 0},
        "supersedes": [{"audience": "public", "key": "k-3"}],
    },
    "a date that is none": {"created_at": "yesterday"},
    "content nested too deep": {"content": nested(600)},
    "sources nested too deep": {"sources": [{"kind": "message", "evidence": nested(600)}]},
    "what has ended": {"expires_at": "2020-01-01T00:00:00+00:00"},
}


@pytest.mark.parametrize("case", BAD)
async def test_what_cannot_be_taken_is_counted(shelf: Shelf, case: str) -> None:
    """An entry that is not one is refused and told, and the good one beside it comes in."""
    good = {"audience": "dm", "key": "k-1", "kind": "UserFact", "content": {"fact": "I have a cat"}}
    bad = BAD[case]
    entry = {**good, "key": "k-2", **bad} if isinstance(bad, dict) else bad
    document = json.dumps({"format": "kioku-export", "version": 1, "memories": [entry, good]})
    plan = await plan_import(shelf.pool, shelf.embedder, ALICE, document)
    assert sum(plan.refused.values()) == 1
    assert await shelf.take(document) == ["remembered"]
    [memory] = await list_memories(shelf.pool, ALICE)
    assert memory.content["fact"] == "I have a cat"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"format": "other", "version": 1, "memories": []}',
        '{"format": "kioku-export", "version": 99, "memories": []}',
        '{"format": "kioku-export", "version": 1}',
        "[" * 100_000,
        "{" * 100_000,
    ],
)
async def test_what_is_no_export(shelf: Shelf, text: str) -> None:
    """One sentence says what was wrong and what to do, and nothing is stored."""
    if text.startswith("["):  # a line like any other, and too long for a memory
        assert (await plan_import(shelf.pool, shelf.embedder, ALICE, text)).planned
        return
    with pytest.raises(NotAnExport, match=r"^[A-Z].*: .*\.$"):
        await shelf.take(text)
    assert shelf.printed() == []


async def test_links_and_sources_are_not_taken_on_trust(shelf: Shelf) -> None:
    """A source keeps what ours have; a link leads to Slack or goes."""
    entry = {
        "audience": "dm",
        "key": "k-1",
        "kind": "UserFact",
        "content": {"fact": "I have a cat"},
        "sources": [
            {**SOURCE, "permalink": "https://evil.example/slack.com/archives/", "html": "<b>"},
            {**SOURCE, "kind": "oracle"},
            {**SOURCE, "kind": ["message"]},
            SOURCE,
            "no source",
        ],
        "updated_at": (datetime.now(UTC) + timedelta(days=400)).isoformat(),
    }
    await shelf.take(json.dumps({"format": "kioku-export", "version": 1, "memories": [entry]}))
    [memory] = await list_memories(shelf.pool, ALICE)
    assert [dict(source) for source in memory.sources] == [{**SOURCE, "permalink": None}, SOURCE]
    assert memory.updated_at <= datetime.now(UTC)


async def test_dates_are_stored_with_their_offset(shelf: Shelf) -> None:
    """A date without a time zone is UTC, also where SQL reads it; a future one becomes now."""
    soon = (datetime.now(UTC) + timedelta(days=9)).replace(microsecond=0)
    entry = {
        "audience": "dm",
        "kind": "UserFact",
        "key": "k-1",
        "content": {"fact": "I have a cat"},
        "confirmed_at": soon.isoformat(),
        "expires_at": soon.replace(tzinfo=None).isoformat(),
    }
    said = {"key": "k-2", "content": {"fact": "I have a dog"}, "confirmed_at": "2026-01-02T03:04"}
    abroad = {"expires_at": f"{soon.replace(tzinfo=None).isoformat()}+09:00"}
    await shelf.take(
        json.dumps(
            {
                "format": "kioku-export",
                "version": 1,
                "memories": [entry, {**entry, **said, **abroad}],
            }
        )
    )
    dog, cat = sorted(await list_memories(shelf.pool, ALICE), key=lambda m: m.key, reverse=True)
    assert cat.confirmed_at is not None
    assert cat.confirmed_at <= datetime.now(UTC)
    assert cat.value["expires_at"] == soon.isoformat()
    assert dog.value["confirmed_at"] == "2026-01-02T03:04:00+00:00"
    assert dog.value["expires_at"] == abroad["expires_at"]


PASTED = """\
Here is what I remember about you:

```
## Preferences
- [2025-03-01] - Prefers concise answers
* Has a dog named Momo
1. 京都に住んでいる
・甘いものが苦手
- my password is hunter2hunter2
```
"""


async def test_what_another_assistant_prints(shelf: Shelf) -> None:
    """Each line is one memory, for direct messages only; marks, dates and secrets are left out."""
    plan = await plan_import(shelf.pool, shelf.embedder, ALICE, PASTED)
    facts = [one.memory.value["content"]["fact"] for one in plan.of("added")]
    assert facts == [
        "Prefers concise answers",
        "Has a dog named Momo",
        "京都に住んでいる",
        "甘いものが苦手",
    ]
    assert plan.refused == {"secret": 1}
    await shelf.take(PASTED)
    assert await shelf.take(PASTED) == []
    assert {m.namespace.audience for m in await list_memories(shelf.pool, ALICE)} == {DM}


KNOWN = "My dog Momo is a brown poodle from Kyoto"


@pytest.mark.parametrize(
    ("line", "fate"),
    [
        ("my dog momo is a brown poodle from Kyoto!", "unchanged"),
        ("My dog, Momo, is a brown poodle and from Kyoto", "similar"),
        ("My cat Momo is a brown Persian from Osaka", "added"),
        ("My dog Momo is a brown poodle from Kyoto 12", "added"),
        ("I like sushi", "added"),
    ],
)
async def test_a_line_that_is_known_in_other_words(shelf: Shelf, line: str, fate: Fate) -> None:
    """What a stored memory says, in any audience, is left out and counted; numbers must agree."""
    audience = DM if fate == "unchanged" else PUBLIC
    stored = await shelf.add(ALICE.namespace(audience), "UserFact", fact=KNOWN)
    await shelf.add(BOB.namespace(DM), "UserFact", fact="I like sushi")
    plan = await plan_import(shelf.pool, shelf.embedder, ALICE, line)
    [one] = plan.planned
    assert one.fate == fate
    assert (one.now.reference if one.now else None) == (None if fate == "added" else stored)
    assert plan.shown == ([one] if fate != "unchanged" else [])
    assert plan.changes == ([one] if fate == "added" else [])
    done = await import_memories(shelf.pool, shelf.embedder, ALICE, line)
    assert (len(done.changes), done.known) == ((1, 0) if fate == "added" else (0, 1))


async def test_an_export_is_not_compared(shelf: Shelf) -> None:
    """Memories that were distinct where an export was made are distinct here."""
    document = await shelf.document(
        memories=[
            {"audience": "dm", "key": "k-1", "kind": "UserFact", "content": {"fact": f"{KNOWN}."}}
        ]
    )
    await shelf.add(ALICE.namespace(DM), "UserFact", fact=f"{KNOWN} now")
    assert await shelf.take(document) == ["remembered"]


async def test_without_embeddings_lines_are_only_compared_as_texts(
    shelf: Shelf, stand_in: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A preview needs no embedding model, and a warning is logged; nothing is imported."""
    await shelf.add(ALICE.namespace(DM), "UserFact", fact=KNOWN)
    stand_in.call("/_model/faults", {"endpoint": "embeddings", "status": 500, "times": -1})
    plan = await plan_import(shelf.pool, shelf.embedder, ALICE, f"- {KNOWN}\n- I like soba")
    assert [one.fate for one in plan.planned] == ["unchanged", "added"]
    assert not plan.compared
    assert "lines of an import were not compared: EmbeddingsUnavailable" in caplog.messages
    with pytest.raises(EmbeddingsUnavailable):
        await shelf.take("- I like soba")
    stand_in.call("/_model/faults", method="DELETE")


ANSWERS: dict[Language, str] = {
    "en": """\
Here's everything I have saved about you:

```text
- I live in Kyoto with my dog Momo
- I work as a nurse, mostly night shifts
- My favourite food is soba, I don't like natto
- My password is hunter2hunter2
```

Let me know if you'd like me to update any of these!""",
    "ja": """\
以下が、あなたについて覚えていることです。

```
- 私は京都に犬のモモと住んでいます
- 私は看護師で、夜勤が多いです
- 私の好きな食べ物はそばで、納豆は苦手です
```

ほかにもあればお知らせください。""",
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_answer_to_the_prompt_is_imported(shelf: Shelf, language: Language) -> None:
    """What the form's prompt asks for is one memory a line, without the words around it."""
    prompt = say(language, "import_prompt")
    assert ("code block" if language == "en" else "コードブロック") in prompt
    assert await shelf.take(ANSWERS[language]) == ["remembered"] * 3
    facts = {memory.content["fact"] for memory in await list_memories(shelf.pool, ALICE)}
    assert all(f"- {fact}" in ANSWERS[language] for fact in facts)
    assert not any("hunter2" in fact for fact in facts)


async def test_an_export_holds_all_of_it_and_nothing_of_others(shelf: Shelf) -> None:
    """Memories of every audience, the ledger, and where something was said that was forgotten."""
    await shelf.fill()
    await add_memory(
        shelf.pool, shelf.embedder, BOB.namespace(DM), "UserFact", {"fact": "Bob's own"}, SOURCE
    )
    pgvector = next(
        m for m in await list_memories(shelf.pool, ALICE) if m.content.get("topic") == "pgvector"
    )
    await forget(shelf.pool, ALICE, [pgvector.reference])
    kept = await export_memories(shelf.pool, ALICE)
    assert {entry["audience"] for entry in kept["memories"]} == {DM, PUBLIC, "C0PRIVATE"}
    assert {entry["action"] for entry in kept["changes"]} == {"remembered", "updated", "moved"}
    assert [entry["ts"] for entry in kept["forgotten"]] == [SOURCE["ts"]]
    told = json.dumps(kept, ensure_ascii=False)
    assert "pgvector" not in told
    assert "Bob's own" not in told
    assert "U12" not in told
