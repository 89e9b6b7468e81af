"""The front function: it checks Slack's signature, answers in time and passes the event on.

It knows neither the database nor Bolt, so it answers while the database sleeps and right after a
cold start. What the worker needs goes to it by an asynchronous invocation, which Lambda repeats.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import boto3
import botocore.config
from botocore.exceptions import BotoCoreError, ClientError
from slack_sdk.signature import SignatureVerifier

from bot.locale import language_of, say
from bot.runtime.ask_request import WRONG_BODY, WRONG_TOKEN, is_bearer, read_call
from bot.slack.signature import is_signed
from bot.views.blocks import section
from bot.views.modal_triggers import in_home, opens_modal
from bot.views.views import (
    blocks_up_to_click,
    home_with_banner,
    information_view,
    language_of_view,
    loading_view,
)
from deploy.aws import envelopes

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

log = logging.getLogger(__name__)

Event: TypeAlias = dict[str, Any]
Response: TypeAlias = dict[str, Any]

# Slack's three seconds hold all of it: one attempt, one more, and the way there and back.
_QUICK = botocore.config.Config(
    connect_timeout=0.6, read_timeout=0.8, retries={"total_max_attempts": 2, "mode": "standard"}
)
_WHOLE_ANSWER = botocore.config.Config(
    connect_timeout=5, read_timeout=175, retries={"total_max_attempts": 1}
)
_READ_AGAIN_SECONDS = 30.0
_TELL_SECONDS = 1.0
_CALL_SECONDS = 1.2


@dataclass(slots=True)
class _Secret:
    """Slack's secret, read once, and again when something signed does not fit it."""

    values: dict[str, str] = field(default_factory=dict)
    read_at: float = float("-inf")

    def read(self) -> None:
        client = boto3.client("secretsmanager", config=_QUICK)
        found = client.get_secret_value(SecretId=os.environ["SLACK_SECRET_ARN"])
        self.values = json.loads(found["SecretString"])
        self.read_at = time.monotonic()

    def get(self, name: str) -> str:
        if not self.values:
            self.read()
        return self.values.get(name) or ""

    def fits(self, name: str, check: Callable[[str], bool]) -> bool:
        """Say whether `check` agrees to a value; where not, to the one that is there now.

        It is read again at most every half minute.
        """
        value = self.get(name)
        if value and check(value):
            return True
        if time.monotonic() - self.read_at < _READ_AGAIN_SECONDS:
            return False
        self.read()
        newer = self.get(name)
        return bool(newer) and newer != value and check(newer)


_secret = _Secret()


def handler(event: Event, context: object = None) -> Response:
    """Answer one request of the Function URL (payload format 2.0).

    Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    """
    del context
    method = event["requestContext"]["http"]["method"]
    path = str(event.get("rawPath") or "/").rstrip("/")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    body = _body(event)
    if method == "GET" and path == "/healthz":
        return _text(200, "alive\n")
    if method != "POST":
        return _text(405, "Send a POST request.\n")
    if path == "/slack/events":
        return _slack(body, headers)
    if path in ("", "/ask"):
        return _ask(body, headers)
    return _text(404, "There is /slack/events, for Slack, and /ask.\n")


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(body)
    return str(body).encode(errors="surrogatepass")


def _text(status: int, text: str) -> Response:
    headers = {"content-type": "text/plain; charset=utf-8"}
    return {"statusCode": status, "headers": headers, "body": text}


def _json(content: Mapping[str, Any]) -> Response:
    headers = {"content-type": "application/json; charset=utf-8"}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(content)}


# --- Slack ---------------------------------------------------------------------------------


def _slack(body: bytes, headers: dict[str, str]) -> Response:
    if not _is_from_slack(body, headers):
        return _text(401, "The request is not signed by Slack.\n")
    content_type = headers.get("content-type", "")
    try:
        envelope = {"kind": "slack", "body": body.decode(), "content_type": content_type}
        sent = envelopes.read(envelope)
        method = opens_modal(sent)
    except ValueError:
        return _text(400, "Slack sends no such body.\n")
    except (TypeError, AttributeError):
        log.warning("a malformed request of Slack's was acknowledged and ignored")
        return _text(200, "")
    if sent.get("type") == "url_verification":
        return _text(200, str(sent.get("challenge") or ""))
    view_id = _open_loading(method, sent) if method else None
    if view_id:
        envelope["view_id"] = view_id
    if _hand_over(envelope):
        if sent.get("type") == "view_submission":
            # What is wrong with it, if anything, comes in its place: see the worker.
            return _json({"response_action": "update", "view": loading_view()})
        return _text(200, "")
    if sent.get("type") == "event_callback":
        # Slack delivers it again.
        return _text(503, "The event could not be stored.\n")
    # A command, a click or a form is delivered once: nothing was done, and the person is told.
    return _nothing_done(sent, view_id)


