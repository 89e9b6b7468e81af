"""What the front hands over: a verified request of Slack, its body as it came."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from slack_bolt.async_app import AsyncBoltRequest

_FORM = "application/x-www-form-urlencoded"


def read(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return the event, the command, or the payload of a click or form."""
    body = str(envelope["body"])
    if str(envelope["content_type"]).startswith(_FORM):
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        if "payload" not in form:
            return {**form}
        body = form["payload"]
    sent: dict[str, Any] = json.loads(body)
    return sent


def request(envelope: dict[str, Any], sent: dict[str, Any]) -> AsyncBoltRequest:
    """Return `sent`, what `read` returned or more, as Bolt takes it."""
    content_type = str(envelope["content_type"])
    body = json.dumps(sent)
    if content_type.startswith(_FORM):
        form = sent if "command" in sent else {"payload": body}
        body = urllib.parse.urlencode(form)
    return AsyncBoltRequest(body=body, headers={"content-type": [content_type]})
