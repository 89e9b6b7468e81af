"""Workspaces that install the app by OAuth: their tokens, encrypted, in the `workspaces` table."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_bolt.error import BoltError
from slack_sdk.errors import SlackTokenRotationError
from slack_sdk.oauth.installation_store import Installation as Installed
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.logs import fault
from bot.slack.client import Installation
from bot.workspaces import token_accepted
from memory import Pool, execute_statement, transaction

log = logging.getLogger(__name__)

# Slack's tokens live for twelve hours; the old one goes on working until it ends.
_ROTATE_MINUTES = 120


class UnreadableToken(Exception):
    """A stored token cannot be decrypted with KIOKU_SECRET_KEY."""


class InstallationStore(AsyncInstallationStore):
    """Stores installations for Bolt's OAuth flow, and finds them with a token that works.

    A ciphertext that is moved to another workspace's row is not accepted.
    """

    def __init__(self, pool: Pool, keys: Sequence[str], rotator: AsyncTokenRotator) -> None:
        self._pool = pool
        self.fernet = MultiFernet([Fernet(key) for key in keys])
        self._rotator = rotator
        self._rotating = asyncio.Lock()

    async def teams(self) -> list[str]:
        """Return the ids of the workspaces that have the app."""
        found = await execute_statement(
            self._pool, "SELECT team_id FROM workspaces WHERE tokens IS NOT NULL ORDER BY team_id"
        )
        return [str(row["team_id"]) for row in found]

    async def async_save(self, installation: Installed) -> None:
        """Store an installation in place of an earlier one; the workspace is served from now on."""
        team_id = installation.team_id
        if not (team_id and installation.bot_token and installation.bot_user_id):
            raise BoltError("Slack's answer names no workspace, or holds no bot token.")
        async with transaction(self._pool) as connection:
            await token_accepted(connection, team_id, installation.bot_user_id)
            await connection.execute(*self._statement(installation))
        log.info("the app was installed in workspace %s", team_id)

    async def find(self, team_id: str) -> Installation | None:
        """Return the installation of a team, its token rotated if it ends soon; None without one.

        Raises `psycopg.OperationalError` and `UnreadableToken`.
        """
        found = await self._stored(team_id)
        if found is not None and _ends_soon(found):
            # A refresh token is good once: a caller that is cancelled must not lose what it gave.
            found = await asyncio.shield(asyncio.ensure_future(self._rotated(team_id)))
        if found is None:
            return None
        return Installation(
            team_id=team_id,
            bot_user_id=str(found.bot_user_id),
            bot_id=found.bot_id,
            bot_token=str(found.bot_token),
        )

    async def _rotated(self, team_id: str) -> Installed | None:
        """Rotate the token; of two processes one is refused, and finds what the other stored."""
        async with self._rotating:
            before = await self._stored(team_id)
            if before is None or not _ends_soon(before):
                return before
            try:
                after = await self._rotator.perform_token_rotation(
                    installation=before, minutes_before_expiration=_ROTATE_MINUTES
                )
            except (SlackTokenRotationError, OSError, TimeoutError) as error:
                after = await self._stored(team_id)
                if after is not None and _ends_soon(after):
                    ended = (after.bot_token_expires_at or 0) < time.time()
                    level = logging.ERROR if ended else logging.WARNING
                    log.log(level, "workspace %s has no new token: %s", team_id, fault(error))
                return after
            if after is not None:
                statement, values = self._statement(after)
                await execute_statement(self._pool, f"{statement} RETURNING team_id", values)
            return after or before

    async def _stored(self, team_id: str) -> Installed | None:
        found = await execute_statement(
            self._pool,
            "SELECT tokens FROM workspaces WHERE team_id = %s AND tokens IS NOT NULL",
            (team_id,),
        )
        if not found:
            return None
        try:
            fields: dict[str, Any] = json.loads(self.fernet.decrypt(found[0]["tokens"]))
        except InvalidToken:
            fields = {}
        if fields.get("team_id") != team_id:
            raise UnreadableToken(
                f"KIOKU_SECRET_KEY does not decrypt the token of workspace {team_id}: add the key"
                " that it was encrypted with, after a comma."
            )
        return Installed(**fields)

    def _statement(self, installation: Installed) -> tuple[Any, tuple[str, str | None]]:
        tokens = self.fernet.encrypt(json.dumps(vars(installation)).encode()).decode()
        return (
            "UPDATE workspaces SET tokens = %s WHERE team_id = %s",
            (tokens, installation.team_id),
        )


def _ends_soon(installation: Installed) -> bool:
    end = installation.bot_token_expires_at
    return end is not None and end - time.time() < _ROTATE_MINUTES * 60
