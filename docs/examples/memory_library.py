"""Kioku's `memory` package with an agent of LangChain's, without Slack.

docs/tutorials/memory-library.md explains this program.
"""

import asyncio
import json
import time

import openai
from langchain.agents import create_agent

import memory
from docs.examples.environment import (
    EMBEDDING_MODEL,
    MEMORY_MODEL,
    REPLY_MODEL,
    database,
    use_model,
)


async def talk(
    pool: memory.Pool, embedder: memory.Embedder, client: openai.AsyncOpenAI
) -> None:
    """Tell two things, ask, take one back; then undo that, forget all, and undo that."""
    alice = memory.Person("ACME", "ALICE")
    view = memory.memory_view(alice.namespace(memory.DM))
    model = memory.memory_model(
        model=MEMORY_MODEL, api_key=client.api_key, base_url=str(client.base_url)
    )
    former = memory.Former(pool, embedder, model)

    async def turn(text: str) -> str:
        recalled = await memory.recall_memories(pool, embedder, view, text)
        shown = [
            {"kind": one.kind, "content": one.content} for one in recalled.memories
        ]
        lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in shown)
        typed = memory.PersonMessage(text=text, channel="web", ts=f"{time.time():.6f}")
        agent = create_agent(
            f"openai:{REPLY_MODEL}",
            tools=memory.MemoryTools(former, view, typed).langchain(),
            system_prompt=f"<memories>\n{lines}\n</memories>",
        )
        question = {"role": "user", "content": text}
        answer = await agent.ainvoke({"messages": [question]})
        formed = await former.form(view, [typed])
        for change in formed.changes:
            content = change.after or change.before or {}
            print(f"{change.action}: {memory.subject(change.kind, content)}")
        return str(answer["messages"][-1].text)

    print("### tell")
    await turn("I love ramen, and I'm learning Rust.")
    print("### ask")
    print(await turn("What should I eat today?"))
    print("### forget")
    await turn("I'm sick of ramen")

    print("### the changes")
    entries = await memory.list_changes(pool, alice)
    for entry in entries:
        print(entry.action, entry.kind)
    print("### undo the newest change")
    await memory.undo_changes(pool, embedder, alice, ids=[entries[0].id])
    listed = await memory.list_memories(pool, alice)
    print(sorted(memory.subject(one.kind, one.content) for one in listed))
    print("### forget everything, and undo it")
    forgotten = await memory.forget(pool, alice, memory.Selection(everything=True))
    left = [
        *await memory.list_memories(pool, alice),
        *await memory.list_changes(pool, alice),
    ]
    print(len(forgotten.memories), left)
    if forgotten.id:
        print(len(await memory.undo_forgetting(pool, embedder, alice, forgotten.id)))


async def main() -> None:
    """Prepare the database, open a pool, and talk."""
    use_model()
    async with openai.AsyncOpenAI() as client:
        space = await memory.embedding_space(client, EMBEDDING_MODEL)
        with database() as address:
            memory.migrate(address, space)  # as the owner of the schema
            async with memory.create_pool(address) as pool:
                await talk(pool, memory.Embedder(client, space), client)


if __name__ == "__main__":
    asyncio.run(main())
