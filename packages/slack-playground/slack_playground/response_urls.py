"""response_url: five answers within half an hour to one command or click."""

import json
import time
from http import HTTPStatus

from aiohttp import web

from slack_playground.blocks import block_errors
from slack_playground.guidance import message_advice
from slack_playground.interactions import RESPONSE_URL_SECONDS, RESPONSE_URL_USES
from slack_playground.records import Json
from slack_playground.slack import Slack
from slack_playground.workspace import NotFoundError

METHOD = "response_url"
_FIELDS = (
    "text blocks attachments response_type replace_original delete_original unfurl_links "
    "unfurl_media thread_ts metadata mrkdwn"
)
_KNOWN = set(_FIELDS.split())


class ResponseUrls:
    """Serves the response URLs handed out with commands and clicks."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one POST and record it as a call of "response_url"."""
        try:
            slack = self._slack.workspaces.of(request.match_info["team"])
        except NotFoundError:
            slack = self._slack
        record = slack.calls.start(METHOD, {}, slack.workspace.identity.team_id)
        fault, error, status = slack.faults.take(METHOD), "", HTTPStatus.OK.value
        try:
            record.args = json.loads(await request.text())
        except ValueError:
            error, status = "invalid_payload", HTTPStatus.BAD_REQUEST.value
        if fault is not None and fault.status:
            error, status, record.ordered = f"status {fault.status}", fault.status, True
        elif not error:
            error, status = _respond(slack, request.path.lstrip("/"), record.args)
        record.outcome, record.status, record.executed = error or "ok", status, not error
        slack.calls.finish(record)
        slack.updates.publish({"changed": "calls", "method": METHOD})
        if fault is not None and record.ordered:
            return fault.response()
        if error:
            return web.json_response({"ok": False, "error": error}, status=status)
        return web.Response(text="ok")


def _respond(slack: Slack, key: str, body: Json) -> tuple[str, int]:
    target = slack.interactions.response_urls.get(key)
    if target is None or time.monotonic() - target.born > RESPONSE_URL_SECONDS:
        return "expired_url", 404
    if target.uses >= RESPONSE_URL_USES:
        return "used_url", 404
    if not isinstance(body, dict) or body.keys() - _KNOWN:
        return "invalid_payload", 400
    if body.get("response_type", "ephemeral") not in ("ephemeral", "in_channel"):
        return "invalid_payload", 400
    if not any(body.get(k) for k in ("text", "blocks", "attachments", "delete_original")):
        return "no_text", 400
    if "blocks" in body and block_errors(body["blocks"]):
        return "invalid_blocks", 400
    slack.violations.add_all(METHOD, message_advice(body))
    target.uses += 1
    slack.interactions.respond(target, body)
    return "", 200
