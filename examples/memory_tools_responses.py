"""Memory Tools without LangGraph: the same tools, called by OpenAI's Responses API.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26), "Memory Tools",
which says that other APIs need the tools converted, has no listing and links to LangMem's guide
"Use Tools in Custom Agents".

Kioku converts the same tools. Beyond that, an unknown id is an error, only the person's own words
are stored, and a deletion needs the person's click.
"""

import json
from typing import Any

import langmem  # type: ignore[import-untyped]
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.store.memory import InMemoryStore
from openai import OpenAI
from openai.types.responses import ResponseFunctionToolCall

from examples.environment import REPLY_MODEL, use_model, vector_index
from examples.memory_tools import MESSAGES


def main() -> None:
    """Send each message as a conversation of its own; only the store connects them."""
    use_model()
    client = OpenAI()
    store = InMemoryStore(index=vector_index())
    whose = ("chat", "MZ0001")
    # There is no graph to take the store and the user from.
    tools = [
        langmem.create_manage_memory_tool(whose, store=store),
        langmem.create_search_memory_tool(whose, store=store),
    ]
    by_name = {tool.name: tool for tool in tools}
    definitions: list[Any] = [
        {"type": "function", "strict": False, **convert_to_openai_tool(tool)["function"]}
        for tool in tools
    ]

    def results(output: list[Any]) -> list[dict[str, str]]:
        """Run the calls in a response; return their outputs for the model."""
        told = []
        for call in output:
            if isinstance(call, ResponseFunctionToolCall):
                print("call:", call.name, call.arguments)
                result = str(by_name[call.name].invoke(json.loads(call.arguments)))
                told.append(
                    {"type": "function_call_output", "call_id": call.call_id, "output": result}
                )
        return told

    for text in MESSAGES:
        print("###", text)
        conversation: Any = []
        news: list[Any] = [{"role": "user", "content": text}]
        while news:
            conversation += news
            reply = client.responses.create(
                model=REPLY_MODEL, input=conversation, tools=definitions
            )
            conversation += reply.output
            news = results(reply.output)
        print("reply:", reply.output_text)
        print("memories:", [row.value for row in store.search(whose)])


if __name__ == "__main__":
    main()
