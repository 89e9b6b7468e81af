"""Requests to the app's HTTP endpoint, signed as Slack signs them, or wrongly on purpose."""

from __future__ import annotations

import time
from collections.abc import Mapping

from playground.http_delivery import sign
from tests.e2e.world import World

JSON = "application/json"


def signed_headers(
    world: World, body: bytes, kind: str = JSON, timestamp: str | None = None
) -> dict[str, str]:
    """Return the headers of a request that Slack signed at `timestamp` (default: now)."""
    at = str(int(time.time())) if timestamp is None else timestamp
    secret = str(world.slack.info["signing_secret"])
    return {
        "content-type": kind,
        "x-slack-request-timestamp": at,
        "x-slack-signature": sign(secret, at, body),
    }


def post(world: World, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Post to the app's endpoint; returns status and body."""
    return world.app.post("/slack/events", body, headers)
