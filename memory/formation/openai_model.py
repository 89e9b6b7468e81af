"""LangChain's chat model for OpenAI, whose requests the OpenAI client does not check."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_openai import ChatOpenAI

# The client compares each message and tool of a request with every type that the API has for them:
# 3 ms for two messages, 5 ms for eight tools. It sends `extra_body` as it is.
_UNCHECKED = ("input", "tools")


class OpenAIModel(ChatOpenAI):
    """`ChatOpenAI` that passes the parts of a request to /responses in `extra_body`."""

    def _get_request_payload(
        self,
        input_: LanguageModelInput,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if not self.use_responses_api:
            return payload
        extra_body = dict(payload.get("extra_body") or {})
        for name in _UNCHECKED:
            if name in payload:
                extra_body[name] = payload.pop(name)
        payload["extra_body"] = extra_body
        return payload
