"""OpenAI's models by name, and what each refuses on which endpoint.

The names are those of the `openai` package, read at the first use: `ChatModel` lists what chat
completions serve, and `ResponsesModel` adds what only the Responses API serves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

from openai_double.errors import ApiError

_CHAT_ONLY: Final = re.compile(r"-audio\b|-search-preview\b")
# Of these the default reasoning effort is not "none".
_REASONS: Final = re.compile(r"o\d|gpt-5(?!\.|-chat)|gpt-5\.[6-9]|gpt-[6-9]")
# Whether gpt-6 models refuse a temperature is not documented: LangMem sends one to them.
_NO_TEMPERATURE: Final = re.compile(r"o\d|gpt-5(?!\.|-chat)|gpt-5\.[6-9]")
_TOOLS_WITHOUT_REASONING: Final = re.compile(r"gpt-5\.[4-9]|gpt-[6-9]")


def base_model(model: str) -> str:
    """Return the model that a fine-tuned one (``ft:gpt-4.1-mini:acme::id``) was made from."""
    return model.split(":")[1] if model.startswith("ft:") else model


@cache
def chat_models() -> frozenset[str]:
    """Return the names that chat completions serve."""
    from openai.types.shared.chat_model import ChatModel

    return frozenset(get_args(ChatModel))


@cache
def responses_models() -> frozenset[str]:
    """Return the names that the Responses API's types list."""
    from openai.types.shared.responses_model import ResponsesModel

    return frozenset(name for names in get_args(ResponsesModel) for name in get_args(names))


def is_known(model: str) -> bool:
    """Return whether a model, or the one that it was made from, is in the package's lists."""
    return base_model(model) in responses_models()


def check_responses(body: Mapping[str, Any]) -> None:
    """Raise what `POST /v1/responses` answers to a model that it does not serve so."""
    base = base_model(body["model"])
    if _CHAT_ONLY.search(base):
        raise ApiError(
            status=400,
            message=f"The model {base} is served by v1/chat/completions, not by v1/responses.",
            param="model",
        )
    effort = (body.get("reasoning") or {}).get("effort")
    _check_temperature(base, body.get("temperature"), effort)


def check_chat(body: Mapping[str, Any]) -> None:
    """Raise what `POST /v1/chat/completions` answers to a model that it does not serve so.

    Source: https://community.openai.com/t/gpt-5-6-chat-completion-reasoning-effort-bug-behavior-change/1386454
    """
    base, effort = base_model(body["model"]), body.get("reasoning_effort")
    if base in responses_models() and base not in chat_models():
        raise ApiError(
            status=404,
            message=f"The model {base} is served by v1/responses, not by v1/chat/completions.",
            param="model",
        )
    reasons = bool(effort or _REASONS.match(base)) and effort != "none"
    if body.get("tools") and reasons and _TOOLS_WITHOUT_REASONING.match(base):
        raise ApiError(
            status=400,
            message=(
                f"Function tools with reasoning_effort are not supported for {base} in"
                " /v1/chat/completions: use /v1/responses, or the effort 'none'."
            ),
            param="reasoning_effort",
        )
    _check_temperature(base, body.get("temperature"), effort)


def _check_temperature(base: str, temperature: object, effort: object) -> None:
    if temperature is not None and _NO_TEMPERATURE.match(base) and effort != "none":
        raise ApiError(
            status=400,
            message=f"Unsupported parameter: 'temperature' is not supported with {base}.",
            code="unsupported_parameter",
            param="temperature",
        )
