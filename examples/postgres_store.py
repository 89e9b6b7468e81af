"""Store Manager in PostgreSQL: a handler that replies with a user's memories and adds to them.

Article: 「LangMemの長期記憶をPostgreSQL(pgvector)に永続化する」 (noboru-kudo, 2025-03-12),
"Lambda関数" and "Auroraベースの長期記憶を検証する". Its four curl calls are calls of the handler
here, and the two tables that it looks at are printed.

Changed since then:
- The manager is made in the handler: it keeps the first store it sees, and that one's connection
  is closed when the next request comes.
- The model's name, `web_search` for `web_search_preview`, `Annotated[int, …]` for `conint(…)`.
- The store's embedding model (`vector_index`), and exact search in place of an approximate index,
  which misses memories of people who have many.
- The secret's values are percent-encoded in the URL, and without SECRET_NAME the database is
  DATABASE_URL or one of this program's own.

Kioku answers the same request at `POST /ask` (`bot/runtime/ask.py`): with one connection pool,
tables made beforehand, and remembering after the reply.
"""

import importlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import quote

import psycopg
from langgraph.func import entrypoint
from langgraph.store.postgres import PostgresStore
from langmem import create_memory_store_manager  # type: ignore[import-untyped]
from openai import OpenAI
from pydantic import BaseModel, Field

from examples.environment import (
    MEMORY_MODEL,
    REPLY_MODEL,
    database_url,
    exact,
    use_model,
    vector_index,
)

RECOMMEND = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"
REQUESTS = [
    (
        "MZ0001",
        "クラウドサービス全般に興味があり、特にAWS、Azureの基本的な知識を徐々に深めていきたいと思っています",
    ),
    (
        "MZ0001",
        "新しく気になる技術として、AIエージェントを活用した取り組みにも強い興味を持つようになりました",
    ),
    ("MZ0001", RECOMMEND),
    ("MZ0002", RECOMMEND),
]


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


def create_conn_url(secret_name: str) -> str:
    """Return the URL of the database whose secret is kept by AWS; needs `pip install boto3`."""
    session = importlib.import_module("boto3").session.Session()
    sm_client = session.client(service_name="secretsmanager")
    secret = json.loads(sm_client.get_secret_value(SecretId=secret_name)["SecretString"])
    part = {name: quote(str(value), safe="") for name, value in secret.items()}
    return (
        f"postgresql://{part['username']}:{part['password']}"
        f"@{part['host']}:{part['port']}/{part['dbname']}"
    )


@contextmanager
def postgres_conn_url() -> Iterator[str]:
    """The article's secret if SECRET_NAME is set, else a PostgreSQL that is at hand."""
    if secret_name := os.environ.get("SECRET_NAME"):
        yield create_conn_url(secret_name)
    else:
        with database_url() as url:
            yield url


def create_handler(conn_url: str) -> Callable[[dict[str, Any], object], dict[str, Any]]:
    """Return the Lambda handler; what it needs for every request is made once."""
    # OpenAI's client
    client = OpenAI()
    index = exact(vector_index())

    def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        # 1. LangGraph's PostgresStore
        with PostgresStore.from_conn_string(conn_url, index=index) as store:
            # 2. Its tables
            store.setup()

            # LangMem's Store Manager, for this connection
            manager = create_memory_store_manager(
                f"openai:{MEMORY_MODEL}",
                namespace=("chat", "{user_id}"),
                schemas=[UserTechInterest],
                instructions="ユーザーの興味や技術的背景を詳細に抽出してください",
                enable_inserts=True,
                enable_deletes=False,
                store=store,
            )

            # 3. A workflow of LangGraph's Functional API
            @entrypoint(store=store)
            def app(params: dict[str, Any]) -> str:
                message = params["message"]
                user_id = params["user_id"]
                # Search the store for this user's memories
                memories = store.search(("chat", user_id))
                developer_msg = (
                    "You are a helpful assistant.\n"
                    f"## Memories\n <memories>\n{memories}\n</memories> "
                )
                # Ask OpenAI's Responses API
                response = client.responses.create(
                    model=REPLY_MODEL,
                    input=[{"role": "developer", "content": developer_msg}, message],
                    tools=[{"type": "web_search"}],
                )
                # Remember what this message says about the user
                manager.invoke(
                    {"messages": [message]}, config={"configurable": {"user_id": user_id}}
                )
                return response.output_text

            body = json.loads(event["body"])
            message = {"role": "user", "content": body["prompt"]}
            output = app.invoke({"message": message, "user_id": body["user_id"]})
            return {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": output}

    return lambda_handler


def print_tables(conn_url: str) -> None:
    """Print what LangGraph keeps: `store` has the memories, `store_vectors` their vectors."""
    with psycopg.connect(conn_url) as connection:
        print("### store")
        for row in connection.execute("SELECT prefix, key, value FROM store ORDER BY created_at"):
            print(*row)
        print("### store_vectors")
        for row in connection.execute(
            "SELECT prefix, key, field_name, vector_dims(embedding) FROM store_vectors"
        ):
            print(*row)


def main() -> None:
    """One user tells two interests and asks; a user who told nothing asks the same."""
    use_model()
    with postgres_conn_url() as conn_url:
        lambda_handler = create_handler(conn_url)
        for user_id, prompt in REQUESTS:
            body = json.dumps({"user_id": user_id, "prompt": prompt})
            response = lambda_handler({"body": body}, None)
            print(f"### {user_id}: {prompt}\n{response['body']}\n")
        print_tables(conn_url)


if __name__ == "__main__":
    main()
