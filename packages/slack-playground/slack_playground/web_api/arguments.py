"""Reads the arguments of a call from its query, form or JSON, and checks them."""

import json
from typing import Any

from aiohttp import web

from slack_playground.web_api.call import SlackError
from slack_playground.web_api.methods import Argument, Method

_STRUCTURED = {"attachments", "blocks", "chunks", "metadata", "view", "prompts"}
_TRUE, _FALSE = {"true", "1", "t", "yes"}, {"false", "0", "f", "no"}


async def read_arguments(request: web.Request) -> dict[str, Any]:
    """All arguments, the token among them; null means absent. Raises SlackError."""
    arguments: dict[str, Any] = dict(request.query)
    if request.method != "POST" or not request.can_read_body:
        return arguments
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.text())
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        arguments |= body
    elif request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        arguments |= dict(await request.post())
    elif request.headers.get("Content-Type") is None:
        raise SlackError("missing_post_type")
    else:
        raise SlackError("invalid_post_type")
    return {name: value for name, value in arguments.items() if value is not None}


def check_arguments(method: Method, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments in their types; raises SlackError("invalid_arguments") naming each fault."""
    faults = [
        f"missing required field: {name}"
        for name, argument in method.args.items()
        if argument.required and name not in arguments
    ]
    checked: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in method.args:
            faults.append(f"unknown argument: {name}")
            continue
        try:
            checked[name] = _convert(name, method.args[name], value)
        except ValueError as error:
            faults.append(f"{error} [json-pointer:/{name}]")
    if faults:
        raise SlackError("invalid_arguments", *faults)
    return checked


def _convert(name: str, argument: Argument, value: Any) -> Any:
    if name in _STRUCTURED or argument.type == "array":
        return _structured(name, argument, value)
    if argument.type == "boolean":
        return _boolean(value)
    if argument.type in ("integer", "number"):
        return _integer(value)
    if argument.type == "string" or name in ("text", "thread_ts", "ts", "channel", "user"):
        if isinstance(value, bool | dict | list):
            raise ValueError("must be a string")
        return str(value)
    return value


def _structured(name: str, argument: Argument, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            if name in ("blocks", "attachments"):
                raise SlackError(f"invalid_{name}" + "_format" * (name == "blocks")) from None
            if name == "metadata":
                raise SlackError("invalid_metadata_format") from None
            raise ValueError("must be valid JSON") from None
    if (argument.type == "array" or name in ("attachments", "chunks")) and not isinstance(
        value, list
    ):
        raise ValueError("must be an array")
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in _TRUE | _FALSE:
        return str(value).lower() in _TRUE
    raise ValueError("must be a boolean")


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not str(value).lstrip("-").isdecimal():
        raise ValueError("must be an integer")
    return int(value)
