"""mem0 on pgvector, with the steps of the quickstart in its README (mem0ai 2.2.1).

A turn searches three memories, replies with them, and adds the exchange before it returns. The
process has an environment of its own, made from ``bench/mem0-requirements.lock``.
"""

from __future__ import annotations

import importlib
import json
import os

from bench.peers.serving import serve

MODEL = "gpt-6-luna"
EMBEDDINGS = "text-embedding-3-small"
SHOWN = 3  # memories in a prompt

# Where the design could not be kept:
# - The store is pgvector on the PostgreSQL of the others, with mem0's default index (HNSW) and
#   pool (5 connections), in place of a Qdrant file.
# - The prompt frames the memories as `<memories>`, one JSON string a line.
# - The model is `gpt-6-luna` for replies and memories; telemetry is off.
# - The optional spaCy is not installed, so mem0 links no entities, which saves it work.


def main() -> None:
    """Serve."""
    mem0 = importlib.import_module("mem0").Memory.from_config(
        {
            "vector_store": {
                "provider": "pgvector",
                "config": {"connection_string": os.environ["DATABASE_URL"]},
            },
            "llm": {"provider": "openai", "config": {"model": MODEL}},
            "embedder": {"provider": "openai", "config": {"model": EMBEDDINGS}},
        }
    )
    completions = importlib.import_module("openai").OpenAI().chat.completions

    def turn(person: str, text: str) -> str:
        found = mem0.search(query=text, filters={"user_id": person}, top_k=SHOWN)[
            "results"
        ]
        known = "\n".join(
            json.dumps(one["memory"], ensure_ascii=False) for one in found
        )
        frame = f"Answer the user. Known about them:\n<memories>\n{known}\n</memories>"
        said = [{"role": "system", "content": frame}, {"role": "user", "content": text}]
        choice = completions.create(model=MODEL, messages=said).choices[0]
        reply = str(choice.message.content)
        mem0.add([*said, {"role": "assistant", "content": reply}], user_id=person)
        return reply

    serve(turn)


if __name__ == "__main__":
    main()
