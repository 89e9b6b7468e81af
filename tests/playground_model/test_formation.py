"""The stories of memory formation, through LangMem's real manager."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from memory import SCHEMAS
from memory.model.schemas import with_evidence

with warnings.catch_warnings():
    # langmem 0.0.30 imports trustcall 0.0.39, which imports Send from its old place.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langmem import create_memory_manager  # type: ignore[import-untyped]

KINDS = [with_evidence(schema) for schema in SCHEMAS]


class Willing(ChatOpenAI):
    """A chat model that may decide to call nothing, as the app's own does."""

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **more: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Turn "any" into "auto"."""
        tool_choice = "auto" if tool_choice == "any" else tool_choice
        return super().bind_tools(tools, tool_choice=tool_choice, **more)


async def formed(url: str, message: str, existing: Sequence[Any] = ()) -> list[Any]:
    """Return the memories after a message."""
    llm = Willing(model="kioku-stand-in", base_url=f"{url}/v1", api_key=SecretStr("x"))
    manager = create_memory_manager(llm, schemas=KINDS, enable_inserts=True, enable_deletes=True)
    asked = [{"role": "user", "content": message}]
    return [one.content for one in await manager.ainvoke({"messages": asked, "existing": existing})]


@pytest.mark.parametrize(
    "message",
    [
        "ok thanks",
        "hello",
        "ありがとう",
        "こんにちは",
        "what do I like?",
        "Do I like pizza?",
        "おすすめの技術トピックを3つ挙げて簡潔にまとめて！",
        "今日のランチは何を食べようかな？",
        "I don't think I like AWS",
        "I used to love ramen",
        "If I liked ramen, I would say so",
        "My wife loves ramen",
        "I love it",
        "I'm not allergic to peanuts",
        "妻はラーメンが好きです",
        "ラーメンが好きなわけではありません",
        "> I love ramen",
        "```\nI love ramen\n```",
    ],
)
async def test_questions_quotations_and_unknown_forms_form_nothing(url: str, message: str) -> None:
    """No tool is called for small talk, a question, a quotation or an unknown form."""
    assert await formed(url, message) == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("I'm vegetarian", {"fact": "I'm vegetarian", "topic": "diet"}),
        ("I'm allergic to peanuts", {"fact": "I'm allergic to peanuts", "topic": "allergy"}),
        ("えびアレルギーがあります", {"fact": "えびアレルギーがあります", "topic": "アレルギー"}),
        ("大阪に住んでいます", {"fact": "大阪に住んでいます", "topic": "住まい"}),
        ("I have diabetes", {"fact": "I have diabetes", "topic": "health"}),
        ("I love hiking", {"fact": "I love hiking", "topic": None}),
        ("I'm learning Japanese", {"fact": "I'm learning Japanese", "topic": None}),
        ("I am on a diet until Friday", {"fact": "I am on a diet until Friday", "topic": "plan"}),
        ("Please answer in bullet points", {"instruction": "answer in bullet points"}),
        ("箇条書きで答えて", {"instruction": "箇条書きで答えて"}),
        (
            "Our deploys failed every Friday, so we tried smaller releases and it fixed them.",
            {
                "observation": "Our deploys failed every Friday",
                "action": "smaller releases",
                "result": "it fixed them",
            },
        ),
    ],
)
async def test_facts_wishes_and_stories(url: str, message: str, expected: dict[str, Any]) -> None:
    """What is no taste becomes a fact, a wish or an episode with its fields, and is not doubled."""
    [found] = await formed(url, message)
    assert found.model_dump() == {**expected, "evidence": message}
    assert await formed(url, message, [("m1", type(found).__name__, found)]) == [found]
