"""Pages of a person's memories are their list, page by page."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memory import Memory, Person, Pool, list_memories, subject
from memory.postgres import transaction_timeout
from memory.store import memory_page
from tests.databases import owner_rows
from tests.memories import put_memory

_numbers = itertools.count(1)


@pytest.fixture
def person() -> Person:
    """Somebody new."""
    return Person("TPAGES", f"U{next(_numbers)}")


def store(
    database: str, person: Person, *values: dict[str, Any], audience: str = "dm"
) -> None:
    """Store values as they are, the last the newest."""
    for value in values:
        number = next(_numbers)
        at = f"{datetime.now(UTC) + timedelta(seconds=number)}"
        put_memory(
            database, person.namespace(audience), value, key=f"key-{number:04}", at=at
        )


def food(name: str, **more: Any) -> dict[str, Any]:
    """Return a stored value."""
    return {"kind": "UserFoodPreference", "content": {"food_name": name}, **more}


def fact(text: str, **more: Any) -> dict[str, Any]:
    """Return a stored value."""
    return {"kind": "UserFact", "content": {"fact": text}, **more}


async def test_pages_are_the_list(pool: Pool, database: str, person: Person) -> None:
    """Grouped by kind, the newest group first; what is over is left out."""
    store(
        database,
        person,
        fact("one"),
        food("ramen"),
        fact("ended"),
        fact("to come"),
        food("okra"),
        food("udon"),
    )
    store(database, person, food("soba"), audience="public")
    for text, end in (("ended", "2020-01-01"), ("to come", "2090-01-01")):
        statement = (
            "UPDATE store SET expires_at = %s"
            " WHERE value->'content'->>'fact' = %s RETURNING 1"
        )
        owner_rows(database, statement, end, text)
    store(database, Person(person.team_id, f"{person.user_id}9"), food("another's"))
    expected = await list_memories(pool, person)
    kinds = list(dict.fromkeys(one.kind for one in expected))
    ordered = [one for kind in kinds for one in expected if one.kind == kind]
    seen: list[Memory] = []
    for number in itertools.count(1):
        page = await memory_page(pool, person, size=3, page=number)
        if page.page != number:
            break
        seen += page.memories
    assert seen == ordered
    assert page.total == len(expected) == 6


async def test_what_is_over_is_found_by_its_words_alone(
    pool: Pool, database: str, person: Person
) -> None:
    """The list says who a person is, however many reminders they had."""
    wish = {"kind": "UserInstruction", "content": {"instruction": "Be brief"}}
    store(database, person, fact("one"), food("ramen"), wish)
    for what, state in (("done", "done"), ("later", "open"), ("gone", "dropped")):
        content = {"promise": what, "state": state}
        store(database, person, {"kind": "Promise", "content": content})
    page = await memory_page(pool, person, size=9)
    subjects = [subject(one.kind, one.content) for one in page.memories]
    assert subjects == ["later", "Be brief", "ramen", "one"]
    found = await memory_page(pool, person, "done", size=9)
    assert [subject(one.kind, one.content) for one in found.memories] == ["done"]


async def test_memories_of_the_same_second_stay_on_their_page(
    pool: Pool, database: str, person: Person
) -> None:
    """Each is on one page, in the order of the keys, also after a change moved its row."""
    at = "2026-11-01 12:00:00+00"
    keys = [f"key-{number:02}" for number in range(30)]
    for key in reversed(keys):
        put_memory(database, person.namespace("dm"), fact(key), key=key, at=at)
    for moved in ([], keys[5:9]):
        statement = (
            "UPDATE store SET updated_at = now() WHERE key = ANY(%s) RETURNING 1"
        )
        owner_rows(database, statement, moved)
        seen: list[str] = []
        for number in range(1, 6):
            page = await memory_page(pool, person, size=7, page=number)
            seen += [one.key for one in page.memories]
        assert seen == keys


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ramen", ["ramen with eggs"]),
        ("RAMEN Eggs", ["ramen with eggs"]),
        ("ram", ["ramen with eggs"]),
        ("men", []),
        ("ラーメン", ["味噌ラーメン"]),
        ("ﾗｰﾒﾝ", ["味噌ラーメン"]),
        ("C++", ["C++"]),
        ("C", []),
        ("4711", ["My ticket is #4711"]),
        ("#4711", ["My ticket is #4711"]),
        ("#", ["My ticket is #4711"]),
        ("ticket, eggs", []),
        ("“eggs”!", ["ramen with eggs"]),
        ("python", ["私はPythonが好き"]),
        ("🍜", ["🍜 forever"]),
        ("said", ["C++", "🍜 forever"]),
        ("!?", []),
        ("\u200b", []),
        ("Mia", ["My lead is @Mia Tanaka"]),
        ("@mia tanaka LEAD", ["My lead is @Mia Tanaka"]),
        ("anaka", []),
        ("佐藤さん", ["上司は@佐藤さん <"]),
        ("上司は@佐藤さん", ["上司は@佐藤さん <"]),
    ],
)
async def test_words_find_memories(
    pool: Pool, database: str, person: Person, words: str, found: list[str]
) -> None:
    """All words in a content, by their beginnings, else in its quotes; pages count them."""
    source = {"kind": "message", "evidence": "I said so"}
    texts = ["ramen with eggs", "味噌ラーメン", "C++", "私はPythonが好き", "🍜 forever"]
    texts += ["My lead is @Mia Tanaka", "上司は@佐藤さん <", "My ticket is #4711"]
    said = {"C++", "🍜 forever"}
    store(
        database,
        person,
        *(fact(t, sources=[source] if t in said else []) for t in texts),
    )
    page = await memory_page(pool, person, size=9, words=words)
    assert sorted(one.content["fact"] for one in page.memories) == sorted(found)
    assert page.total == len(found)


async def test_a_search_reads_each_memory_once_however_many_words_it_has(
    pool: Pool, database: str, person: Person
) -> None:
    """Thousands of words that each memory has are found within the time of a click."""
    words = " ".join(f"word{number}" for number in range(250))
    store(database, person, *[fact(f"{words} {number}") for number in range(20)])
    with transaction_timeout(2.0):
        found = await memory_page(pool, person, f"{words} " * 15, size=5)
    assert found.total == 20
