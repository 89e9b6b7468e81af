"""The articles' design, request for request as they write it.

Origin: 「LangMemの長期記憶をPostgreSQL(pgvector)に永続化する」 (noboru-kudo, 2025-03-12),
section "Lambda関数", which follows 「LangMemの長期記憶の概要と使い方を理解する」 (2025-02-26).
`DEVIATIONS` says what no longer runs and what stands in its place.
"""

from __future__ import annotations

import os
import warnings
from typing import Annotated, Any

from openai import OpenAI
from pydantic import BaseModel, Field

from bench.peers.serving import Made, serve

MODEL = "gpt-6-luna"

DEVIATIONS = (
    "The model is `gpt-6-luna`: `gpt-4o-2024-11-20` is being shut down.",
    "`OpenAIEmbeddings(check_embedding_ctx_length=False)`: otherwise a tokenizer's files are"
    " downloaded at the first call.",
    "The manager is made in the handler: it keeps the first store it sees, whose connection is"
    " closed when the next request comes.",
    "One warm process with a thread for each request, where Lambda starts an instance for each: the"
    " start of an instance is not counted, but requests share one interpreter.",
    "The database URL comes from the environment, not from Secrets Manager at the start.",
)


class UserTechInterest(BaseModel):
    """ユーザーの技術に関する関心情報"""

    topic: str = Field(
        ..., description="技術トピック（例：プログラミング言語、クラウドサービスなど）"
    )
    category: str | None = Field(
        None, description="技術の分野（例：フロントエンド、バックエンド、ネットワークなど）"
    )
    interest_level: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="関心度（0～100のスコアで表現）"
    )
    description: str | None = Field(None, description="その他の補足説明（具体例や詳細な知識など）")


def main() -> None:
    """Serve."""
    warnings.simplefilter("ignore")
    from langchain_openai import OpenAIEmbeddings
    from langgraph.func import entrypoint
    from langgraph.store.postgres import PostgresStore
    from langgraph.store.postgres.base import PostgresIndexConfig
    from langmem import create_memory_store_manager  # type: ignore[import-untyped]

    url = os.environ["DATABASE_URL"]
    client = OpenAI()
    embeddings = OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False)
    index: PostgresIndexConfig = {"dims": 1536, "embed": embeddings}

    def handler(user: str, prompt: str, made: Made) -> str:
        manager = create_memory_store_manager(
            f"openai:{MODEL}",
            namespace=("chat", "{user_id}"),
            schemas=[UserTechInterest],
            instructions="ユーザーの興味や技術的背景を詳細に抽出してください",
            enable_inserts=True,
            enable_deletes=False,
        )
        with PostgresStore.from_conn_string(url, index=index) as store:
            store.setup()

            @entrypoint(store=store)
            def app(params: dict[str, Any]) -> str:
                message = params["message"]
                user_id = params["user_id"]
                memories = store.search(("chat", user_id))
                developer_msg = (
                    "You are a helpful assistant.\n"
                    f"## Memories\n <memories>\n{memories}\n</memories> "
                )
                response = client.responses.create(
                    model=MODEL,
                    input=[{"role": "developer", "content": developer_msg}, message],
                    tools=[{"type": "web_search_preview"}],
                )
                made()
                manager.invoke(
                    {"messages": [message]}, config={"configurable": {"user_id": user_id}}
                )
                return str(response.output_text)

            return str(
                app.invoke({"message": {"role": "user", "content": prompt}, "user_id": user})
            )

    serve(handler)


if __name__ == "__main__":
    main()
