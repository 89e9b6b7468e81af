"""Memory Tools: the model decides when to remember, search and forget.

Article 1, "Memory Tools". The guide's `create_react_agent` is now LangChain's `create_agent`.
"""

import langmem  # type: ignore[import-untyped]
from langchain.agents import create_agent
from langgraph.store.memory import InMemoryStore

from docs.examples.environment import REPLY_MODEL, use_model, vector_index

MESSAGES = [
    "Remember that I love ramen.",
    "What should I have for lunch? You know my taste.",
    "Forget that I love ramen.",
]


def main() -> None:
    """Send each message as a conversation of its own; only the store connects them."""
    use_model()
    store = InMemoryStore(index=vector_index())
    whose = ("chat", "{user_id}")
    agent = create_agent(
        f"openai:{REPLY_MODEL}",
        # The tools use the agent's store and its configuration.
        tools=[
            langmem.create_manage_memory_tool(whose),
            langmem.create_search_memory_tool(whose),
        ],
        store=store,
    )
    for text in MESSAGES:
        print("###", text)
        messages = agent.invoke(
            {"messages": [{"role": "user", "content": text}]},
            {"configurable": {"user_id": "MZ0001"}},
        )["messages"]
        for call in (
            call for one in messages for call in getattr(one, "tool_calls", [])
        ):
            print("call:", call["name"], call["args"])
        print("reply:", messages[-1].text)
        print("memories:", [row.value for row in store.search(("chat", "MZ0001"))])


if __name__ == "__main__":
    main()
