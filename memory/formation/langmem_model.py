"""The memory model and the store in the form that LangMem and trustcall accept."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import langmem  # type: ignore[import-untyped]
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langgraph.store.base import BaseStore, Op, PutOp, Result, SearchItem, SearchOp
from pydantic import BaseModel, Field

from memory.formation.formation_model import FormationModel
from memory.formation.known import MOST_KNOWN, known_line
from memory.formation.proposal import Write
from memory.formation.tool_definitions import tool_definition
from memory.model.errors import FormationUnavailable
from memory.model.schemas import Content, by_kind
from memory.model.text import Json
from memory.store.memories import Memory

# trustcall logs answers that it cannot parse, and those quote the person.
logging.getLogger("extraction").setLevel(logging.CRITICAL)

# LangMem writes to a namespace; which person and audience a memory is for is no part of its run.
_NAMESPACE = ("memories",)

_Scalar: TypeAlias = str | int | bool | float

# A memory in trustcall's request: its content is the text of a Python dictionary that ends with
# the key.
_INSTANCE = re.compile(
    r'<instance id=(?P<id>[0-9a-f]{32}) schema_type="\w+">\n'
    r".*'evidence': '(?P<key>[^']+)'}\n</instance>"
)


class _Patch(BaseModel):
    op: Literal["add", "remove", "replace"]
    path: str
    value: _Scalar | list[_Scalar] | dict[str, _Scalar]


class PatchDoc(BaseModel):
    """Respond with JSONPatch operations to update a memory"""

    json_doc_id: str = Field(description="The number of the memory.")
    planned_edits: str = Field(description="What changes, and why.")
    patches: list[_Patch] = Field(description="JSON Patch (RFC 6902) of its fields.")


class RemoveDoc(BaseModel):
    """Use this tool to remove (delete) a memory"""

    json_doc_id: str = Field(
        description="The number of the memory; of one that is not shown, what it is about."
    )
    evidence: str


class PatchFunctionErrors(BaseModel):
    """Respond with JSONPatch operations to correct a function call that was invalid"""

    json_doc_id: str = Field(description="The id of the call.")
    planned_edits: str = Field(description="What was wrong.")
    patches: list[_Patch] = Field(description="JSON Patch (RFC 6902) of its arguments.")


PATCH_TOOL = PatchDoc.__name__
REMOVE_TOOL = RemoveDoc.__name__
# The model reads these in the place of trustcall's tools of the same names, which add pages to each
# request: RemoveDoc's description lists the ids of all memories.
_SHORT_TOOLS: Mapping[str, type[BaseModel]] = by_kind(
    [PatchDoc, RemoveDoc, PatchFunctionErrors]
)


def search_item(row: Memory) -> SearchItem:
    """Return a memory as LangMem reads it.

    Its schema wants a quote, which is not sent: the key is in its place.
    """
    content = {**row.content, "evidence": row.key}
    value = {"kind": row.kind, "content": content}
    return SearchItem(_NAMESPACE, row.key, value, row.created_at, row.updated_at)


def _numbered(
    text: str,
    contents: Mapping[str, Content],
    numbers: dict[str, str],
    keys: dict[str, str],
) -> str:
    """Return a request with a line for each memory in `contents`: its number and its fields.

    The number and the key of each id are added to `numbers` and `keys`: LangMem's ids have 32
    digits, about 20 tokens. What only looks like a memory is what the person typed, and stays.
    """

    def line(found: re.Match[str]) -> str:
        content = contents.get(found["key"])
        if content is None:
            return found[0]
        number = numbers.setdefault(found["id"], str(len(numbers)))
        keys[found["id"]] = found["key"]
        return f"{number} {known_line(content)}"

    return _INSTANCE.sub(line, text)


def _name(tool: Any) -> str:
    """Return the name of a tool, which trustcall gives as a class or as a definition."""
    if isinstance(tool, dict):
        return str(tool["function"]["name"])
    return str(tool.__name__)


@dataclass(slots=True)
class Run:
    """One run of LangMem's manager: its model, its memories, and what it would lose of the answers.

    Every search of its store returns all of `memories`, which are rows of the person. `writes`
    collects what it proposes of the `kinds`; nothing is stored. `quotes` has the quote for each
    memory that is patched or removed, by its key; `keys` has the keys by LangMem's ids. `named` are
    removals of what the model was not shown.

    `failure` is the error of a failed call. trustcall takes every exception for a bad answer, asks
    again up to 25 times, and then drops the words. So a failed call answers without a tool call,
    and so does each call after it.
    """

    model: FormationModel
    memories: list[SearchItem]
    kinds: Sequence[type[BaseModel]]
    writes: list[Write] = field(default_factory=list)
    quotes: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    named: list[Write] = field(default_factory=list)
    failure: FormationUnavailable | None = None

    async def answer_to(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any]
    ) -> AIMessage:
        """Return the model's answer, in a form that LangMem can use."""
        if self.failure is None:
            try:
                answer = _one_patch_each(await self._ask(messages, tools))
            except FormationUnavailable as failure:
                self.failure = failure
            else:
                self._keep_quotes(answer)
                return answer
        return AIMessage("")

    def _keep_quotes(self, answer: AIMessage) -> None:
        """Keep the quotes of an answer's patches, and of removals of known memories.

        trustcall asks again for another removal, and drops another patch.
        """
        for call in answer.tool_calls:
            arguments = call["args"]
            identity = str(arguments.get("json_doc_id"))
            key = self.keys.get(identity, identity)
            patches = arguments.get("patches")
            if call["name"] == REMOVE_TOOL and identity in self.keys:
                self.quotes[key] = str(arguments.get("evidence") or "")
            elif call["name"] == PATCH_TOOL and isinstance(patches, list):
                for patch in patches:
                    if patch["path"] == "/evidence":
                        self.quotes[key] = str(patch.get("value") or "")

    @property
    def proposed(self) -> list[Write]:
        """What the model writes, with the quotes of removals, and what trustcall drops.

        That is a patch that it cannot apply, such as one of an unknown memory: it becomes a write
        of no kind, which is refused with its quote.
        """
        proposed = list(self.named)
        dropped = dict(self.quotes)
        for write in self.writes:
            quote = dropped.pop(write.key, "")
            proposed.append(write._replace(quote=quote))
        for key, quote in dropped.items():
            refused = {"kind": "", "content": {"evidence": quote}}
            proposed.append(Write(key, refused))
        return proposed

    async def _ask(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any]
    ) -> AIMessage:
        """Ask with short lines and numbers in place of LangMem's memories and ids."""
        contents = {row.key: row.value["content"] for row in self.memories}
        numbers: dict[str, str] = {}
        numbered = []
        for message in messages:
            text = _numbered(str(message.text), contents, numbers, self.keys)
            numbered.append(message.model_copy(update={"content": text}))
        known = {**by_kind(self.kinds), **_SHORT_TOOLS}
        sent = [known.get(_name(tool), tool) for tool in tools]
        definitions = [tool_definition(tool) for tool in sent]
        answer = await self.model.ask(numbered, definitions)
        ids = {number: identity for identity, number in numbers.items()}
        chosen: list[ToolCall] = []
        for call in answer.tool_calls:
            arguments = call["args"]
            number = str(arguments.get("json_doc_id"))
            if call["name"] == REMOVE_TOOL and number not in ids:
                # The model was not shown it; trustcall would ask again.
                named = Write("", None, str(arguments.get("evidence") or ""), number)
                if named not in self.named:
                    self.named.append(named)
                continue
            if call["name"] in (PATCH_TOOL, REMOVE_TOOL) and number in ids:
                arguments["json_doc_id"] = ids[number]
            chosen.append(call)
        return answer.model_copy(update={"tool_calls": chosen})


