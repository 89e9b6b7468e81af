"""LangChain's model with tools that are not strict, as the app's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr


class Loose(ChatOpenAI):
    """Says ``strict: false`` of its tools in the Responses API, which requires `strict`."""

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **more: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind the tools."""
        bound = [convert_to_openai_tool(tool) for tool in tools]
        if self.use_responses_api:
            bound = [{**one, "function": {**one["function"], "strict": False}} for one in bound]
        return super().bind_tools(bound, tool_choice=tool_choice, **more)


def stand_in(url: str, kind: type[ChatOpenAI] = Loose, *, responses: bool = False) -> ChatOpenAI:
    """LangChain's model against the stand-in: by chat completions unless `responses`."""
    return kind(
        model="kioku-stand-in",
        base_url=f"{url}/v1",
        api_key=SecretStr("x"),
        max_retries=0,
        use_responses_api=responses,
    )
