"""The model's memory tools over the real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from memory import (
    DM,
    PUBLIC,
    SCHEMAS,
    Embedder,
    Former,
    MemoryTools,
    Namespace,
    Person,
    PersonMessage,
    Pool,
    memory_model,
    memory_tools,
    memory_view,
    open_questions,
)
from memory.model.schemas import register_schemas
from memory.recall.lines import line_tokens
from memory.tools.memory_tools import SEARCH_LIMIT, SEARCH_TOKENS
from tests.conftest import Server
from tests.databases import owner_rows
from tests.integration.scripted_model import ScriptedModel
from tests.memories import put_memory

ALICE = Person("T1", "U1")
BOB = Person("T1", "U12")
OWN = ALICE.namespace(DM)


RAMEN = {"kind": "UserFoodPreference", "food_name": "ramen", "preference": 90}
PEANUTS = {"kind": "UserFact", "fact": "Allergic to peanuts", "topic": "health"}


@dataclass
class ToolTest:
    """One person's tools for one message, and what is stored."""

    pool: Pool
    embedder: Embedder
    database: str
    model: ScriptedModel

    def tools(
        self,
        text: str = "hello",
        *,
        own: Namespace = OWN,
        schemas: Any = SCHEMAS,
    ) -> MemoryTools:
        """Return the tools for a message; the scripted model gives the verdicts."""
        words = PersonMessage(text=text, channel="D1", ts="100.000100", actor="tool")
        base_url = self.model.base_url
        former = Former(
            self.pool,
            self.embedder,
            lambda: memory_model(model="scripted", api_key="none", base_url=base_url),
            schemas=schemas,
        )
        return MemoryTools(former, memory_view(own), words)

    def put(self, namespace: Namespace, name: str) -> str:
        """Store a food and return its key."""
        content = {
            "food_name": name,
            "cuisine": None,
            "preference": 80,
            "description": None,
        }
        value = {"kind": "UserFoodPreference", "content": content, "sources": []}
        return put_memory(self.database, namespace, value)

    def stored(self) -> list[dict[str, Any]]:
        """Return every row, everybody's."""
        return owner_rows(
            self.database,
            "SELECT prefix, key, value::text, created_at, updated_at,"
            " (SELECT string_agg(embedding::text, ' ') FROM store_vectors v"
            "  WHERE (v.prefix, v.key) = (s.prefix, s.key)) AS vectors"
            " FROM store s ORDER BY prefix, key",
        )

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """Demand that nothing is stored, changed or removed within."""
        before = self.stored()
        yield
        assert self.stored() == before


@pytest.fixture
def case(
    pool: Pool, embedder: Embedder, database: str, model: ScriptedModel
) -> ToolTest:
    """What is tested."""
    return ToolTest(pool, embedder, database, model)


async def call(tools: MemoryTools, name: str, **arguments: Any) -> Any:
    """Call a tool as a model would and return what it answers."""
    return await tools.call(name, arguments)


async def change(
    tools: MemoryTools,
    content: Any,
    evidence: str | None = None,
    *,
    action: str = "create",
    **more: Any,
) -> Any:
    """Store a content; the evidence is the whole message unless it is given."""
    quoted = tools.message.text if evidence is None else evidence
    arguments = {"action": action, "content": content, "evidence": quoted, **more}
    return await call(tools, "memory_change", **arguments)


def failed(answer: Any) -> bool:
    """Say whether the answer is an error, as one sentence for the model."""
    return (
        isinstance(answer, dict) and list(answer) == ["error"] and bool(answer["error"])
    )


# --- definitions ---------------------------------------------------------------------------


def test_the_model_can_name_nobody() -> None:
    """No tool has a parameter for a person, a team, a namespace or a filter."""
    parameters = {
        one["name"]: {*one["parameters"]["properties"]} for one in memory_tools(SCHEMAS)
    }
    assert parameters == {
        "memory_search": {"query"},
        "memory_change": {"content", "action", "id", "evidence"},
    }


