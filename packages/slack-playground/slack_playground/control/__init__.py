"""The control API under /_playground/: actions of people, faults, and inspection."""

import asyncio
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from types import ModuleType
from typing import Any

from aiohttp import web
from pydantic import ConfigDict, ValidationError, validate_call

from slack_playground.control import actions, admin, people, queries
from slack_playground.manifest import first_error
from slack_playground.records import Channel, Json, User
from slack_playground.slack import Slack
from slack_playground.updates import Updates
from slack_playground.workspace import NotFoundError

PREFIX = "/_playground"
_OTHERS = {
    "channel_messages": ("GET", "channels/{id}/messages"),
    "clear_faults": ("DELETE", "faults"),
}
Act = Callable[..., Any]


def add_control_routes(app: web.Application, slack: Slack) -> None:
    """Add every route of the control API; `team` in the query names a workspace, else the first.

    Apart from two, the functions of each module are named like their paths, with "_" for "/".
    """
    for module in (queries, people, actions, admin):
        method = "GET" if module is queries else "POST"
        for name, act in _acts_of(module).items():
            verb, path = _OTHERS.get(name, (method, name.replace("_", "/")))
            app.router.add_route(verb, f"{PREFIX}/{path}", partial(_answer, slack, act))
    app.router.add_get(f"{PREFIX}/updates", partial(_stream, slack.updates))


def _acts_of(module: ModuleType) -> dict[str, Act]:
    """The public functions that a module defines itself."""
    return {
        name: act
        for name, act in inspect.getmembers(module, inspect.isfunction)
        if act.__module__ == module.__name__ and not name.startswith("_")
    }


async def _answer(first: Slack, act: Act, request: web.Request) -> web.StreamResponse:
    """Answer with what `act` returns, or, for a mistake, with its sentence."""
    try:
        slack = first.workspaces.of(request.query.get("team", ""))
        return web.json_response(await _perform(act, slack, request))
    except PermissionError as error:
        return web.json_response({"error": str(error)}, status=403)
    except ValidationError as error:
        where, what = first_error(error)
        return web.json_response({"error": f"{where}: {what}."}, status=400)
    except (ValueError, NotFoundError) as error:
        return web.json_response({"error": str(error)}, status=400)


async def _perform(act: Act, slack: Slack, request: web.Request) -> Any:
    """Call `act` with the fields of the JSON body, or of the query, for which it has parameters."""
    arguments = _arguments(act, slack, await _given(request))
    answer = _checked(act, strict=request.method != "GET")(slack, **arguments)
    if inspect.isawaitable(answer):
        return await answer
    return answer


def _arguments(act: Act, slack: Slack, given: Json) -> Json:
    """The arguments of `act` in the fields of a request.

    A parameter of type `User` or `Channel` gets the object that its id names; `channel` names a
    conversation of the person, and "dm" the one with the app. A null field counts as absent, unless
    `act` takes ``**fields``.
    """
    parameters = inspect.signature(act).parameters
    if all(one.kind is not one.VAR_KEYWORD for one in parameters.values()):
        names = parameters.keys() & given.keys()
        given = {name: given[name] for name in names if given[name] is not None}
    if "user" in parameters and parameters["user"].annotation is User:
        given["user"] = slack.workspace.user(str(given.get("user", "")))
    if "channel" in parameters and parameters["channel"].annotation is Channel:
        given["channel"] = _place(slack, str(given.get("channel", "dm")), given["user"])
    return given


async def _given(request: web.Request) -> Json:
    """The fields of the query and the path, or, except for GET, of the JSON body."""
    given: Any = {**request.query, **request.match_info}
    if request.method != "GET":
        given = json.loads(await request.text() or "{}")
    if not isinstance(given, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004 - answered with 400
    if "as" in given:
        given["user"] = given["as"]
    return given


def _place(slack: Slack, name: str, user: User) -> Channel:
    workspace = slack.workspace
    channel = workspace.open_dm(user.id) if name == "dm" else workspace.channel(name)
    if user.id not in channel.members:
        raise ValueError(f"{user.id} is not in {channel.id}.")
    if channel.archived:
        raise ValueError(f"{channel.id} is archived.")
    return channel


@cache
def _checked(act: Act, strict: bool) -> Act:
    """`act` with type checks of its arguments, compiled at the first call."""
    return validate_call(config=ConfigDict(strict=strict, arbitrary_types_allowed=True))(act)


async def _stream(updates: Updates, request: web.Request) -> web.StreamResponse:
    """Send every update as one Server-Sent Event until the page disconnects or the server stops."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    queue = asyncio.Queue[Json]()
    updates.listeners.add(queue)
    try:
        await response.prepare(request)
        await response.write(b"retry: 500\n\n")
        with suppress(ConnectionError):
            while (update := await queue.get())["changed"] != "stopped":
                await response.write(f"data: {json.dumps(update)}\n\n".encode())
    finally:
        updates.listeners.remove(queue)
    return response