def _open_loading(method: str, sent: Mapping[str, Any]) -> str | None:
    """Open an empty modal while the trigger lives; return its id, None where Slack refuses."""
    body = {"trigger_id": sent.get("trigger_id"), "view": loading_view()}
    opened = _called(method, body)
    return str((opened.get("view") or {}).get("id") or "") or None


def _called(method: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Call Slack's Web API once; return its answer, empty where there is none."""
    request = urllib.request.Request(  # noqa: S310 - Slack's own address
        os.environ.get("SLACK_API_URL", "https://slack.com/api/").rstrip("/") + f"/{method}",
        json.dumps(body).encode(),
        {
            "content-type": "application/json; charset=utf-8",
            "authorization": f"Bearer {_secret.get('SLACK_BOT_TOKEN')}",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=_CALL_SECONDS) as answer:  # noqa: S310
            answered: dict[str, Any] = json.load(answer)
    except (OSError, ValueError) as error:
        log.warning("%s was not answered: %s", method, type(error).__name__)
        return {}
    return answered


def _nothing_done(sent: Mapping[str, Any], view_id: str | None) -> Response:
    language = language_of(None, str(sent.get("text") or ""))
    if sent.get("view"):
        language = language_of_view(sent["view"])
    sentence = say(language, "command_failed")
    message = {"response_type": "ephemeral", "replace_original": False, "text": sentence}
    if "command" in sent:
        return _json(message)
    if sent.get("type") == "view_submission":
        blocks = sent.get("view", {}).get("blocks") or [{}]
        named = next((b["block_id"] for b in blocks if b.get("type") == "input"), None)
        if named:
            return _json({"response_action": "errors", "errors": {named: sentence}})
    elif view_id:
        view = information_view(language, "memory_title", [section(sentence)])
        _called("views.update", {"view_id": view_id, "view": view})
    elif in_home(sent):
        below = blocks_up_to_click(sent)
        view = home_with_banner(sent["view"], [section(sentence)], below)
        person = str((sent.get("user") or {}).get("id") or "")
        _called("views.publish", {"user_id": person, "view": view})
    elif address := str(sent.get("response_url") or ""):
        request = urllib.request.Request(  # noqa: S310 - an address that Slack signed
            address, json.dumps(message).encode(), {"content-type": "application/json"}
        )
        try:
            urllib.request.urlopen(request, timeout=_TELL_SECONDS).close()  # noqa: S310
        except OSError as error:
            log.warning("a person was not told: %s", type(error).__name__)
    return _text(200, "")


def _is_from_slack(body: bytes, headers: dict[str, str]) -> bool:
    return _secret.fits(
        "SLACK_SIGNING_SECRET", lambda secret: is_signed(SignatureVerifier(secret), body, headers)
    )


def _hand_over(envelope: Mapping[str, Any]) -> bool:
    try:
        _lambda(_QUICK).invoke(
            FunctionName=os.environ["KIOKU_WORKER_FUNCTION"],
            InvocationType="Event",
            Payload=json.dumps(envelope).encode(),
        )
    except (BotoCoreError, ClientError) as error:
        log.warning("an event was not sent to the queue: %s", type(error).__name__)
        return False
    return True


@cache
def _lambda(config: botocore.config.Config) -> LambdaClient:
    # Making one takes longer than a call.
    client: LambdaClient = boto3.client("lambda", config=config)
    return client


# --- The article's call --------------------------------------------------------------------


def _ask(body: bytes, headers: dict[str, str]) -> Response:
    shown = headers.get("authorization", "")
    if not _secret.fits("KIOKU_API_TOKEN", lambda token: is_bearer(shown, token)):
        return _text(401, WRONG_TOKEN)
    read = read_call(body.decode(errors="replace"))
    if read is None:
        return _text(400, WRONG_BODY)
    call = {"kind": "ask", "user_id": read[0], "prompt": read[1]}
    try:
        answered = _lambda(_WHOLE_ANSWER).invoke(
            FunctionName=os.environ["KIOKU_WORKER_FUNCTION"],
            InvocationType="RequestResponse",
            Payload=json.dumps(call).encode(),
        )
        answer = json.loads(answered["Payload"].read())
    except (BotoCoreError, ClientError, ValueError) as error:
        log.warning("a question got no answer: %s", type(error).__name__)
        answer = None
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return _text(503, "The question got no answer: please ask again in a minute.\n")
    return _text(int(answer["statusCode"]), str(answer["body"]))
