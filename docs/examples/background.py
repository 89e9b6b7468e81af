"""Background: remember once when a conversation pauses, not after every message.

Article 1, "バックグラウンドシナリオ". A crash loses what `ReflectionExecutor` has not run yet.
"""

from concurrent.futures import Future
from typing import Any

from langchain.chat_models import init_chat_model
from langgraph.store.memory import InMemoryStore
from langmem import ReflectionExecutor, create_memory_store_manager  # type: ignore[import-untyped]

from docs.examples.environment import MEMORY_MODEL, REPLY_MODEL, use_model, vector_index
from docs.examples.memory_manager import UserFoodPreference, from_user

MESSAGES = ["ラーメンが大好きです!!", "パスタも好きです", "お寿司も好きです"]
PAUSE_SECONDS = 20


def main() -> None:
    """Send three messages in a row: three replies, one call of the memory model."""
    use_model()
    store = InMemoryStore(index=vector_index())
    model = init_chat_model(f"openai:{REPLY_MODEL}")
    manager = create_memory_store_manager(
        f"openai:{MEMORY_MODEL}",
        schemas=[UserFoodPreference],
        instructions="Record the food the user likes.",
        namespace=("chat", "{user_id}"),
    )
    conversation: list[Any] = []
    submitted: list[Future[Any]] = []
    with ReflectionExecutor(manager, store=store) as executor:
        for question in from_user(MESSAGES):
            conversation.append(question)
            conversation.append(model.invoke(conversation))
            # LangMem 0.0.30 loses sight of the run that waits when it discards an earlier one.
            for earlier in submitted:
                earlier.cancel()
            submitted.append(
                executor.submit(
                    {"messages": [*conversation]},
                    config={"configurable": {"user_id": "MZ0001"}},
                    after_seconds=PAUSE_SECONDS,
                    thread_id="thread-1",
                )
            )
        print(
            "### right after the replies:",
            len(store.search(("chat", "MZ0001"))),
            "memories",
        )
        submitted[-1].result()
        runs = sum(not one.cancelled() for one in submitted)
        print("### after the pause:", runs, "run")
        for row in store.search(("chat", "MZ0001")):
            print(row.value["content"])


if __name__ == "__main__":
    main()
