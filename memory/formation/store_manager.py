"""LangMem's store manager, created once per process; each run passes its own store.

LangMem 0.0.30 creates its extractor, a graph and about twenty tool definitions for each run, which
takes two thirds of a formation's processor time.
"""

from __future__ import annotations

import logging
import uuid
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langgraph.store.base import BaseStore, Op, Result
from pydantic import BaseModel

from memory.formation.chat_model import failing_once
from memory.model.namespace import Namespace
from memory.model.schemas import same_thing, with_evidence

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.language_models import BaseChatModel

NEIGHBOURS = 60  # memories shown of a larger set: the nearest to each sentence, in turn
RECURSION_LIMIT = 8  # one repair of a bad tool call needs 7 steps
_NAMESPACE = ("chat", "{team}", "{user}", "{audience}")


class UnusableAnswer(Exception):
    """The memory model's answer could not be used; a retry would get the same answer."""


_open: ContextVar[BaseStore] = ContextVar("the store of this run")


class StoreManager:
    """Runs LangMem with `model` and the kinds `schemas` on the store of one run."""

    def __init__(
        self, model: BaseChatModel, schemas: Sequence[type[BaseModel]], instructions: str
    ) -> None:
        langmem, create_extractor = load()
        model = failing_once(model)
        kinds = [with_evidence(schema) for schema in schemas]
        asks: dict[str, Any] = {"enable_inserts": True, "enable_deletes": True}
        self._manager = langmem.create_memory_store_manager(
            model,
            schemas=kinds,
            instructions=instructions,
            # LangMem makes `query_limit // 4` searches and keeps `query_limit` rows.
            query_limit=NEIGHBOURS + 4,
            namespace=_NAMESPACE,
            store=_OpenStore(),
            **asks,
        )
        extractor = create_extractor(model, tools=kinds, existing_schema_policy=False, **asks)
        self._manager.memory_manager = _OneStep(self._manager.memory_manager, extractor)

    async def run(
        self,
        store: BaseStore,
        namespace: Namespace,
        messages: Sequence[Mapping[str, str]],
        *,
        callbacks: Sequence[BaseCallbackHandler],
    ) -> None:
        """Form memories from `messages`. Raises `UnusableAnswer` and `ModelCallFailed`."""
        from langgraph.errors import GraphRecursionError
        from langsmith import tracing_context

        token = _open.set(store)
        try:
            with tracing_context(enabled=False):
                await self._manager.ainvoke(
                    {"messages": messages},
                    config={
                        "recursion_limit": RECURSION_LIMIT,
                        "callbacks": list(callbacks),
                        "configurable": {**namespace.person.ids, "audience": namespace.audience},
                    },
                )
        except (GraphRecursionError, AttributeError, LookupError, TypeError, ValueError) as fault:
            # trustcall raises these on some answers. Their texts may quote the person.
            raise UnusableAnswer(type(fault).__name__) from None
        finally:
            _open.reset(token)


class _OpenStore(BaseStore):
    """Forwards operations to the store of the current run (a context variable)."""

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        return _open.get().batch(ops)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return await _open.get().abatch(ops)


class _OneStep:
    """LangMem's memory manager for one step, with an extractor that is created once."""

    def __init__(self, manager: Any, extractor: Any) -> None:
        self._manager = manager
        self._extractor = extractor

    async def ainvoke(self, input: Mapping[str, Any], config: Any = None) -> list[Any]:  # noqa: A002 - LangChain's name
        from langmem.knowledge.extraction import (  # type: ignore[import-untyped]
            ExtractedMemory,
        )

        messages = self._manager._prepare_messages(input["messages"])
        answer = await self._extractor.ainvoke(
            {"messages": messages, "existing": input["existing"]}, config=config
        )
        existing = {identity: content for identity, _, content in input["existing"]}
        found: dict[str, BaseModel] = {}
        for content, about in zip(answer["responses"], answer["response_metadata"], strict=True):
            removes = type(content).__name__ == "RemoveDoc"
            named = content.json_doc_id if removes else about.get("json_doc_id")
            earlier = found.get(named)
            if earlier is not None and type(earlier) is type(content) and not removes:
                # Both are patches of the stored content. The one that keeps the name of its thing
                # is proposed as a new memory, which is paired with the stored one by that name.
                known = existing[named]
                if _same_thing(content, known):
                    named = None
                elif _same_thing(earlier, known):
                    found[str(uuid.uuid4())] = found.pop(named)
            found[named or str(uuid.uuid4())] = content
        return [ExtractedMemory(id=one, content=content) for one, content in found.items()]


def _same_thing(patched: BaseModel, content: Mapping[str, Any]) -> bool:
    return same_thing(type(patched).__name__, patched.model_dump(mode="json"), content)


def load() -> tuple[Any, Any]:
    """Import LangMem and trustcall (takes about 1 s); return LangMem and `create_extractor`."""
    with warnings.catch_warnings():
        # langmem 0.0.30 imports trustcall 0.0.39, which imports Send from a deprecated module.
        warnings.simplefilter("ignore", DeprecationWarning)
        import langmem  # type: ignore[import-untyped]
        from trustcall import create_extractor
    # trustcall logs answers that it cannot parse, and those quote the person.
    logging.getLogger("extraction").setLevel(logging.CRITICAL)
    return langmem, create_extractor
