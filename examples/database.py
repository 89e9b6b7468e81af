"""The PostgreSQL that the examples use: one of AWS, one of yours, or a temporary one."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from langgraph.store.postgres.base import PostgresIndexConfig
from psycopg.conninfo import make_conninfo

from examples.environment import vector_index


@contextmanager
def database() -> Iterator[str]:
    """Yield the address of a PostgreSQL with pgvector.

    It is the one whose credentials AWS Secrets Manager keeps under SECRET_NAME, the one of
    DATABASE_URL, or a new one that ends with the program.
    """
    if name := os.environ.get("SECRET_NAME"):
        yield _address_in_secret(name)
    elif url := os.environ.get("DATABASE_URL"):
        yield url
    else:
        from memory import EmbeddedPostgres

        with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as postgres:
            yield postgres.dsn()


def _address_in_secret(name: str) -> str:
    """Read what RDS keeps in the secret of a cluster; needs `pip install boto3`."""
    secrets = importlib.import_module("boto3").client("secretsmanager")
    kept = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
    return make_conninfo(
        host=kept["host"],
        port=kept["port"],
        dbname=kept["dbname"],
        user=kept["username"],
        password=kept["password"],
    )


def exact_index() -> PostgresIndexConfig:
    """Return how a store in PostgreSQL embeds and searches.

    By default it makes an approximate index, which misses memories of people who have many.
    """
    index = vector_index()
    return {"dims": index["dims"], "embed": index["embed"], "ann_index_config": {"kind": "flat"}}