def test_each_kind_and_field_is_named() -> None:
    """The description names every kind with its fields, an operator's own too, and no schema."""
    search, change = memory_tools((*SCHEMAS, Note))
    content = change["parameters"]["properties"]["content"]
    assert set(content) == {"type", "description"}
    kinds: list[type[BaseModel]] = [*SCHEMAS, Note]
    for schema in kinds:
        [line] = [
            one for one in content["description"].splitlines() if schema.__name__ in one
        ]
        assert all(name in line for name in schema.model_fields)
    assert content["description"].splitlines()[-1] == (
        "Note(text, weight? 1-5, mood? good|bad, tags? array, done? boolean, level? 1-10,"
        " price? number) Anything."
    )
    assert change["parameters"]["required"] == ["action", "evidence"]
    assert len(json.dumps(search)) < 500


class Note(BaseModel):
    """Anything.

    More of it.
    """

    model_config = ConfigDict(
        json_schema_extra={"kioku": {"subject": "text", "level": "level"}}
    )

    text: str
    weight: int | None = Field(None, ge=1, le=5)
    mood: Literal["good", "bad"] | None = None
    tags: list[str] = []
    done: bool | None = None
    level: int | None = Field(None, ge=0, le=10)
    price: float | None = None


register_schemas([Note])


# --- search --------------------------------------------------------------------------------


async def test_search_returns_ids_and_contents(case: ToolTest) -> None:
    """A search names each memory's id, kind, content and date, and nothing of where it lies."""
    key = case.put(OWN, "ramen")
    (found,) = await call(case.tools(), "memory_search", query="ramen")
    assert found.pop("since").startswith("20")
    assert found == {
        "id": key,
        "kind": "UserFoodPreference",
        "content": {
            "food_name": "ramen",
            "cuisine": None,
            "preference": 80,
            "description": None,
        },
    }


@pytest.mark.parametrize("characters", [600, SEARCH_TOKENS])
async def test_search_of_long_memories_is_bounded(
    case: ToolTest, characters: int
) -> None:
    """A search returns at most 2,000 tokens; the memories that it leaves out are not `recalled`."""
    for number in range(SEARCH_LIMIT):
        case.put(OWN, f"{number}" + "長" * characters)
    tools = case.tools()
    found = await call(tools, "memory_search", query="dish")
    sizes = [line_tokens(one) for one in tools.shown.values()]
    assert len(found) == 1 or sum(sizes) <= SEARCH_TOKENS < sum(sizes) + max(sizes)
    assert [*tools.shown] == [one["id"] for one in found]


# --- create and update ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "content", "evidence"),
    [
        ("Remember that I'm allergic to peanuts", PEANUTS, "I'm allergic to peanuts"),
        (
            "ピーナッツアレルギーなのを覚えておいてください",
            {"kind": "UserFact", "fact": "ピーナッツアレルギー"},
            "ピーナッツアレルギー",
        ),
    ],
)
async def test_what_is_to_be_remembered_is_stored_at_once(
    case: ToolTest, text: str, content: dict[str, Any], evidence: str | None
) -> None:
    """A request to remember stores its memory, with the message as its source and one vector."""
    tools = case.tools(text)
    told = await change(tools, content, evidence)
    (row,) = case.stored()
    value = json.loads(row["value"])
    assert told["done"] is True
    assert told["ids"] == [row["key"]]
    assert row["prefix"] == OWN.prefix
    assert row["vectors"]
    assert value["kind"] == content["kind"]
    assert {k: v for k, v in value["content"].items() if v is not None} == {
        k: v for k, v in content.items() if k != "kind" and v is not None
    }
    (source,) = value["sources"]
    assert (source["actor"], source["channel"], source["ts"]) == (
        "tool",
        "D1",
        "100.000100",
    )
    assert source["evidence"] in text
    assert [one.action for one in tools.changes] == ["remembered"]
    assert not tools.to_forget
    assert not tools.refused
    assert len(case.model.verdict_requests) == 1


