"""``kioku status``, ``failed``, ``audit`` and ``reembed``: no texts.

Only ``audit`` has ids of people.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, LiteralString

from psycopg import OperationalError

from bot.config import Settings
from bot.conversation.operating_state import read_operating_state
from bot.queue.failed import change_failed_jobs, list_failed_jobs
from bot.runtime.database import database, replace_vectors
from bot.runtime.operators import in_database, owner_required, record, record_as_owner
from bot.runtime.output import tell
from bot.runtime.startup import ArgumentError, StartError
from bot.views.dates import plain_minute
from bot.views.operations import operation_lines
from memory import Pool, address_of, execute_statement, transaction

_LISTED = 50
_AUDIT: LiteralString = (
    "SELECT at, operator, host, action, team_id, user_id, rows, outcome FROM operator_actions"
    " WHERE at > now() - make_interval(days => %s) ORDER BY id DESC"
)


def status(settings: Settings) -> None:
    """Print versions, model, running processes, and counts of messages and jobs.

    Raises `StartError` if the database cannot be reached or is not set up.
    """
    state = in_database(settings, read_operating_state)
    none = "none is set; `kioku up` answers with the stand-in"
    models = settings.models if settings.has_model else none
    for line in operation_lines("en", state, models, _in_utc):
        tell(line)
    if state.failed_jobs:
        tell("`kioku failed list` shows the failed jobs.")


def _in_utc(moment: datetime) -> str:
    return f"{plain_minute(moment, UTC, 'en')} UTC"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def list_failed(settings: Settings) -> None:
    """Print the newest failed jobs. Raises `StartError`.

    Failed messages are not among them: their text is deleted when their author is told.
    """
    rows = in_database(settings, lambda pool: list_failed_jobs(pool, _LISTED))
    for row in rows:
        at = row["failed_at"].astimezone(UTC).isoformat(timespec="seconds")
        tell(
            f"{row['id']:>8}  {at}  {row['team']:12}  {row['task_name']}"
            f"  ({row['attempts']} attempts)"
        )
    more = ", the newest" if len(rows) == _LISTED else ""
    tell(_count(len(rows), "failed job") + more)


def retry_failed(settings: Settings, *, ids: list[int], every: bool) -> None:
    """Let failed jobs run again, those with `ids` or every one. Raises `StartError`."""
    retried, covered = _change_failed(settings, "retry", ids, every=every)
    tell(f"Retrying {_count(retried, 'job')}.")
    if covered:
        tell(f"Deleted {_count(covered, 'job')}: a newer one does the same work.")


def drop_failed(settings: Settings, *, ids: list[int], every: bool) -> None:
    """Delete failed jobs, those with `ids` or every one. Raises `StartError`."""
    dropped, _ = _change_failed(settings, "drop", ids, every=every)
    tell(f"Deleted {_count(dropped, 'failed job')}.")


def _change_failed(
    settings: Settings, verb: Literal["retry", "drop"], ids: list[int], *, every: bool
) -> tuple[int, int]:
    """Return how many jobs were changed, and how many others did the same work."""
    if not ids and not every:
        raise ArgumentError(f"Say which: `kioku failed {verb} ID …`, or --all.")

    async def change(pool: Pool) -> tuple[int, int]:
        async with transaction(pool) as connection:
            changed, covered = await change_failed_jobs(connection, verb, ids, every=every)
            if not (changed or covered or every):
                raise StartError("No failed job has this id: `kioku failed list` shows them.")
            await record(connection, verb, changed + covered)
        return changed, covered

    return in_database(settings, change, action=verb)


def audit(settings: Settings, *, days: int) -> None:
    """Print who ran which command on whose data, the newest first. Raises `StartError`."""
    rows = in_database(settings, lambda pool: execute_statement(pool, _AUDIT, (days,)))
    for row in rows:
        at = row["at"].astimezone(UTC).isoformat(timespec="seconds")
        who = f"{row['operator']}@{row['host'] or '-'}"
        whose = f"{row['team_id']:12}  {row['user_id']:12}"
        tell(f"{at}  {who:24}  {row['action']:12}  {whose}  {row['rows']:>8}  {row['outcome']}")
    tell(f"{_count(len(rows), 'command')} in the last {_count(days, 'day')}")


async def reembed(settings: Settings, *, again: bool) -> None:
    """Re-embed every memory with the configured model, beside the running application.

    Raises `StartError`.
    """
    name = settings.embedding_model
    async with owner_required("reembed"):
        try:
            async with database(settings, beside=True) as addresses:
                made = await replace_vectors(settings, addresses, again=again)
                await record_as_owner(address_of(addresses.owner), "reembed", made)
        except OperationalError:
            raise StartError(
                "PostgreSQL could not be reached: run the command again, it goes on where it was."
            ) from None
    if made:
        tell(f"Embedded {made} memories with {name}. Restart every process of Kioku")
        tell(f"with KIOKU_EMBEDDING_MODEL={name}; until then answers use only the newest memories,")
        tell("and no memory is stored.")
    else:
        tell(f"Every memory is embedded with {name} already.")
