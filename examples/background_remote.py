"""Background, remote: a LangGraph server remembers once when a conversation pauses.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26),
"バックグラウンドシナリオ", which mentions the remote `ReflectionExecutor` without a listing.

`ReflectionExecutor` is given the name of a graph instead of a manager, and asks the server for a
run after a pause. The next message of the thread replaces the run that waits, so each passes the
whole conversation. The graph is what one would name in ``langgraph.json``; langgraph_server.py
serves it.
"""

import time
from typing import Any

from langchain.chat_models import init_chat_model
from langgraph.config import get_config
from langgraph.func import entrypoint
from langgraph.store.memory import InMemoryStore
from langmem import ReflectionExecutor, create_memory_store_manager  # type: ignore[import-untyped]

from examples.environment import MEMORY_MODEL, REPLY_MODEL, use_model, vector_index
from examples.langgraph_server import serving
from examples.memory_manager import UserFoodPreference, from_user

MESSAGES = ["ラーメンが大好きです!!", "パスタも好きです", "お寿司も好きです"]
PAUSE_SECONDS = 20


def main() -> None:
    """Send three messages in a row: three replies, one run of the graph on the server."""
    use_model()
    store = InMemoryStore(index=vector_index())

    @entrypoint(store=store)
    def memories(values: dict[str, Any]) -> None:
        # The executor sends its namespace along.
        namespace = tuple(get_config()["configurable"]["namespace"])
        manager = create_memory_store_manager(
            f"openai:{MEMORY_MODEL}",
            schemas=[UserFoodPreference],
            instructions="Record the food the user likes.",
            namespace=namespace,
            store=store,
        )
        manager.invoke(values)

    with serving("memories", memories, store) as (url, server):
        talk(url)
        while not server.runs:
            time.sleep(0.5)
        print("### after the pause:", server.runs, "run")
        with ReflectionExecutor("memories", ("chat", "MZ0001"), url=url) as executor:
            for row in executor.search(limit=10):
                print(row["value"]["content"])


def talk(url: str) -> None:
    """Answer the messages, and ask the server to remember after each."""
    model = init_chat_model(f"openai:{REPLY_MODEL}")
    conversation: list[Any] = []
    with ReflectionExecutor("memories", ("chat", "MZ0001"), url=url) as executor:
        for question in from_user(MESSAGES):
            conversation.append(question)
            reply = model.invoke(conversation)
            conversation.append({"role": "assistant", "content": reply.text})
            executor.submit(
                {"messages": [*conversation]},
                config={"configurable": {"thread_id": "thread-1"}},
                after_seconds=PAUSE_SECONDS,
            ).result()
        print("### right after the replies:", len(executor.search()), "memories")


if __name__ == "__main__":
    main()