async def test_an_agent_of_langchain_calls_the_same_tools(case: ToolTest) -> None:
    """They have the names and schemas of the definitions, and answer in JSON."""
    tools = case.tools("I love ramen")
    search, change = tools.langchain()
    defined = memory_tools(SCHEMAS)
    assert [one["name"] for one in defined] == [search.name, change.name]
    assert [one["parameters"] for one in defined] == [
        search.args_schema,
        change.args_schema,
    ]
    given = {"action": "create", "content": RAMEN, "evidence": "I love ramen"}
    told = json.loads(await change.ainvoke(given))
    assert told["done"] is True
    [found] = json.loads(await search.ainvoke({"query": "food"}))
    assert found["id"] == told["ids"][0]


async def test_an_update_keeps_what_it_leaves_out(case: ToolTest) -> None:
    """A field goes where the model names it as null."""
    await change(
        case.tools("I love spicy ramen"), {**RAMEN, "description": "I love spicy ramen"}
    )
    key = str(case.stored()[0]["key"])
    for level, more in ((70, {}), (60, {"description": None})):
        said = f"Ramen is {level} for me now"
        content = {**RAMEN, "preference": level, **more}
        told = await change(case.tools(said), content, action="update", id=key)
        assert told["done"] is True
        (row,) = case.stored()
        stored = json.loads(row["value"])["content"]
        assert stored["preference"] == level
        assert stored["description"] == (None if more else "I love spicy ramen")


async def test_a_content_that_is_written_as_a_text_is_read(case: ToolTest) -> None:
    """Claude writes nested arguments so now and then."""
    told = await change(case.tools("I love ramen"), json.dumps(RAMEN))
    assert told["done"] is True


@pytest.mark.parametrize(
    ("text", "content", "evidence", "reason"),
    [
        ("What shall I eat?", RAMEN, "I love ramen", "no_evidence"),
        ("", RAMEN, "I love ramen", "no_evidence"),
        (
            "I love ramen",
            {**RAMEN, "description": "see https://evil.site/x"},
            None,
            "unusable",
        ),
    ],
)
async def test_only_what_is_quoted_is_stored(
    case: ToolTest,
    text: str,
    content: dict[str, Any],
    evidence: str | None,
    reason: str,
) -> None:
    """Without a quote of this message nothing is stored, nor is a link that nobody typed."""
    tools = case.tools(text)
    async with case.unchanged():
        told = await change(tools, content, evidence)
    assert (told["done"], told["refused"]) == (False, reason)
    assert told["shown"]
    assert [one.reason for one in tools.refused] == [reason]
    assert tools.changes == ()
    assert case.model.verdict_requests == []


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        ({"supported": False}, "unsupported"),
        ({"modality": "hypothetical"}, "not_asserted"),
        ("refusal", "unusable"),
    ],
    ids=str,
)
async def test_only_what_the_verdict_lets_pass_is_stored(
    case: ToolTest, verdict: Any, reason: str
) -> None:
    """What the verdict refuses is not stored, and the reason told to the model and kept."""
    case.model.verdicts = (
        [verdict, verdict] if isinstance(verdict, str) else [{0: verdict}]
    )
    tools = case.tools("Remember that I love ramen")
    async with case.unchanged():
        told = await change(tools, RAMEN)
    assert (told["done"], told["refused"]) == (False, reason)
    assert [one.reason for one in tools.refused] == [reason]