def _json_patch(patch: Json) -> Json:
    """Return a patch that trustcall does not drop silently: its path begins with a slash.

    A field that the stored memory does not have, such as a new one of its kind, cannot be replaced;
    to add a field replaces it as well.
    """
    path = str(patch.get("path"))
    if path[:1] not in ("", "/"):
        path = f"/{path}"
    patch = {**patch, "path": path}
    if patch.get("op") == "replace" and path.rfind("/") == 0:
        patch["op"] = "add"
    return patch


def _one_patch_each(answer: AIMessage) -> AIMessage:
    """Return an answer with one patch of each memory: LangMem keeps only the last of several."""
    patches_of: dict[str, list[Json]] = {}
    chosen: list[ToolCall] = []
    for call in answer.tool_calls:
        arguments = call["args"]
        given = arguments.get("patches")
        if call["name"] == PATCH_TOOL and isinstance(given, list):
            patches = [_json_patch(one) for one in given if isinstance(one, dict)]
            arguments["patches"] = patches
            memory = str(arguments.get("json_doc_id"))
            earlier = patches_of.setdefault(memory, patches)
            if earlier is not patches:
                earlier += patches
                continue
        chosen.append(call)
    return answer.model_copy(update={"tool_calls": chosen})


RUN: ContextVar[Run] = ContextVar("run")
"""The run of this task."""


class LangMemModel(BaseChatModel):
    """The chat model of whichever run calls it."""

    @property
    def _llm_type(self) -> str:
        return "kioku-formation"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Runnable[Any, AIMessage]:
        """Return the model with these tools, without forcing one: see `FormationModel`.

        trustcall binds about twenty in a run but asks with eight, and only those are converted.
        """
        return self.bind(tools=tools)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        *_: Any,
        tools: Sequence[Any] = (),
        **__: Any,
    ) -> ChatResult:
        answer = await RUN.get().answer_to(messages, tools)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError("Formation is asynchronous.")


class LangMemStore(BaseStore):
    """The store of whichever run calls it."""

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Collect writes, and answer searches."""
        run = RUN.get()
        results: list[Result] = []
        for op in ops:
            if isinstance(op, PutOp):
                run.writes.append(Write(op.key, op.value))
            results.append(run.memories if isinstance(op, SearchOp) else None)
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do as `batch` does."""
        return self.batch(ops)


@lru_cache(maxsize=8)
def create_manager(kinds: tuple[type[BaseModel], ...], instructions: str) -> Any:
    """Return LangMem's store manager; the model and the memories of each run are in `RUN`.

    One manager serves all runs. Creating it, with the classes of its tools and their definitions,
    takes up to 7 ms of processor time, half of a whole run.
    """
    return langmem.create_memory_store_manager(
        LangMemModel(),
        schemas=kinds,
        instructions=instructions,
        enable_inserts=True,
        enable_deletes=True,
        # LangMem keeps `query_limit` of the rows that its searches return.
        query_limit=MOST_KNOWN + 4,
        namespace=_NAMESPACE,
        store=LangMemStore(),
    )
