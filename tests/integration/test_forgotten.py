"""What was forgotten, and who was erased, since a dump by pg_dump does not come back with it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from bot.acts.kinds import Forget
from bot.data.person import erase_person
from memory import (
    DM,
    EmbeddedPostgres,
    Person,
    PersonMessage,
    Selection,
    create_pool,
    forget,
)
from memory.postgres import person_transaction
from memory.postgres.embedded import find_binaries
from tests.conftest import ROOT
from tests.databases import login_of, naming, owner_rows
from tests.integration.app import App
from tests.kioku_process import Ended, ended
from tests.memories import add_memory
from tests.waiting import until

# As docs/how-to/backup.md says.
WITHOUT = ("procrastinate_*", "interactions")


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


async def restore(folder: Path, dump: Path, owner: str) -> None:
    """Restore a dump into an empty database, and migrate it."""
    run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={owner}", str(dump))
    assert (await kioku(folder, owner, "migrate")).code == 0


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
    dan, given = (
        Person(app.slack.team_id, "U0DAN00000"),
        PersonMessage(actor="command", text="x"),
    )
    fact = (dan.namespace("C0PRIVATE"), "UserFact", {"fact": "lives in Oslo"}, given)
    oslo = await add_memory(app.pool, app.embedder, *fact)
    go = (app.person(ann).namespace(DM), "UserFact", {"fact": "plays go"})
    for number, sentence in enumerate(["I play go on Fridays", "I play go with Mia"]):
        said = PersonMessage(
            actor="formation",
            text=sentence,
            channel="D1",
            ts=f"170000000{number}.1",
        )
        await add_memory(app.pool, app.embedder, *go, said)
    for place in (ann, bob):
        await app.form(await app.ask(place, "I love ramen and I live in Osaka"))
        await app.form(await app.ask(place, "I love tempura"))
        await app.ask(place, "What shall I eat?")
    who = app.person(ann)
    kept = await app.memories(who)
    keys = {str(one.content.get("food_name")): one for one in kept}
    kept += await app.memories(app.person(cid))
    dump, lines = tmp_path / "kioku.dump", tmp_path / "forgotten.json"
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
    listed = json.loads(printed.out)
    [ramen] = [one for one in listed["forgotten"] if keys["ramen"].key in one["keys"]]
    assert (ramen["team_id"], ramen["user_id"]) == (who.team_id, who.user_id)
    erased = [one for one in listed["forgotten"] if one["what"] == "erasure"]
    assert {one["user_id"] for one in erased} == {bob.user, cid.user}
    assert keys["tempura"].key not in printed.out
    not_owner = await kioku(
        tmp_path, login_of(app.database), "forgotten", "--since", row["at"]
    )
    assert (not_owner.code, not_owner.out) == (1, "")
    assert not_owner.err.endswith(
        "write the owner's address into DATABASE_OWNER_URL, and run the command again.\n"
    )
    await restore(tmp_path, dump, empty_database)
    assert {"store", "messages", "statements"} <= naming(empty_database, "ramen").keys()
    for row_of_snapshot in (
        "UPDATE installation SET heard_at = now() - interval '1 hour', left_at = now()",
        "INSERT INTO conversations (team_id, channel_id, audience, shared)"
        " VALUES ('T1', 'C1', 'public', false)",
    ):
        owner_rows(empty_database, row_of_snapshot)

    def with_one_more(**changed: object) -> str:
        more = [*listed["forgotten"], {**ramen, **changed}]
        return json.dumps({**listed, "forgotten": more})

    for refused_text in (
        "",
        printed.out[:-3],
        with_one_more(user_id="U1.dm"),
        with_one_more(keys=["\0"]),
        with_one_more(keys=None),
    ):
        lines.write_text(refused_text)
        refused = await kioku(tmp_path, empty_database, "forget-again", str(lines))
        assert refused.err.startswith(f"kioku: {lines} is not the whole output")
    assert bob.user in str(owner_rows(empty_database, "SELECT prefix FROM store"))

    lines.write_text(with_one_more(keys=["'); DROP TABLE store; --"]))
    statement: LiteralString = "SELECT status, message FROM messages WHERE ts = %s"
    for _ in range(2):
        done = await kioku(tmp_path, empty_database, "forget-again", str(lines))
        assert done.code == 0, done.err
        [row] = owner_rows(empty_database, statement, waiting.ts)
        assert row == {"status": "skipped", "message": None}
    for word in ("ramen", "Oslo", "Fridays"):
        assert naming(empty_database, word) == {}
    assert naming(empty_database, "Mia").keys() == {"statements", "store"}
    found = owner_rows(empty_database, "SELECT heard_at, left_at FROM installation")
    assert found == [{"heard_at": None, "left_at": None}]
    kinds = "SELECT audience, shared FROM conversations WHERE channel_id = 'C1'"
    assert owner_rows(empty_database, kinds) == [{"audience": None, "shared": False}]
    # The job publishes an empty Home when the app starts.
    naming_bob = {
        "forgotten",
        "procrastinate_jobs",
        "memory_off",
        "people",
        "person_settings",
    }
    off: LiteralString = "SELECT scope FROM memory_off WHERE user_id = %s"
    assert owner_rows(empty_database, off, bob.user) == [{"scope": ""}]
    assert naming(empty_database, bob.user).keys() <= naming_bob
    left = owner_rows(empty_database, "SELECT key FROM store ORDER BY key")
    assert [one["key"] for one in left] == sorted(
        one.key for one in kept if one != keys["ramen"]
    )
    assert naming(empty_database, "tempura").keys() >= {"store"}
    with psycopg.connect(login_of(empty_database)) as login:
        assert login.execute("SELECT current_user").fetchone() == ("kioku_login",)


@pytest.mark.slow
async def test_a_forgetting_that_waited_while_the_backup_began_is_in_the_list(
    app: App, tmp_path: Path
) -> None:
    """It is not in the backup, because another process held the person's lock meanwhile."""
    place = app.slack.place()
    await app.form(await app.ask(place, "I love ramen"))
    person = app.person(place)
    [memory] = await app.memories(person)
    other = create_pool(login_of(app.database), min_size=1, max_size=1)
    await other.open()
    async with person_transaction(other, person, locked=True):
        forgetting = asyncio.create_task(
            forget(app.pool, person, Selection(keys=[memory.key]))
        )
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await until(lambda: owner_rows(app.database, waits))
        [row] = owner_rows(app.database, "SELECT clock_timestamp()::text AS at")
    await forgetting
    await other.close()
    printed = await kioku(tmp_path, app.database, "forgotten", "--since", row["at"])
    assert memory.key in printed.out


