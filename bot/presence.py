"""Whether the app is installed in the workspace of this database.

``app_uninstalled`` ends the service: each process stays, answers every request with one sentence,
and does no job but `Presence.settle`. A day later the rows of everybody are deleted, if PostgreSQL
finds that a day has passed and Slack still answers that the app is gone; if Slack accepts the token
again, the service goes on. A token that Slack refuses although nobody uninstalled the app ends the
process (`bot.runtime.refused_token`), and deletes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.slack.client import SlackApi, error_code
from bot.slack.messages import Installation
from memory import Pool
from memory.postgres import execute_statement, load_statements

log = logging.getLogger(__name__)

GONE = frozenset({"account_inactive", "token_revoked"})
"""What Slack answers to the token of an app that was uninstalled.

Any other answer may have another cause: a wrong token, an outage, a limit.
"""

_SQL = load_statements("bot", "installation")


class Presence:
    """Whether the app is installed, as far as this process knows: `left_at` is None while it is.

    What another process stores is known here after `refresh`, which is called every 20 seconds.
    """

    def __init__(self, pool: Pool, slack: SlackApi, installation: Installation) -> None:
        self._pool = pool
        self._slack = slack
        self.team_id = installation.team_id
        self._values = {
            "team": installation.team_id,
            "bot": installation.bot_user_id,
        }
        self.left_at: datetime | None = None

    @property
    def problem(self) -> str | None:
        """One sentence for whoever asks, while the app is uninstalled."""
        if self.left_at is None:
            return None
        return (
            f"Kioku was uninstalled from workspace {self.team_id} on"
            f" {self.left_at:%Y-%m-%d at %H:%M} UTC: what it stores is deleted a day later, unless"
            " the app is installed again and every process is restarted with the new"
            " SLACK_BOT_TOKEN."
        )

    async def refresh(self) -> None:
        """Read whether the app is installed; raises `psycopg.OperationalError`."""
        rows = await execute_statement(self._pool, _SQL["read"])
        self.left_at = rows[0]["left_at"] if rows else None

    async def leave(self) -> None:
        """Record that the app was uninstalled, unless that is known."""
        if await execute_statement(self._pool, _SQL["leave"], self._values):
            await self.refresh()
            log.warning("%s", self.problem)

    def while_installed(
        self, work: Callable[..., Awaitable[None]]
    ) -> Callable[..., Awaitable[None]]:
        """Return `work`, which does nothing while the app is uninstalled."""

        async def run(*arguments: Any, **named: Any) -> None:
            if self.left_at is None:
                await work(*arguments, **named)

        return run

    async def settle(self) -> None:
        """While the app is uninstalled, ask Slack: go on, or delete everybody's rows if it is time.

        Raises what the Slack SDK raises if it gives another answer or none: then nothing changes.
        """
        await self.refresh()
        if self.left_at is None:
            return
        try:
            await self._slack.client(self.team_id).auth_test()
        except SlackApiError as error:
            if error_code(error) not in GONE:
                raise
            # PostgreSQL does so after a day at the earliest.
            [done] = await execute_statement(self._pool, _SQL["delete_everybody"])
            if done["rows"]:
                log.warning("the app is uninstalled: %d rows are deleted", done["rows"])
            return
        await execute_statement(self._pool, _SQL["token_accepted"], self._values)
        await self.refresh()
        log.warning("the app is installed again in workspace %s", self.team_id)
