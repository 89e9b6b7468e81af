"""The control API under /_playground/: actions of people, faults, and inspection."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any

from aiohttp import web
from pydantic import ConfigDict, ValidationError, validate_call

from slack_playground.control import actions, admin, installs, people, queries
from slack_playground.manifest import first_error
from slack_playground.records import Json
from slack_playground.slack import Slack
from slack_playground.updates import Updates
from slack_playground.workspace import NotFoundError

PREFIX = "/_playground"
_PING_SECONDS = 15.0
_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Act = Callable[..., Awaitable[Json]]
Look = Callable[[Slack, web.Request], Json]


def add_control_routes(app: web.Application, slack: Slack) -> None:
    """Add every route of the control API; the query's `team` names a workspace, or the first."""

    def chosen(request: web.Request) -> Slack:
        return slack.workspaces.of(request.query.get("team", ""))

    def reading(look: Look) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response(look(chosen(request), request))

        return _answered(answer)

    def acting(act: Act) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response(await _perform(act, chosen(request), await request.text()))

        return _answered(answer)

    async def updates(request: web.Request) -> web.StreamResponse:
        return await _stream(request, chosen(request).updates)

    for path, look in queries.GETS.items():
        app.router.add_get(f"{PREFIX}/{path}", reading(look))
    for module in (people, actions, installs, admin):
        for path, act in module.POSTS.items():
            app.router.add_post(f"{PREFIX}/{path}", acting(act))
    app.router.add_delete(f"{PREFIX}/faults", acting(admin.clear_faults))
    app.router.add_get(f"{PREFIX}/updates", _answered(updates))


async def _perform(act: Act, slack: Slack, text: str) -> Json:
    """Call `act` with the fields of a JSON body that it has parameters for.

    A field that is null counts as not given, except where `act` takes ``**fields``.
    """
    body: Any = json.loads(text or "{}")
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004 - answered with 400
    parameters = inspect.signature(act).parameters.values()
    if not any(one.kind is one.VAR_KEYWORD for one in parameters):
        names = {one.name for one in parameters}
        body = {key: body[key] for key in names & body.keys() if body[key] is not None}
    return await _checked(act)(slack, **body)


@cache
def _checked(act: Act) -> Act:
    """`act`, checking the types of what it is given; compiled at its first call."""
    return validate_call(config=_STRICT)(act)


def _answered(handler: Handler) -> Handler:
    """A handler that answers a mistake with its sentence."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except PermissionError as error:
            return web.json_response({"error": str(error)}, status=403)
        except ValidationError as error:
            where, what = first_error(error)
            return web.json_response({"error": f"{where}: {what}."}, status=400)
        except (ValueError, NotFoundError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return answer


async def _stream(request: web.Request, updates: Updates) -> web.StreamResponse:
    """Send every update as one Server-Sent Event until the page disconnects or the server stops."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    async with updates.listen() as queue:
        await response.prepare(request)
        await response.write(b"retry: 500\n\n")
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
