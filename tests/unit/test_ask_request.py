"""The bearer token and the body of ``POST /ask``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bot.runtime.ask_request import is_bearer, read_call

TOKEN = "kioku-token-1234"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_right_token_is_taken(scheme: str) -> None:
    """The scheme's name is read in any case, as HTTP has it."""
    assert is_bearer(f"{scheme} {TOKEN}", TOKEN)


@pytest.mark.parametrize(
    "header",
    [
        *("", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer トークン"),
        *(f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Bearer {TOKEN.upper()}", "Bearer \udcff"),
    ],
)
def test_wrong_token_is_refused(header: str) -> None:
    """A header that does not have the whole token after `Bearer` is refused."""
    assert not is_bearer(header, TOKEN)


def test_empty_token_matches_nothing() -> None:
    """Without a token of the operator's nobody gets in."""
    assert not is_bearer("Bearer ", "")


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "7", '"MZ0001"', "[" * 5_000, "a=b"])
def test_body_that_is_no_call_is_refused(body: str) -> None:
    """What is no JSON object is no call."""
    assert read_call(body) is None


@pytest.mark.parametrize(
    "user_id",
    [None, 7, "", "mz0001", "MZ 0001", "MZ0001\n", "MZ.1", "%", "../U1", "ＭＺ", "A" * 65],
)
def test_wrong_user_id_is_refused(user_id: Any) -> None:
    """An id is 1 to 64 capital letters and digits, so that it cannot leave its namespace."""
    assert read_call(json.dumps({"user_id": user_id, "prompt": "hello"})) is None


@pytest.mark.parametrize("prompt", [None, 7, "", "  ", "\x00"])
def test_wrong_prompt_is_refused(prompt: Any) -> None:
    """A prompt has a character that can be stored."""
    assert read_call(json.dumps({"user_id": "MZ0001", "prompt": prompt})) is None
    assert read_call('{"user_id": "MZ0001"}') is None
