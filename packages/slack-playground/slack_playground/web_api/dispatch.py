"""The way of every call: token, faults, limits, scopes, arguments, handler, record."""

import asyncio
import base64
import secrets
from contextlib import suppress
from typing import Any

from aiohttp import web

from slack_playground.calls import CallRecord
from slack_playground.guidance import block_advice, message_advice, view_advice
from slack_playground.records import Json
from slack_playground.settings import Fault
from slack_playground.slack import APP_TOKEN, Slack
from slack_playground.web_api.arguments import check_arguments, read_arguments
from slack_playground.web_api.call import HANDLERS, Call, SlackError, need_scope
from slack_playground.web_api.methods import Method, load_methods

_NO_TOKEN = {"oauth.v2.access"}
_CUSTOM = ("username", "icon_emoji", "icon_url")
_STREAMED = {"chat.startStream", "chat.appendStream", "chat.stopStream"}


class WebApi:
    """Serves /api/METHOD."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.methods = load_methods()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call and record it."""
        name = request.match_info["method"]
        arguments: dict[str, Any] = {}
        problem: SlackError | None = None
        try:
            arguments = await read_arguments(request)
        except SlackError as error:
            problem = error
        token = _token(request, arguments)
        slack, _ = self._slack.workspaces.caller(token)
        record = slack.calls.start(name, arguments, slack.workspace.identity.team_id)
        try:
            return await self._answer(request, record, slack, token, problem)
        except Exception:
            record.status, record.outcome = 500, "status 500"
            raise
        finally:
            slack.calls.finish(record)
            slack.updates.publish({"changed": "calls", "method": name})

    async def _answer(
        self,
        request: web.Request,
        record: CallRecord,
        slack: Slack,
        token: str,
        problem: SlackError | None,
    ) -> web.StreamResponse:
        fault = slack.faults.take(record.method)
        if fault is not None:
            if fault.delay_ms:
                await asyncio.sleep(fault.delay_ms / 1000)
            response = self._fail(request, record, fault)
            if response is not None:
                record.ordered = True
                return response
        body, status, headers = self._run(record, slack, token, problem)
        record.result, record.status = body, status
        record.outcome = "ok" if body["ok"] else str(body["error"])
        if fault is not None and fault.drop == "after":
            record.outcome, record.ordered = "dropped after", True
            return _drop(request)
        return web.json_response(body, status=status, headers=headers)

    def _fail(
        self, request: web.Request, record: CallRecord, fault: Fault
    ) -> web.StreamResponse | None:
        """The answer of a fault that keeps the call from being carried out."""
        if fault.drop == "before":
            record.outcome = "dropped before"
            return _drop(request)
        if fault.status:
            record.status, record.outcome = fault.status, f"status {fault.status}"
            return fault.response()
        if fault.error:
            limited = fault.error in ("ratelimited", "rate_limited")
            record.status, record.outcome = (429 if limited else 200), fault.error
            record.result = {"ok": False, "error": fault.error}
            headers = {"Retry-After": str(fault.retry_after or 1)} if limited else None
            return web.json_response(record.result, status=record.status, headers=headers)
        return None

    @staticmethod
    def _wait(slack: Slack, method: Method, record: CallRecord) -> int:
        """Return the seconds to wait before the call is allowed."""
        if not slack.settings.rate_limits:
            return 0
        return slack.rate_limits.wait(method.name, method.tier, str(record.args.get("channel", "")))

    def _run(
        self, record: CallRecord, slack: Slack, token: str, problem: SlackError | None
    ) -> tuple[Json, int, dict[str, str]]:
        headers = {
            "x-slack-req-id": secrets.token_hex(16),
            "x-oauth-scopes": ",".join(sorted(slack.granted)),
        }
        method = self.methods.get(record.method)
        if method is None or record.method not in HANDLERS:
            unknown = SlackError("unknown_method", req_method=record.method)
            return unknown.body(), 200, headers
        try:
            if problem is not None:
                raise problem
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
            self._authorize(method, slack, token)
            if wait := self._wait(slack, method, record):
                record.ordered = True
                headers["Retry-After"] = str(wait)
                return {"ok": False, "error": "ratelimited"}, 429, headers
            args = check_arguments(method, record.args)
            call = Call(slack=slack, token=token, method=method, args=args)
            self._check_team(call)
            if any(args.get(name) for name in _CUSTOM):
                need_scope(slack, "chat:write.customize")
            result = HANDLERS[method.name](call)
        except SlackError as error:
            if error.error not in method.errors:
                raise RuntimeError(f"{method.name} knows no error {error.error!r}.") from error
            return error.body(), 200, headers
        record.executed = True
        slack.violations.add_all(method.name, _advice(method.name, call.args))
        return {"ok": True, **result}, 200, headers

    @staticmethod
    def _check_team(call: Call) -> None:
        team_id = call.slack.workspace.identity.team_id
        if call.args.get("team_id", team_id) != team_id:
            raise SlackError("team_access_not_granted")

    @staticmethod
    def _authorize(method: Method, slack: Slack, token: str) -> None:
        """Check the token, and the scope where a method has a single one.

        Where the scope depends on the kind of conversation, the handler checks it.
        """
        if method.name in _NO_TOKEN:
            return
        if not token:
            raise SlackError("not_authed")
        known = slack.installation.tokens.get(token)
        if known is None and token != APP_TOKEN:
            raise SlackError("invalid_auth")
        if (token == APP_TOKEN) != (method.name == "apps.connections.open"):
            raise SlackError("not_allowed_token_type")
        if known is None:
            return
        if known.kind != "bot":
            raise SlackError("not_allowed_token_type")
        if known.error:
            raise SlackError(known.error)
        if len(method.scopes) == 1:
            need_scope(slack, method.scopes[0])


def _advice(method: str, args: dict[str, Any]) -> list[str]:
    """Return violations of Slack's guidance in a valid call."""
    if "view" in args:
        return view_advice(args["view"])
    if method in _STREAMED:
        blocks = [block for chunk in args.get("chunks", []) for block in chunk.get("blocks", [])]
        return block_advice([*blocks, *args.get("blocks", [])], "/blocks")
    return message_advice(args)


def _token(request: web.Request, arguments: dict[str, Any]) -> str:
    """The token of a call, from its header or its arguments, which lose it.

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
    """Cut the connection: the caller never learns what came of its call."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
