"""What an idle database is woken for, on AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.aws.waking import needs_database


@pytest.mark.parametrize(
    ("event", "needed"),
    [
        ({"type": "app_context_changed", "user": "U1", "context": {}}, False),
        ({"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "messages"}, True),
        ({"type": "user_change", "user": {"id": "U1"}}, False),
        ({"type": "user_change", "user": {"id": "U1", "deleted": True}}, True),
    ],
)
def test_a_change_of_view_in_slack_needs_no_database(event: dict[str, Any], needed: bool) -> None:
    """Moving about in Slack costs nothing: with a message Slack says again what is looked at."""
    body = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event}
    envelope = {"kind": "slack", "content_type": "application/json", "body": json.dumps(body)}
    assert needs_database(envelope) is needed
