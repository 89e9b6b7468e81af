"""The `workspaces` table: which workspaces have the app, and the deletion of one that removed it.

``app_uninstalled`` ends the service at once; the rows are deleted after a grace period, unless the
app is installed again. ``tokens_revoked`` ends it if Slack refuses the token, and deletes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.client import (
    TOKEN_REFUSED,
    SlackApi,
    error_code,
)
from bot.slack.messages import Installation, installation_team, mentions
from memory import Pool
from memory.model import Json
from memory.postgres import Connection, execute_statement, load_statements

log = logging.getLogger(__name__)

_SQL = load_statements("bot", "workspaces")
# Events carry whole seconds, so what was written within the same second counts as older.
_EVENT_SECONDS = 1.0
_HOUR_SECONDS = 3_600.0


def installation_from(answer: AsyncSlackResponse, bot_token: str) -> Installation:
    """Return the installation of a bot token that ``auth.test`` was called with."""
    return Installation(
        team_id=answer["team_id"],
        bot_user_id=answer["user_id"],
        bot_token=bot_token,
        enterprise_id=answer.get("enterprise_id"),
    )


class Workspaces:
    """Says which workspaces are served, and records those that leave."""

    def __init__(self, pool: Pool, slack: SlackApi, *, grace_hours: float) -> None:
        self.pool = pool
        self._slack = slack
        self._grace_seconds = grace_hours * _HOUR_SECONDS

    async def serves(self, team_id: str) -> bool:
        """Return whether a workspace has the app; raises `psycopg.OperationalError`."""
        return await self.problem(team_id) is None

    async def problem(self, team_id: str) -> str | None:
        """Return one sentence for the operator if the workspace is not served."""
        found = await execute_statement(self.pool, _SQL["left"], {"team": team_id})
        if not found:
            return None
        [workspace] = found
        what = "revoked its bot token"
        if workspace["purge_at"]:
            what = "uninstalled the app"
        day = f"{workspace['left_at']:%Y-%m-%d}"
        return (
            f"Workspace {team_id} {what} on {day}: to serve it again, install the app; with"
            " SLACK_BOT_TOKEN also set the new token and restart."
        )

    async def with_message(self, body: Json) -> list[str]:
        """Return the teams that an event of a shared channel is for.

        They are the one in its authorization, those whose bot is mentioned, and those that have
        rows of the message or its thread. Raises `psycopg.OperationalError`.
        """
        event = body["event"]
        message = event.get("message") or event.get("previous_message") or event
        # Slack turns a deleted message that has replies into one by Slackbot.
        before = event.get("previous_message") or message
        author = before.get("user")
        ts = event.get("deleted_ts") or message.get("ts")
        root = message.get("thread_ts") or event.get("thread_ts") or ts
        text = str(message.get("text") or "")
        values = {
            "channel": str(event.get("channel") or ""),
            "ts": str(ts or ""),
            "root": str(root or ""),
            "author": str(author or ""),
            "mentioned": sorted(mentions(text)),
        }
        teams = [installation_team(body)]
        for row in await execute_statement(self.pool, _SQL["with_message"], values):
            if row["team_id"] not in teams:
                teams.append(row["team_id"])
        return teams

    async def record_departure(
        self, team_id: str, at: float, *, uninstalled: bool
    ) -> None:
        """Record ``app_uninstalled``, or that a bot token was revoked, at a time in seconds.

        An event that is older than the newest installation is ignored. So is the revocation of a
        token that is not in use, because Slack still accepts the one in use.
        """
        if not uninstalled and not await self._is_refused(team_id):
            return
        grace = self._grace_seconds if uninstalled else None
        if await _leave(self.pool, team_id, at, grace):
            log.warning("%s", await self.problem(team_id))

    async def _is_refused(self, team_id: str) -> bool:
        """Ask Slack if it refuses the token; raises what the Slack SDK raises without an answer."""
        try:
            await self._slack.client(team_id).auth_test()
        except SlackApiError as error:
            if error_code(error) not in TOKEN_REFUSED:
                raise
            return True
        return False

    def while_served(
        self, work: Callable[..., Awaitable[None]]
    ) -> Callable[..., Awaitable[None]]:
        """Return `work` without the jobs of workspaces that are not served."""

        async def served(**arguments: Any) -> None:
            team_id = str(arguments["team"])
            if await self.serves(team_id):
                await work(**arguments)

        return served


async def _leave(pool: Pool, team_id: str, at: float, grace: float | None) -> bool:
    """Record that a workspace left; its rows are deleted after `grace` seconds, or stay if None.

    Returns False if that was known, or if the app was installed again after the time `at`.
    """
    values = {"team": team_id, "grace": grace, "at": at + _EVENT_SECONDS}
    return bool(await execute_statement(pool, _SQL["leave"], values))


async def uninstalled_since(pool: Pool, since: datetime) -> list[str]:
    """Return the ids of the workspaces that removed the app from a time on and are still away."""
    found = await execute_statement(pool, _SQL["uninstalled_since"], {"since": since})
    return [str(row["team_id"]) for row in found]


async def uninstall_again(pool: Pool, team_id: str, *, grace_hours: float) -> None:
    """Let a workspace leave in a restored database, which may have it as before it left."""
    await _leave(pool, team_id, time.time(), grace_hours * _HOUR_SECONDS)


async def token_accepted(
    connection: Connection, team_id: str, bot_user_id: str | None
) -> None:
    """Record that Slack accepts the token of a workspace: it is served, and keeps its rows."""
    await connection.execute(
        _SQL["token_accepted"], {"team": team_id, "bot": bot_user_id}
    )


async def purge_due(pool: Pool, days: int = 36_500) -> None:
    """Delete the rows of each workspace whose `purge_at` passed within the last `days`.

    This is repeated each minute for a day, because work may have been under way. At a start the day
    does not matter, because no process may have run on it.
    """
    for row in await execute_statement(pool, _SQL["to_purge"], {"days": days}):
        team_id = row["team_id"]
        await execute_statement(pool, _SQL["purge"], {"team": team_id})
        log.info("the rows of workspace %s are deleted", team_id)
