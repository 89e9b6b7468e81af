"""The bearer token and the body of ``POST /ask``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from bot.runtime.ask import read_call

TOKEN = "kioku-token-1234"
BODY = '{"user_id": "MZ0001", "prompt": "hello"}'


def refusal(
    authorization: str = f"Bearer {TOKEN}", body: str = BODY, token: str = TOKEN
) -> int:
    """Return the HTTP status with which a call is refused."""
    with pytest.raises(web.HTTPException) as refused:
        read_call(authorization, body, token)
    return refused.value.status


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_right_token_is_taken(scheme: str) -> None:
    """The scheme's name is read in any case, as HTTP has it."""
    assert read_call(f"{scheme} {TOKEN}", BODY, TOKEN) == ("MZ0001", "hello")


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            f"Basic {TOKEN}",
            TOKEN,
            "Bearer トークン",
        ),
        *(
            f"Bearer {TOKEN[:-1]}",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN.upper()}",
            "Bearer \udcff",
        ),
    ],
)
def test_wrong_token_is_refused(header: str) -> None:
    """A header that does not have the whole token after `Bearer` is refused."""
    assert refusal(header) == 401


def test_empty_token_matches_nothing() -> None:
    """Without a token of the operator's nobody gets in."""
    assert refusal("Bearer ", token="") == 401


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", "7", '"MZ0001"', "[" * 5_000, "a=b"]
)
def test_body_that_is_no_call_is_refused(body: str) -> None:
    """What is no JSON object is no call."""
    assert refusal(body=body) == 400


@pytest.mark.parametrize(
    "user_id",
    [None, 7, "", "mz0001", "MZ 0001", "MZ0001\n", "MZ.1", "%", "../U1", "A" * 65],
)
def test_wrong_user_id_is_refused(user_id: Any) -> None:
    """An id is 1 to 64 capital letters and digits, so that it cannot leave its namespace."""
    assert refusal(body=json.dumps({"user_id": user_id, "prompt": "hello"})) == 400


@pytest.mark.parametrize("prompt", [None, 7, "", "  ", "\x00", "a" * 40_001])
def test_wrong_prompt_is_refused(prompt: Any) -> None:
    """A prompt has a character that can be stored, and no more than a message of Slack's."""
    assert refusal(body=json.dumps({"user_id": "MZ0001", "prompt": prompt})) == 400
