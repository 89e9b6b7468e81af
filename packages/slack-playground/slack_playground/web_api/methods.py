"""Slack's reference of each method, with an overlay of differences, and checks of arguments."""

import json
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from aiohttp import web

from slack_playground.records import Json, without_nulls

# The reference has no type for some arguments.
_STRUCTURED = {"attachments", "blocks", "chunks", "metadata", "view"}
_TEXTS = {"text", "thread_ts", "ts", "channel", "user"}
_TRUE = ("true", "1", "t", "yes")
_FALSE = ("false", "0", "f", "no")
_NOT_JSON = {
    "attachments": "invalid_attachments",
    "blocks": "invalid_blocks_format",
    "metadata": "invalid_metadata_format",
}


class SlackError(Exception):
    """The call is refused with an error of Slack's, by its name."""

    def __init__(self, error: str, *messages: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.messages = list(messages)
        self.extra = extra

    def body(self) -> Json:
        """The answer: ok false, the error, and its details."""
        body: Json = {"ok": False, "error": self.error, **self.extra}
        if self.messages:
            messages = [f"[ERROR] {message}" for message in self.messages]
            body["response_metadata"] = {"messages": messages}
        if self.error == "invalid_blocks":
            body.setdefault("errors", self.messages)
        return body


@dataclass(kw_only=True)
class Method:
    """One Web API method, as the reference describes it.

    `args` is by name `{"type": string, boolean, integer, number, array or any, "required": bool}`;
    `tier` is 1 to 4, or "special".
    """

    name: str
    args: dict[str, Json]
    scopes: list[str]
    tier: int | str
    errors: set[str]


def load_methods() -> dict[str, Method]:
    """Read slack_methods.json and slack_methods_overlay.toml."""
    here = files("slack_playground")
    reference = json.loads(
        here.joinpath("slack_methods.json").read_text(encoding="utf-8")
    )
    overlay = tomllib.loads(
        here.joinpath("slack_methods_overlay.toml").read_text(encoding="utf-8")
    )
    common_errors = set(reference["common_errors"])
    described = {**reference["methods"], **overlay["method"]}
    methods: dict[str, Method] = {}
    for name, description in described.items():
        methods[name] = Method(
            name=name,
            args=description["args"],
            scopes=description["scopes"],
            tier=description["tier"],
            errors=common_errors.union(description["errors"]),
        )
    for difference in overlay["difference"]:
        _apply(difference, methods)
    return methods


def _apply(difference: Json, methods: dict[str, Method]) -> None:
    """Add errors and an argument to the methods that a difference of the overlay names."""
    names = difference["methods"]
    if names == ["*"]:
        names = list(methods)
    argument = difference.get("argument")
    for name in names:
        methods[name].errors.update(difference.get("errors", ()))
        if argument is not None:
            methods[name].args[argument["name"]] = argument


async def read_arguments(request: web.Request) -> Json:
    """All arguments, including the token; null means absent. Raises SlackError."""
    arguments: Json = dict(request.query)
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
    elif request.content_type in (
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        arguments |= dict(await request.post())
    else:
        raise SlackError("invalid_post_type")
    return without_nulls(arguments)


def check_arguments(method: Method, arguments: Json) -> Json:
    """The arguments, converted; raises SlackError("invalid_arguments") that names each fault."""
    faults: list[str] = []
    for name, argument in method.args.items():
        if argument["required"] and name not in arguments:
            faults.append(f"missing required field: {name}")
    checked: Json = {}
    for name, value in arguments.items():
        if name not in method.args:
            faults.append(f"unknown argument: {name}")
            continue
        kind = method.args[name]["type"]
        try:
            checked[name] = _convert(name, kind, value)
        except ValueError as error:
            faults.append(f"{error} [json-pointer:/{name}]")
    if faults:
        raise SlackError("invalid_arguments", *faults)
    return checked


def _convert(name: str, kind: str, value: Any) -> Any:
    text = str(value)
    if kind == "array" or name in _STRUCTURED:
        return _structured(name, kind, value)
    if kind == "boolean":
        if text.lower() not in (*_TRUE, *_FALSE):
            raise ValueError("must be a boolean")
        return text.lower() in _TRUE
    if kind in ("integer", "number"):
        if isinstance(value, bool) or not text.lstrip("-").isdecimal():
            raise ValueError("must be an integer")
        return int(text)
    if kind == "string" or name in _TEXTS:
        if isinstance(value, bool | dict | list):
            raise ValueError("must be a string")
        return text
    return value


def _structured(name: str, kind: str, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            if name in _NOT_JSON:
                raise SlackError(_NOT_JSON[name]) from None
            raise ValueError("must be valid JSON") from None
    is_array = kind == "array" or name in ("attachments", "chunks")
    if is_array and not isinstance(value, list):
        raise ValueError("must be an array")
    return value
