"""The floor: the model call alone, streamed, without any memory."""

from __future__ import annotations

import openai

from bench.peers.serving import serve

MODEL = "gpt-6-luna"


def main() -> None:
    """Serve."""
    client = openai.OpenAI()

    def turn(_person: str, text: str) -> str:
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
