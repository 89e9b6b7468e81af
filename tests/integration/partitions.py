"""A migrated database whose tables of people are partitioned, and plans of statements there.

The tables of memories get a column `person`, which each row takes from the setting of its
transaction, and a policy that compares the two; `turns` and the ledger are partitioned by the ids
that they have. Every unique key and every foreign key then contains the person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import ClientCursor, Connection
from psycopg.rows import tuple_row

APP_ROLE = "kioku_app"
PARTITIONS = 16
_IDS = "team_id, user_id"
_ROW = "person, prefix, key"
# By table: what it is partitioned by, and its keys.
TABLES = {
    "store": ("person", [f"PRIMARY KEY ({_ROW})"]),
    "store_vectors": ("person", [f"PRIMARY KEY ({_ROW}, field_name)"]),
    "memory_expiries": ("person", [f"PRIMARY KEY ({_ROW})"]),
    "memory_changes": (_IDS, [f"PRIMARY KEY ({_IDS}, id)"]),
    "memory_questions": (_IDS, [f"PRIMARY KEY ({_IDS}, id)"]),
    "forgotten_sources": (_IDS, [f"PRIMARY KEY ({_IDS}, channel, ts, forgotten_id)"]),
    "turns": (
        _IDS,
        [f"PRIMARY KEY ({_IDS}, id)", f"UNIQUE ({_IDS}, channel_id, question_ts)"],
    ),
}
# What a statement has to change: the key of ON CONFLICT contains the person.
KEYS = {
    "ON CONFLICT (prefix, key": f"ON CONFLICT ({_ROW}",
    "ON CONFLICT (team_id, channel_id": f"ON CONFLICT ({_IDS}, channel_id",
}
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?[sbt]")
_PARTITION = re.compile(r"^(\w+)_p(\d+)$")
# PostgreSQL cannot tell the type of a value in `SELECT $1`, which psycopg sends with its type.
_TYPES = {int: "bigint", bool: "boolean", float: "float8"}


def partition(owner: Connection[Any]) -> None:
    """Partition the tables, keep their rights and policies, and fill them with a long history.

    They have no triggers, which Citus and Aurora Limitless would refuse.
    """
    triggers = owner.execute(
        "SELECT tgname FROM pg_trigger"
        " WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY(%s)",
        (list(TABLES),),
    )
    assert triggers.fetchall() == []
    for table, (by, keys) in TABLES.items():
        owner.execute(f"ALTER TABLE {table} RENAME TO {table}_whole".encode())
        own = ", person text NOT NULL DEFAULT current_setting('kioku.person')"
        added = own if by == "person" else ""
        owner.execute(
            f"CREATE TABLE {table} (LIKE {table}_whole INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
            f"{added}, {', '.join(keys)}) PARTITION BY HASH ({by})".encode()
        )
        for number in range(PARTITIONS):
            owner.execute(
                f"CREATE TABLE {table}_p{number} PARTITION OF {table}"
                f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})".encode()
            )
        _copy_policies(owner, table, by)
    for table in ("store_vectors", "memory_expiries"):
        owner.execute(
            f"ALTER TABLE {table} ADD FOREIGN KEY ({_ROW}) REFERENCES store ({_ROW})"
            " ON DELETE CASCADE".encode()
        )
    owner.execute(b"CREATE INDEX ON store (prefix text_pattern_ops)")
    owner.execute(b"CREATE INDEX ON turns (team_id, user_id, question_ts)")
    _fill(owner)


def _copy_policies(owner: Connection[Any], table: str, by: str) -> None:
    owner.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY".encode())
    owner.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {APP_ROLE}".encode())
    policies = owner.execute(
        "SELECT policyname, cmd, qual FROM pg_policies WHERE tablename = %s", (f"{table}_whole",)
    ).fetchall()
    assert policies
    for name, command, condition in policies:
        own = by == "person" and command == "ALL"
        using = "person = current_setting('kioku.person', true)" if own else condition
        owner.execute(f"CREATE POLICY {name} ON {table} FOR {command} USING ({using})".encode())


def _fill(owner: Connection[Any]) -> None:
    """Give 500 people forty memories and forty turns each."""
    people = "generate_series(1, 500) AS p, generate_series(1, 40) AS n"
    owner.execute(
        "INSERT INTO store (person, prefix, key, value, created_at, updated_at)"
        " SELECT 'T1.U' || p, 'chat.T1.U' || p || '.dm', n::text,"
        ' \'{"kind": "UserFact", "content": {}}\', now(), now()'
        f" FROM {people}".encode()
    )
    owner.execute(
        "INSERT INTO turns (id, team_id, user_id, channel_id, thread, audience, question_ts,"
        " question, words) SELECT gen_random_uuid(), 'T1', 'U' || p, 'D' || p, 'T1.D' || p || '.'"
        f" || n, 'dm', n::text, 'hello', 'hello' FROM {people}".encode()
    )
    owner.execute(b"ANALYZE")


def scanned(
    login: psycopg.Connection[Any], statement: str, scope: str, values: Any
) -> Iterator[tuple[str, str, int]]:
    """Yield each table that a statement reads, the kind of plan, and how many partitions it reads.

    In the person's transaction, with the plan for these values and with the generic plan for any.
    """
    for old, new in KEYS.items():
        statement = statement.replace(old, new)
    for kind in ("force_custom_plan", "force_generic_plan"):
        with login.transaction(force_rollback=True):
            cursor = ClientCursor(login, row_factory=tuple_row)
            cursor.execute("SELECT set_config('role', %s, true)", (APP_ROLE,))
            cursor.execute("SELECT set_config('kioku.person', %s, true)", (scope,))
            cursor.execute(b"SET LOCAL plan_cache_mode = " + kind.encode())
            [(plan,)] = _explain(cursor, statement, values)
            cursor.execute(b"DEALLOCATE asked")
        found: dict[str, set[str]] = {}
        for relation in _relations(plan):
            if match := _PARTITION.match(relation):
                found.setdefault(match[1], set()).add(match[2])
        for table, partitions in found.items():
            yield table, kind, len(partitions)


def _explain(cursor: ClientCursor[Any], statement: str, values: Any) -> list[tuple[Any]]:
    given: list[Any] = []

    def numbered(match: re.Match[str]) -> str:
        value = values[match[1]] if match[1] else values[len(given)]
        # A vector adapted for the binary protocol only: what it holds does not change a plan.
        given.append("{}" if type(value).__name__ == "VectorArray" else value)
        kind = _TYPES.get(type(value))
        return f"${len(given)}" + (f"::{kind}" if kind else "")

    prepared = _PLACEHOLDER.sub(numbered, statement).replace("%%", "%")
    cursor.execute(b"PREPARE asked AS " + prepared.encode())
    arguments = f"({', '.join(['%s'] * len(given))})" if given else ""
    cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked{arguments}".encode(), given)
    return cursor.fetchall()


def _relations(plan: Any) -> Iterator[str]:
    """Yield the relation of each node that reads one."""
    if isinstance(plan, list):
        for one in plan:
            yield from _relations(one)
    elif isinstance(plan, dict):
        if "Relation Name" in plan and plan.get("Node Type") != "ModifyTable":
            yield str(plan["Relation Name"])
        for name, one in plan.items():
            if name in ("Plan", "Plans"):
                yield from _relations(one)
