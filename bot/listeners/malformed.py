"""Malformed requests: acknowledged, counted, and answered with one sentence.

Slack delivers an event that is not answered 200 up to three times more, and switches the deliveries
of an app off that fails too often: https://docs.slack.dev/apis/events-api/#retries
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.locale import Language, language_of, say
from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, error_code
from bot.slack.messages import installation_team
from bot.slack.payloads import ADDRESS
from bot.views.blocks import Payload, beside_payload, section
from bot.views.views import SlackView, home_with_banner, language_of_view, sentence_view

log = logging.getLogger(__name__)

MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""Exceptions of reading a payload of unexpected form that was not checked."""

_LOG_AGAIN_SECONDS = 3_600.0
_MOST_KINDS = 200
_TELL_SECONDS = 2
_KIND = re.compile(r"\A[a-z_.]{1,60}\Z")
# A tuple: what is looked up in it may be of any type.
_INTERACTIONS = ("block_actions", "view_submission", "view_closed", "shortcut", "message_action")


class MalformedRequests:
    """Counts requests that could not be read, and tells the person who made one.

    Each kind is logged when it first occurs, and then at most once an hour with its count. Nothing
    of a request is logged but its type. `client_of` returns the client of an installation;
    `counts` are the numbers acknowledged since the start, by kind.
    """

    def __init__(self, client_of: Callable[[str], AsyncWebClient]) -> None:
        self._client_of = client_of
        self.counts = Counter[str]()
        self._logged: dict[str, float] = {}

    def count(self, kind: str, reason: str) -> None:
        """Count one; `reason` must not hold text of the request."""
        if kind not in self.counts and len(self.counts) >= _MOST_KINDS:
            kind = "other"
        self.counts[kind] += 1
        now = time.monotonic()
        if now - self._logged.get(kind, float("-inf")) < _LOG_AGAIN_SECONDS:
            return
        self._logged[kind] = now
        log.warning(
            "a malformed request of Slack's was acknowledged and ignored: %s, %s (%d so far)",
            kind,
            reason,
            self.counts[kind],
        )

    async def acknowledge(self, sent: Mapping[str, Any], reason: str) -> BoltResponse:
        """Count a request and return its response, with status 200.

        A person who typed a command, clicked or submitted a form is told in one sentence that
        nothing was done, where the request names a place to say it.
        """
        self.count(payload_type(sent), reason)
        if "command" in sent:
            return await self._of_command(sent)
        if sent.get("type") in _INTERACTIONS:
            return await self._of_interaction(sent)
        return BoltResponse(status=HTTPStatus.OK)

    async def _of_command(self, sent: Mapping[str, Any]) -> BoltResponse:
        text = sent.get("text")
        language = language_of(None, text if isinstance(text, str) else "")
        message = _unreadable(language)
        if not await self._respond(sent, message):
            return _json(message)
        return BoltResponse(status=HTTPStatus.OK)

    async def _of_interaction(self, sent: Mapping[str, Any]) -> BoltResponse:
        view = sent.get("view")
        if not isinstance(view, dict):
            language = language_of(None, _text(sent.get("message"), "text"))
            await self._respond(sent, _unreadable(language))
        elif sent["type"] == "view_submission":
            return _json({"response_action": "update", "view": _unreadable_view(view)})
        elif sent["type"] != "view_closed":
            await self._show(sent, view)
        return BoltResponse(status=HTTPStatus.OK)

    async def _respond(self, sent: Mapping[str, Any], message: dict[str, Any]) -> bool:
        address = sent.get("response_url")
        if not isinstance(address, str) or not ADDRESS.match(address):
            return False
        try:
            response = await AsyncWebhookClient(address, timeout=_TELL_SECONDS).send_dict(message)
        except (*SLACK_FAULTS, ValueError) as error:
            log.info("a person was not told that nothing was done: %s", fault(error))
            return False
        return response.status_code == HTTPStatus.OK

    async def _show(self, sent: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        try:
            client = self._client_of(installation_team(sent))
            if view.get("type") == "home":
                said = [section(say(_language(view), "request_unreadable"))]
                person = _text(sent.get("user"), "id")
                await client.views_publish(user_id=person, view=home_with_banner(view, said))
            elif isinstance(view.get("id"), str):
                await client.views_update(view_id=view["id"], view=_unreadable_view(view))
        except (*SLACK_FAULTS, *MALFORMED) as error:
            reason = error_code(error) or fault(error)
            log.info("a person was not told that nothing was done: %s", reason)


def payload_type(sent: Mapping[str, Any]) -> str:
    """Return a payload's type for the log, such as ``event message``; never other text of it."""
    if "command" in sent:
        return "command"
    event = sent.get("event")
    of_event = "event" in sent or sent.get("type") == "event_callback"
    if of_event:
        found = event.get("type") if isinstance(event, dict) else None
    else:
        found = sent.get("type")
    named = found if isinstance(found, str) and _KIND.match(found) else "of no known type"
    return f"event {named}" if of_event else named


def _text(held: object, name: str) -> str:
    found = held.get(name) if isinstance(held, dict) else None
    return found if isinstance(found, str) else ""


def _language(view: Mapping[str, Any]) -> Language:
    try:
        return language_of_view(view)
    except MALFORMED:
        return "en"


def _unreadable_view(view: Mapping[str, Any]) -> SlackView:
    language = _language(view)
    return sentence_view(language, "memory_title", say(language, "request_unreadable"))


def _unreadable(language: Language) -> Payload:
    return beside_payload(say(language, "request_unreadable"))


def _json(content: Mapping[str, Any]) -> BoltResponse:
    headers: dict[str, str | Sequence[str]] = {"content-type": ["application/json"]}
    return BoltResponse(status=HTTPStatus.OK, body=json.dumps(content), headers=headers)
