"""Whether a request comes from Slack."""

from __future__ import annotations

from slack_sdk.signature import SignatureVerifier


def is_signed(verifier: SignatureVerifier, body: bytes, headers: dict[str, str]) -> bool:
    """Say whether Slack signed this request within the last five minutes.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    try:
        return verifier.is_valid_request(body, headers)
    # A timestamp that is no number, a body that is no text; a signature that is not ASCII.
    except (ValueError, TypeError):
        return False
