"""`kioku backup` and `kioku restore`: nothing that was forgotten comes back, all else is equal."""

from __future__ import annotations

import json
import re
import stat
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from bot.memories.person_data import erase_person
from bot.queue.migrations import migrations
from bot.runtime.backup_commands import TABLES
from bot.users.offboarding import purge_now
from memory import (
    EmbeddedPostgres,
    Embedder,
    Login,
    Migration,
    Person,
    back_up,
    edit_memory,
    list_existing,
    list_memories,
    migrate,
    restore,
    undo_changes,
)
from memory.postgres.archive import Archive, BackupError, replacing
from memory.store.backups import TEXTS as MEMORY_TEXTS
from tests.conftest import SPACE, fresh_database, login_of, owner_rows
from tests.integration.app import App
from tests.integration.test_offboarding import Database
from tests.kioku_process import Ended, ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Rows = dict[str, dict[str, str]]


def kioku(folder: Path, conninfo: str, *arguments: str) -> Ended:
    """Run a command as an operator does: with the addresses of the owner and of the login."""
    addresses = {"DATABASE_URL": login_of(conninfo), "DATABASE_OWNER_URL": conninfo}
    return ended(folder, *arguments, **addresses)


def done(folder: Path, conninfo: str, *arguments: str) -> str:
    """Return what a command that succeeds prints."""
    finished = kioku(folder, conninfo, *arguments)
    assert (finished.code, finished.err) == (0, ""), finished
    return finished.out


def refused(folder: Path, conninfo: str, *arguments: str, code: int = 1) -> str:
    """Return the sentence with which a command is refused."""
    finished = kioku(folder, conninfo, *arguments)
    assert finished.code == code, finished
    [sentence] = finished.err.splitlines()
    return sentence.removeprefix("kioku: ")


def restore_listed(
    folder: Path, conninfo: str, new: str, steps: Sequence[Migration] | None = None
) -> None:
    """Restore ``dump`` of a folder into a new database: only what the first database still has."""
    list_existing(conninfo, folder / "list", TABLES)
    login = Login(login_of(new), ("kioku_queue",))
    files = (folder / "dump", folder / "list")
    restore(new, *files, TABLES, migrations() if steps is None else steps, login, print)


def stored(conninfo: str) -> Rows:
    """Return every row of every table, as text, by its primary key."""
    found: Rows = {}
    with psycopg.connect(conninfo) as owner:
        owner.execute("SET timezone = 'UTC'")
        tables = owner.execute(
            "SELECT t.relname, array_agg(c.attname::text ORDER BY c.attnum) FROM pg_class t"
            " JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary"
            " JOIN pg_attribute c ON c.attrelid = t.oid"
            " AND c.attnum = ANY(i.indkey) WHERE t.relnamespace = 'public'::regnamespace"
            " AND t.relkind = 'r' GROUP BY 1"
        ).fetchall()
        for name, keys in tables:
            key = sql.SQL(" || ' ' || ").join(
                sql.SQL("{}::text").format(sql.Identifier(k)) for k in keys
            )
            rows = owner.execute(
                sql.SQL("SELECT {}, t::text FROM {} AS t").format(key, sql.Identifier(name))
            ).fetchall()
            found[name] = dict(rows)
    return found


def omitted(name: str) -> bool:
    """Say whether a backup has no rows of a table."""
    return name in TABLES.omitted or name.startswith("procrastinate_")


