"""The stories of memory formation, through the real LangMem store manager."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from langgraph.store.memory import InMemoryStore

from memory import SCHEMAS
from memory.formation.extract import instructions_for
from memory.model.schemas import UserFoodPreference, UserTechInterest, with_evidence
from tests.playground_model.loose import Loose, stand_in

with warnings.catch_warnings():
    # langmem 0.0.30 imports trustcall 0.0.39, which imports Send from its old place.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langmem import (  # type: ignore[import-untyped]
        create_memory_manager,
        create_memory_store_manager,
    )

KINDS = [with_evidence(schema) for schema in SCHEMAS]
TASTES = [with_evidence(UserTechInterest), with_evidence(UserFoodPreference)]


class Willing(Loose):
    """A chat model that may decide to call nothing, as the app's own does."""

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **more: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Turn "any" into "auto"."""
        if tool_choice == "any":
            tool_choice = "auto"
        return super().bind_tools(tools, tool_choice=tool_choice, **more)


model = partial(stand_in, kind=Willing)


class Person:
    """One person's memories, and the manager that forms them."""

    def __init__(self, llm: ChatOpenAI) -> None:
        self.store = InMemoryStore()
        self._llm = llm
        self._said: list[str] = []

    async def says(self, *messages: str) -> None:
        """Form memories from these messages, and check that every quote is verbatim."""
        manager = create_memory_store_manager(
            self._llm,
            namespace=("chat", "{user_id}"),
            schemas=TASTES,
            instructions=instructions_for(TASTES),
            enable_inserts=True,
            enable_deletes=True,
            store=self.store,
            query_limit=50,
        )
        self._said += messages
        await manager.ainvoke(
            {"messages": [{"role": "user", "content": message} for message in messages]},
            config={"configurable": {"user_id": "U1"}, "recursion_limit": 8},
        )
        for content in (await self.rows()).values():
            assert any(content["evidence"] in message for message in self._said)

    async def rows(self) -> dict[str, dict[str, Any]]:
        """The contents by key, in the order they were written."""
        found = await self.store.asearch(("chat", "U1"))
        return {item.key: item.value["content"] for item in found}


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def person(url: str, request: pytest.FixtureRequest) -> Person:
    """A person, formed by chat completions and by the Responses API."""
    return Person(model(url, responses=request.param))


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
        "I love ramen. Just kidding",
        "> I love ramen",
        "```\nI love ramen\n```",
    ],
)
async def test_questions_quotations_and_unknown_forms_write_nothing(
    person: Person, message: str
) -> None:
    """No tool is called for small talk, a question, a joke, a quotation or an unknown form."""
    await person.says(message)
    assert await person.rows() == {}


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
    manager = create_memory_manager(
        model(url),
        schemas=KINDS,
        enable_inserts=True,
        enable_deletes=True,
    )
    asked = [{"role": "user", "content": message}]
    [found] = await manager.ainvoke({"messages": asked})
    assert found.content.model_dump() == {**expected, "evidence": message}
    again = await manager.ainvoke({"messages": asked, "existing": [found]})
    assert [one.content for one in again] == [found.content]
