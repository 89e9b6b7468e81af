"""Hot path: each turn recalls, replies, and remembers before it returns.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26),
"LLMと長期記憶を組み合わせる".

Changed since then: `anthropic:claude-3-7-sonnet-latest` is replaced by an OpenAI model, so that one
key runs every example (`pip install langchain-anthropic` and a name like `anthropic:…` still work);
the reply is read from `response.text`, because `content` may now be a list of blocks.

Kioku's own turn does the same three steps, but remembers after the reply: background.py says why.
"""

from typing import Any

from langchain.chat_models import init_chat_model
from langgraph.func import entrypoint
from langgraph.store.memory import InMemoryStore
from langmem import create_memory_store_manager  # type: ignore[import-untyped]

from examples.environment import MEMORY_MODEL, REPLY_MODEL, use_model, vector_index
from examples.memory_manager import UserFoodPreference


def main() -> None:
    """Say what you love, then ask for lunch in a conversation that knows nothing of it."""
    use_model()
    store = InMemoryStore(index=vector_index())
    manager = create_memory_store_manager(
        f"openai:{MEMORY_MODEL}",
        namespace=("chat", "{user_id}"),
        schemas=[UserFoodPreference],
        instructions="ユーザーの好みを詳細に抽出してください",
        enable_inserts=True,
        enable_deletes=False,
    )
    llm = init_chat_model(f"openai:{REPLY_MODEL}")

    @entrypoint(store=store)
    def app(params: dict[str, Any]) -> str:
        messages = params["messages"]
        user_id = params["user_id"]
        # 1. Search the store for this user's memories
        memories = store.search(("chat", user_id))
        # 2. Put them into the system message
        system_msg = f"""You are a helpful assistant.

## Memories
<memories>
{memories}
</memories>
"""
        response = llm.invoke([{"role": "system", "content": system_msg}, *messages])

        # 3. Remember what the user and the model said
        manager.invoke(
            {"messages": [*messages, response]},
            config={"configurable": {"user_id": user_id}},
        )
        return str(response.text)

    # ---- Something to remember ----
    conversation = [{"role": "user", "content": "醤油ラーメンが大好きです!!"}]
    app.invoke({"messages": conversation, "user_id": "MZ0001"})

    # ---- A new conversation: no history is passed, only memories can help ----
    conversation = [{"role": "user", "content": "今日のランチは何を食べようかな？"}]
    message = app.invoke({"messages": conversation, "user_id": "MZ0001"})
    print("### LLM:\n", message)

    memories = store.search(("chat", "MZ0001"))
    print("### Memories:\n", list(memories))


if __name__ == "__main__":
    main()