@contextmanager
def destroyed_and_new(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Make an empty database, as after the loss of the other."""
    with fresh_database(postgres, "template1") as conninfo:
        yield conninfo


async def told(app: App, text: str) -> Person:
    """Let somebody say something that is remembered, and rate the answer."""
    message = await app.ask(app.slack.place(), text)
    assert await app.form(message)
    app.rows(
        "INSERT INTO feedback (turn_id, team_id, user_id, rating, comment, model, latency_ms,"
        " memories) VALUES (%s, %s, %s, 'bad', %s, 'm', 1, '{}') RETURNING 1",
        app.turn(message)["id"],
        message.team_id,
        message.user_id,
        f"said {text}",
    )
    return message.person


def changes_of(app: App, person: Person) -> list[UUID]:
    """Return the ids of a person's changes."""
    rows = app.rows("SELECT id FROM memory_changes WHERE user_id = %s", person.user_id)
    return [row["id"] for row in rows]


async def correct(app: App, embedder: Embedder, person: Person, old: str, new: str) -> None:
    """Let a person correct their only memory."""
    [memory] = await list_memories(app.pool, person)
    content = json.loads(json.dumps(memory.content).replace(old, new))
    assert content != memory.content
    source = {"kind": "modal", "channel": "D1", "ts": "9.0", "permalink": None, "evidence": ""}
    await edit_memory(app.pool, embedder, person, memory.reference, content, source)


def expected(name: str, before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Return the rows of a table that a restore brings back."""
    if omitted(name):
        return {}
    if name in TABLES.copied:
        return after
    if name == "feedback":  # a comment that was blanked stays blank
        return {key: after[key] for key in before.keys() & after.keys()}
    return {key: row for key, row in before.items() if after.get(key) == row}


async def test_nothing_that_was_forgotten_comes_back(
    app: App, postgres: EmbeddedPostgres, embedder: Embedder, tmp_path: Path
) -> None:
    """Forgotten, undone, corrected, erased, purged: whole tables are compared, then it answers."""
    forgets = await told(app, "I love ramen")
    undoes = await told(app, "I love tempura")
    corrects = await told(app, "I live in Osaka")
    erased = await told(app, "I love sushi")
    confirms = await told(app, "I love soba")
    pauses = await told(app, "I love udon")
    await app.receive(app.slack.place(), "a question that waits")
    owner = Database(app.database)
    for team in ("T1GONE", "T2STAYS"):
        owner.fill(team)
    owner.rows("UPDATE turns SET status = 'answering', ended_at = NULL WHERE team_id = 'T2STAYS'")
    before = stored(app.database)
    printed = done(tmp_path, app.database, "backup", "kioku.dump")
    assert "turns" in printed.split()
    assert "Wrote kioku.dump, 0." in printed
    assert stat.S_IMODE((tmp_path / "kioku.dump").stat().st_mode) == 0o600

    [ramen] = await list_memories(app.pool, forgets)
    await app.wiring.memory_actions.forget(forgets, "en", [ramen.reference])
    await undo_changes(app.pool, embedder, undoes, changes_of(app, undoes))
    await correct(app, embedder, corrects, "Osaka", "Kyoto")
    await erase_person(app.pool, erased)
    await purge_now(app.pool, "T1GONE")
    await app.wiring.controls.pause(pauses)
    await told(app, "I love okonomiyaki")
    confirmed = [{"kind": "message", "channel": "D1", "ts": "7.0", "evidence": "I adore soba"}]
    owner.rows(
        "UPDATE store SET value = jsonb_set(value, '{sources}', value->'sources' || %s::jsonb)"
        " WHERE prefix LIKE %s",
        json.dumps(confirmed),
        f"%.{confirms.user_id}.%",
    )
    after = stored(app.database)
    done(tmp_path, app.database, "backup", "--ids", "kioku.list")
    listed = (tmp_path / "kioku.list").read_text()
    assert not [word for word in ("ramen", "Osaka", "soba", "waits") if word in listed]
    owner.close()

    with destroyed_and_new(postgres) as conninfo:
        out = done(tmp_path, conninfo, "restore", "kioku.dump", "--ids", "kioku.list")
        assert "Restored. What was forgotten after 20" in out
        new = stored(conninfo)
        apart = {"turns", "listening", "operator_actions", "kioku_migrations", "kioku_backup"}
        known = Database(conninfo)
        # A memory that was confirmed since is there, without the quote it had.
        of_soba = "SELECT prefix || ' ' || key AS id, value FROM store WHERE prefix LIKE %s"
        [soba] = known.rows(of_soba, f"%.{confirms.user_id}.%")
        assert soba["value"]["content"]["food_name"] == "soba"
        assert [source["evidence"] for source in soba["value"]["sources"]] == [""]
        new["store"].pop(soba["id"])
        for name in new.keys() - apart:
            assert new[name] == expected(name, before[name], after[name]), name
        assert new["listening"].keys() == {"T2STAYS"}
        texts = "SELECT id, question, words, reply FROM turns ORDER BY id"
        assert known.rows(texts) == [
            row for row in app.rows(texts) if str(row["id"]) in before["turns"]
        ]
        [waiting] = known.rows("SELECT status, ended_at FROM turns WHERE team_id = 'T2STAYS'")
        assert waiting["status"] == "failed"
        assert known.rows("SELECT 1 FROM turns WHERE formed_at IS NULL") == []
        [row] = known.rows("SELECT now() - heard_at < interval '5 minutes' AS late FROM listening")
        assert row["late"]
        actions = known.rows("SELECT action FROM operator_actions ORDER BY at")
        assert [row["action"] for row in actions][-1] == "restore"
        for word in ("ramen", "sushi", "okonomiyaki", "waits"):
            assert word not in str(new)
        # What was undone or corrected is in the conversation still, and no memory.
        for word in ("tempura", "Osaka", "Kyoto"):
            assert word not in str(new["store"])
        assert [name for name in new if erased.user_id in str(new[name])] == ["forgotten_sources"]
        assert [name for name in new if "T1GONE" in str(new[name])] == ["workspaces"]
        known.close()


@pytest.mark.parametrize(
    ("since", "restored"),
    [
        ({}, {"public/W", "C1/N", "public/A"}),
        ({"C1/R": {"content": {"level": 0}, "over": "public/A"}}, {"public/W", "C1/N"}),
        ({"dm/R": {"content": {"level": 4}, "over": "public/A"}}, {"public/W", "C1/N"}),
        ({"dm/R": {"content": {"level": 4}, "over": "C1/N"}}, {"public/A"}),
        ({"C1/N": {"content": {"level": 4}, "over": "public/W"}}, {"public/A"}),
        ({"public/A": {"content": {"level": 3}, "ends": "2030-01-01"}}, {"public/W", "C1/N"}),
        ({"C1/N": None}, {"public/W", "public/A"}),
    ],
    ids=[
        "nothing changed",
        "removed for one audience",
        "corrected for one audience",
        "what superseded a memory was superseded",
        "what superseded a memory was corrected",
        "given an end",
        "shown again",
    ],
)
def test_a_memory_is_used_nowhere_where_it_was_corrected_or_removed(
    database: str,
    empty_database: str,
    tmp_path: Path,
    since: dict[str, dict[str, Any] | None],
    restored: set[str],
) -> None:
    """Neither is a memory that got an end; what was superseded at the backup still is."""
    owner = Database(database)

    def change(reference: str, row: dict[str, Any] | None) -> None:
        audience, key = reference.split("/")
        owner.rows("DELETE FROM store WHERE key = %s", key)
        if row is None:
            return
        value = {"kind": "UserTechInterest", "content": row["content"], "sources": []}
        if over := row.get("over"):
            value["supersedes"] = [dict(zip(("audience", "key"), over.split("/"), strict=True))]
        if end := row.get("ends"):
            value["expires_at"] = end
        owner.rows(
            "INSERT INTO store (prefix, key, value) VALUES (%s, %s, %s)",
            *(f"chat.T1.U1.{audience}", key, json.dumps(value)),
        )

    change("public/W", {"content": {"level": 1}})
    change("C1/N", {"content": {"level": 2}, "over": "public/W"})
    change("public/A", {"content": {"level": 3}})
    back_up(database, tmp_path / "dump", TABLES, print)
    for reference, row in since.items():
        change(reference, row)
    owner.close()
    restore_listed(tmp_path, database, empty_database)
    rows = owner_rows(
        empty_database, "SELECT split_part(prefix, '.', 4) || '/' || key AS r FROM store"
    )
    assert {row["r"] for row in rows} == restored


@pytest.fixture
def owner(database: str) -> Iterator[Database]:
    """The owner of a database with a row of each table of a workspace."""
    opened = Database(database)
    opened.fill("T1")
    yield opened
    opened.close()


@pytest.fixture
def backed_up(owner: Database, database: str, tmp_path: Path) -> Path:
    """A folder with a backup of a small database, an older list and a newer one."""
    done(tmp_path, database, "backup", "--ids", "older.list")
    done(tmp_path, database, "backup", "kioku.dump")
    owner.rows("DELETE FROM store WHERE prefix LIKE 'chat.T1.%'")
    done(tmp_path, database, "backup", "--ids", "kioku.list")
    return tmp_path


RESTORE = ("restore", "kioku.dump", "--ids")


def test_a_restore_that_would_bring_back_what_was_forgotten_is_refused(
    backed_up: Path, database: str, empty_database: str
) -> None:
    """Without a list, with an older, another or damaged one; the database stays as it was."""
    sentence = refused(backed_up, empty_database, "restore", "kioku.dump", code=2)
    assert sentence == (
        "What was forgotten since the backup would come back: name the newest list with --ids (see"
        " `kioku backup --ids`), or accept it with --accept-forgotten."
    )
    assert "older.list is older than the backup" in refused(
        backed_up, empty_database, *RESTORE, "older.list"
    )
    (backed_up / "number.list").write_text("5\n")
    for name in ("kioku.dump", "none.list", "number.list"):
        sentence = refused(backed_up, empty_database, *RESTORE, name)
        assert sentence == f"{name} is not a list that `kioku backup --ids` wrote."
    owner_rows(database, "UPDATE kioku_backup SET key = gen_random_uuid()")
    done(backed_up, database, "backup", "--ids", "other.list")
    assert refused(backed_up, empty_database, *RESTORE, "other.list") == (
        "other.list is the list of another database than the backup's."
    )
    assert stored(empty_database) == {}
    out = done(backed_up, empty_database, "restore", "kioku.dump", "--accept-forgotten")
    assert "Restored." in out
    assert "chat.T1.U1.dm k" in stored(empty_database)["store"]


def test_what_cannot_be_restored_is_refused(
    backed_up: Path, database: str, empty_database: str
) -> None:
    """A database that is not empty, a newer schema, another file: one sentence each."""
    known = (*RESTORE, "kioku.list")
    assert refused(backed_up, database, *known) == (
        "The database is not empty: restore into a new one."
    )
    (backed_up / "text").write_text("no backup")
    said = refused(backed_up, empty_database, "restore", "text", "--accept-forgotten")
    assert said.startswith("pg_restore failed: input file does not appear to be a valid archive")
    said = refused(backed_up, empty_database, "restore", "none", "--accept-forgotten")
    assert said.startswith('pg_restore failed: could not open input file "none"')
    owner_rows(database, "INSERT INTO kioku_migrations VALUES ('bot/9999_next')")
    done(backed_up, database, "backup", "next.dump")
    said = refused(backed_up, empty_database, "restore", "next.dump", "--accept-forgotten")
    assert said == (
        "next.dump is from a newer version of Kioku, with bot/9999_next: install that one."
    )
    said = refused(backed_up, empty_database, "backup", "new.dump")
    assert said == "The database is not up to date: run `kioku migrate`."
    assert refused(backed_up, database, "backup", code=2) == (
        "Name a file for the backup, or one for the list with --ids."
    )
    only_login = ended(backed_up, "backup", "new.dump", DATABASE_URL=login_of(database))
    assert only_login.err == (
        "kioku: This database user may not do that: write the address of the database's owner"
        " into DATABASE_OWNER_URL, then run `kioku backup`.\n"
    )
    assert refused(backed_up, database, "backup", "none/new.dump") == (
        "none/new.dump cannot be written (No such file or directory)."
    )
    assert sorted(file.name for file in backed_up.iterdir() if "new" in file.name) == []
    audit = "SELECT action || ' ' || outcome AS said FROM operator_actions ORDER BY at"
    assert [row["said"] for row in owner_rows(database, audit)] == [
        "export done",  # of the workspace that is here from the start
        *("backup done", "restore failed", "backup done", "backup failed"),
    ]
    assert stored(empty_database) == {}


def test_an_interrupted_restore_serves_nobody_and_is_continued(
    backed_up: Path, empty_database: str
) -> None:
    """Neither tables half loaded nor tables that are not cleaned yet can be read or migrated."""
    whole = (backed_up / "kioku.dump").read_bytes()
    (backed_up / "cut.dump").write_bytes(whole[: len(whole) - 20_000])
    said = refused(backed_up, empty_database, "restore", "cut.dump", "--ids", "kioku.list")
    assert said.startswith("pg_restore failed: ")
    assert stored(empty_database) == {}
    listed = (backed_up / "kioku.list").read_bytes()
    (backed_up / "cut.list").write_bytes(listed[:-9])
    assert refused(backed_up, empty_database, *RESTORE, "cut.list") == (
        "cut.list is cut off: name a whole list."
    )
    assert "chat.T1.U1.dm k" in stored(empty_database)["store"]
    with psycopg.connect(empty_database) as owner:
        owner.execute("SET ROLE kioku_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("SELECT 1 FROM store")
    # A backup or a list that is written now would have what the restore is about to delete.
    backups = (("backup", "kioku.dump"), ("backup", "--ids", "kioku.list"))
    for command in (("migrate",), ("status",), *backups):
        assert refused(backed_up, empty_database, *command) == (
            "A restore was interrupted or is still running: run the same `kioku restore` again."
        )
    (backed_up / "other.dump").write_bytes(b"x" + whole)
    done(backed_up, empty_database, *RESTORE, "kioku.list")
    assert stored(empty_database)["store"] == {}
    assert "Jobs" in done(backed_up, empty_database, "status")


def test_a_restore_that_fails_at_its_migration_says_how_it_ends(
    backed_up: Path, empty_database: str
) -> None:
    """The rows are there and clean: `kioku migrate` does the rest, the same restore would not."""
    steps = [*migrations(), Migration("bot/9999_next", "SELECT 1 / 0")]
    login = Login(login_of(empty_database), ("kioku_queue",))
    files = (backed_up / "kioku.dump", backed_up / "kioku.list")
    with pytest.raises(BackupError) as failure:
        restore(empty_database, *files, TABLES, steps, login, print)
    assert str(failure.value) == (
        "The backup is restored, but not migrated (DivisionByZero): run `kioku migrate`."
    )
    done(backed_up, empty_database, "migrate")
    assert "Jobs" in done(backed_up, empty_database, "status")


def test_two_backups_to_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    """In containers both have the same process id; neither removes what the other writes."""
    file = tmp_path / "kioku.list"
    with replacing(file) as first:
        with replacing(file) as second:
            second.write_text("second")
        assert first.exists()
        first.write_text("first")
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_the_embedded_database_is_backed_up_while_it_runs(tmp_path: Path) -> None:
    """The same commands without an address: beside a running `kioku`, and after it."""
    folders = {"KIOKU_DATA_DIR": "one"}
    with EmbeddedPostgres(tmp_path / "one") as server:
        server.ensure_database("kioku")
        login = Login(server.login_dsn("kioku"), ("kioku_queue",))
        migrate(server.dsn("kioku"), SPACE, migrations(), login=login)
        assert ended(tmp_path, "backup", "kioku.dump", **folders).code == 0
    assert ended(tmp_path, "backup", "--ids", "kioku.list", **folders).code == 0
    new = {"KIOKU_DATA_DIR": "two"}
    restored = ended(tmp_path, *RESTORE, "kioku.list", **new)
    assert (restored.code, restored.err) == (0, "")
    assert ended(tmp_path, "status", **new).code == 0


def test_an_older_client_program_is_named(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the embedded server's programs those on PATH are used, if they are new enough."""
    old = tmp_path / "bin"
    old.mkdir()
    (old / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.18 (Debian)'\n")
    (old / "pg_dump").chmod(0o755)
    monkeypatch.setattr("memory.postgres.embedded.programs.PACKAGE", "no_such_package")
    for path, found in ((str(old), "pg_dump is of PostgreSQL 15"), ("", "is not installed")):
        monkeypatch.setenv("PATH", path)
        with pytest.raises(BackupError, match=f"The server is PostgreSQL 18 and .*{found}"):
            back_up(database, tmp_path / "kioku.dump", TABLES, print)


def test_a_password_is_not_on_the_command_line(tmp_path: Path) -> None:
    """It is in the program's environment, which other users of the machine cannot read."""
    archive = Archive(tmp_path / "x", "postgresql://u:s3cret@127.0.0.1:1/db", 18)
    with pytest.raises(BackupError) as refusal:
        archive.dump([], print)
    assert "s3cret" not in str(refusal.value)


def test_a_backup_of_an_older_schema_is_restored_and_migrated(
    owner: Database, database: str, empty_database: str, tmp_path: Path
) -> None:
    """A list of the newer schema fits a backup of the older one, which the restore migrates."""
    step = Migration(
        "bot/9999_next",
        "ALTER TABLE person_settings ADD COLUMN later text DEFAULT 'x';"
        " CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)",
    )
    back_up(database, tmp_path / "dump", TABLES, print)
    owner.rows("DELETE FROM feedback")
    migrate(database, SPACE, [*migrations(), step])
    restore_listed(tmp_path, database, empty_database, [*migrations(), step])
    new = stored(empty_database)
    assert step.name in new["kioku_migrations"]
    assert (len(new["store"]), len(new["feedback"]), len(new["person_settings"])) == (1, 0, 1)


def test_a_text_that_another_column_still_has_is_blanked_too(
    owner: Database, database: str, empty_database: str, tmp_path: Path
) -> None:
    """Only the same column of the same row says that a text exists."""
    owner.rows("UPDATE turns SET question = 'ramen', words = 'ramen', reply = 'ramen'")
    back_up(database, tmp_path / "dump", TABLES, print)
    owner.rows("UPDATE turns SET question = '', reply = NULL")
    restore_listed(tmp_path, database, empty_database)
    [turn] = owner_rows(empty_database, "SELECT question, words, reply FROM turns")
    assert turn == {"question": "", "words": "ramen", "reply": None}


def test_a_hundred_thousand_memories_take_constant_memory(
    database: str, empty_database: str, tmp_path: Path
) -> None:
    """Neither a list nor a restore holds the rows: they take a few megabytes of Python."""
    owner_rows(
        database,
        "INSERT INTO store (prefix, key, value) SELECT 'chat.T1.U' || n % 500 || '.dm', n::text,"
        " jsonb_build_object('kind', 'UserFact', 'content', jsonb_build_object('fact', n))"
        " FROM generate_series(1, 100000) AS n",
    )
    back_up(database, tmp_path / "dump", TABLES, print)
    owner_rows(database, "DELETE FROM store WHERE key::int % 10 = 0")
    tracemalloc.start()
    restore_listed(tmp_path, database, empty_database)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16_000_000
    [row] = owner_rows(
        empty_database,
        "SELECT count(*), count(*) FILTER (WHERE key::int % 10 = 0) AS gone FROM store",
    )
    assert row == {"count": 90_000, "gone": 0}


# Columns of text, in tables whose rows a list has by key, that hold no words of a person.
NO_WORDS = {
    "change_notices": {"team_id", "user_id", "changes", "questions", "ts"},
    "feedback": {"team_id", "user_id", "rating", "reasons", "model", "memories"},
    "listening": {"team_id"},
    "memory_changes": {
        *("team_id", "user_id", "audience", "key", "kind", "action", "actor", "moved_from"),
        "vector",  # of `before`
    },
    "memory_questions": {
        *("team_id", "user_id", "kind", "audience", "key", "narrow_audience", "narrow_key"),
        "messages",
    },
    "operator_actions": {"operator", "action", "team_id", "user_id", "host", "outcome"},
    "store": {"prefix", "key"},
    "turns": {
        *("team_id", "user_id", "channel_id", "thread", "audience", "question_ts", "reply_ts"),
        *("status", "recalled", "model", "left_out", "traceparent", "tool_done"),
    },
}


def test_every_text_is_in_a_list(database: str) -> None:
    """A new column is either a text, which a list has a digest of, or named here as none."""
    columns = owner_rows(
        database,
        "SELECT table_name AS name, array_agg(column_name::text) AS columns"
        " FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name) WHERE table_schema = 'public'"
        " AND table_type = 'BASE TABLE' AND data_type IN ('text', 'jsonb', 'json', 'ARRAY',"
        " 'bytea', 'character varying', 'USER-DEFINED') GROUP BY 1",
    )
    texts: dict[str, set[str]] = {}
    for one in (*TABLES.texts, *MEMORY_TEXTS):
        named = re.findall(r"\b(?:value|before|after)\b|^\w+$", one.text)
        texts.setdefault(one.table, set()).update(named)
    with_parent = {"store_vectors", "memory_expiries"}
    for row in columns:
        name = row["name"]
        if omitted(name) or name in TABLES.copied or name in with_parent:
            continue
        if name.startswith("kioku_") or name.endswith("_migrations"):
            continue
        assert set(row["columns"]) == texts.get(name, set()) | NO_WORDS[name], name


def test_what_a_list_has_whole_has_no_words(database: str) -> None:
    """The tables that are copied hold ids, times and choices."""
    columns = owner_rows(
        database,
        "SELECT DISTINCT column_name AS name FROM information_schema.columns"
        " WHERE table_name = ANY(%s) AND data_type IN ('text', 'jsonb', 'ARRAY')",
        [*TABLES.copied],
    )
    assert {row["name"] for row in columns} == {
        *("team_id", "user_id", "thread", "channel", "ts", "language", "consent", "locale"),
        *("time_zone", "hint_channels", "bot_user_id", "reason", "channels", "people"),
        *("changed_by", "file_id", "bot_id", "bot_token", "refresh_token"),  # tokens are encrypted
    }
