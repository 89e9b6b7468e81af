"""What was forgotten, and who was erased, since a dump by pg_dump does not come back with it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from bot.memories.data import erase_person
from bot.ui.acts import Forget
from memory import DM, Origin, Person, Selection, forget
from memory.postgres.embedded import find_binaries
from tests.databases import login_of, naming, owner_rows
from tests.integration.app import App
from tests.kioku_process import Ended, ended
from tests.memories import add_memory

# As docs/how-to/backup.md says.
WITHOUT = ("procrastinate_*", "interactions", "listening", "forgotten")


def run(program: str, *options: str) -> None:
    """Run one of PostgreSQL's own programs; it has to succeed."""
    done = subprocess.run(
        [find_binaries() / program, *options], stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


async def kioku(folder: Path, owner: str, *command: str) -> Ended:
    """Run an operator's command on a database."""
    settings = {
        "DATABASE_URL": login_of(owner),
        "DATABASE_OWNER_URL": owner,
        "KIOKU_EMBEDDING_MODEL": "kioku-stand-in-embedding",
    }
    return await asyncio.to_thread(ended, folder, *command, **settings)


@pytest.mark.slow
async def test_what_was_forgotten_since_a_dump_does_not_come_back(
    app: App, empty_database: str, tmp_path: Path
) -> None:
    """A memory, the texts that name it, and an erased person; what was undone or kept is there.

    Of a memory that two messages say, one of which was forgotten, what the other one says.

    Kept is also what somebody told who was erased before the dump, and that memory was off. Nothing
    that was said after a snapshot, which has more tables, is read from Slack.
    """
    ann, bob, cid = app.slack.place(), app.slack.place(), app.slack.place()
    [row] = owner_rows(app.database, "SELECT now()::text AS at")
    await app.form(await app.ask(cid, "I love sushi"))
    await erase_person(app.pool, app.person(cid))
    await app.form(await app.ask(cid, "I love tempura"))
    dan, given = Person(app.slack.team_id, "U0DAN-T0HOME"), Origin(actor="command", evidence="x")
    fact = (dan.namespace("C0SHARED"), "UserFact", {"fact": "lives in Oslo"}, given)
    oslo = await add_memory(app.pool, app.embedder, *fact)
    go = (app.person(ann).namespace(DM), "UserFact", {"fact": "plays go"})
    for number, sentence in enumerate(["I play go on Fridays", "I play go with Mia"]):
        said = Origin(actor="formation", evidence=sentence, channel="D1", ts=f"170000000{number}.1")
        await add_memory(app.pool, app.embedder, *go, said)
    for place in (ann, bob):
        await app.form(await app.ask(place, "I love ramen and I live in Osaka"))
        await app.form(await app.ask(place, "I love tempura"))
        await app.ask(place, "What shall I eat?")
    who = app.person(ann)
    kept = await app.memories(who)
    keys = {str(one.content.get("food_name")): one for one in kept}
    kept += await app.memories(app.person(cid))
    dump, lines = tmp_path / "kioku.dump", tmp_path / "forgotten.tsv"
    without = [f"--exclude-table-data={table}" for table in WITHOUT]
    waiting = await app.receive(ann, "What else?")
    await app.off(bob)
    run("pg_dump", "--format=custom", f"--file={dump}", *without, app.database)
    await forget(app.pool, dan, Selection(keys=[oslo.key]))
    await forget(app.pool, who, Selection(messages=[("D1", "1700000000.1")]))
    await app.click(who, Forget(keys=(keys["ramen"].key,)))
    back = await app.click(who, Forget(keys=(keys["tempura"].key,)))
    await app.click(who, back.undo)
    await erase_person(app.pool, app.person(bob))

    printed = await kioku(tmp_path, app.database, "forgotten", "--since", row["at"])
    assert printed.code == 0, printed.err
    assert f"{who.team_id}\t{who.user_id}\tkey\t{keys['ramen'].key}" in printed.out.splitlines()
    assert f"{who.team_id}\t{bob.user}\terased\t" in printed.out
    assert keys["tempura"].key not in printed.out
    not_owner = await kioku(tmp_path, login_of(app.database), "forgotten", "--since", row["at"])
    assert (not_owner.code, not_owner.out) == (1, "")
    assert not_owner.err.endswith(
        "write the owner's address into DATABASE_OWNER_URL, and run the command again.\n"
    )
    run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={empty_database}", str(dump))
    assert (await kioku(tmp_path, empty_database, "migrate")).code == 0
    assert {"store", "messages", "statements"} <= naming(empty_database, "ramen").keys()
    for row_of_snapshot in (
        "INSERT INTO listening (team_id, heard_at) VALUES ('T1', now() - interval '1 hour')",
        "INSERT INTO conversations (team_id, channel_id, audience, shared)"
        " VALUES ('T1', 'C1', 'public', false)",
    ):
        owner_rows(empty_database, row_of_snapshot)

    bad = f"{printed.out}{who.team_id}\t{who.user_id}\tkey\n"
    lines.write_text(bad)
    refused = await kioku(tmp_path, empty_database, "forget-again", str(lines))
    number = len(printed.out.splitlines()) + 1
    assert refused.err == f"kioku: {lines}, line {number}, is not a line of `kioku forgotten`.\n"
    assert bob.user in str(owner_rows(empty_database, "SELECT prefix FROM store"))

    lines.write_text(f"{printed.out}{who.team_id}\t{who.user_id}\tkey\t'); DROP TABLE store; --\n")
    statement: LiteralString = "SELECT status, message FROM messages WHERE ts = %s"
    for _ in range(2):
        done = await kioku(tmp_path, empty_database, "forget-again", str(lines))
        assert done.code == 0, done.err
        [row] = owner_rows(empty_database, statement, waiting.ts)
        assert row == {"status": "skipped", "message": None}
    for word in ("ramen", "Oslo", "Fridays"):
        assert naming(empty_database, word) == {}
    assert naming(empty_database, "Mia").keys() == {"statements", "store"}
    assert owner_rows(empty_database, "SELECT team_id FROM listening") == []
    kinds = "SELECT audience, shared FROM conversations WHERE channel_id = 'C1'"
    assert owner_rows(empty_database, kinds) == [{"audience": "C1", "shared": True}]
    # The job publishes an empty Home when the app starts.
    naming_bob = {"forgotten_sources", "procrastinate_jobs", "memory_off", "person_settings"}
    off: LiteralString = "SELECT scope FROM memory_off WHERE user_id = %s"
    assert owner_rows(empty_database, off, bob.user) == [{"scope": ""}]
    assert naming(empty_database, bob.user).keys() <= naming_bob
    left = owner_rows(empty_database, "SELECT key FROM store ORDER BY key")
    assert [one["key"] for one in left] == sorted(one.key for one in kept if one != keys["ramen"])
    assert naming(empty_database, "tempura").keys() >= {"store"}
    with psycopg.connect(login_of(empty_database)) as login:
        assert login.execute("SELECT current_user").fetchone() == ("kioku_login",)
