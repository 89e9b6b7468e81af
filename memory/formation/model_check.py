"""Check that a chat model can form memories, by formation's code over an in-memory store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.formation.chat_model import ModelCallFailed
from memory.formation.extract import StoreManager, UnusableAnswer
from memory.model.namespace import DM, Person
from memory.model.schemas import SCHEMAS

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

SENTENCE = "I love ramen."
_OWN = Person("T0", "U0").namespace(DM)


async def calls_memory_tools(model: BaseChatModel) -> bool:
    """Return whether the model stores a memory of the sentence through LangMem's tools.

    Raises `FormationUnavailable` or `MemoryModelRefused` if it does not answer.
    """
    from langgraph.store.memory import InMemoryStore

    store = InMemoryStore()
    manager = StoreManager(model, SCHEMAS)
    try:
        await manager.run(store, _OWN, [{"role": "user", "content": SENTENCE}], callbacks=[])
    except ModelCallFailed as fault:
        raise fault.error() from None
    except UnusableAnswer:
        return False
    return bool(await store.asearch(_OWN.parts))
