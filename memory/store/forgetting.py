"""Forgetting of memories, with Undo for ten minutes.

A forgetting moves the versions of memories to `forgotten_versions`, which row-level security hides
from everything but the functions here; after ten minutes they are deleted (`memory.store.expiry`).
Texts, questions, and single versions of memories that stay are deleted at once. `forgotten_sources`
keeps the ids.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.errors import ChangeGone
from memory.model.namespace import Person
from memory.postgres.database import Pool, person_transaction
from memory.store.memories import (
    COLUMNS,
    FROM_MESSAGES,
    OF_IDS,
    OF_PERSON,
    SUBJECT,
    Memory,
    MessageKey,
    message_columns,
    person_range,
    read_own,
    subjects,
)
from memory.store.versions import VERSION, WRITE_EARLIER

UNDO_MINUTES = 10
_LISTED = 20  # memories of a `Forgotten`


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to forget; the parts are joined by OR.

    `keys` are those of memories, `messages` (channel, ts) what comes from them. `since` (inclusive)
    and `until` (exclusive) are one part: what comes from a message of that time; without a source
    message the time of the row decides. A memory that comes from elsewhere, too, is forgotten
    whole, and with each memory those that supersede it. `questions` are ids of open questions.
    """

    keys: Collection[str] = ()
    messages: Collection[MessageKey] = ()
    since: datetime | None = None
    until: datetime | None = None
    everything: bool = False
    questions: Collection[UUID] = ()

    @property
    def is_ranged(self) -> bool:
        """Whether it names a time."""
        return (self.since, self.until) != (None, None)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the statements that use `_ARGUMENTS`."""
        return {
            "chosen": list(self.keys),
            **message_columns(self.messages),
            "since": (self.since.timestamp() if self.since else -1.0) if self.is_ranged else None,
            "until": self.until.timestamp() if self.until else float("inf"),
            "everything": self.everything,
            "by_source": self.is_ranged or bool(self.messages),
            "questions": list(self.questions),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What is being forgotten, for the application's texts.

    `messages` are those that it comes from. `subjects` are needles for the SQL function ``says``: a
    text that contains one names what is forgotten. `batches` are those of the changes and questions
    that are deleted.
    """

    selection: Selection
    messages: Sequence[MessageKey]
    subjects: Sequence[str]
    batches: Collection[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A forgetting: `id` for its Undo, None if there was nothing to forget.

    `can_undo` is False where no memory was forgotten: texts, questions and single changes of others
    do not come back. `count` is the number of memories, `memories` the newest of them; removed ones
    are not counted.
    """

    id: UUID | None = None
    can_undo: bool = False
    count: int = 0
    memories: tuple[Memory, ...] = ()


# Deletes the application's texts about it in the same transaction: those of `messages`, and those
# that name one of `subjects`. Returns the messages of the deleted texts, which form nothing again.
DeleteTexts: TypeAlias = Callable[
    [AsyncConnection[DictRow], Gone], Awaitable[Collection[MessageKey]]
]
InUndo: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[object]]

_ARGUMENTS: LiteralString = (
    "%(channels)s::text[], %(times)s::text[], %(since)s::float8, %(until)s::float8"
)
_SAID: LiteralString = "value->'sources'"
_SAID_THEN: LiteralString = (
    "COALESCE(value->'sources', '[]') || jsonb_build_object('channel', channel, 'ts', ts)"
)
# A memory that is there is selected by its row, one that was removed by any of its versions. What
# supersedes it in a narrower audience began as its copy, and is selected with it.
_KEYS: LiteralString = (
    f"(WITH RECURSIVE chosen AS (SELECT key FROM store WHERE {OF_PERSON} AND (key = ANY(%(chosen)s)"
    f" OR %(by_source)s AND comes_from({_SAID}, created_at, {_ARGUMENTS}))"
    f" UNION SELECT key FROM memory_versions WHERE {OF_IDS} AND (key = ANY(%(chosen)s)"
    f" OR %(by_source)s AND comes_from({_SAID_THEN}, at, {_ARGUMENTS})"
    f" AND key NOT IN (SELECT key FROM store WHERE {OF_PERSON}))),"
    " copies AS (SELECT key, jsonb_path_query(value, '$.supersedes[*]')->>'key' AS of"
    f" FROM memory_versions WHERE {OF_IDS} AND value ? 'supersedes'),"
    " selected AS (SELECT key FROM chosen UNION"
    " SELECT copies.key FROM selected JOIN copies ON copies.of = selected.key)"
    " SELECT key FROM selected)"
)
_FORGOTTEN: LiteralString = f"{OF_IDS} AND forgotten_id = %(id)s"
_FORGOTTEN_KEYS: LiteralString = f"SELECT key FROM forgotten_versions WHERE {_FORGOTTEN}"
# What a question was asked because of, or what it is about.
_ABOUT: LiteralString = (
    f"{OF_IDS} AND (%(everything)s OR id = ANY(%(questions)s::uuid[])"
    f" OR key IN ({_FORGOTTEN_KEYS}) OR narrow_key IN ({_FORGOTTEN_KEYS})"
    f" OR jsonb_path_query_array(after, '$.supersedes[*].key') ?| ARRAY({_FORGOTTEN_KEYS})"
    f" OR comes_from(messages, at, {_ARGUMENTS})"
    " OR says(jsonb_path_query_array(after, '$.content.*')::text, %(subjects)s))"
)
_ROW: LiteralString = f"number, team_id, user_id, batch, {VERSION}"
_MOVED: LiteralString = f"WITH moved AS (DELETE FROM memory_versions WHERE {OF_IDS} AND"
_TO_FORGOTTEN: LiteralString = (
    f"RETURNING *) INSERT INTO forgotten_versions ({_ROW}, forgotten_id)"
    f" SELECT {_ROW}, %(id)s FROM moved"
)
_MOVE: LiteralString = (
    f"{_MOVED} (%(everything)s OR key IN {_KEYS} OR id::text = ANY(%(chosen)s)"
    f" OR %(by_source)s AND comes_from({_SAID}, NULL, {_ARGUMENTS})) {_TO_FORGOTTEN}"
)
_MOVE_REMOVED: LiteralString = (
    f"{_MOVED} key IN (SELECT key FROM memory_versions WHERE {OF_IDS} AND value IS NOT NULL"
    f" AND key NOT IN (SELECT key FROM store WHERE {OF_PERSON})"
    f" AND (kind, plain_text({SUBJECT})) IN (SELECT kind, plain_text({SUBJECT})"
    f" FROM forgotten_versions WHERE {_FORGOTTEN} AND value IS NOT NULL)) {_TO_FORGOTTEN}"
)
# `alone`: of a memory that stays. What such a memory comes from still is not forgotten with it.
_TOLD: LiteralString = (
    "WITH forgotten AS MATERIALIZED (SELECT id, key, batch, NOT %(everything)s AND"
    f" key IN (SELECT key FROM memory_versions WHERE {OF_IDS}) AS alone,"
    f" CASE WHEN NOT %(everything)s THEN needle({SUBJECT}) END AS needle,"
    f" {_SAID_THEN} AS sources FROM forgotten_versions WHERE {_FORGOTTEN})"
    " SELECT EXISTS (SELECT FROM forgotten WHERE NOT alone) AS whole,"
    " ARRAY(SELECT id::text FROM forgotten WHERE alone) AS alone,"
    " ARRAY(SELECT DISTINCT batch FROM forgotten) AS batches,"
    " ARRAY(SELECT DISTINCT needle FROM forgotten WHERE btrim(needle) <> '') AS subjects,"
    " ARRAY(SELECT DISTINCT ARRAY[one->>'channel', one->>'ts']"
    " FROM forgotten, jsonb_path_query(sources, '$[*]') AS one"
    " WHERE one->>'channel' <> '' AND one->>'ts' <> '' AND (NOT %(by_source)s OR NOT EXISTS"
    f" (SELECT FROM memory_versions s WHERE {OF_IDS} AND s.key = forgotten.key AND {_SAID}"
    " @> jsonb_build_array(jsonb_build_object('channel', one->'channel', 'ts', one->'ts'))))"
    ") AS messages"
)
# Single versions do not come back.
_DELETE_ASKED: LiteralString = (
    "WITH alone AS (DELETE FROM forgotten_versions WHERE id = ANY(%(alone)s::uuid[]))"
    f" DELETE FROM memory_questions WHERE {_ABOUT} RETURNING batch"
)
_DELETE: LiteralString = (
    f"WITH gone AS (DELETE FROM store WHERE {OF_PERSON} AND key IN ({_FORGOTTEN_KEYS})"
    f" RETURNING {COLUMNS}) SELECT {COLUMNS}, count(*) OVER () AS count FROM gone"
    f" ORDER BY updated_at DESC, prefix, key LIMIT {_LISTED}"
)
DELETE_QUOTING: LiteralString = (
    f"DELETE FROM memory_questions WHERE {OF_IDS} AND comes_from(messages"
    " || COALESCE(before->'sources', '[]') || COALESCE(after->'sources', '[]'),"
    " NULL, %(channels)s, %(times)s, NULL, NULL)"
)
_UNQUOTED: LiteralString = "SET value = without_quotes(value, %(channels)s, %(times)s) WHERE"
# Other memories from the same messages keep the link. Versions of other forgettings have no quote
# either: an Undo of those would bring back what was forgotten here.
_RECORD: LiteralString = (
    f"WITH stay AS (UPDATE store {_UNQUOTED} {OF_PERSON} AND {FROM_MESSAGES}),"
    f" told AS (UPDATE memory_versions {_UNQUOTED} {OF_IDS} AND {FROM_MESSAGES}),"
    f" earlier AS (UPDATE forgotten_versions {_UNQUOTED} {OF_IDS} AND forgotten_id <> %(id)s"
    f" AND {FROM_MESSAGES}), asked AS ({DELETE_QUOTING})"
    " INSERT INTO forgotten_sources (forgotten_id, team_id, user_id, what, channel, ts, keys)"
    " SELECT %(id)s, %(team)s, %(user)s, 'message', channel, ts, '{}'::text[]"
    " FROM unnest(%(channels)s::text[], %(times)s::text[]) AS said (channel, ts)"
    " UNION ALL SELECT %(id)s, %(team)s, %(user)s, 'forgetting', '', '',"
    f" ARRAY(SELECT DISTINCT key FROM forgotten_versions WHERE {_FORGOTTEN})"
    " UNION ALL SELECT gen_random_uuid(), %(team)s, %(user)s, 'forgetting', '', '',"
    " %(alone)s::text[] WHERE %(alone)s::text[] <> '{}'"
)


@asynccontextmanager
async def shown(
    pool: Pool, person: Person, *, locked: bool = True
) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Open a transaction of the person, under their lock, that sees forgotten versions."""
    async with person_transaction(pool, person, locked=locked) as connection:
        # Statements on all of a person's rows, of whose number PostgreSQL may know nothing yet.
        await connection.execute(
            "SELECT set_config('kioku.forgotten', 'shown', true),"
            " set_config('enable_nestloop', 'off', true), set_config('work_mem', '32MB', true)"
        )
        yield connection


async def forget(
    pool: Pool, person: Person, selection: Selection, *, delete_texts: DeleteTexts | None = None
) -> Forgotten:
    """Forget memories: rows, versions, questions, and the application's texts, in one transaction.

    Rows and their versions come back by `undo_forgetting` within `UNDO_MINUTES`; all else is gone
    at once. Removed memories about the same subjects are forgotten, too; other memories from the
    same messages lose their quotes, and versions that say it; questions that quote these messages
    are deleted. Keys of other people match nothing.
    """
    async with shown(pool, person) as connection:
        return await forget_within(connection, person, uuid4(), selection, delete_texts)


async def selected(pool: Pool, person: Person, selection: Selection) -> Forgotten:
    """Return what `forget` would forget now, without `id`; nothing is changed."""
    async with shown(pool, person) as connection:
        found = await forget_within(connection, person, uuid4(), selection)
        await connection.execute("ROLLBACK AND CHAIN")
    return replace(found, id=None)


async def forget_within(
    connection: AsyncConnection[DictRow],
    person: Person,
    identity: UUID,
    selection: Selection,
    delete_texts: DeleteTexts | None = None,
    also: Collection[MessageKey] = (),
) -> Forgotten:
    """Forget as `forget` does, within `shown`; no memory is formed from `also` again."""
    values = {**person_range(person), **subjects(), **selection.parameters(), "id": identity}
    await connection.execute(WRITE_EARLIER, {**values, "keys": None})
    await connection.execute(_MOVE, values)
    if not selection.everything:
        await connection.execute(_MOVE_REMOVED, values)
    [told] = await (await connection.execute(_TOLD, values)).fetchall()
    values |= {name: told[name] for name in ("alone", "subjects")}
    messages = {*also, *((channel, ts) for channel, ts in told["messages"])}
    found = await connection.execute(_DELETE_ASKED, values)
    asked = [row["batch"] for row in await found.fetchall()]
    rows = await (await connection.execute(_DELETE, values)).fetchall()
    gone = Gone(
        selection=selection,
        messages=[*messages],
        subjects=told["subjects"],
        batches={*asked, *told["batches"]},
    )
    if delete_texts is not None:
        messages.update(await delete_texts(connection, gone))
    if not (told["batches"] or asked or messages):
        return Forgotten()
    await connection.execute(_RECORD, values | message_columns(messages))
    return Forgotten(
        id=identity,
        can_undo=told["whole"],
        count=rows[0]["count"] if rows else 0,
        memories=tuple(read_own(rows, person)),
    )


_BRING_BACK: LiteralString = (
    f"WITH back AS (DELETE FROM forgotten_versions WHERE {_FORGOTTEN}"
    f" AND deleted_at > now() - make_interval(mins => {UNDO_MINUTES}) RETURNING *),"
    f" versions AS (INSERT INTO memory_versions ({_ROW}) SELECT {_ROW} FROM back),"
    " put AS (INSERT INTO store (prefix, key, value, created_at, updated_at, expires_at)"
    " SELECT %(low)s || audience, key, value, created_at, updated_at, expires_at"
    " FROM (SELECT DISTINCT ON (key) * FROM back ORDER BY key, number DESC) AS newest"
    " WHERE value IS NOT NULL ON CONFLICT DO NOTHING RETURNING key),"
    f" ids AS (DELETE FROM forgotten_sources WHERE {OF_IDS} AND forgotten_id = %(id)s"
    " AND EXISTS (SELECT FROM back))"
    " SELECT (SELECT count(*) FROM put) AS rows, (SELECT count(*) FROM back) AS versions"
)


async def undo_forgetting(
    pool: Pool, person: Person, identity: UUID, *, in_commit: InUndo | None = None
) -> int:
    """Undo a forgetting: restore its rows and versions; return the number of rows.

    The rows have no vectors until `embed_missing` has run, which `in_commit`, awaited in the
    transaction, can schedule. A message that quotes something else that was forgotten since stays
    without its quote. Raises `ChangeGone` after `UNDO_MINUTES`, and a second time.
    """
    async with shown(pool, person) as connection:
        values = {**person_range(person), "id": identity}
        found = await connection.execute(_BRING_BACK, values)
        [back] = await found.fetchall()
        if not back["versions"]:
            raise ChangeGone("The Undo has expired or was used already.")
        if in_commit is not None:
            await in_commit(connection)
    return int(back["rows"])


_UNDOABLE: LiteralString = (
    f"SELECT forgotten_id, count(*), max(deleted_at) + make_interval(mins => {UNDO_MINUTES})"
    " AS until FROM (SELECT DISTINCT ON (forgotten_id, key) * FROM forgotten_versions"
    f" WHERE {OF_IDS} AND deleted_at > now() - make_interval(mins => {UNDO_MINUTES})"
    " ORDER BY forgotten_id, key, number DESC) AS newest WHERE value IS NOT NULL"
    " GROUP BY forgotten_id ORDER BY until DESC LIMIT 1"
)


async def undoable_forgetting(pool: Pool, person: Person) -> tuple[Forgotten, datetime] | None:
    """Return the newest forgetting of memories that can still be undone, and until when."""
    async with shown(pool, person, locked=False) as connection:
        row = await (await connection.execute(_UNDOABLE, person.ids)).fetchone()
    if row is None:
        return None
    return Forgotten(id=row["forgotten_id"], can_undo=True, count=row["count"]), row["until"]


async def forgotten_messages(
    connection: AsyncConnection[DictRow], person: Person, channel: str
) -> set[str]:
    """Return the ``ts`` of messages in `channel` whose memories this person has forgotten."""
    found = await connection.execute(
        f"SELECT ts FROM forgotten_sources WHERE {OF_IDS} AND channel = %(channel)s",
        {**person.ids, "channel": channel},
    )
    return {row["ts"] for row in await found.fetchall()}


# --- after a backup was restored ---------------------------------------------------------------

_SINCE: LiteralString = (
    "SELECT team_id, user_id, CASE what WHEN 'forgetting' THEN 'key' ELSE what END AS what,"
    " COALESCE(key, CASE what WHEN 'erased' THEN forgotten_id::text ELSE channel END) AS id,"
    " NULLIF(ts, '') AS ts"
    " FROM forgotten_sources LEFT JOIN unnest(keys) AS key ON true"
    " WHERE forgotten_at >= %(since)s AND (what <> 'forgetting' OR key IS NOT NULL)"
    " ORDER BY 1, 2, 3, 4, 5"
)


async def forgotten_since(conninfo: str, since: datetime) -> list[tuple[str | None, ...]]:
    """Return the ids of what was forgotten from a time on; needs the database's owner.

    Each is a team, a user, and "erased" and the id of that erasure, "key" and the key of a memory
    or the id of a version, or "message" and the channel and ts of one; shorter ones end with None.
    """
    async with await AsyncConnection.connect(conninfo) as owner:
        return await (await owner.execute(_SINCE, {"since": since})).fetchall()


async def forget_again(
    pool: Pool,
    person: Person,
    keys: Sequence[str],
    messages: Sequence[MessageKey],
    delete_texts: DeleteTexts,
) -> None:
    """Delete what a restored database has of these ids, as `forget` does but without Undo.

    No memory is formed from `messages` again. Idempotent.
    """
    identity = uuid4()
    selection = Selection(keys=keys)
    async with shown(pool, person) as connection:
        await forget_within(connection, person, identity, selection, delete_texts, messages)
        await connection.execute(
            f"DELETE FROM forgotten_versions WHERE {_FORGOTTEN}", {**person.ids, "id": identity}
        )
