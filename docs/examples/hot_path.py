"""Hot path: each turn recalls, replies and remembers before it returns.

Article 1, "LLMと長期記憶を組み合わせる". Kioku remembers after the reply, as in background.py.
"""

import json

from langchain.chat_models import init_chat_model
from langchain_core.runnables import RunnableConfig
from langgraph.func import entrypoint
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langmem import create_memory_store_manager  # type: ignore[import-untyped]

from docs.examples.environment import MEMORY_MODEL, REPLY_MODEL, use_model, vector_index
from docs.examples.memory_manager import UserFoodPreference

USER: RunnableConfig = {"configurable": {"user_id": "MZ0001"}}
PROMPT = """Answer in the user's language. Use what is known about the user where it helps.
<memories>
{}
</memories>"""


def main() -> None:
    """Say what you love; then ask what to eat, in a conversation without history."""
    use_model()
    memories = InMemoryStore(index=vector_index())
    model = init_chat_model(f"openai:{REPLY_MODEL}")
    manager = create_memory_store_manager(
        f"openai:{MEMORY_MODEL}",
        schemas=[UserFoodPreference],
        instructions="Record the food the user likes, with every detail they give.",
        namespace=("chat", "{user_id}"),
    )

    @entrypoint(store=memories)
    def turn(text: str, *, store: BaseStore, config: RunnableConfig) -> str:
        # Recall
        found = store.search(("chat", config["configurable"]["user_id"]), query=text)
        known = "\n".join(json.dumps(row.value, ensure_ascii=False) for row in found)
        # Reply
        question = {"role": "user", "content": text}
        reply = model.invoke(
            [{"role": "system", "content": PROMPT.format(known)}, question]
        )
        # Remember
        manager.invoke({"messages": [question, reply]}, config=config)
        return str(reply.text)

    for text in ("醤油ラーメンが大好きです!!", "今日のランチは何を食べようかな？"):
        print("###", text)
        print(turn.invoke(text, USER))
    print("### what is remembered")
    for row in memories.search(("chat", "MZ0001")):
        print(row.value)


if __name__ == "__main__":
    main()
