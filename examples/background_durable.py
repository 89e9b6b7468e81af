"""Background, durably: the work to be done waits in PostgreSQL, not in a process.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26),
"バックグラウンドシナリオ": background.py shows its idea with `ReflectionExecutor`, this file the
way in which Kioku does it (`bot/queue/queue.py`, `bot/pipeline/formation.py`,
`memory/formation/former.py`).

- A message and the job to remember it are stored in one transaction: both, or neither.
- At most one job of a user waits, so three messages in a row cost one run.
- The job reads the messages itself, and marks them when their memories are formed.

To show it, the messages are taken by a process that is killed before the pause is over.
"""

import asyncio
import os
import signal
import subprocess
import sys

import psycopg
from langgraph.store.postgres import PostgresStore
from langmem import create_memory_store_manager  # type: ignore[import-untyped]

from examples import durable_queue
from examples.environment import (
    MEMORY_MODEL,
    database_url,
    exact,
    use_model,
    vector_index,
)
from examples.memory_manager import UserFoodPreference

SECONDS_OF_QUIET = 1


def take_messages(conn_url: str) -> None:
    """Store three messages, and be killed."""
    for text in ["ラーメンが大好きです!!", "パスタも好きです", "お寿司も好きです"]:
        new = durable_queue.hear(conn_url, "MZ0001", text, seconds_of_quiet=SECONDS_OF_QUIET)
        print(text, "– with a new job" if new else "– a job is waiting already", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def remember(conn_url: str, user_id: str) -> None:
    """Form memories of what `user_id` said since the last time."""
    messages = durable_queue.heard(conn_url, user_id)
    with PostgresStore.from_conn_string(conn_url, index=exact(vector_index())) as store:
        store.setup()
        manager = create_memory_store_manager(
            f"openai:{MEMORY_MODEL}",
            namespace=("chat", "{user_id}"),
            schemas=[UserFoodPreference],
            store=store,
        )
        manager.invoke(
            {"messages": [{"role": "user", "content": text} for _, text in messages]},
            config={"configurable": {"user_id": user_id}},
        )
    durable_queue.mark_formed(conn_url, messages)
    print(f"one job formed memories of {len(messages)} messages")


def main() -> None:
    """Let one process take the messages and die, and another one remember."""
    use_model()
    with database_url() as conn_url:
        durable_queue.set_up(conn_url)
        print("### a process takes three messages", flush=True)
        taker = [sys.executable, "-m", "examples.background_durable", "take", conn_url]
        ended = subprocess.run(taker, check=False)  # noqa: S603 (our own program)
        print(f"### it was killed ({signal.Signals(-ended.returncode).name}); another one works")
        asyncio.run(durable_queue.run_one(conn_url, remember))
        with psycopg.connect(conn_url) as connection:
            for (content,) in connection.execute(
                "SELECT value -> 'content' FROM store WHERE prefix = 'chat.MZ0001'"
            ):
                print(content)


if __name__ == "__main__":
    if sys.argv[1:2] == ["take"]:
        take_messages(sys.argv[2])
    else:
        main()
