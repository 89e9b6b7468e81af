"""Partitioned by person, statements read one partition: what docs/scaling.md says of PostgreSQL."""

from __future__ import annotations

import re

import psycopg

from memory import EmbeddedPostgres
from tests.conftest import fresh_database, login_of
from tests.integration.app import App
from tests.integration.counted import CountedConnection, Sent
from tests.integration.partitions import PARTITIONS, TABLES, partition, scanned
from tests.integration.test_one_person_statements import HOT, everything
from tests.integration.test_one_person_statements import pool as pool

# What reads every partition, by its table and words that only this statement has; each is explained
# in docs/scaling.md. Its plan for known values may do better.
ALL_PARTITIONS = {
    ("turns", "WITH stored AS (INSERT INTO inbox_events"): "receiving a message",
    ("turns", "SELECT state.*, event.attempts"): "the context of a turn",
    ("memory_expiries", "SELECT (SELECT count(*) FROM memory_expiries"): "counting before erasing",
}
_TABLE = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE)\s+({'|'.join((*HOT, 'turns'))})\b")


async def test_a_statement_reads_one_partition(app: App, postgres: EmbeddedPostgres) -> None:
    """Whatever somebody does, PostgreSQL reads one of sixteen partitions, but for listed cases."""
    await everything(app, "")
    noted: dict[str, Sent] = {}
    for sent in CountedConnection.statements:
        if _TABLE.search(sent.text):
            noted.setdefault(sent.text.rpartition("true); ")[2], sent)
    read: dict[str, int] = {}
    wide = set()
    with fresh_database(postgres) as conninfo:
        with psycopg.connect(conninfo, autocommit=True) as owner:
            partition(owner)
        with psycopg.connect(login_of(conninfo)) as login:
            for text, scope, values in noted.values():
                for table, kind, partitions in scanned(login, text, scope, values):
                    read[table] = read.get(table, 0) + 1
                    if partitions > 1:
                        known = [
                            one for one in ALL_PARTITIONS if one[0] == table and one[1] in text
                        ]
                        assert known, f"{partitions} of {table} with a {kind}: {text}"
                        assert partitions == PARTITIONS
                        wide.update(known)
    assert wide == ALL_PARTITIONS.keys()
    assert read.keys() == TABLES.keys()
    assert all(read[table] > 6 for table in ("store", "store_vectors", "memory_changes", "turns"))
