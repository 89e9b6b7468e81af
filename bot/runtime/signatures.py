"""Slack's signatures: which requests are accepted, and what refused ones may mean."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from slack_sdk.signature import SignatureVerifier

from bot.logs import StandingWarnings
from bot.slack.client import clock_difference

_CAUSE = "signature"
# Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
_LATEST_SECONDS = 300


class SignatureCheck:
    """Accepts what Slack signed within five minutes.

    A wrong secret and a wrong clock look like silence to an operator, so a refusal raises a warning
    that names the cause and lasts until a request is accepted.
    """

    def __init__(self, secret: str, warnings: StandingWarnings) -> None:
        self._verifier = SignatureVerifier(secret)
        self._warnings = warnings
        self._refused = 0

    def accept(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Return whether Slack signed `body` lately."""
        problem = self._problem(body, headers)
        if problem is None:
            self._refused = 0
            self._warnings.clear(_CAUSE)
            return True
        self._refused += 1
        sentence = f"{self._refused} request(s) to /slack/events are refused: {problem}"
        self._warnings.report(_CAUSE, sentence)
        return False

    def _problem(self, body: bytes, headers: Mapping[str, str]) -> str | None:
        """Return what to tell the operator about a request that is refused, or None."""
        timestamp = headers.get("X-Slack-Request-Timestamp", "")
        signature = headers.get("X-Slack-Signature", "")
        if not signature:
            return (
                "they are not signed. If they are Slack's, a proxy in front of Kioku removes the"
                " header X-Slack-Signature."
            )
        if not self._is_signed(body, timestamp, signature):
            return (
                "they are not signed with SLACK_SIGNING_SECRET. If they are Slack's, copy the"
                " Signing Secret from your app's Basic Information."
            )
        difference = clock_difference(int(timestamp), _LATEST_SECONDS)
        if difference is None:
            return None
        return (
            f"this machine's clock is {difference} the time at which Slack signed them. Set the"
            " clock by a time service (NTP). A request that somebody sends again looks the same."
        )

    def _is_signed(self, body: bytes, timestamp: str, signature: str) -> bool:
        try:
            int(timestamp)
            right = self._verifier.generate_signature(timestamp=timestamp, body=body)
        except ValueError:  # the time is no number, or the body no UTF-8
            return False
        given = signature.encode(errors="surrogateescape")
        return right is not None and hmac.compare_digest(right.encode(), given)
