"""The design of two articles about LangMem: each request does all the work of a message.

The design: 「LangMemの長期記憶をPostgreSQL(pgvector)に永続化する」 (noboru-kudo, 2025-03-12),
"Lambda関数", which builds on 「LangMemの長期記憶の概要と使い方を理解する」 (2025-02-26).

Each request connects, sets the tables up, reads the memories, replies with them and forms new ones.
Code and prompts are ours; comments below say where the design could not be kept.
"""

from __future__ import annotations

import json
import os
import warnings
from typing import Annotated, Any

from openai import OpenAI
from pydantic import BaseModel, Field

from bench.peers.serving import serve

MODEL = "gpt-6-luna"

# Where the design could not be kept:
# - The model is `gpt-6-luna`: `gpt-4o-2024-11-20` is being shut down.
# - `OpenAIEmbeddings` gets `check_embedding_ctx_length=False`. Otherwise it downloads a
#   tokenizer's files at the first call.
# - The memory manager is made in the request. It keeps the first store that it sees, whose
#   connection is closed when the next request comes.
# - One warm process serves all requests, each in a thread, where Lambda starts an instance for
#   each. The start of an instance is not counted, but requests share one interpreter.
# - The database URL comes from the environment, not from Secrets Manager at the start.
# - Prompts and field descriptions are about as long as the articles', but worded differently.

GUIDANCE = "会話から、本人が興味を持つ技術とその背景をもれなく書き出す"


class UserTechInterest(BaseModel):
    """本人が気になっている技術"""

    topic: Annotated[
        str, Field(description="どの技術か（サービス、言語、手法など、その名前を一つ）")
    ]
    category: Annotated[
        str | None,
        Field(
            description="大まかな領域（たとえばクラウド、データベース、セキュリティ）"
        ),
    ] = None
    interest_level: Annotated[
        Annotated[int, Field(ge=0, le=100)] | None,
        Field(description="どれほど気になるか、0から100まで"),
    ] = None
    description: Annotated[
        str | None,
        Field(description="ほかに本人が述べたこと（目的、経験、知識の深さなど）"),
    ] = None


def main() -> None:
    """Serve."""
    warnings.simplefilter("ignore")
    from langchain_core.runnables import RunnableConfig
    from langchain_openai import OpenAIEmbeddings
    from langgraph.func import entrypoint
    from langgraph.store.base import BaseStore
    from langgraph.store.postgres import PostgresStore
    from langgraph.store.postgres.base import PostgresIndexConfig
    from langmem import create_memory_store_manager  # type: ignore[import-untyped]

    address = os.environ["DATABASE_URL"]
    openai = OpenAI()
    vectors = PostgresIndexConfig(
        dims=1536,
        embed=OpenAIEmbeddings(
            model="text-embedding-3-small", check_embedding_ctx_length=False
        ),
    )

    def reply(question: dict[str, str], known: list[str]) -> str:
        memories = "\n".join(known)
        frame = (
            f"Answer the user. Known about them:\n<memories>\n{memories}\n</memories>"
        )
        written: Any = [{"role": "developer", "content": frame}, question]
        return openai.responses.create(
            model=MODEL, input=written, tools=[{"type": "web_search_preview"}]
        ).output_text

    def request(person: str, text: str) -> str:
        remember = create_memory_store_manager(
            f"openai:{MODEL}",
            instructions=GUIDANCE,
            schemas=[UserTechInterest],
            namespace=("chat", "{user_id}"),
            enable_inserts=True,
            enable_deletes=False,
        )
        with PostgresStore.from_conn_string(address, index=vectors) as opened:
            opened.setup()

            @entrypoint(store=opened)
            def turn(
                question: dict[str, str], *, store: BaseStore, config: RunnableConfig
            ) -> str:
                found = store.search(("chat", config["configurable"]["user_id"]))
                answer = reply(
                    question,
                    [json.dumps(one.value, ensure_ascii=False) for one in found],
                )
                remember.invoke({"messages": [question]}, config=config)
                return answer

            return str(
                turn.invoke(
                    {"role": "user", "content": text},
                    {"configurable": {"user_id": person}},
                )
            )

    serve(request)


if __name__ == "__main__":
    main()
