"""Checks of a request besides the types of its body: key, model, tools, reasoning items."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

from aiohttp import web

from openai_double.errors import ApiError, bad_request
from openai_double.prompt import Prompt
from openai_double.types import Json

MODELS: Final[Mapping[str, int]] = {
    "gpt-6-luna": 0,
    "gpt-6.1-sol": 0,
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
}
"""The models that it lists, with the size of their embeddings, or 0 for text models.

It also knows the models in the lists of the `openai` package.
"""
ENCRYPTED: Final = "reasoning.encrypted_content"
# Whether gpt-6 models refuse a temperature is not documented: LangMem sends one to them.
_NO_TEMPERATURE: Final = re.compile(r"o\d|gpt-5(?!\.|-chat)|gpt-5\.[6-9]")
_TOOLS_WITHOUT_REASONING: Final = re.compile(r"gpt-5\.[6-9]|gpt-[6-9]")


def check_bearer(request: web.Request) -> None:
    """Raise `ApiError` for a request without a bearer token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        message = "You didn't provide an API key in an Authorization header using Bearer auth."
        raise ApiError(status=401, message=message, code="invalid_api_key")


@cache
def _openai_models() -> frozenset[str]:
    from openai.types.shared.responses_model import ResponsesModel

    names: set[str] = set()
    for alternative in get_args(ResponsesModel):
        names.update(get_args(alternative))
    return frozenset(names)


def base_model(model: str) -> str:
    """Return the base model of a fine-tuned one, such as ``ft:gpt-4.1-mini:acme::id``."""
    if not model.startswith("ft:"):
        return model
    _, base, *_ = model.split(":")
    return base


def check_known(model: str, models: Mapping[str, int]) -> None:
    """Raise `ApiError` (404) for a model that is neither in `models` nor OpenAI's."""
    if model not in models and base_model(model) not in _openai_models():
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise ApiError(status=404, message=message, code="model_not_found")


def check_model(body: Json, models: Mapping[str, int], *, embeddings: bool) -> None:
    """Raise `ApiError` unless the body names a model of this endpoint; `models` as `MODELS`."""
    model = body["model"]
    check_known(model, models)
    makes_embeddings = models.get(model, 0) > 0
    if makes_embeddings != embeddings:
        message = f"The model `{model}` cannot be used with this endpoint."
        raise bad_request(message, code="unsupported_model", param="model")


def check_parameters(body: Mapping[str, Any]) -> None:
    """Raise a reasoning model's error for a temperature, or for tools in chat completions.

    Source: https://community.openai.com/t/gpt-5-6-chat-completion-reasoning-effort-bug-behavior-change/1386454
    """
    model = base_model(body["model"])
    reasoning = body.get("reasoning") or {}
    effort = body.get("reasoning_effort") or reasoning.get("effort")
    if effort == "none":
        return
    refuses = {"temperature": _NO_TEMPERATURE}
    if "messages" in body:
        refuses["tools"] = _TOOLS_WITHOUT_REASONING
    for name, models in refuses.items():
        if body.get(name) is not None and models.match(model):
            message = f"Unsupported parameter: '{name}' with reasoning of {model}."
            raise bad_request(message, code="unsupported_parameter", param=name)


def check_tool_choice(prompt: Prompt) -> None:
    """Raise `ApiError` if the tool choice names a tool that the request does not offer."""
    allowed = {"auto", "none"}
    allowed.update(tool.name for tool in prompt.tools)
    if prompt.tools:
        allowed.add("required")
    if prompt.tool_choice not in allowed:
        message = f"Tool choice '{prompt.tool_choice}' not found in 'tools' parameter."
        raise bad_request(message, code="invalid_value", param="tool_choice")


def encrypted_content(item_id: str) -> str:
    """Return the encrypted content of the reasoning item with this id."""
    return f"gAAAAA{item_id}"


def check_reasoning(body: Mapping[str, Any]) -> None:
    """Raise `ApiError` for a reasoning item in the input that the API would refuse.

    Nothing is stored here, so an item without its encrypted content is not found. An item is
    accepted only together with the item that followed it in the response.
    Source: https://platform.openai.com/docs/guides/reasoning (encrypted reasoning items)
    """
    items = body.get("input")
    if not isinstance(items, list):
        return
    for index, item in enumerate(items):
        if item.get("type") == "reasoning":
            _check_reasoning_item(item, items[index + 1 :], f"input[{index}]")


def _check_reasoning_item(item: Json, following: list[Json], param: str) -> None:
    content = item.get("encrypted_content")
    if not content:
        message = f"Item '{item['id']}' not found: `store` is set to false."
        raise ApiError(status=404, message=message, param=param)
    if content != encrypted_content(item["id"]):
        message = "The encrypted content of a reasoning item could not be verified."
        raise bad_request(message, code="invalid_encrypted_content", param=param)
    after = following[0] if following else {}
    belongs_together = after.get("type") in {"reasoning", "function_call"}
    if not belongs_together and after.get("role") != "assistant":
        message = (
            f"Item '{item['id']}' was provided without its required following item."
        )
        raise bad_request(message, param=param)
