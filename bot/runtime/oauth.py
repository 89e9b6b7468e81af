"""The pages that install the app in a workspace: Bolt's OAuth flow."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from aiohttp import web
from cryptography.fernet import InvalidToken, MultiFernet
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore

from bot.config import Settings
from bot.runtime.manifest import manifest_scopes, optional_scopes
from bot.slack.client import Installations
from bot.users.installations import InstallationStore

INSTALL, REDIRECT = "/slack/install", "/slack/oauth_redirect"
STATE_SECONDS = 600
# Both addresses hold a state, and that of the redirect a code.
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class OAuthStates(AsyncOAuthStateStore):
    """Signed states, good for `STATE_SECONDS`: nothing is stored before the redirect comes back.

    Bolt keeps the state in a cookie of the browser as well, and compares the two.
    """

    def __init__(self, fernet: MultiFernet) -> None:
        self._fernet = fernet

    async def async_issue(self, *_: Any, **__: Any) -> str:
        """Return a new state."""
        return self._fernet.encrypt(b"install").decode()

    async def async_consume(self, state: str) -> bool:
        """Return False for a state that is forged or too old."""
        try:
            return self._fernet.decrypt(state, ttl=STATE_SECONDS) == b"install"
        except InvalidToken:
            return False


def add_oauth(
    application: web.Application,
    settings: Settings,
    slack: Installations,
    store: InstallationStore,
) -> None:
    """Add ``/slack/install`` and ``/slack/oauth_redirect`` to an HTTP application."""
    secret = settings.slack_client_secret
    oauth = AsyncOAuthSettings(
        client_id=settings.slack_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=sorted(manifest_scopes() | optional_scopes()),
        redirect_uri=f"{settings.public_url}{REDIRECT}",
        install_page_rendering_enabled=False,
        authorization_url=urljoin(settings.slack_api_url, "../oauth/v2/authorize"),
        installation_store=store,
        state_store=OAuthStates(store.fernet),
        state_expiration_seconds=STATE_SECONDS,
    )
    flow = AsyncOAuthFlow(settings=oauth, client=slack.tokenless())

    async def install(request: web.Request) -> web.Response:
        response = await flow.handle_installation(await to_bolt_request(request))
        return await _answered(response)

    async def redirect(request: web.Request) -> web.Response:
        response = await flow.handle_callback(await to_bolt_request(request))
        return await _answered(response)

    application.router.add_get(INSTALL, install)
    application.router.add_get(REDIRECT, redirect)


async def _answered(response: Any) -> web.Response:
    answer = await to_aiohttp_response(response)
    answer.headers.update(_HEADERS)
    return answer
