"""Requests to the app's HTTP endpoint, signed as Slack signs them, or wrongly on purpose."""

from __future__ import annotations

import hashlib
import hmac
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlencode

from tests.e2e.world import World

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's v0 signature.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    text = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def signed_headers(
    world: World, body: bytes, kind: str = JSON, timestamp: str | None = None
) -> dict[str, str]:
    """Return the headers of a request that Slack signed at `timestamp` (default: now)."""
    at = str(int(time.time())) if timestamp is None else timestamp
    secret = str(world.slack.info["signing_secret"])
    return {
        "content-type": kind,
        "x-slack-request-timestamp": at,
        "x-slack-signature": signature(secret, at, body),
    }


def post(world: World, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Post to the app's endpoint; returns status and body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{world.app.port}/slack/events", data=body, headers=dict(headers)
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def signed_form(world: World, form: Mapping[str, str]) -> int:
    """Post a signed form, as Slack does for commands and clicks; returns the status."""
    body = urlencode(form).encode()
    return post(world, body, signed_headers(world, body, FORM))[0]
