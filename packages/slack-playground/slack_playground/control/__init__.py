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
from slack_playground.records import Channel, Json, User, without_nulls
from slack_playground.slack import Slack
from slack_playground.updates import Updates
from slack_playground.workspace import NotFoundError

PREFIX = "/_playground"
_OTHERS = {
    "channel_messages": ("GET", "channels/{id}/messages"),
    "clear_faults": ("DELETE", "faults"),
}
# What says who acts, and where, may be given to any act.
_ANYWHERE = {"user", "channel"}
Act = Callable[..., Any]


def add_control_routes(app: web.Application, slack: Slack) -> None:
    """Add every route of the control API.

    Apart from two, the functions of each module are named like their paths, with "_" for "/".
    """
    for module in (queries, people, actions, admin):
        usual_method = "GET" if module is queries else "POST"
        for name, act in _acts_of(module).items():
            usual_path = name.replace("_", "/")
            method, path = _OTHERS.get(name, (usual_method, usual_path))
            handler = partial(_answer, slack, act)
            app.router.add_route(method, f"{PREFIX}/{path}", handler)
    app.router.add_get(f"{PREFIX}/updates", partial(_stream, slack.updates))


def _acts_of(module: ModuleType) -> dict[str, Act]:
    """The public functions that a module defines itself."""
    acts: dict[str, Act] = {}
    for name, act in inspect.getmembers(module, inspect.isfunction):
        is_its_own = act.__module__ == module.__name__
        is_private = name.startswith("_")
        if is_its_own and not is_private:
            acts[name] = act
    return acts


async def _answer(slack: Slack, act: Act, request: web.Request) -> web.StreamResponse:
    """Answer with what `act` returns, or, for a mistake, with its sentence."""
    try:
        answer = await _perform(act, slack, request)
        return web.json_response(answer or {})
    except PermissionError as error:
        return web.json_response({"error": str(error)}, status=403)
    except ValidationError as error:
        where, what = first_error(error)
        return web.json_response({"error": f"{where}: {what}."}, status=400)
    except (ValueError, NotFoundError) as error:
        return web.json_response({"error": str(error)}, status=400)


async def _perform(act: Act, slack: Slack, request: web.Request) -> Any:
    """Call `act` with the fields of the JSON body, or of the query, for which it has parameters."""
    given = await _given(request)
    arguments = _arguments(act, slack, given)
    checked = _checked(act, strict=request.method != "GET")
    answer = checked(slack, **arguments)
    if inspect.isawaitable(answer):
        return await answer
    return answer


def _arguments(act: Act, slack: Slack, given: Json) -> Json:
    """The arguments of `act` in the fields of a request.

    A parameter of type `User` or `Channel` gets the object that its id names; `channel` names a
    conversation of the person, and "dm" the one with the app. A null field counts as absent, unless
    `act` takes ``**fields``. Raises ValueError for a field that `act` does not have.
    """
    parameters = inspect.signature(act).parameters
    kinds = {one.kind for one in parameters.values()}
    arguments = given
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        arguments = _fields(given, set(parameters))
    types = {one.name: one.annotation for one in parameters.values()}
    if types.get("user") is User:
        user_id = str(arguments.get("user", ""))
        arguments["user"] = slack.workspace.user(user_id)
    if types.get("channel") is Channel:
        channel_id = str(arguments.get("channel", "dm"))
        arguments["channel"] = _place(slack, channel_id, arguments["user"])
    return arguments


def _fields(given: Json, names: set[str]) -> Json:
    """The fields with these names that have a value; raises ValueError for any other field."""
    unknown = given.keys() - names - _ANYWHERE
    if unknown:
        raise ValueError(f"There is no field {min(unknown)} here.")
    known = {name: given[name] for name in names & given.keys()}
    return without_nulls(known)


async def _given(request: web.Request) -> Json:
    """The fields of the query and the path, or, except for GET, of the JSON body."""
    given: Any = {**request.query, **request.match_info}
    if request.method != "GET":
        body = await request.text()
        given = json.loads(body or "{}")
    if not isinstance(given, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004 - answered with 400
    return given


def _place(slack: Slack, channel_id: str, user: User) -> Channel:
    channel = slack.workspace.channel_of(user.id, channel_id)
    if user.id not in channel.members:
        raise ValueError(f"{user.id} is not in {channel.id}.")
    if channel.archived:
        raise ValueError(f"{channel.id} is archived.")
    return channel


@cache
def _checked(act: Act, strict: bool) -> Act:
    """`act` with type checks of its arguments, compiled at the first call."""
    config = ConfigDict(strict=strict, arbitrary_types_allowed=True)
    return validate_call(config=config)(act)


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
            update = await queue.get()
            while update["changed"] != "stopped":
                event = f"data: {json.dumps(update)}\n\n"
                await response.write(event.encode())
                update = await queue.get()
    finally:
        updates.listeners.remove(queue)
    return response
