"""The control API under /_playground/: actions of people, faults, and inspection."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from slack_playground.control.actions import Actions
from slack_playground.control.admin import Admin
from slack_playground.control.installs import Installs
from slack_playground.control.people import People
from slack_playground.control.queries import Queries
from slack_playground.control.request import Act, perform
from slack_playground.records import Json
from slack_playground.slack import Slack
from slack_playground.updates import Updates
from slack_playground.workspace import NotFoundError

PREFIX = "/_playground"
_PING_SECONDS = 15.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_control_routes(app: web.Application, slack: Slack, *, with_model: bool) -> None:
    """Add every route of the control API."""

    def chosen(request: web.Request) -> Slack:
        """The workspace that the query's `team` names, or the first one."""
        return slack.workspaces.of(request.query.get("team", ""))

    def gets(slack: Slack) -> dict[str, Callable[[web.Request], Json]]:
        return {**Queries(slack, with_model=with_model).gets, **Installs(slack).gets}

    def posts(slack: Slack) -> dict[str, Act]:
        parts = (People(slack), Actions(slack), Installs(slack), Admin(slack))
        return {path: post for part in parts for path, post in part.posts.items()}

    def read(path: str) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response(gets(chosen(request))[path](request))

        return _answered(answer)

    def act(path: str) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response(await perform(posts(chosen(request))[path], request))

        return _answered(answer)

    async def clear_faults(_request: web.Request) -> web.StreamResponse:
        slack.faults.waiting.clear()
        return web.json_response({"faults": 0})

    async def updates(request: web.Request) -> web.StreamResponse:
        return await _stream(request, chosen(request).updates)

    for path in gets(slack):
        app.router.add_get(f"{PREFIX}/{path}", read(path))
    for path in posts(slack):
        app.router.add_post(f"{PREFIX}/{path}", act(path))
    app.router.add_delete(f"{PREFIX}/faults", clear_faults)
    app.router.add_get(f"{PREFIX}/updates", _answered(updates))


def _answered(handler: Handler) -> Handler:
    """A handler that answers a mistake with its sentence."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (PermissionError, ValueError, NotFoundError) as error:
            return _refused(error)

    return answer


def _refused(error: Exception) -> web.Response:
    status = 403 if isinstance(error, PermissionError) else 400
    return web.json_response({"error": str(error)}, status=status)


async def _stream(request: web.Request, updates: Updates) -> web.StreamResponse:
    """Send every update as one Server-Sent Event until the page disconnects or the server stops."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    async with updates.listen() as queue:
        await response.prepare(request)
        await response.write(b": listening\n\n")
        with suppress(ConnectionError):
            while True:
                try:
                    update = await asyncio.wait_for(queue.get(), _PING_SECONDS)
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                if update["changed"] == "stopped":
                    break
                await response.write(f"data: {json.dumps(update)}\n\n".encode())
    return response
