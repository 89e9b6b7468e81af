"""OpenAI's models by name: those of the `openai` package, and what those that reason refuse."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

from openai_double.errors import ApiError

# Whether gpt-6 models refuse a temperature is not documented: LangMem sends one to them.
_NO_TEMPERATURE: Final = re.compile(r"o\d|gpt-5(?!\.|-chat)|gpt-5\.[6-9]")
_TOOLS_WITHOUT_REASONING: Final = re.compile(r"gpt-5\.[6-9]|gpt-[6-9]")


def base_model(model: str) -> str:
    """Return the model that a fine-tuned one (``ft:gpt-4.1-mini:acme::id``) was made from."""
    return model.split(":")[1] if model.startswith("ft:") else model


@cache
def _listed() -> frozenset[str]:
    from openai.types.shared.responses_model import ResponsesModel

    return frozenset(name for names in get_args(ResponsesModel) for name in get_args(names))


def is_known(model: str) -> bool:
    """Return whether a model, or the one that it was made from, is in the package's lists."""
    return base_model(model) in _listed()


def check_parameters(body: Mapping[str, Any]) -> None:
    """Raise what a model that reasons answers to a temperature, and to tools in chat completions.

    Source: https://community.openai.com/t/gpt-5-6-chat-completion-reasoning-effort-bug-behavior-change/1386454
    """
    model, chat = base_model(body["model"]), "messages" in body
    effort = body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort")
    if effort == "none":
        return
    for name, refusing in (("tools", _TOOLS_WITHOUT_REASONING), ("temperature", _NO_TEMPERATURE)):
        if body.get(name) is not None and refusing.match(model) and (chat or name != "tools"):
            raise ApiError(
                status=400,
                message=f"Unsupported parameter: '{name}' with reasoning of {model}.",
                code="unsupported_parameter",
                param=name,
            )
