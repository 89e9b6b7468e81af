"""Reading of a ``POST /ask``: bearer token and body.

Imports nothing large: the AWS front uses it.
"""

from __future__ import annotations

import hmac
import json
import re

WRONG_TOKEN = "The bearer token is missing or wrong.\n"  # noqa: S105 - a sentence
WRONG_BODY = (
    'Send JSON: {"user_id": "MZ0001", "prompt": "…"}; user_id is capital letters and digits.\n'
)
_USER = re.compile(r"[A-Z0-9]{1,64}\Z")


def is_bearer(authorization: str, token: str) -> bool:
    """Say whether an ``Authorization`` header shows `token`; an empty token matches nothing."""
    scheme, _, given = authorization.partition(" ")
    # A header may hold bytes that are no text.
    right = hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())
    return bool(token) and right and scheme.lower() == "bearer"


def read_call(body: str) -> tuple[str, str] | None:
    """Return who asks, and what; None for a body that is no such call."""
    try:
        sent = json.loads(body)
        user_id, prompt = sent["user_id"], sent["prompt"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    if not (isinstance(user_id, str) and _USER.match(user_id)):
        return None
    if not (isinstance(prompt, str) and prompt.replace("\x00", "").strip()):
        return None
    return user_id, prompt.replace("\x00", "").encode("utf-8", "replace").decode()
