"""``kioku backup`` and ``kioku restore``: the whole database, without what was forgotten since."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from psycopg import Error

from bot.config import Settings
from bot.queue.migrations import QUEUE_RIGHTS, QUEUE_ROLE, migrations
from bot.runtime.database import database
from bot.runtime.operators import owner_required, record_as_owner
from bot.runtime.output import tell
from bot.runtime.startup import ArgumentError
from memory import (
    BackupTables,
    Login,
    StoredText,
    address_of,
    back_up,
    list_existing,
    restore,
)

TABLES = BackupTables(
    # Work under way, what Slack is asked again, and ciphertexts of what was just forgotten.
    omitted=(
        *("procrastinate_%", "processes", "inbox_events", "catching_up", "notices"),
        *("forgotten", "slack_deletions", "slack_erasures", "person_requests"),
        *("conversations", "viewed", "home_views", "oauth_states"),
    ),
    copied=(
        *("person_settings", "incognito_threads", "quiet_threads", "forgotten_sources"),
        *("workspaces", "sent_files"),
        "installations",  # of tokens that are refreshed, only the newest are valid
    ),
    texts=(
        StoredText("turns", "'question ' || id", "question", "UPDATE turns SET question = ''"),
        StoredText("turns", "'words ' || id", "words", "UPDATE turns SET words = ''"),
        StoredText("turns", "'reply ' || id", "reply", "UPDATE turns SET reply = NULL"),
        StoredText("feedback", "turn_id::text", "comment", "UPDATE feedback SET comment = ''"),
    ),
    afterwards=(
        # What was answered or formed since is not known: neither is done again.
        "UPDATE turns SET formed_at = COALESCE(formed_at, now()), ended_at = COALESCE(ended_at,"
        " now()), status = CASE status WHEN 'answering' THEN 'failed' ELSE status END",
        "UPDATE listening SET heard_at = now()",
        QUEUE_RIGHTS,
    ),
)


async def backup(settings: Settings, *, file: Path | None, ids: Path | None) -> None:
    """Write a backup to `file`, and the list of what exists to `ids`. Raises `StartError`."""
    if file is None and ids is None:
        raise ArgumentError("Name a file for the backup, or one for the list with --ids.")
    async with owner_required("backup"), database(settings, beside=True) as addresses:
        owner = address_of(addresses.owner)
        if file is not None:
            async with _recorded(owner, "backup"):
                await asyncio.to_thread(back_up, owner, file, TABLES, tell)
            tell(f"Wrote {file}, {_size(file)}.")
        if ids is not None:
            await asyncio.to_thread(list_existing, owner, ids, TABLES)
            tell(f"Wrote {ids}, {_size(ids)}.")


async def restore_backup(
    settings: Settings, *, file: Path, ids: Path | None, accept_forgotten: bool
) -> None:
    """Restore `file` into an empty database, without what `ids` does not have.

    Raises `StartError`.
    """
    if ids is None and not accept_forgotten:
        raise ArgumentError(
            "What was forgotten since the backup would come back: name the newest list with --ids"
            " (see `kioku backup --ids`), or accept it with --accept-forgotten."
        )
    async with owner_required("restore"), database(settings) as addresses:
        owner, login = address_of(addresses.owner), Login(addresses.login, (QUEUE_ROLE,))
        async with _recorded(owner, "restore"):
            at = await asyncio.to_thread(
                restore, owner, file, ids, TABLES, migrations(), login, tell
            )
    tell(f"Restored. What was forgotten after {at:%Y-%m-%d %H:%M:%S %Z} is not known here.")


@asynccontextmanager
async def _recorded(owner: str, action: str) -> AsyncIterator[None]:
    """Record a command once it has ended, and how."""
    try:
        yield
    except BaseException:
        with suppress(Error):  # a database that is not migrated has no table for it
            await record_as_owner(owner, action, 0, outcome="failed")
        raise
    await record_as_owner(owner, action, 0)


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.1f} MB"
