"""The `installations` table: the encrypted tokens of workspaces that installed the app by OAuth."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from psycopg import OperationalError
from psycopg.rows import DictRow
from slack_bolt.error import BoltError
from slack_sdk.oauth.installation_store import Installation as Installed
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, Installation, error_code, is_passing
from bot.users.workspaces import token_accepted
from memory import Pool, execute_statement, transaction

log = logging.getLogger(__name__)

STATE_SECONDS = 600
# Slack's tokens live for 12 hours. Until the old one ends, other processes go on with it.
_REFRESH_BEFORE_SECONDS = 7_200.0
_EXPIRED_SECONDS = 60.0
_REFRESH_SECONDS = 40.0
_STORE_SECONDS = 600.0
_CLOSE_SECONDS = 5.0
_POLL_SECONDS = 0.2

RefreshToken: TypeAlias = Callable[[str], Awaitable[AsyncSlackResponse]]
"""A function that exchanges a refresh token: ``oauth.v2.access``."""


class UnreadableToken(Exception):
    """A stored token cannot be decrypted with KIOKU_SECRET_KEY."""


class TokenCipher:
    """Encrypts tokens for one team each with the first of several keys; decrypts with any.

    A ciphertext that is moved to another team's row is not accepted.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        fernets = [Fernet(key) for key in keys]
        self._first, self._all = fernets[0], MultiFernet(fernets)

    def encrypt(self, team_id: str, token: str) -> str:
        """Return the ciphertext of a team's token."""
        return self._all.encrypt(f"{team_id} {token}".encode()).decode()

    def decrypt(self, team_id: str, ciphertext: str) -> str:
        """Return a team's token. Raises `UnreadableToken`."""
        try:
            owner, _, token = self._all.decrypt(ciphertext).decode().partition(" ")
        except InvalidToken:
            owner = ""
        if owner != team_id:
            raise UnreadableToken(
                f"KIOKU_SECRET_KEY does not decrypt the token of workspace {team_id}: add the key"
                " that it was encrypted with, after a comma."
            )
        return token

    def is_current(self, ciphertext: str) -> bool:
        """Say whether a ciphertext was made with the first key."""
        try:
            self._first.decrypt(ciphertext)
        except InvalidToken:
            return False
        return True


