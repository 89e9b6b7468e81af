"""Memory Tools in a graph: the model itself decides when to remember, search and forget.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26), "Memory Tools": it
names the two tools and has no listing; this follows LangMem's guide "Memory Tools", which it links
to, with LangChain's `create_agent` in place of `create_react_agent`, which it has replaced.
"""

from langchain.agents import create_agent
from langgraph.store.memory import InMemoryStore
from langmem import (  # type: ignore[import-untyped]
    create_manage_memory_tool,
    create_search_memory_tool,
)

from examples.environment import REPLY_MODEL, use_model, vector_index

MESSAGES = [
    "Remember that I love ramen.",
    "What should I have for lunch? You know my taste.",
    "Forget that I love ramen.",
]


def main() -> None:
    """Let each message be a conversation of its own: only the store connects them."""
    use_model()
    store = InMemoryStore(index=vector_index())
    namespace = ("chat", "{user_id}")
    agent = create_agent(
        f"openai:{REPLY_MODEL}",
        # Neither tool is given a store: they use the graph's.
        tools=[
            create_manage_memory_tool(namespace),  # create, update, delete
            create_search_memory_tool(namespace),
        ],
        store=store,
    )
    for text in MESSAGES:
        print(f"### {text}")
        state = agent.invoke(
            {"messages": [{"role": "user", "content": text}]},
            config={"configurable": {"user_id": "MZ0001"}},
        )
        for message in state["messages"]:
            for call in getattr(message, "tool_calls", []):
                print("call:", call["name"], call["args"])
        print("reply:", state["messages"][-1].text)
        print("memories:", [item.value for item in store.search(("chat", "MZ0001"))])


if __name__ == "__main__":
    main()
