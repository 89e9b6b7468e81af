"""Requests of the control API: the parameters of a handler are the fields of its JSON body."""

import inspect
import json
from collections.abc import Awaitable, Callable
from types import NoneType
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

from aiohttp import web

from slack_playground.records import LOOPBACK, Json
from slack_playground.typed_json import checked

Act = Callable[..., Awaitable[Json]]


class BadRequestError(ValueError):
    """A control request is invalid; the message says why."""


async def perform(act: Act, request: web.Request) -> Json:
    """Call `act` with the fields of the body that it takes; raises ValueError.

    null is a value for a parameter that may be None, else the field counts as not given. A field
    that `act` has no parameter for is not looked at, unless it takes ``**fields``.
    """
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        raise BadRequestError("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise BadRequestError("The body must be a JSON object.")
    types, given = get_type_hints(act), {}
    for name, parameter in inspect.signature(act).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            given = {key: value for key, value in body.items() if value is not None}
        elif name in body and (body[name] is not None or _may_be_none(types[name])):
            given[name] = checked(name, body[name], types[name])
        elif parameter.default is parameter.empty:
            raise BadRequestError(f"{name} is missing.")
    return await act(**given)


def _may_be_none(kind: Any) -> bool:
    return kind is Any or NoneType in get_args(kind)


def check_loopback(url: str) -> None:
    """Refuse a URL that is not on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise BadRequestError(
            "url must be http on 127.0.0.1: the playground sends to no other host."
        )
