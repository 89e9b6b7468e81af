"""The steps of every call: token, faults, limits, scopes, arguments, handler, record."""

import asyncio
import math
import secrets
import time
from functools import cache

from aiohttp import web

from slack_playground.guidance import block_advice, message_advice, view_advice
from slack_playground.interactions import RESPONSE_URL
from slack_playground.journal import CallRecord, Failure
from slack_playground.records import Json
from slack_playground.settings import Fault
from slack_playground.slack import APP_TOKEN, BOT_TOKEN, Slack
from slack_playground.web_api import (  # noqa: F401 - they register their methods
    agents,
    chat,
    conversations,
    files,
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

_CUSTOM = ("username", "icon_emoji", "icon_url")
_PER_MINUTE: dict[int | str, int] = {
    1: 1,
    2: 20,
    3: 50,
    4: 100,
    "special": 600,
}
_POSTS = 3
_POSTS_SECONDS = 3.0
_methods = cache(load_methods)


async def answer_call(slack: Slack, request: web.Request) -> web.StreamResponse:
    """Answer one call and record it."""
    arguments: Json = {}
    problem: SlackError | None = None
    try:
        arguments = await read_arguments(request)
    except SlackError as error:
        problem = error
    token = _token(request, arguments)
    record = CallRecord(
        method=request.match_info.get("method", RESPONSE_URL),
        args=arguments,
    )
    slack.calls.add(record)
    try:
        return await _answer(request, slack, record, token, problem)
    except Exception:
        record.status = 500
        record.outcome = "status 500"
        raise
    finally:
        seconds = time.time() - record.time
        record.ms = round(seconds * 1000, 2)
        if record.outcome != "ok" and not record.injected:
            slack.failures.add(_failure(record))
        slack.updates.publish("calls")


async def _answer(
    request: web.Request,
    slack: Slack,
    record: CallRecord,
    token: str,
    problem: SlackError | None,
) -> web.StreamResponse:
    """Carry a call out, or fail it as a fault or as a `problem` of its arguments says."""
    fault = slack.faults.take(record.method)
    if fault is not None:
        await asyncio.sleep(fault.delay_ms / 1000)
        if fault.error or fault.status or fault.drop == "before":
            return _fail(request, record, fault)
    headers = {
        "x-slack-req-id": secrets.token_hex(16),
        "x-oauth-scopes": ",".join(sorted(slack.installation.granted)),
    }
    if problem is None:
        result = _run(request.path, record, slack, token, headers)
    else:
        result = problem.body()
    record.result = result
    record.outcome = "ok" if result["ok"] else str(result["error"])
    if fault is not None and fault.drop == "after":
        record.outcome = "dropped after"
        record.injected = True
        return _drop(request)
    if record.method == RESPONSE_URL:
        if record.executed:
            return web.Response(text="ok")
        if not record.injected:
            record.status = 404 if record.outcome.endswith("_url") else 400
    return web.json_response(result, status=record.status, headers=headers)


def _failure(record: CallRecord) -> Failure:
    result = record.result or {}
    messages = result.get("response_metadata", {}).get("messages", [])
    return Failure(method=record.method, error=record.outcome, messages=messages)


def _fail(request: web.Request, record: CallRecord, fault: Fault) -> web.StreamResponse:
    """The answer of a fault that prevents the call from being carried out."""
    record.injected = True
    if fault.drop:
        record.outcome = "dropped before"
        return _drop(request)
    if fault.status:
        record.status = fault.status
        record.outcome = f"status {fault.status}"
        return fault.response()
    record.outcome = fault.error
    record.result = {"ok": False, "error": fault.error}
    if fault.error not in ("ratelimited", "rate_limited"):
        return web.json_response(record.result)
    record.status = 429
    headers = {"Retry-After": str(fault.retry_after or 1)}
    return web.json_response(record.result, status=429, headers=headers)


def _run(
    path: str, record: CallRecord, slack: Slack, token: str, headers: dict[str, str]
) -> Json:
    """Carry the call out; return the body of its answer, and add to its headers."""
    method = _methods().get(record.method)
    if method is None:
        return SlackError("unknown_method", req_method=record.method).body()
    try:
        headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        _authorize(method, slack, token, record.args)
        if slack.settings.rate_limits:
            channel = str(record.args.get("channel", ""))
            wait = _wait(slack, method, channel)
            if wait > 0:
                record.injected = True
                record.status = 429
                headers["Retry-After"] = str(wait)
                return {"ok": False, "error": "ratelimited"}
        args = check_arguments(method, record.args)
        if any(args.get(name) for name in _CUSTOM):
            need_scope(slack, "chat:write.customize")
        call = Call(slack=slack, path=path, method=method, args=args)
        carry_out = HANDLERS[method.name]
        result = carry_out(call)
    except NotFoundError as missing:
        return _refusal(method, SlackError(missing.error))
    except SlackError as error:
        return _refusal(method, error)
    record.executed = True
    slack.violations.add_all(method.name, _advice(method.name, args))
    return {"ok": True, **result}


def _refusal(method: Method, error: SlackError) -> Json:
    """The body of an error; an error that the method cannot have is a mistake of ours."""
    if error.error not in method.errors:
        raise RuntimeError(f"{method.name} knows no error {error.error!r}.") from error
    return error.body()


def _wait(slack: Slack, method: Method, channel: str) -> int:
    """Whole seconds to wait before this call is allowed; 0 allows and counts it.

    A method has the limit of its tier, and chat.postMessage one call per second and channel.
    """
    key = method.name
    allowed = _PER_MINUTE[method.tier]
    window = 60.0
    if method.name == "chat.postMessage":
        key = f"{method.name} {channel}"
        allowed = _POSTS
        window = _POSTS_SECONDS
    calls = slack.called[key]
    now = time.monotonic()
    while calls and now - calls[0] >= window:
        calls.popleft()
    if len(calls) >= allowed:
        passed = now - calls[0]
        return max(1, math.ceil(window - passed))
    calls.append(now)
    return 0


def _authorize(method: Method, slack: Slack, token: str, args: Json) -> None:
    """Check the token, and the scope if the method has a single one.

    If the scope depends on the kind of conversation, the handler checks it.
    """
    if method.name == RESPONSE_URL:
        return
    if not token:
        raise SlackError("not_authed")
    if token not in (APP_TOKEN, BOT_TOKEN):
        raise SlackError("invalid_auth")
    wanted = APP_TOKEN if method.name == "apps.connections.open" else BOT_TOKEN
    if token != wanted:
        raise SlackError("not_allowed_token_type")
    if token == BOT_TOKEN and slack.installation.refused:
        raise SlackError(slack.installation.refused)
    team = slack.identity.team_id
    if args.get("team_id", team) != team:
        raise SlackError("team_access_not_granted")
    if len(method.scopes) == 1:
        need_scope(slack, method.scopes[0])


def _advice(method: str, args: Json) -> list[str]:
    """Return violations of Slack's guidance in a valid call."""
    if "view" in args:
        return view_advice(args["view"])
    if method.endswith(("Stream", ".validate")):
        blocks: list[Json] = []
        for chunk in args.get("chunks", []):
            blocks += chunk.get("blocks", [])
        blocks += args.get("blocks", [])
        return block_advice(blocks, "/blocks")
    return message_advice(args)


def _token(request: web.Request, arguments: Json) -> str:
    """The token of a call, from its header or its arguments, from which it is removed."""
    argument = arguments.pop("token", "")
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        return header.removeprefix("Bearer ").strip()
    return str(argument)


def _drop(request: web.Request) -> web.StreamResponse:
    """Cut the connection, so that the caller does not learn the outcome of its call."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
