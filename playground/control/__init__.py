"""The control API under /_playground/: actions of people, faults, and inspection."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from playground.control.actions import Actions
from playground.control.admin import Admin
from playground.control.input import Input
from playground.control.people import People
from playground.control.queries import Queries
from playground.control.sse import stream_updates
from playground.records import Json
from playground.slack import Slack
from playground.workspace import NotFoundError

PREFIX = "/_playground"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_control_routes(app: web.Application, slack: Slack, *, with_model: bool) -> None:
    """Add every route of the control API."""
    queries, admin = Queries(slack, with_model=with_model), Admin(slack)
    for path, get in queries.gets.items():
        app.router.add_get(f"{PREFIX}/{path}", _get(get))
    for path, post in {**People(slack).posts, **Actions(slack).posts, **admin.posts}.items():
        app.router.add_post(f"{PREFIX}/{path}", _post(post))
    app.router.add_delete(f"{PREFIX}/faults", _post(admin.clear_faults))

    async def updates(request: web.Request) -> web.StreamResponse:
        return await stream_updates(request, slack.updates)

    app.router.add_get(f"{PREFIX}/updates", updates)


def _get(handler: Callable[[web.Request], Json]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(handler(request))
        except (PermissionError, ValueError, NotFoundError) as error:
            return _refused(error)

    return answer


def _post(handler: Callable[[Input], Awaitable[Json]]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await handler(await Input.read(request)))
        except (PermissionError, ValueError, NotFoundError) as error:
            return _refused(error)

    return answer


def _refused(error: Exception) -> web.Response:
    status = 403 if isinstance(error, PermissionError) else 400
    return web.json_response({"error": str(error)}, status=status)
