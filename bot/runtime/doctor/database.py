"""The database: reachable, new enough, migrated, guarded, and of the same embedding model."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bot.config import STAND_IN_EMBEDDING_MODEL, Settings
from bot.queue.migrations import migrations
from bot.runtime.connections import UNBOUND_LOGIN, create_openai_client
from bot.runtime.database import database
from bot.runtime.doctor.installation import judge_installation, read_installation
from bot.runtime.finding import Finding, fix, note, ok
from bot.runtime.startup import StartError
from memory import (
    DatabaseFacts,
    EmbeddedPostgresError,
    EmbeddingSpace,
    EmbeddingsUnavailable,
    address_of,
    database_facts,
    embedding_space,
)

PART = "Database"
OLDEST_MAJOR = 16
_MIGRATE = "run `kioku migrate` as the owner of the database"


async def examine_database(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the database; no table is changed, and a fresh embedded one is only tried."""
    embedded = settings.database_url is None
    folder = settings.data_dir.resolve()
    name = f"embedded in {folder}"
    fresh = embedded and not (folder / "pg").exists()
    try:
        trial = tempfile.TemporaryDirectory(prefix="kioku-doctor-") if fresh else None
        with trial or nullcontext(str(folder)) as place:
            used = settings.model_copy(update={"data_dir": Path(place)})
            async with database(used, beside=True) as addresses:
                conninfo = address_of(addresses.login)
                name = name if embedded else _server(conninfo)
                facts = await database_facts(conninfo, migrations())
                installation = await read_installation(conninfo)
    except (EmbeddedPostgresError, StartError) as problem:
        yield fix(PART, str(problem))
        return
    except psycopg.OperationalError as error:
        if embedded:
            log = "look into postgres.log in KIOKU_DATA_DIR"
            yield fix(PART, f"the embedded PostgreSQL does not answer: {log}.")
        else:
            yield fix(PART, _unreachable(name, error))
        return
    except psycopg.Error as error:
        yield fix(
            PART,
            f"it cannot be looked at ({type(error).__name__}): let the user of DATABASE_URL read"
            " PostgreSQL's catalogs, as every user may by default.",
        )
        return
    if fresh:
        yield ok(PART, f"{name}, {_version(facts)}; the first `kioku up` makes it.")
        return
    for finding in judge(facts, name):
        yield finding
    if installation is not None:
        for finding in judge_installation(settings, installation):
            yield finding
    if facts.space is not None:
        yield await _embedding(settings, facts, facts.space)


def _server(conninfo: str) -> str:
    """Return the database and its server, without the user's password."""
    given = conninfo_to_dict(conninfo)
    host = str(given.get("host") or given.get("hostaddr") or "this machine")
    address = host if host.startswith("/") or "port" not in given else f"{host}:{given['port']}"
    return f"{given.get('dbname') or given.get('user') or 'PostgreSQL'} at {address}"


def _unreachable(where: str, error: psycopg.OperationalError) -> str:
    # Its text may quote the address, so only what is known to be in it is told.
    text = str(error)
    setting = "DATABASE_URL"
    if "password" in text or "no pg_hba.conf entry" in text or "authentication failed" in text:
        return f"{where} refuses the user or the password: correct {setting}."
    if "does not exist" in text:
        return f"{where} does not exist there (database or user): create it, or correct {setting}."
    if "could not translate host name" in text or "resolve host" in text:
        return f"{where}: no such host is known: correct {setting}."
    return f"{where} does not answer: start PostgreSQL there, or correct {setting}."


def _version(facts: DatabaseFacts) -> str:
    return f"PostgreSQL {facts.server_version // 10_000}.{facts.server_version % 10_000}"


def judge(facts: DatabaseFacts, name: str) -> Iterator[Finding]:
    """Yield the findings on the database, in the order in which an operator repairs them."""
    if facts.server_version < OLDEST_MAJOR * 10_000:
        yield fix(
            PART,
            f"{name} is {_version(facts)}: use PostgreSQL {OLDEST_MAJOR} or newer, with pgvector.",
        )
    else:
        yield ok(PART, f"{name}, {_version(facts)}.")
    if facts.pgvector == "missing":
        yield fix(
            "pgvector",
            "this PostgreSQL lacks the extension: install it (the package"
            f" postgresql-{facts.server_version // 10_000}-pgvector, or the image"
            " pgvector/pgvector), or use a PostgreSQL that brings it.",
        )
    elif facts.pgvector == "available":
        yield note("pgvector", "is there, not yet in this database: `kioku migrate` creates it.")
    else:
        yield ok("pgvector", "is installed.")
    yield from _migration(facts)
    yield from _roles(facts)