class InstallationStore(AsyncInstallationStore):
    """Stores installations for Bolt's OAuth flow, and finds them with a token that works."""

    def __init__(self, pool: Pool, cipher: TokenCipher, refresh: RefreshToken) -> None:
        self._pool = pool
        self._cipher = cipher
        self._refresh = refresh
        self._running: set[asyncio.Task[DictRow | None]] = set()

    async def close(self) -> None:
        """Wait until the tokens that are being refreshed are stored, at most five seconds."""
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSE_SECONDS)

    async def teams(self) -> list[str]:
        """Return the ids of all installations."""
        found = await execute_statement(
            self._pool, "SELECT team_id FROM installations ORDER BY team_id"
        )
        return [str(row["team_id"]) for row in found]

    async def async_save(self, installation: Installed) -> None:
        """Store an installation in place of an earlier one; the workspace is served from now on."""
        org = installation.is_enterprise_install
        team_id = installation.enterprise_id if org else installation.team_id
        if not (team_id and installation.bot_token and installation.bot_user_id):
            raise BoltError("Slack's answer names no workspace, or holds no bot token.")
        async with transaction(self._pool) as connection:
            await connection.execute(
                "INSERT INTO installations AS old (team_id, bot_user_id, bot_id, bot_token,"
                " refresh_token, expires_at) VALUES (%(team)s, %(user)s, %(bot)s, %(token)s,"
                " %(refresh)s, to_timestamp(%(expires)s)) ON CONFLICT (team_id) DO UPDATE SET"
                " bot_user_id = excluded.bot_user_id, bot_id = excluded.bot_id,"
                " bot_token = excluded.bot_token, refresh_token = excluded.refresh_token,"
                " expires_at = excluded.expires_at, refreshing_until = NULL, installed_at = now()",
                {
                    "team": team_id,
                    "user": installation.bot_user_id,
                    "bot": installation.bot_id,
                    "token": self._cipher.encrypt(team_id, installation.bot_token),
                    "refresh": self._encrypted(team_id, installation.bot_refresh_token),
                    "expires": installation.bot_token_expires_at,
                },
            )
            await token_accepted(connection, team_id, installation.bot_user_id)
        log.info("the app was installed in workspace %s", team_id)

    async def find(self, team_id: str) -> Installation | None:
        """Return the installation of a team, its token refreshed if it ends soon.

        Without a token if it has ended and Slack gave no answer to the refresh. Raises
        `psycopg.OperationalError` and `UnreadableToken`.
        """
        row = await self._row(team_id)
        if row is not None and row["left"] is not None and row["left"] < _REFRESH_BEFORE_SECONDS:
            row = await self._refreshed(row)
        if row is None:
            return None
        return Installation(
            team_id=team_id,
            bot_user_id=row["bot_user_id"],
            bot_id=row["bot_id"],
            bot_token=row["bot_token"] and self._cipher.decrypt(team_id, row["bot_token"]),
        )

    async def encrypt_again(self) -> None:
        """Encrypt what an earlier key encrypted with the first one. Raises `UnreadableToken`.

        Waits for a refresh that another process has begun, whose tokens would be lost otherwise.
        """
        for team_id in await self.teams():
            while row := await self._row(team_id):
                token = self._cipher.decrypt(team_id, row["bot_token"])
                if self._cipher.is_current(row["bot_token"]):
                    break
                if not await self._claim(row):
                    await asyncio.sleep(_POLL_SECONDS)
                    continue
                refresh = row["refresh_token"] and self._cipher.decrypt(
                    team_id, row["refresh_token"]
                )
                await self._replace(
                    row,
                    self._cipher.encrypt(team_id, token),
                    self._encrypted(team_id, refresh),
                    None,
                )

    async def _row(self, team_id: str) -> DictRow | None:
        found = await execute_statement(
            self._pool,
            "SELECT *, extract(epoch FROM expires_at - now())::float8 AS left FROM installations"
            " WHERE team_id = %s",
            (team_id,),
        )
        return found[0] if found else None

    async def _claim(self, row: DictRow) -> bool:
        """Let no other process change the tokens for 40 seconds; False if one is about to."""
        claimed = await execute_statement(
            self._pool,
            "UPDATE installations SET refreshing_until = now() + make_interval(secs => %s)"
            " WHERE team_id = %s AND bot_token = %s"
            " AND COALESCE(refreshing_until, '-infinity') < now() RETURNING team_id",
            (_REFRESH_SECONDS, row["team_id"], row["bot_token"]),
        )
        return bool(claimed)

    async def _refreshed(self, row: DictRow) -> DictRow | None:
        """Return the row with new tokens, or as it is if another process gets them meanwhile.

        Without a bot token if that has ended and there is no new one yet.
        """
        if not await self._claim(row):
            return await self._awaited(row)
        # A refresh token is good once: a caller that is cancelled must not lose what it gave.
        task = asyncio.create_task(self._exchange(row))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _exchange(self, row: DictRow) -> DictRow | None:
        team_id = row["team_id"]
        try:
            answer = await self._refresh(self._cipher.decrypt(team_id, row["refresh_token"]))
        except SLACK_FAULTS as error:
            # The next attempt is made when this one's time is over.
            why = error_code(error) or fault(error)
            log.warning("ALERT: the token of workspace %s was not refreshed: %s", team_id, why)
            return _without_ended(row) if is_passing(error) else row
        token = self._cipher.encrypt(team_id, str(answer["access_token"]))
        refresh = self._encrypted(team_id, str(answer["refresh_token"]))
        end = time.monotonic() + _STORE_SECONDS
        while True:
            try:
                await self._replace(row, token, refresh, float(answer["expires_in"]))
                return await self._row(team_id)
            except OperationalError:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(_POLL_SECONDS)

    async def _awaited(self, row: DictRow) -> DictRow | None:
        now: DictRow | None = row
        for _ in range(round(_REFRESH_SECONDS / _POLL_SECONDS)):
            if now is None or now["left"] is None or now["left"] > _EXPIRED_SECONDS:
                return now
            await asyncio.sleep(_POLL_SECONDS)
            now = await self._row(row["team_id"])
        return now and _without_ended(now)

    async def _replace(
        self, row: DictRow, token: str, refresh: str | None, seconds: float | None
    ) -> None:
        """Store tokens in place of those of `row`, unless the app was installed again since."""
        await execute_statement(
            self._pool,
            "UPDATE installations SET bot_token = %s, refresh_token = %s, refreshing_until = NULL,"
            " expires_at = COALESCE(now() + make_interval(secs => %s), expires_at)"
            " WHERE team_id = %s AND bot_token = %s RETURNING team_id",
            (token, refresh, seconds, row["team_id"], row["bot_token"]),
        )

    def _encrypted(self, team_id: str, token: str | None) -> str | None:
        return self._cipher.encrypt(team_id, token) if token else None


class OAuthStates(AsyncOAuthStateStore):
    """The `oauth_states` table: each state is good once, for `STATE_SECONDS`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def async_issue(self, *_: Any, **__: Any) -> str:
        """Return a new state."""
        state = secrets.token_urlsafe(32)
        await execute_statement(
            self._pool,
            "WITH ended AS (DELETE FROM oauth_states WHERE expires_at < now())"
            " INSERT INTO oauth_states VALUES (%s, now() + make_interval(secs => %s))"
            " RETURNING expires_at",
            (_digest(state), STATE_SECONDS),
        )
        return state

    async def async_consume(self, state: str) -> bool:
        """Use a state up; return False for one that is unknown, used or too old."""
        found = await execute_statement(
            self._pool,
            "DELETE FROM oauth_states WHERE digest = %s AND expires_at > now() RETURNING digest",
            (_digest(state),),
        )
        return bool(found)


def _without_ended(row: DictRow) -> DictRow:
    """Return a row without its bot token if Slack refuses that now, or will at once."""
    ended = row["left"] is not None and row["left"] < _EXPIRED_SECONDS
    return {**row, "bot_token": None} if ended else row


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
