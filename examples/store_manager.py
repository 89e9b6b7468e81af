"""Store Manager in memory: what the Memory Manager finds is written to LangGraph's store.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26), "Store Manager".

Changed since then: the model's name, and how the store is told its embedding model
(`vector_index`: the printed form fetches a tokenizer from the internet at its first use).
"""

from typing import Any

from langgraph.func import entrypoint
from langgraph.store.memory import InMemoryStore
from langmem import create_memory_store_manager  # type: ignore[import-untyped]

from examples.environment import MEMORY_MODEL, use_model, vector_index
from examples.memory_manager import UserFoodPreference, print_memory


def main() -> None:
    """Let the same conversations as in memory_manager.py change one user's memories."""
    use_model()
    manager = create_memory_store_manager(
        f"openai:{MEMORY_MODEL}",  # extracts and changes memories
        namespace=("chat", "{user_id}"),  # each user's memories are kept apart
        schemas=[UserFoodPreference],
        instructions="ユーザーの好みを詳細に抽出してください。"
        "好みの`preference`を0に更新する場合は記憶から削除(RemoveDoc)してください",
        enable_inserts=True,  # the default
        enable_deletes=True,  # not the default
    )
    store = InMemoryStore(index=vector_index())

    # A LangGraph workflow (Functional API). The manager finds the store in its context and
    # searches it for the existing memories, so nothing like `existing` is passed.
    @entrypoint(store=store)
    def app(params: dict[str, Any]) -> None:
        manager.invoke(
            {"messages": params["messages"]},
            config={"configurable": {"user_id": params["user_id"]}},
        )

    # Two new memories
    conversation = [
        {"role": "user", "content": "ラーメンが大好きです!!"},
        {"role": "user", "content": "パスタも好きです"},
    ]
    app.invoke({"messages": conversation, "user_id": "MZ0001"})
    print_memory(1, store.search(("chat", "MZ0001")))

    # One is changed, the other is removed: from the store, not just marked
    conversation = [
        {"role": "user", "content": "ラーメンは味噌ラーメンが好き"},
        {"role": "user", "content": "パスタは嫌いになりました"},
    ]
    app.invoke({"messages": conversation, "user_id": "MZ0001"})
    print_memory(2, store.search(("chat", "MZ0001")))


if __name__ == "__main__":
    main()
