"""Several workspaces: Bolt's OAuth flow, and a store of encrypted tokens in `workspaces`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

from aiohttp import web
from aiohttp.typedefs import Handler
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation as Installed
from slack_sdk.oauth.installation_store.async_installation_store import (
    AsyncInstallationStore,
)
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.config import Settings
from bot.logs import fault
from bot.runtime.manifest import manifest_scopes
from bot.runtime.problems import Problem
from bot.slack.client import SLACK_FAULTS, SlackClient
from bot.slack.messages import Installation
from bot.workspaces import teams_with_tokens, token_accepted
from memory import Pool
from memory.postgres import execute_statement, load_statements, transaction

log = logging.getLogger(__name__)

# Requests to these have a state or a code in their addresses.
INSTALL = "/slack/install"
REDIRECT = "/slack/oauth_redirect"
STATE_SECONDS = 600
_SQL = load_statements("bot", "workspaces")


class InstallationStore(AsyncInstallationStore, AsyncOAuthStateStore):
    """Installations with encrypted tokens, and signed states for those that are beginning.

    A state is valid for ten minutes; Bolt also keeps it in a cookie, and compares the two.
    """

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._looked_up: dict[str, asyncio.Task[Installed | None]] = {}
        # Rotated tokens that PostgreSQL has not taken yet, by those that they replace, encrypted.
        self._unstored: dict[str, Installed] = {}
        self._fernet = MultiFernet([Fernet(key) for key in settings.secret_keys()])
        secret = ""
        if settings.slack_client_secret is not None:
            secret = settings.slack_client_secret.get_secret_value()
        self.rotator = AsyncTokenRotator(
            client_id=str(settings.slack_client_id),
            client_secret=secret,
            client=SlackClient(base_url=settings.slack_api_url),
        )

    async def async_save(self, installation: Installed) -> None:
        """Store an installation in place of an earlier one; the workspace is served from now on."""
        team_id = installation.team_id
        if not (team_id and installation.bot_token and installation.bot_user_id):
            raise BoltError("Slack's answer names no workspace, or holds no bot token.")
        async with transaction(self._pool) as connection:
            await token_accepted(connection, team_id, installation.bot_user_id)
            await connection.execute(
                _SQL["store_tokens"], self._tokens(team_id, installation)
            )
        log.info("the app was installed in workspace %s", team_id)

    async def check(self) -> None:
        """Raise `Problem` unless each stored token can be decrypted. Rotates none."""
        for team in await teams_with_tokens(self._pool):
            await self._read(team)

    async def find(self, team_id: str) -> Installation | None:
        """Return the installation of a team, with a token that works, or None.

        Raises `psycopg.OperationalError`, and `Problem` for a token encrypted with another key.
        """
        # A refresh token works once, so all callers for a team wait for the same task, and a
        # cancelled caller does not lose the new token.
        task = self._looked_up.get(team_id)
        if task is None:
            task = asyncio.create_task(self._rotate(team_id))
            self._looked_up[team_id] = task
            task.add_done_callback(lambda _: self._looked_up.pop(team_id))
        found = await asyncio.shield(task)
        if found is None:
            return None
        return Installation(
            team_id=team_id,
            bot_user_id=str(found.bot_user_id),
            bot_token=str(found.bot_token),
            enterprise_id=found.enterprise_id,
        )

    async def _rotate(self, team_id: str) -> Installed | None:
        """Rotate a token that expires within two hours; the old one works until then.

        A new one that PostgreSQL does not take is stored at the next call.
        """
        stored = await self._read_tokens(team_id)
        if stored is None:
            return None
        if stored not in self._unstored:
            before = self._decrypted(team_id, stored)
            try:
                after = await self.rotator.perform_token_rotation(installation=before)
            except SLACK_FAULTS as error:
                now = await self._read(team_id)  # perhaps another process rotated it
                if now is not None and now.bot_token == before.bot_token:
                    log.warning(
                        "workspace %s has no new token: %s", team_id, fault(error)
                    )
                return now
            if after is None:
                return before
            self._unstored[stored] = after
        values = {**self._tokens(team_id, self._unstored[stored]), "replaced": stored}
        await execute_statement(self._pool, _SQL["replace_tokens"], values)
        del self._unstored[stored]
        return await self._read(team_id)

    async def _read(self, team_id: str) -> Installed | None:
        tokens = await self._read_tokens(team_id)
        return None if tokens is None else self._decrypted(team_id, tokens)

    async def _read_tokens(self, team_id: str) -> str | None:
        """Return the encrypted tokens of a team, or None."""
        rows = await execute_statement(self._pool, _SQL["tokens"], {"team": team_id})
        return str(rows[0]["tokens"]) if rows else None

    def _decrypted(self, team_id: str, tokens: str) -> Installed:
        """Return the installation in a team's encrypted tokens. Raises `Problem`."""
        try:
            found = Installed(**json.loads(self._fernet.decrypt(tokens)))
        except InvalidToken:
            found = None
        if found is None or found.team_id != team_id:
            raise Problem(
                f"KIOKU_SECRET_KEY does not decrypt the token of workspace {team_id}: add the key"
                " that it was encrypted with, after a comma."
            )
        return found

    def _tokens(self, team_id: str, installation: Installed) -> dict[str, str]:
        """Return the values that store an installation of a team, encrypted."""
        encrypted = self._fernet.encrypt(json.dumps(vars(installation)).encode())
        return {"team": team_id, "tokens": encrypted.decode()}

    async def async_issue(self, *_: Any, **__: Any) -> str:
        """Return a new state."""
        return self._fernet.encrypt(b"install").decode()

    async def async_consume(self, state: str) -> bool:
        """Return False for a state that is forged or too old."""
        try:
            return self._fernet.decrypt(state, ttl=STATE_SECONDS) == b"install"
        except InvalidToken:
            return False


def add_oauth(application: web.Application, settings: Settings, pool: Pool) -> None:
    """Add ``/slack/install`` and ``/slack/oauth_redirect`` to an HTTP application."""
    store = InstallationStore(pool, settings)
    needed, optional = manifest_scopes()
    oauth = AsyncOAuthSettings(
        client_id=store.rotator.client_id,
        client_secret=store.rotator.client_secret,
        scopes=sorted(needed | optional),
        redirect_uri=f"{settings.public_url}{REDIRECT}",
        install_page_rendering_enabled=False,
        authorization_url=urljoin(settings.slack_api_url, "../oauth/v2/authorize"),
        installation_store=store,
        state_store=store,
        state_expiration_seconds=STATE_SECONDS,
    )
    flow = AsyncOAuthFlow(settings=oauth, client=store.rotator.client)

    def page(handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            handled = await handle(await to_bolt_request(request))
            response = await to_aiohttp_response(handled)
            response.headers["Cache-Control"] = "no-store"
            response.headers["Referrer-Policy"] = "no-referrer"
            return response

        return answer

    application.router.add_get(INSTALL, page(flow.handle_installation))
    application.router.add_get(REDIRECT, page(flow.handle_callback))
