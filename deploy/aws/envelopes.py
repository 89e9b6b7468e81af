"""Envelopes that the front passes to the worker: Slack's verified body, unchanged."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

FORM = "application/x-www-form-urlencoded"


def read(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return the event, the command, or the payload of a click or form.

    Raises `ValueError` for a body that is no payload of Slack's, `TypeError` for a malformed one.
    """
    body = str(envelope["body"])
    if str(envelope["content_type"]).startswith(FORM):
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        if "payload" not in form:
            return {**form}
        body = form["payload"]
    try:
        sent = json.loads(body)
    except RecursionError:
        raise TypeError("The body is nested too deeply.") from None
    if not isinstance(sent, dict):
        raise ValueError("An object was expected.")  # noqa: TRY004 - see above
    if not _is_shaped(sent):
        raise TypeError("Objects were expected.")
    return sent


def _is_shaped(sent: dict[str, Any]) -> bool:
    """Return whether the parts that the front reads have Slack's types; the app checks the rest."""
    actions = sent.get("actions") or []
    parts = [sent.get(name) or {} for name in ("view", "user", "event")]
    return isinstance(actions, list) and all(isinstance(one, dict) for one in (*parts, *actions))
