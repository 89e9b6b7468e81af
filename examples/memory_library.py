"""Kioku's `memory` in a LangGraph application of your own: no Slack, no Kioku around it.

docs/tutorial-memory-library.md walks through this file.
"""

import asyncio
import json
import time

import openai
from langgraph.func import entrypoint

from examples.environment import (
    EMBEDDING_MODEL,
    MEMORY_MODEL,
    REPLY_MODEL,
    database_url,
    use_model,
)
from memory import (
    DM,
    Embedder,
    Former,
    Person,
    PersonMessage,
    Pool,
    Verifier,
    create_pool,
    embedding_space,
    forget,
    history,
    list_memories,
    memory_model,
    migrate,
    recall_memories,
    subject,
    undo_change,
    undo_forget,
    view,
)


async def talk(pool: Pool, embedder: Embedder, client: openai.AsyncOpenAI) -> None:
    """Say two things, ask, change one's mind, undo that, forget, and take that back."""
    alice = Person("ACME", "ALICE")
    seen = view(alice.namespace(DM))
    chat = memory_model(model=MEMORY_MODEL, api_key=client.api_key, base_url=str(client.base_url))
    former = Former(pool, embedder, chat, verifier=Verifier(chat))

    @entrypoint()
    async def app(text: str) -> str:
        recalled = await recall_memories(pool, embedder, seen, text)
        known = "\n".join(
            json.dumps({"kind": m.kind, "content": m.content}, ensure_ascii=False)
            for m in recalled.memories
        )
        response = await client.responses.create(
            model=REPLY_MODEL,
            input=[
                {"role": "developer", "content": f"<memories>\n{known}\n</memories>"},
                {"role": "user", "content": text},
            ],
        )
        said = PersonMessage(text=text, channel="web", ts=f"{time.time():.6f}")
        formed = await former.form(seen, [said])
        for change in formed.changes:
            print(f"{change.action}: {subject(change.kind, change.after or change.before or {})}")
        return response.output_text

    print("### told")
    await app.ainvoke("I love ramen, and I'm learning Rust.")
    print("### asked")
    print(await app.ainvoke("What should I eat today?"))
    print("### changed one's mind")
    await app.ainvoke("I'm sick of ramen")

    print("### the ledger")
    entries = await history(pool, alice)
    for entry in entries:
        print(f"{entry.actor} {entry.action} {entry.kind}")

    print("### undone")
    await undo_change(pool, embedder, alice, entries[0].id)
    print(sorted(subject(m.kind, m.content) for m in await list_memories(pool, alice)))

    print("### forgotten, and taken back")
    forgotten = await forget(pool, alice, None)
    print(len(forgotten.memories), await list_memories(pool, alice), await history(pool, alice))
    if forgotten.undo:
        print(len(await undo_forget(pool, alice, forgotten.undo)))


async def main() -> None:
    """Set the database up, open the pool, and talk."""
    use_model()
    async with openai.AsyncOpenAI() as client:
        space = await embedding_space(client, EMBEDDING_MODEL)
        with database_url() as url:
            migrate(url, space)  # with a role that owns the schema; the pool's may only read, write
            async with create_pool(url) as pool:
                await talk(pool, Embedder(client, space), client)


if __name__ == "__main__":
    asyncio.run(main())
