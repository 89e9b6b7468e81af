"""Reasoning items that a client sends back, under the rules of ``store: false``.

Source: https://platform.openai.com/docs/guides/reasoning (encrypted reasoning items)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from openai_double.errors import ApiError

INCLUDE: Final = "reasoning.encrypted_content"


def encrypted_content(item_id: str) -> str:
    """Return the encrypted content of the reasoning item with this id."""
    return f"gAAAAA{hashlib.sha256(item_id.encode()).hexdigest()}"


def check_items(body: Mapping[str, Any]) -> None:
    """Raise `ApiError` for a reasoning item of the input that the API does not take.

    Nothing is stored here, so an item without its encrypted content is not found; and one is taken
    only with the item that followed it in the response.
    """
    given = body.get("input")
    items = given if isinstance(given, list) else []
    for index, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        content = item.get("encrypted_content")
        if not content:
            raise ApiError(
                status=404,
                message=f"Item with id '{item['id']}' not found. Items are not persisted when"
                " `store` is set to false.",
                param=f"input[{index}]",
            )
        if content != encrypted_content(item["id"]):
            raise ApiError(
                status=400,
                message="The encrypted content of a reasoning item could not be verified.",
                code="invalid_encrypted_content",
                param=f"input[{index}]",
            )
        following = items[index + 1] if index + 1 < len(items) else {}
        if not (
            following.get("type") in {"reasoning", "function_call"}
            or following.get("role") == "assistant"
        ):
            raise ApiError(
                status=400,
                message=f"Item '{item['id']}' of type 'reasoning' was provided without its"
                " required following item.",
                param=f"input[{index}]",
            )
