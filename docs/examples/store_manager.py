"""Store Manager: the same memories, kept for each user in LangGraph's in-memory store.

Article 1, "Store Manager". The manager looks existing memories up, and a removal deletes the row.
"""

from langchain_core.runnables import RunnableConfig
from langgraph.func import entrypoint
from langgraph.store.memory import InMemoryStore
from langmem import create_memory_store_manager  # type: ignore[import-untyped]

from docs.examples.environment import MEMORY_MODEL, use_model, vector_index
from docs.examples.memory_manager import (
    CHANGES_OF_MIND,
    INSTRUCTIONS,
    LIKES,
    UserFoodPreference,
    from_user,
)


def main() -> None:
    """Let a user say what the user of memory_manager.py says."""
    use_model()
    manager = create_memory_store_manager(
        f"openai:{MEMORY_MODEL}",
        schemas=[UserFoodPreference],
        instructions=INSTRUCTIONS,
        namespace=("chat", "{user_id}"),  # filled in from the workflow's configuration
        enable_deletes=True,
    )

    store = InMemoryStore(index=vector_index())

    # The manager uses the store of the workflow that it runs in.
    @entrypoint(store=store)
    def remember(said: list[str], *, config: RunnableConfig) -> None:
        manager.invoke({"messages": from_user(said)}, config=config)

    for said in (LIKES, CHANGES_OF_MIND):
        print("###", *said)
        remember.invoke(said, {"configurable": {"user_id": "MZ0001"}})
        for row in store.search(("chat", "MZ0001")):
            print(row.key, row.value)


if __name__ == "__main__":
    main()
