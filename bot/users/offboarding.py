"""Offboarding: a workspace that removes the app is not served, and its rows are deleted.

``app_uninstalled`` purges at once. ``tokens_revoked`` that names the bot stops the work and purges
after 14 days, unless Slack accepts the token again before.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.queue.erasing import delete_jobs_of_workspace
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import Installations, error_code, installation_from
from bot.users.workspaces import (
    Workspaces,
    awaits_token,
    begin_due_purges,
    delete_tokens,
    due_purges,
    end_purge,
    note_revoked,
    note_uninstalled,
    token_accepted,
)
from memory import Pool, purge_batches, purge_memories, transaction

log = logging.getLogger(__name__)

PURGE = "purge_workspace"
AGAIN_SECONDS = 600.0
_CHECK_SECONDS = 6 * 3_600.0
# Events carry whole seconds: what was written within that second is older.
_EVENT_SECONDS = 1.0

REFUSED = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "not_authed",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
"""Errors by which Slack refuses a token, and `NotInstalled`: they say nothing of the call."""


@dataclass(frozen=True, slots=True)
class Offboarding:
    """Records the events before they are acknowledged, and purges in jobs."""

    pool: Pool
    queue: Queue
    slack: Installations
    workspaces: Workspaces

    async def uninstalled(self, team_id: str, at: float) -> None:
        """Record ``app_uninstalled``, sent at a time in seconds: the rows are purged at once."""
        async with transaction(self.pool) as connection:
            purge_at = await note_uninstalled(connection, team_id, at + _EVENT_SECONDS)
            await delete_tokens(connection, team_id, at + _EVENT_SECONDS)
            if purge_at is not None:
                await self._schedule(connection, team_id, 0.0)
        self._forget(team_id)
        if purge_at is not None:
            log.warning("workspace %s uninstalled the app: its data is deleted now", team_id)

    async def tokens_revoked(self, team_id: str, at: float, bots: Sequence[str]) -> None:
        """Record ``tokens_revoked``, sent at a time in seconds; `bots` are the bot users it names.

        Nothing happens unless the app's own is among them.
        """
        installation = await self.slack.find(team_id)
        known = installation.bot_user_id if installation else ""
        async with transaction(self.pool) as connection:
            purge_at = await note_revoked(connection, team_id, at + _EVENT_SECONDS, bots, known)
            if purge_at is not None:
                await delete_tokens(connection, team_id, at + _EVENT_SECONDS)
                await self._schedule(connection, team_id, _CHECK_SECONDS)
        self._forget(team_id)
        if purge_at is not None:
            log.error(
                "ALERT: Slack revoked the bot token of workspace %s, which is served no longer:"
                " install the app again (and set the new SLACK_BOT_TOKEN and restart, unless OAuth"
                " stores the token), or the workspace's data is deleted on %s",
                team_id,
                f"{purge_at:%Y-%m-%d}",
            )

    def _forget(self, team_id: str) -> None:
        self.workspaces.invalidate(team_id)
        self.slack.invalidate(team_id)

    async def problem(self, team_ids: Sequence[str]) -> str | None:
        """Return one sentence if the workspace of this process is not served."""
        return next((one.sentence() for one in await self.workspaces.departures(team_ids)), None)

    def while_served(self, work: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """Return `work` without the jobs of workspaces that are not served."""

        async def served(**arguments: Any) -> None:
            team_id = _team_of(arguments)
            if await self.workspaces.serves(team_id):
                await work(**arguments)
            else:
                log.info("a job of workspace %s, which is not served, was passed over", team_id)

        return served

    async def schedule_due(self) -> None:
        """Defer the purges that are due and have no job."""
        for team_id in await due_purges(self.pool):
            await self._schedule(self.pool, team_id, 0.0)

    async def purge(self, team: str) -> None:
        """Purge a workspace if that is due; run as a job.

        After a revoked token Slack is asked from time to time whether it accepts the token again,
        and a last time before the purge. Raises what the Slack SDK raises where it gives no answer.
        """
        left = await awaits_token(self.pool, team)
        if left is not None:
            if bot_user_id := await self._accepted(team):
                async with transaction(self.pool) as connection:
                    await token_accepted(connection, team, bot_user_id)
                log.warning("Slack accepts the token of workspace %s again", team)
                return
            if left > 0:
                await self._schedule(self.pool, team, min(left, _CHECK_SECONDS))
                return
        for team_id, again in (await purge_due(self.pool, team)).items():
            if again is not None:
                await self._schedule(self.pool, team_id, again)

    async def _accepted(self, team_id: str) -> str:
        """Return the app's user id if Slack accepts its token of the workspace, else ``""``."""
        try:
            answer = await self.slack.client(team_id).auth_test()
        except SlackApiError as error:
            if error_code(error) in REFUSED:
                return ""
            raise
        found = installation_from(answer)
        return found.bot_user_id if found.team_id == team_id else ""

    async def _schedule(
        self, where: AsyncConnection[DictRow] | Pool, team_id: str, delay: float
    ) -> None:
        # A sleeping database is woken for jobs of this queue, but not for the upkeep's.
        await self.queue.defer(
            where,
            PURGE,
            queue=BACKGROUND,
            lock=f"{PURGE}:{team_id}",
            delay=delay,
            reschedule=True,
            team=team_id,
        )


def _team_of(arguments: Mapping[str, Any]) -> str:
    return str(arguments.get("team") or str(arguments.get("thread", "")).partition(".")[0])


async def purge_due(pool: Pool, team_id: str | None = None) -> dict[str, float | None]:
    """Purge the workspaces whose purge is due, or this one; any process may, and any number.

    Returns, by workspace, in how many seconds the purge is to be repeated; None: it is done.
    """
    async with transaction(pool) as connection:
        due = await begin_due_purges(connection, team_id)
    return {team_id: (await _purge(pool, team_id, before))[1] for team_id, before in due.items()}


async def _purge(pool: Pool, team_id: str, before: datetime) -> tuple[Counter[str], float | None]:
    counts = await purge_batches(
        pool, "SELECT * FROM purge_workspace_rows(%s, %s, %s)", team_id, before
    )
    # After the turns, so that no formation writes a memory from deleted words.
    counts += await purge_memories(pool, team_id, before)
    jobs = await delete_jobs_of_workspace(pool, team_id, before, kept=PURGE)
    counts["procrastinate_jobs"] += jobs
    rows = ", ".join(f"{table} {count}" for table, count in sorted(counts.items()) if count)
    log.info("purged workspace %s: %s", team_id, rows or "nothing was left")
    async with transaction(pool) as connection:
        again = await end_purge(connection, team_id, counts.total(), AGAIN_SECONDS)
    return counts, again
