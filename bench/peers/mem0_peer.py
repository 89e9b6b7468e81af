"""mem0, used as the quickstart of its README (mem0ai 2.2.1) uses it, on pgvector.

Runs in an environment of its own, made from ``bench/mem0-requirements.lock``.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from bench.peers.serving import Made, serve

MODEL = "gpt-6-luna"
EMBEDDINGS = "text-embedding-3-small"

DEVIATIONS = (
    "The store is pgvector on the PostgreSQL of the others, with mem0's default index (HNSW) and"
    " pool (5 connections), in place of a Qdrant file.",
    "The model is `gpt-6-luna` for replies and memories; telemetry is off.",
    "Without the optional spaCy: no entities are linked, which saves mem0 work.",
)


def main() -> None:
    """Serve."""
    memory = importlib.import_module("mem0").Memory.from_config(
        {
            "vector_store": {
                "provider": "pgvector",
                "config": {"connection_string": os.environ["DATABASE_URL"]},
            },
            "llm": {"provider": "openai", "config": {"model": MODEL}},
            "embedder": {"provider": "openai", "config": {"model": EMBEDDINGS}},
        }
    )
    client = importlib.import_module("openai").OpenAI()

    def chat_with_memories(user: str, message: str, made: Made) -> str:
        relevant = memory.search(query=message, filters={"user_id": user}, top_k=3)
        memories_str = "\n".join(f"- {entry['memory']}" for entry in relevant["results"])
        system_prompt = (
            "You are a helpful AI. Answer the question based on query and memories.\n"
            f"User Memories:\n{memories_str}"
        )
        messages = [
            {"role": "system", "content": system_prompt},
            {"role": "user", "content": message},
        ]
        response = client.chat.completions.create(model=MODEL, messages=messages)
        reply = response.choices[0].message.content
        made()
        messages.append({"role": "assistant", "content": reply})
        memory.add(messages, user_id=user)
        return str(reply)

    def recalled(asked: dict[str, Any]) -> list[str]:
        found = memory.search(query=asked["text"], filters={"user_id": asked["person"]}, top_k=10)
        return [str(entry["memory"]) for entry in found["results"]]

    serve(chat_with_memories, {"recalled": recalled})


if __name__ == "__main__":
    main()
