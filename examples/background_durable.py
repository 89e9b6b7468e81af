"""Background, durable: the job to remember is a row in PostgreSQL and survives a crash.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26),
"バックグラウンドシナリオ". background.py does this in one process; here, as in Kioku,

- a message and the job to remember it are stored in one transaction;
- at most one job of a user waits, so three messages in a row cost one run;
- the job reads the messages from the database, and marks those it formed memories of.

A first process takes the messages and is killed; this one runs the job.
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
from examples.background import MESSAGES
from examples.database import database, exact_index
from examples.environment import MEMORY_MODEL, use_model
from examples.memory_manager import UserFoodPreference, from_user

DELAY_SECONDS = 6


def take_messages(address: str) -> None:
    """Store the messages of one user; then be killed."""
    for text in MESSAGES:
        new = durable_queue.add_message(address, "MZ0001", text, delay_seconds=DELAY_SECONDS)
        print(text, "– with a new job" if new else "– a job is waiting already", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def remember(address: str, user_id: str) -> None:
    """Form memories of the messages of `user_id` that have none."""
    messages = durable_queue.new_messages(address, user_id)
    with PostgresStore.from_conn_string(address, index=exact_index()) as store:
        store.setup()
        create_memory_store_manager(
            f"openai:{MEMORY_MODEL}",
            schemas=[UserFoodPreference],
            namespace=("chat", user_id),
            store=store,
        ).invoke({"messages": from_user(messages.values())})
    durable_queue.mark_formed(address, messages)
    print(f"one job formed memories of {len(messages)} messages")


def main() -> None:
    """Start the process that takes the messages, and run the job that it leaves."""
    use_model()
    with database() as address:
        durable_queue.create_tables(address)
        print("### a process takes three messages", flush=True)
        command = [sys.executable, "-m", "examples.background_durable", "take", address]
        ended = subprocess.run(command, check=False)  # noqa: S603 (our own program)
        print(f"### it was killed ({signal.Signals(-ended.returncode).name}); another one works")
        asyncio.run(durable_queue.run_one_job(address, remember))
        with psycopg.connect(address) as connection:
            for (content,) in connection.execute(
                "SELECT value -> 'content' FROM store WHERE prefix = 'chat.MZ0001'"
                " ORDER BY value -> 'content' ->> 'food_name' COLLATE \"C\" DESC"
            ):
                print(content)


if __name__ == "__main__":
    if sys.argv[1:2] == ["take"]:
        take_messages(sys.argv[2])
    else:
        main()
