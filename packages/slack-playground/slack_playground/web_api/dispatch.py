"""The steps of every call: token, faults, limits, scopes, arguments, handler, record."""

import asyncio
import base64
import math
import secrets
import time
from contextlib import suppress
from functools import cache
from typing import Any

from aiohttp import web

from slack_playground.calls import CallRecord, Failure
from slack_playground.guidance import block_advice, message_advice, view_advice
from slack_playground.interactions import RESPONSE_URL
from slack_playground.records import Json
from slack_playground.settings import Fault
from slack_playground.slack import APP_TOKEN, Slack
from slack_playground.web_api import (  # noqa: F401 - they register their methods
    agents,
    chat,
    conversations,
    files,
    oauth,
    people,
    views,
)
from slack_playground.web_api.call import HANDLERS, Call, need_scope
from slack_playground.web_api.methods import (
    Method,
    SlackError,
    check_arguments,
    load_methods,
    read_arguments,
)
from slack_playground.workspace import NotFoundError

_NO_TOKEN = {"oauth.v2.access", RESPONSE_URL}
_CUSTOM = ("username", "icon_emoji", "icon_url")
_PER_MINUTE: dict[int | str, int] = {1: 1, 2: 20, 3: 50, 4: 100, "special": 600}
_POSTS, _POSTS_SECONDS = 3, 3.0
_methods = cache(load_methods)


async def answer_call(first: Slack, request: web.Request) -> web.StreamResponse:
    """Answer one call and record it."""
    arguments: dict[str, Any] = {}
    problem: SlackError | None = None
    try:
        arguments = await read_arguments(request)
    except SlackError as error:
        problem = error
    token = _token(request, arguments)
    slack, _ = first.workspaces.caller(token)
    name = request.match_info.get("method", RESPONSE_URL)
    with suppress(NotFoundError):
        slack = first.workspaces.of(request.match_info["team"]) if name == RESPONSE_URL else slack
    team = slack.workspace.identity.team_id
    record = slack.calls.add(CallRecord(method=name, args=arguments, team_id=team))
    try:
        fault = slack.faults.take(name)
        if fault is not None:
            await asyncio.sleep(fault.delay_ms / 1000)
            if fault.error or fault.status or fault.drop == "before":
                return _fail(request, record, fault)
        headers = {"x-slack-req-id": secrets.token_hex(16)}
        headers["x-oauth-scopes"] = ",".join(sorted(slack.installation.granted))
        run = problem.body() if problem else _run(request.path, record, slack, token, headers)
        record.result, record.outcome = run, "ok" if run["ok"] else str(run["error"])
        if name == RESPONSE_URL and not (run["ok"] or record.ordered):
            record.status = 404 if record.outcome.endswith("_url") else 400
        if fault is not None and fault.drop == "after":
            record.outcome, record.ordered = "dropped after", True
            return _drop(request)
        if name == RESPONSE_URL and record.executed:
            return web.Response(text="ok")
        return web.json_response(run, status=record.status, headers=headers)
    except Exception:
        record.status, record.outcome = 500, "status 500"
        raise
    finally:
        record.ms = round((time.time() - record.time) * 1000, 2)
        if record.outcome != "ok" and not record.ordered:
            said = (record.result or {}).get("response_metadata", {}).get("messages", [])
            slack.failures.add(Failure(method=name, error=record.outcome, messages=said))
        slack.updates.publish("calls")


def _fail(request: web.Request, record: CallRecord, fault: Fault) -> web.StreamResponse:
    """The answer of a fault that prevents the call from being carried out."""
    record.ordered = True
    if fault.drop:
        record.outcome = "dropped before"
        return _drop(request)
    if fault.status:
        record.status, record.outcome = fault.status, f"status {fault.status}"
        return fault.response()
    limited = fault.error in ("ratelimited", "rate_limited")
    record.status, record.outcome = (429 if limited else 200), fault.error
    record.result = {"ok": False, "error": fault.error}
    headers = {"Retry-After": str(fault.retry_after or 1)} if limited else None
    return web.json_response(record.result, status=record.status, headers=headers)


