"""What Slack sent, and what the front hands over of it: the verified body as it came."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

FORM = "application/x-www-form-urlencoded"


def read(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return the event, the command, or the payload of a click or form.

    Raises `ValueError` or `TypeError` for a body that Slack does not send.
    """
    body = str(envelope["body"])
    if str(envelope["content_type"]).startswith(FORM):
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        if "payload" not in form:
            return {**form}
        body = form["payload"]
    sent = json.loads(body)
    if not isinstance(sent, dict):
        raise TypeError("An object was expected.")
    return sent
