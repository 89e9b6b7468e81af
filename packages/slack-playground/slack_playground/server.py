"""The HTTP server: Slack's Web API, Socket Mode, the control API, the page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from slack_playground.control import add_control_routes
from slack_playground.files import FileRoutes
from slack_playground.manifest import Manifest
from slack_playground.page_routes import AUTHORIZE, add_page_routes
from slack_playground.records import LOOPBACK
from slack_playground.response_urls import ResponseUrls
from slack_playground.settings import Settings
from slack_playground.slack import (
    APP_TOKEN,
    BOT_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    SIGNING_SECRET,
    Slack,
    open_slack,
)
from slack_playground.web_api import WebApi

BODY_BYTES = 24 * 1024 * 1024

AddRoutes = Callable[[web.Application], None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(
    manifest: Manifest,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    data_dir: Path | None = None,
    retry_delays: Sequence[float] = (0.0, 60.0, 300.0),
    add_model: AddRoutes | None = None,
) -> AsyncIterator[Slack]:
    """Run a playground while the context is open; `slack.url` says where.

    `add_model` adds the routes of a model on loopback to the same server, if there is one.
    Raises ValueError for a host other than this machine's loopback, OSError when the port is taken.
    """
    if host not in LOOPBACK:
        raise ValueError(
            f"The playground serves this machine only: use 127.0.0.1 as its host, not {host}."
        )
    settings = Settings(retry_delays=list(retry_delays))
    async with open_slack(manifest, settings, data_dir=data_dir) as slack:
        app = create_app(slack, add_model)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            try:
                await site.start()
            except OSError as error:
                raise OSError(f"Port {port} cannot be used: choose another --port.") from error
            bound = runner.addresses[0][1]
            slack.workspaces.listen_at(f"http://{'[::1]' if host == '::1' else host}:{bound}")
            yield slack
        finally:
            await runner.cleanup()


def facts(slack: Slack) -> dict[str, str | None]:
    """The addresses and tokens that an app needs; printed at start."""
    identity = slack.workspace.identity
    return {
        "url": slack.url,
        "slack_api_url": f"{slack.url}/api/",
        "openai_base_url": f"{slack.url}/v1" if slack.workspaces.with_model else None,
        "bot_token": BOT_TOKEN,
        "app_token": APP_TOKEN,
        "signing_secret": SIGNING_SECRET,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "authorize_url": f"{slack.url}{AUTHORIZE}",
        "team_id": identity.team_id,
        "app_id": identity.app_id,
        "bot_id": identity.bot_id,
        "bot_user_id": identity.bot_user_id,
    }


def create_app(slack: Slack, add_model: AddRoutes | None = None) -> web.Application:
    """The aiohttp application of one playground."""
    app = web.Application(middlewares=[_this_machine_only], client_max_size=BODY_BYTES)
    web_api = WebApi(slack)
    app.router.add_post("/api/{method}", web_api.handle)
    app.router.add_get("/api/{method}", web_api.handle)
    app.router.add_get("/link/", slack.socket_mode.handle)
    responses = ResponseUrls(slack)
    app.router.add_post("/{path:commands|actions}/{team}/{key}", responses.handle)
    FileRoutes(slack).add(app)
    add_control_routes(app, slack)
    slack.workspaces.with_model = add_model is not None
    if add_model is not None:
        add_model(app)
    add_page_routes(app, slack)

    async def close_slack(_app: web.Application) -> None:
        await slack.deliveries.close()
        await slack.socket_mode.close()
        slack.workspaces.updates.publish({"changed": "stopped"})

    app.on_shutdown.append(close_slack)
    return app


@web.middleware
async def _this_machine_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other hosts' names (DNS rebinding) and other sites' pages (cross-site requests)."""
    if urlsplit(f"//{request.host}").hostname not in LOOPBACK:
        raise web.HTTPForbidden(text="The playground answers to 127.0.0.1 and localhost only.")
    origin = request.headers.get("Origin")
    if origin is not None and not _own_origin(origin, request):
        raise web.HTTPForbidden(text="The playground answers its own page only.")
    linked = request.path == AUTHORIZE and request.headers.get("Sec-Fetch-Mode") == "navigate"
    own = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    if not (own or linked):
        raise web.HTTPForbidden(text="The playground answers its own page only.")
    return await handler(request)


def _own_origin(origin: str, request: web.Request) -> bool:
    parts = urlsplit(origin)
    own = urlsplit(f"//{request.host}")
    try:
        return (
            parts.scheme == "http"
            and parts.hostname in LOOPBACK
            and (parts.port or 80) == (own.port or 80)
        )
    except ValueError:
        return False