async def test_a_verdict_that_takes_too_long_waits(
    case: ToolTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the deadline nothing is stored, and the model says that it will be."""
    monkeypatch.setattr("memory.tools.memory_tools.JUDGED_WITHIN", 0.2)
    case.model.verdict_delay = 2.0
    tools = case.tools("Remember that I love ramen")
    async with case.unchanged():
        told = await change(tools, RAMEN)
    assert told["done"] is False
    assert "later" in told
    assert tools.refused == ()
    tools.words_wait = False
    assert "nothing was stored" in (await change(tools, RAMEN))["error"]


async def test_bad_arguments_change_nothing(
    subtests: pytest.Subtests, case: ToolTest
) -> None:
    """What is empty, invented or misshapen is an error; the right call after it works."""
    key = case.put(OWN, "ramen")
    said = "Remember that I love ramen; forget ramen, I am done with it"
    tools = case.tools(said, schemas=[*SCHEMAS, Note])
    for arguments in (
        {"action": "create"},
        {"action": "create", "content": "I love ramen"},
        {"action": "create", "content": [RAMEN]},
        {"action": "create", "content": {"food_name": "ramen"}},
        {"action": "create", "content": {**RAMEN, "preference": 0}},
        {"action": "create", "content": {**RAMEN, "kind": "UserBankAccount"}},
        {
            "action": "create",
            "content": {"kind": "Note", "text": "I love ramen", "price": "nan"},
        },
        {"action": "create", "content": RAMEN, "evidence": ["I love ramen"]},
        {"action": "destroy", "content": RAMEN},
        {"action": ["create"], "content": RAMEN},
        {"action": "update", "content": RAMEN},
        {
            "action": "update",
            "content": RAMEN,
            "id": "11111111-2222-4333-8444-555555555555",
        },
        {"action": "update", "content": {**RAMEN, "preference": 0}, "id": "KNOWN"},
        {"action": "delete", "id": "11111111-2222-4333-8444-555555555555"},
        {"action": "delete", "id": ["KNOWN"]},
    ):
        with subtests.test(arguments=arguments):
            given = {
                name: key if value == "KNOWN" else value
                for name, value in arguments.items()
            }
            async with case.unchanged():
                assert failed(
                    await call(
                        tools, "memory_change", **{"evidence": "I love ramen", **given}
                    )
                )
            assert tools.to_forget == []
    told = await change(tools, RAMEN, action="update", id=key)
    assert told["done"] is True


@pytest.mark.parametrize(
    "own", [OWN, ALICE.namespace(PUBLIC)], ids=["somebody's", "private"]
)
async def test_the_id_of_what_is_not_seen_there_is_no_id(
    case: ToolTest, own: Namespace
) -> None:
    """Another person's memory, or a private one in public, is neither changed nor proposed."""
    unseen = case.put(BOB.namespace(DM) if own == OWN else OWN, "ramen")
    tools = case.tools("Remember that I love ramen. Forget ramen.", own=own)
    async with case.unchanged():
        for action in ("update", "delete"):
            assert failed(await change(tools, RAMEN, action=action, id=unseen))
    assert tools.to_forget == []


# --- limits and faults ---------------------------------------------------------------------


async def test_without_embeddings_a_memory_is_stored(
    case: ToolTest, stand_in: Server
) -> None:
    """While the embedding model is away, a memory of a small set is stored all the same."""
    stand_in.call(
        "/_model/faults", {"endpoint": "embeddings", "status": 500, "times": 1}
    )
    told = await change(case.tools("Remember that I love ramen"), RAMEN)
    assert told["done"] is True


async def test_what_a_tool_leaves_open_is_asked(case: ToolTest) -> None:
    """A change that the words do not settle is a question, told to the model as such, once."""
    home = {"kind": "UserFact", "fact": "I live in Osaka", "topic": "home"}
    await change(case.tools("I live in Osaka"), home)
    key = str(case.stored()[0]["key"])
    for _ in range(2):
        case.model.verdicts = [{0: {"conflict": "unclear"}}]
        tools = case.tools("I live in Tokyo")
        async with case.unchanged():
            told = await change(
                tools, {**home, "fact": "I live in Tokyo"}, action="update", id=key
            )
        assert tools.changes == ()
        assert told["done"] is False
        assert "asked" in told
        [question] = tools.questions
        assert question.asks == "replace"
    [left] = await open_questions(case.pool, OWN.person)
    assert left.id == question.id


async def test_the_model_of_a_channel_is_told_only_what_the_channel_knows(
    case: ToolTest,
) -> None:
    """What direct messages know of the same memory, or that they do, is in no output of a tool."""
    content = {
        "food_name": "ramen",
        "preference": 80,
        "description": "comforts me at night",
    }
    put_memory(case.database, OWN, {"kind": RAMEN["kind"], "content": content})
    tools = case.tools("I love ramen. I love soba", own=ALICE.namespace(PUBLIC))
    known = await change(tools, RAMEN, "I love ramen")
    unknown = await change(tools, {**RAMEN, "food_name": "soba"}, "I love soba")
    assert {**known, "ids": unknown["ids"]} == unknown
