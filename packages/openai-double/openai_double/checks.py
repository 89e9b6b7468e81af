"""Checks of a request besides the types of its body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from openai_double.errors import ApiError, model_not_found
from openai_double.families import is_known
from openai_double.prompt import Prompt
from openai_double.tokens import count_tokens

MODELS: Final[Mapping[str, int]] = {
    "gpt-6-luna": 0,
    "gpt-6.1-sol": 0,
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
}
"""The models that it lists, with the size of their embeddings, 0 for a model of text.

It also answers for those of `families`.
"""


def check_bearer(request: web.Request) -> None:
    """Raise `ApiError` for a request without a bearer token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(
            status=401,
            message=(
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            ),
            code="invalid_api_key",
        )


def check_model(body: dict[str, Any], models: Mapping[str, int], *, embeddings: bool) -> None:
    """Raise `ApiError` unless the body names a model of this endpoint; `models` as `MODELS`."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError(
            status=400,
            message="Missing required parameter: 'model'.",
            code="missing_required_parameter",
            param="model",
        )
    if model not in models and not is_known(model):
        raise model_not_found(model)
    if (models.get(model, 0) > 0) != embeddings:
        raise ApiError(
            status=400,
            message=f"The model `{model}` cannot be used with this endpoint.",
            code="unsupported_model",
            param="model",
        )


def check_tool_choice(asked: Prompt) -> None:
    """Raise `ApiError` for a choice of a tool that the request does not offer."""
    choice = asked.tool_choice
    if choice in {"auto", "none"}:
        return
    if choice == "required" and asked.tools:
        return
    if choice not in {tool.name for tool in asked.tools}:
        raise ApiError(
            status=400,
            message=f"Tool choice '{choice}' not found in 'tools' parameter.",
            code="invalid_value",
            param="tool_choice",
        )


def input_tokens(asked: Prompt) -> int:
    """Estimate the tokens of a request."""
    texts = [asked.instructions, *(turn.text for turn in asked.turns)]
    tools = (json.dumps(tool.parameters, ensure_ascii=False) for tool in asked.tools)
    results = (result.arguments + result.output for result in asked.results)
    return sum(count_tokens(text) + 4 for text in (*texts, *tools, *results))
