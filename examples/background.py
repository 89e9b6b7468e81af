"""Background: remember once a conversation has paused, instead of after every message.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26),
"バックグラウンドシナリオ": it explains the idea and has no listing; this follows LangMem's guide
"Delayed Background Memory Processing" that it links to.

`ReflectionExecutor` waits in this process's memory: a crash loses what it holds, and a later
`submit` for the same thread replaces the earlier one (so pass the whole conversation each time, as
here). Kioku keeps the idea and lets PostgreSQL hold it: each turn's transaction also queues a job
(`bot/pipeline/formation.py`), which waits for a quiet moment, survives a crash, and sees every
message since the last run (`memory/formation/former.py`).
"""

from typing import Any

from langchain.chat_models import init_chat_model
from langgraph.func import entrypoint
from langgraph.store.memory import InMemoryStore
from langmem import ReflectionExecutor, create_memory_store_manager  # type: ignore[import-untyped]

from examples.environment import MEMORY_MODEL, REPLY_MODEL, use_model, vector_index
from examples.memory_manager import UserFoodPreference

SECONDS_OF_QUIET = 1


def main() -> None:
    """Send three messages in a row; the memory model is asked once."""
    use_model()
    store = InMemoryStore(index=vector_index())
    manager = create_memory_store_manager(
        f"openai:{MEMORY_MODEL}",
        namespace=("chat", "{user_id}"),
        schemas=[UserFoodPreference],
        instructions="ユーザーの好みを詳細に抽出してください",
    )
    llm = init_chat_model(f"openai:{REPLY_MODEL}")
    waiting = []

    with ReflectionExecutor(manager, store=store) as executor:

        @entrypoint(store=store)
        def app(params: dict[str, Any]) -> list[Any]:
            messages = params["messages"]
            conversation = [*messages, llm.invoke(messages)]
            user = {"user_id": params["user_id"]}
            # Not now: after a pause. A further message of this thread takes this one's place.
            waiting.append(
                executor.submit(
                    {"messages": conversation},
                    config={"configurable": user},
                    after_seconds=SECONDS_OF_QUIET,
                    thread_id="thread-1",
                )
            )
            return conversation

        conversation: Any = []
        for text in ["ラーメンが大好きです!!", "パスタも好きです", "お寿司も好きです"]:
            conversation.append({"role": "user", "content": text})
            conversation = app.invoke({"messages": conversation, "user_id": "MZ0001"})

        print("### right after the replies:", len(store.search(("chat", "MZ0001"))), "memories")
        waiting[-1].result()
        print("### after the pause:", sum(not one.cancelled() for one in waiting), "run")
        for memory in store.search(("chat", "MZ0001")):
            print(memory.value["content"])


if __name__ == "__main__":
    main()