def _run(path: str, record: CallRecord, slack: Slack, token: str, headers: dict[str, str]) -> Json:
    """Carry the call out; return the body of its answer, and add to its headers."""
    method = _methods().get(record.method)
    if method is None:
        return SlackError("unknown_method", req_method=record.method).body()
    try:
        headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        _authorize(method, slack, token, record.args)
        if slack.settings.rate_limits:
            channel = str(record.args.get("channel", ""))
            if wait := _wait(slack, method, channel):
                record.ordered, record.status = True, 429
                headers["Retry-After"] = str(wait)
                return {"ok": False, "error": "ratelimited"}
        args = check_arguments(method, record.args)
        if any(args.get(name) for name in _CUSTOM):
            need_scope(slack, "chat:write.customize")
        result = HANDLERS[method.name](Call(slack=slack, path=path, method=method, args=args))
    except (SlackError, NotFoundError) as caught:
        error = caught if isinstance(caught, SlackError) else SlackError(caught.error)
        if error.error not in method.errors:
            raise RuntimeError(f"{method.name} knows no error {error.error!r}.") from error
        return error.body()
    record.executed = True
    slack.violations.add_all(method.name, _advice(method.name, args))
    return {"ok": True, **result}


def _wait(slack: Slack, method: Method, channel: str) -> int:
    """Whole seconds to wait before this call is allowed; 0 allows and counts it.

    In each workspace a method has the limit of its tier, and chat.postMessage one call per second
    and channel.
    """
    key, allowed, window = method.name, _PER_MINUTE[method.tier], 60.0
    if method.name == "chat.postMessage":
        key, allowed, window = f"{method.name} {channel}", _POSTS, _POSTS_SECONDS
    calls, now = slack.called[key], time.monotonic()
    while calls and now - calls[0] >= window:
        calls.popleft()
    if len(calls) >= allowed:
        return max(1, math.ceil(window - (now - calls[0])))
    calls.append(now)
    return 0


def _authorize(method: Method, slack: Slack, token: str, args: Json) -> None:
    """Check the token, and the scope if the method has a single one.

    If the scope depends on the kind of conversation, the handler checks it.
    """
    if method.name in _NO_TOKEN:
        return
    if not token:
        raise SlackError("not_authed")
    known = slack.installation.tokens.get(token)
    if known is None and token != APP_TOKEN:
        raise SlackError("invalid_auth")
    refreshes = known is not None and known.kind != "bot"
    if refreshes or (token == APP_TOKEN) != (method.name == "apps.connections.open"):
        raise SlackError("not_allowed_token_type")
    if known is not None and known.error:
        raise SlackError(known.error)
    team = slack.workspace.identity.team_id
    if args.get("team_id", team) != team:
        raise SlackError("team_access_not_granted")
    if len(method.scopes) == 1:
        need_scope(slack, method.scopes[0])


def _advice(method: str, args: dict[str, Any]) -> list[str]:
    """Return violations of Slack's guidance in a valid call."""
    if "view" in args:
        return view_advice(args["view"])
    if method.endswith("Stream"):
        blocks = [block for chunk in args.get("chunks", []) for block in chunk.get("blocks", [])]
        return block_advice([*blocks, *args.get("blocks", [])], "/blocks")
    return message_advice(args)


def _token(request: web.Request, arguments: dict[str, Any]) -> str:
    """The token of a call, from its header or its arguments, from which it is removed.

    The client id and secret of HTTP Basic authentication become arguments.
    """
    argument = arguments.pop("token", "")
    header = request.headers.get("Authorization", "")
    if header.startswith("Basic "):
        with suppress(ValueError):
            client = base64.b64decode(header.removeprefix("Basic "), validate=True).decode()
            arguments["client_id"], _, arguments["client_secret"] = client.partition(":")
    if header.startswith("Bearer "):
        return header.removeprefix("Bearer ").strip()
    return str(argument)


def _drop(request: web.Request) -> web.StreamResponse:
    """Cut the connection, so that the caller does not learn the outcome of its call."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
