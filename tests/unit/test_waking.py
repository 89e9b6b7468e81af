"""What an idle database is woken for, on AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.aws.waking import needs_database

CHANGED = {"type": "message", "subtype": "message_changed", "channel": "D1", "hidden": True}


@pytest.mark.parametrize(
    ("event", "needed"),
    [
        ({"type": "app_context_changed", "user": "U1", "context": {}}, False),
        ({"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "messages"}, True),
        ({"type": "user_change", "user": {"id": "U1"}}, False),
        ({"type": "user_change", "user": {"id": "U1", "deleted": True}}, True),
        ({**CHANGED, "message": {"user": "UBOT", "bot_id": "B1", "ts": "1.2"}}, False),
        ({**CHANGED, "message": {"user": "U1", "ts": "1.2"}}, True),
        ({**CHANGED, "message": None}, True),
        ({"type": "message", "subtype": "channel_convert_to_private", "channel": "C1"}, True),
        ({"type": "message", "subtype": "channel_convert_to_public", "channel": "C1"}, True),
        ({"type": "channel_shared", "channel": "C1"}, True),
        ({"type": "message", "subtype": "channel_join", "channel": "C1", "user": "U1"}, False),
    ],
)
def test_what_needs_no_database(event: dict[str, Any], needed: bool) -> None:
    """Moving about in Slack costs nothing, nor do the app's updates of its own messages.

    A changed conversation is always noted: what is said there then has another audience.
    """
    body = {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": "Ev1",
        "authorizations": [{"team_id": "T1", "user_id": "UBOT", "is_bot": True}],
        "event": event,
    }
    envelope = {"kind": "slack", "content_type": "application/json", "body": json.dumps(body)}
    assert needs_database(envelope) is needed
