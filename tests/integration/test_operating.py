"""`kioku export` and `kioku erase`, and how long things are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.queue.queue import Queue
from bot.runtime.maintenance import end_what_is_old
from memory import (
    DM,
    Embedder,
    Person,
    PersonMessage,
    Pool,
    list_changes,
    list_memories,
    undo_changes,
)
from tests.databases import owner_rows
from tests.kioku_process import ended
from tests.memories import add_memory

ANN = Person("T1", "U1")
SOURCE = PersonMessage(actor="command", text="soba", channel="D1", ts="1.0")
WHO = ("--team", "T1", "--user", "U1")


async def remember(pool: Pool, embedder: Embedder, person: Person, food: str) -> None:
    """Remember that the person likes it."""
    content = {"food_name": food, "preference": 80}
    await add_memory(
        pool, embedder, person.namespace(DM), "UserFoodPreference", content, SOURCE
    )


async def test_an_operator_exports_and_erases(
    pool: Pool, embedder: Embedder, database: str, tmp_path: Path
) -> None:
    """A document, then a receipt with counts and without content. Memory that is off stays off."""
    await remember(pool, embedder, ANN, "soba")
    settings = "INSERT INTO person_settings (team_id, user_id, notices) VALUES ('T1', 'U1', false)"
    owner_rows(database, settings)
    owner_rows(
        database,
        "INSERT INTO memory_off (team_id, user_id, scope) VALUES ('T1', 'U1', '')",
    )
    done = ended(tmp_path, "export", *WHO, DATABASE_URL=database)
    assert (done.code, done.err) == (0, "")
    [memory] = json.loads(done.out)["memories"]
    assert memory["content"]["food_name"] == "soba"

    erased = ended(tmp_path, "erase", *WHO, "--yes", DATABASE_URL=database)
    assert (erased.code, erased.err) == (0, "")
    assert "store                      1 erased       0 left" in erased.out
    assert "Answers to other people stay" in erased.out
    kept, off = [line for line in erased.out.splitlines() if line.startswith("Kept: ")]
    assert kept.startswith("Kept: 1 message reference(s) (channel and time)")
    assert off == "Kept: 1 place(s) where memory is off, so that it stays off."
    assert owner_rows(database, "SELECT scope FROM memory_off") == [{"scope": ""}]
    assert owner_rows(database, "SELECT notices FROM person_settings") == []
    assert await list_memories(pool, ANN) == []
    assert "soba" not in erased.out


def test_an_unknown_person_is_not_exported_or_erased(
    database: str, tmp_path: Path
) -> None:
    """One sentence says so, the exit code is 1, and there is no document and no receipt."""
    who = ("--team", "T1", "--user", "U404")
    for command in (("export", *who), ("erase", *who, "--yes")):
        done = ended(tmp_path, *command, DATABASE_URL=database)
        sentence = "kioku: Nothing is stored about U404 in T1: check both ids.\n"
        assert (done.code, done.out, done.err) == (1, "", sentence)


def test_a_command_beside_no_database_makes_none(tmp_path: Path) -> None:
    """In another folder than that of `kioku up` it says so, and leaves nothing there."""
    done = ended(tmp_path, "export", "--team", "T1", "--user", "U1")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        f"kioku: There is no database in {tmp_path / '.kioku'}: run this"
    )
    assert list(tmp_path.iterdir()) == []


async def test_nobody_is_erased_by_mistake(
    pool: Pool, embedder: Embedder, database: str, tmp_path: Path
) -> None:
    """Without the id typed again nothing goes, and what is no id is told in one sentence."""
    await remember(pool, embedder, ANN, "soba")
    done = ended(tmp_path, "erase", *WHO, DATABASE_URL=database)
    assert done.code == 1
    assert "Nothing was erased" in done.err
    assert "Traceback" not in done.err
    wrong = ended(
        tmp_path, "erase", "--team", "t1", "--user", "%", "--yes", DATABASE_URL=database
    )
    assert wrong.code == 1
    assert (
        wrong.err
        == "kioku: The team id is not of capital letters and digits; nothing was read.\n"
    )
    assert len(await list_memories(pool, ANN)) == 1


@pytest.mark.parametrize(
    ("own", "installation", "kept"),
    [
        (None, None, ["fresh", "old"]),
        (None, 30, ["fresh"]),
        (400, 30, ["fresh"]),
        (30, 400, ["fresh"]),
        (30, None, ["fresh"]),
        (400, None, ["fresh", "old"]),
    ],
)
async def test_what_is_old_goes(
    pool: Pool,
    embedder: Embedder,
    database: str,
    own: int | None,
    installation: int | None,
    kept: list[str],
) -> None:
    """The shorter of the person's choice and the installation's decides; nobody else's counts."""
    bob = Person("T1", "U2")
    for person in (ANN, bob):
        await remember(pool, embedder, person, "old")
        owner_rows(
            database,
            "INSERT INTO messages (id, team_id, user_id, channel_id, thread, audience, ts,"
            " question, words, status, begun_at, ended_at) VALUES (gen_random_uuid(), 'T1', %s,"
            " 'D1', 'T1.D1.1', 'dm', %s, 'q', '', 'answered', now() - interval '90 days', now())",
            person.user_id,
            f"1.{person.user_id}",
        )
    owner_rows(database, "UPDATE statements SET said_at = now() - interval '90 days'")
    for person in (ANN, bob):
        await remember(pool, embedder, person, "fresh")
    owner_rows(
        database,
        "INSERT INTO person_settings (team_id, user_id, retention_days) VALUES ('T1', 'U1', %s)",
        own,
    )
    await end_what_is_old(pool, Queue(pool), installation)
    left = [m.content["food_name"] for m in await list_memories(pool, ANN)]
    assert left == kept
    turns = owner_rows(database, "SELECT user_id FROM messages ORDER BY 1")
    assert ("U1" in {row["user_id"] for row in turns}) == ("old" in kept)
    bobs = [m.content["food_name"] for m in await list_memories(pool, bob)]
    assert bobs == (["fresh"] if installation == 30 else ["fresh", "old"])
    told = owner_rows(database, "SELECT content FROM statements WHERE user_id = 'U1'")
    assert ("old" in str(told)) == ("old" in kept)


async def test_retention_covers_people_of_whom_only_changes_are_left(
    pool: Pool, database: str, embedder: Embedder
) -> None:
    """What was undone goes in time, though no memory and no turn is left."""
    await remember(pool, embedder, ANN, "undone")
    [change] = await list_changes(pool, ANN)
    await undo_changes(pool, embedder, ANN, ids=[change.id])
    for days, left in ((29, 1), (31, 0)):
        moment = f"now() - interval '{days} days'"
        owner_rows(
            database,
            f"UPDATE statements SET said_at = {moment}, withdrawn_at = {moment}",
        )
        await end_what_is_old(pool, Queue(pool), 30)
        assert len(owner_rows(database, "SELECT id FROM statements")) == left
