"""The PostgreSQL that the examples use: that of DATABASE_URL, or a temporary one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from langgraph.store.postgres.base import PostgresIndexConfig

from docs.examples.environment import vector_index


@contextmanager
def database() -> Iterator[str]:
    """Yield the address of a PostgreSQL with pgvector."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
    else:
        from memory import EmbeddedPostgres

        with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as postgres:
            yield postgres.dsn()


def exact_index() -> PostgresIndexConfig:
    """Return an index that searches exactly: an approximate one misses some memories."""
    index = vector_index()
    return {"dims": index["dims"], "embed": index["embed"], "ann_index_config": {"kind": "flat"}}
