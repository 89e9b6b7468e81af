"""The floor: the model call alone, streamed, without any memory.

``--embedding``: the embedding model is called with the question first.
"""

from __future__ import annotations

import sys

import openai

from bench.peers.serving import serve

MODEL = "gpt-6-luna"
EMBEDDING_MODEL = "text-embedding-3-small"


def main() -> None:
    """Serve."""
    client = openai.OpenAI()
    embeds = "--embedding" in sys.argv

    def turn(_person: str, text: str) -> str:
        if embeds:
            client.embeddings.create(model=EMBEDDING_MODEL, input=text)
        stream = client.responses.create(
            model=MODEL, input=text, stream=True, store=False
        )
        reply = ""
        with stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    reply += event.delta
        return reply

    serve(turn)


if __name__ == "__main__":
    main()