def _migration(facts: DatabaseFacts) -> Iterator[Finding]:
    part = "Migration"
    if facts.steps_missing is None or facts.steps_unknown is None:
        return
    if not facts.app_role_exists or facts.space is None:
        yield fix(part, f"the database is not set up: {_MIGRATE}.")
    elif facts.steps_missing:
        behind = f"{len(facts.steps_missing)} step(s) behind this version"
        yield fix(part, f"the database is {behind}: {_MIGRATE}.")
    elif facts.steps_unknown:
        yield note(
            part,
            f"the database is {len(facts.steps_unknown)} step(s) ahead of this version, as during"
            " an upgrade: this version goes on working; install the newer Kioku.",
        )
    else:
        yield ok(part, "the database is up to date.")


def _roles(facts: DatabaseFacts) -> Iterator[Finding]:
    part = "Roles"
    if not facts.app_role_exists:
        return
    if not facts.app_role_allowed:
        yield fix(
            part,
            "the user of DATABASE_URL may not act as kioku_app: run `kioku migrate`, with the"
            " address of the database's owner in DATABASE_OWNER_URL.",
        )
    if facts.login_bypasses:
        yield fix(part, f"{UNBOUND_LOGIN}.")
    elif facts.login_inherits:
        yield note(
            part,
            "the user of DATABASE_URL has kioku_app's rights outside of transactions, too: run"
            " `kioku migrate`, with the address of the database's owner in DATABASE_OWNER_URL.",
        )
    if facts.app_role_bypasses:
        yield fix(
            part,
            "kioku_app reaches everybody's rows: run `ALTER ROLE kioku_app NOSUPERUSER"
            " NOBYPASSRLS`, and let another role own the tables.",
        )
    unbound = facts.login_bypasses or facts.login_inherits or facts.app_role_bypasses
    if facts.app_role_allowed and not unbound:
        yield ok(
            part,
            "the serving user owns nothing and may act as kioku_app, which row-level security"
            " binds.",
        )
    if tables := facts.unprotected_tables:
        statements = " ".join(f"ALTER TABLE {one} ENABLE ROW LEVEL SECURITY;" for one in tables)
        yield fix(
            "Row-level security",
            f"is off for {', '.join(tables)}, so that one person's rows are not kept from"
            f" another's turn: run `{statements}`",
        )


async def _embedding(settings: Settings, facts: DatabaseFacts, stored: EmbeddingSpace) -> Finding:
    part = "Embedding"
    held = f"{stored.model} ({stored.dimensions} dimensions)"
    if facts.column_dimensions not in (None, stored.dimensions):
        return fix(
            part,
            f"the vectors' column has {facts.column_dimensions} dimensions, but they are said to be"
            f" of {held}: restore the database from its backup.",
        )
    try:
        wanted = await _wanted(settings)
    except EmbeddingsUnavailable as problem:
        return fix(part, str(problem))
    if wanted == stored:
        return ok(part, f"the stored memories are of {held}, as configured.")
    here = f"{wanted.model} ({wanted.dimensions})"
    if facts.without_vectors:
        todo = "`kioku up` and `kioku migrate` adapt the database, which holds no memory yet"
        return note(part, f"{here} is configured, another model than before: {todo}.")
    if stored.model == STAND_IN_EMBEDDING_MODEL:
        todo = "`kioku up` and `kioku migrate` embed the stand-in's memories again"
    elif stored.model == wanted.model:
        todo = "use another database or KIOKU_DATA_DIR"
    else:
        todo = f"set KIOKU_EMBEDDING_MODEL={stored.model}, or use another database"
    return fix(part, f"the stored memories are of {held}, {here} is configured: {todo}.")


async def _wanted(settings: Settings) -> EmbeddingSpace:
    model = settings.embedding_model
    if not settings.has_model and "embedding_model" not in settings.model_fields_set:
        model = STAND_IN_EMBEDDING_MODEL  # as `kioku up` does
    async with create_openai_client(settings, seconds=20.0) as client:
        return await embedding_space(client, model)
