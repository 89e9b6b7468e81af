"""The pages that install the app in a workspace: Bolt's OAuth flow."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin

from aiohttp import web
from psycopg import OperationalError
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.logs import fault
from bot.runtime.connections import Connections
from bot.runtime.manifest import manifest_scopes, optional_scopes
from bot.slack.client import SLACK_FAULTS
from bot.users.installation_store import STATE_SECONDS, InstallationStore, OAuthStates

log = logging.getLogger(__name__)

INSTALL, REDIRECT = "/slack/install", "/slack/oauth_redirect"
# Both addresses hold a state, and that of the redirect a code.
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def add_oauth(
    application: web.Application, connections: Connections, store: InstallationStore
) -> None:
    """Add ``/slack/install`` and ``/slack/oauth_redirect`` to an HTTP application."""
    settings = connections.settings
    secret = settings.slack_client_secret
    oauth = AsyncOAuthSettings(
        client_id=settings.slack_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=sorted(manifest_scopes() | optional_scopes()),
        redirect_uri=f"{settings.public_url}{REDIRECT}",
        install_path=INSTALL,
        install_page_rendering_enabled=False,
        redirect_uri_path=REDIRECT,
        authorization_url=urljoin(settings.slack_api_url, "../oauth/v2/authorize"),
        installation_store=store,
        state_store=OAuthStates(connections.pool),
        state_expiration_seconds=STATE_SECONDS,
    )
    flow = AsyncOAuthFlow(settings=oauth, client=connections.slack.tokenless())

    def page(
        handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                response = await to_aiohttp_response(await handle(await to_bolt_request(request)))
            except (*SLACK_FAULTS, OperationalError) as error:
                log.warning("an installation was not completed: %s", fault(error))
                response = web.Response(
                    status=503, text=f"That did not work. Start again at {INSTALL}.\n"
                )
            response.headers.update(_HEADERS)
            return response

        return handler

    application.router.add_get(INSTALL, page(flow.handle_installation))
    application.router.add_get(REDIRECT, page(flow.handle_callback))
