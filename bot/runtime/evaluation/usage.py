"""Model calls, tokens and cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult


@dataclass(slots=True)
class Usage:
    """Model calls, and input and output tokens as reported by the model."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices per million tokens, in any currency; None: unknown."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def cost(self, usage: Usage) -> float | None:
        """Return the cost of `usage`, or None if it is unknown."""
        if self.tokens_in is None or self.tokens_out is None or not usage.tokens_in:
            return None
        return (usage.tokens_in * self.tokens_in + usage.tokens_out * self.tokens_out) / 1e6


class UsageCounter(AsyncCallbackHandler):
    """Adds up the usage that a chat model reports for each call."""

    run_inline = True

    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    async def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """Count one call."""
        self._usage.calls += 1
        for generations in response.generations:
            for one in generations:
                message = one.message if isinstance(one, ChatGeneration) else None
                if isinstance(message, AIMessage) and message.usage_metadata:
                    self._usage.tokens_in += message.usage_metadata["input_tokens"]
                    self._usage.tokens_out += message.usage_metadata["output_tokens"]
