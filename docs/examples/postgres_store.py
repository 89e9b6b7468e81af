"""PostgreSQL: a Lambda handler that recalls, replies and remembers in each request.

Article 2, "Lambda関数" and "Auroraベースの長期記憶を検証する", whose requests are made here.
"""

import json
from typing import Any

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.func import entrypoint
from langgraph.store.base import BaseStore
from langgraph.store.postgres import PostgresStore
from langmem import create_memory_store_manager  # type: ignore[import-untyped]
from openai import OpenAI

from docs.examples.environment import (
    MEMORY_MODEL,
    REPLY_MODEL,
    database,
    use_model,
    vector_index,
)
from memory import UserTechInterest

STORY = """\
MZ0001 クラウドサービス全般に興味があり、特にAWS、Azureの基本的な知識を徐々に深めていきたいと思っています
MZ0001 新しく気になる技術として、AIエージェントを活用した取り組みにも強い興味を持つようになりました
MZ0001 おすすめの技術トピックを3つ挙げて簡潔にまとめて！
MZ0002 おすすめの技術トピックを3つ挙げて簡潔にまとめて！
"""  # noqa: E501
COLUMNS = "prefix, key, value, vector_dims(embedding)"
TABLES = "store JOIN store_vectors USING (prefix, key)"


def create_handler(address: str) -> Any:
    """Return the function that Lambda calls; the database is at `address`."""
    # Exact: an approximate index misses some memories.
    client, index = OpenAI(), {**vector_index(), "ann_index_config": {"kind": "flat"}}

    def turn(text: str, *, store: BaseStore, config: RunnableConfig) -> str:
        found = store.search(("chat", config["configurable"]["user_id"]), query=text)
        known = "\n".join(json.dumps(row.value, ensure_ascii=False) for row in found)
        reply = client.responses.create(
            model=REPLY_MODEL,
            instructions=f"Suit the answer to the user.\n<memories>\n{known}\n</memories>",
            input=text,
            tools=[{"type": "web_search"}],
        )
        manager = create_memory_store_manager(  # it keeps the first store it sees
            f"openai:{MEMORY_MODEL}",
            schemas=[UserTechInterest],
            instructions="Record each technology the user is interested in, and why.",
            namespace=("chat", "{user_id}"),
        )
        manager.invoke({"messages": [{"role": "user", "content": text}]}, config=config)
        return reply.output_text

    def handle(event: dict[str, str], _context: object) -> dict[str, Any]:
        asked = json.loads(event["body"])
        with PostgresStore.from_conn_string(address, index=index) as store:  # type: ignore[arg-type]
            store.setup()  # makes the tables where there are none
            workflow = entrypoint(store=store)(turn)
            text = workflow.invoke(
                asked["prompt"], {"configurable": {"user_id": asked["user_id"]}}
            )
        return {
            "statusCode": 200,
            "headers": {"Content-Type": "text/plain"},
            "body": text,
        }

    return handle


def main() -> None:
    """A user names interests and asks for topics; another one only asks."""
    use_model()
    with database() as address, psycopg.connect(address) as connection:
        handle = create_handler(address)
        for line in STORY.splitlines():
            user_id, prompt = line.split(maxsplit=1)
            body = json.dumps({"user_id": user_id, "prompt": prompt})
            print(f"### {line}\n{handle({'body': body}, None)['body']}")
        print(f"### {TABLES}")
        for row in connection.execute(f"SELECT {COLUMNS} FROM {TABLES}"):
            print(*row)


if __name__ == "__main__":
    main()