@pytest.mark.slow
async def test_a_user_from_whom_rows_are_hidden_gets_no_list(
    app: App, tmp_path: Path
) -> None:
    """A user for backups (`pg_read_all_data`) is not the owner, and would read nothing."""
    owner_rows(app.database, "CREATE ROLE kioku_backup LOGIN IN ROLE pg_read_all_data")
    try:
        reader = make_conninfo(app.database, user="kioku_backup")
        printed = await kioku(tmp_path, reader, "forgotten", "--since", "2020-01-01")
    finally:
        owner_rows(app.database, "DROP ROLE kioku_backup")
    assert (printed.code, printed.out) == (1, "")


@pytest.mark.slow
async def test_the_restore_of_containers_works_on_a_new_machine(
    app: App, tmp_path: Path
) -> None:
    """With the commands of docs/how-to/docker.md, where no migration has made the roles."""
    await app.form(await app.ask(app.slack.place(), "I love ramen"))
    dump, lines = tmp_path / "kioku.dump", tmp_path / "forgotten.json"
    lines.write_text('{"forgotten": []}')
    run("pg_dump", "--format=custom", f"--file={dump}", app.database)
    page = (ROOT / "docs/how-to/docker.md").read_text("utf-8")
    roles = re.findall(r"CREATE ROLE\s+(\w+) NOLOGIN", page)
    [options] = re.findall(r"pg_restore --username=kioku (.*) --dbname=kioku", page)
    with EmbeddedPostgres(tmp_path / "new") as server:
        server.ensure_database("kioku")
        address = server.dsn("kioku")
        for role in roles:
            with psycopg.connect(address) as connection:
                connection.execute(
                    SQL("CREATE ROLE {} NOLOGIN").format(Identifier(role))
                )
        run("pg_restore", *options.split(), f"--dbname={address}", str(dump))
        assert (await kioku(tmp_path, address, "migrate")).code == 0
        assert (await kioku(tmp_path, address, "forget-again", str(lines))).code == 0
        assert naming(address, "ramen")
