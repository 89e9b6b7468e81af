"""The HTTP server: Slack's Web API, Socket Mode, the control API, the page."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from slack_playground.control import add_control_routes
from slack_playground.files import add_file_routes
from slack_playground.manifest import Manifest
from slack_playground.records import LOOPBACK
from slack_playground.settings import Settings
from slack_playground.slack import (
    APP_TOKEN,
    BOT_TOKEN,
    SIGNING_SECRET,
    Kept,
    Slack,
    load,
)
from slack_playground.web_api.dispatch import answer_call

BODY_BYTES = 24 * 1024 * 1024
_KEEP_SECONDS = 1.0
_PAGE = Path(__file__).parent / "page"
_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

AddRoutes = Callable[[web.Application], None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(
    manifest: Manifest,
    *,
    port: int = 0,
    data_dir: Path | None = None,
    retry_delays: Sequence[float] = (0.0, 60.0, 300.0),
    add_model: AddRoutes | None = None,
) -> AsyncIterator[Slack]:
    """Run a playground while the context is open; what it yields has the `url`.

    State is kept in `data_dir`, or else in memory. `add_model`, if given, adds the routes of a
    model to the same server. Raises OSError if the port is taken or the folder cannot be used.
    """
    file = None
    kept = Kept()
    if data_dir is not None:
        file = data_dir / "slack.json"
        kept = load(file)
    slack = Slack(manifest, Settings(retry_delays=list(retry_delays)), kept)
    runner = web.AppRunner(
        _application(slack, add_model), access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    keeping = asyncio.create_task(_keep(slack, file))
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise OSError(
                f"Port {port} cannot be used: choose another --port."
            ) from error
        _, port_used = runner.addresses[0]
        slack.url = f"http://127.0.0.1:{port_used}"
        slack.deliveries.resume(kept.pending)
        yield slack
    finally:
        keeping.cancel()
        await runner.cleanup()
        if file is not None:
            slack.write(file)


async def _keep(slack: Slack, file: Path | None) -> None:
    """Write everything when something has changed, at most once a second."""
    while file is not None:
        await slack.updates.published.wait()
        slack.updates.published.clear()
        slack.write(file)
        await asyncio.sleep(_KEEP_SECONDS)


def facts(slack: Slack) -> dict[str, str | None]:
    """The addresses and tokens that an app needs; printed at start."""
    model_url = None
    if slack.with_model:
        model_url = f"{slack.url}/v1"
    return {
        "url": slack.url,
        "slack_api_url": f"{slack.url}/api/",
        "openai_base_url": model_url,
        "bot_token": BOT_TOKEN,
        "app_token": APP_TOKEN,
        "signing_secret": SIGNING_SECRET,
        **asdict(slack.identity),
    }


def _application(slack: Slack, add_model: AddRoutes | None) -> web.Application:
    app = web.Application(middlewares=[_this_machine_only], client_max_size=BODY_BYTES)
    for method in ("GET", "POST"):
        app.router.add_route(method, "/api/{method}", partial(answer_call, slack))
    app.router.add_get("/link/", slack.socket_mode.handle)
    app.router.add_post(
        "/{path:commands|actions}/{team}/{key}", partial(answer_call, slack)
    )
    add_file_routes(app, slack)
    add_control_routes(app, slack)
    slack.with_model = add_model is not None
    if add_model is not None:
        add_model(app)

    async def index(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(_PAGE / "index.html")

    async def guard(request: web.Request, response: web.StreamResponse) -> None:
        if request.path == "/" or request.path.startswith("/page/"):
            response.headers.update(_PAGE_HEADERS)

    async def close_slack(_app: web.Application) -> None:
        await slack.deliveries.close()
        await slack.socket_mode.close()
        slack.updates.publish("stopped")

    app.router.add_get("/", index)
    app.router.add_static("/page", _PAGE)
    app.on_response_prepare.append(guard)
    app.on_shutdown.append(close_slack)
    return app


@web.middleware
async def _this_machine_only(
    request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Refuse other hosts' names (DNS rebinding) and other sites' pages (cross-site requests)."""
    if urlsplit(f"//{request.host}").hostname not in LOOPBACK:
        raise web.HTTPForbidden(
            text="The playground answers to 127.0.0.1 and localhost only."
        )
    own = f"http://{request.host}"
    origin = request.headers.get("Origin", own)
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if origin != own or site not in ("same-origin", "none"):
        raise web.HTTPForbidden(text="The playground answers its own page only.")
    return await handler(request)
