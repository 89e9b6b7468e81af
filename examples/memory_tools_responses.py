"""Memory Tools outside a graph, converted for OpenAI's Responses API.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26), "Memory Tools": it
says that other callers need a conversion and has no listing; this follows LangMem's guide
"Use Tools in Custom Agents", which it links to.

Kioku converts the same tools (`memory/tools/memory_tools.py`) and guards them: an unknown id is an
error for the model, what is stored must be in the person's own words, and a delete only asks the
person.
"""

import json
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.store.memory import InMemoryStore
from langmem import (  # type: ignore[import-untyped]
    create_manage_memory_tool,
    create_search_memory_tool,
)
from openai import OpenAI

from examples.environment import REPLY_MODEL, use_model, vector_index
from examples.memory_tools import MESSAGES


def main() -> None:
    """Let each message be a conversation of its own: only the store connects them."""
    use_model()
    client = OpenAI()
    store = InMemoryStore(index=vector_index())
    # Outside a graph nothing else says which store, and whose memories.
    namespace = ("chat", "MZ0001")
    tools = {
        "manage_memory": create_manage_memory_tool(namespace, store=store),
        "search_memory": create_search_memory_tool(namespace, store=store),
    }
    converted: list[Any] = [
        {"type": "function", "strict": False, **convert_to_openai_tool(tool)["function"]}
        for tool in tools.values()
    ]
    for text in MESSAGES:
        print(f"### {text}")
        conversation: list[Any] = [{"role": "user", "content": text}]
        while True:
            response = client.responses.create(
                model=REPLY_MODEL, input=conversation, tools=converted
            )
            conversation += response.output
            calls = [item for item in response.output if item.type == "function_call"]
            if not calls:
                break
            for call in calls:
                print("call:", call.name, call.arguments)
                output = tools[call.name].invoke(json.loads(call.arguments))
                conversation.append(
                    {
                        "type": "function_call_output",
                        "call_id": call.call_id,
                        "output": str(output),
                    }
                )
        print("reply:", response.output_text)
        print("memories:", [item.value for item in store.search(namespace)])


if __name__ == "__main__":
    main()
