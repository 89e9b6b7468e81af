"""The tables of background_durable.py: messages, and jobs of procrastinate."""

import asyncio
from collections.abc import Callable, Iterable

import procrastinate
import psycopg
from procrastinate.exceptions import AlreadyEnqueued

TASK = "remember"


def create_tables(address: str) -> None:
    """Create the tables of the queue and of the messages, unless they exist."""
    with psycopg.connect(address) as connection:
        if connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone() == (None,):
            connection.execute(procrastinate.schema.SchemaManager.get_schema())
        connection.execute(
            "CREATE TABLE IF NOT EXISTS example_messages (id serial PRIMARY KEY,"
            " user_id text NOT NULL, text text NOT NULL, formed bool NOT NULL DEFAULT false)"
        )


def add_message(address: str, user_id: str, text: str, *, delay_seconds: int) -> bool:
    """Store a message and its job; return False if the job that waits already will read it."""
    queue = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=address))
    with queue.open(), psycopg.connect(address, autocommit=True) as connection:
        job = queue.configure_task(
            TASK,
            connection=connection,
            lock=user_id,  # one runs at a time
            queueing_lock=user_id,  # one waits
            schedule_in={"seconds": delay_seconds},
        )
        with connection.transaction():
            connection.execute(
                "INSERT INTO example_messages (user_id, text) VALUES (%s, %s)", (user_id, text)
            )
            try:
                with connection.transaction():
                    job.defer(user_id=user_id)
            except AlreadyEnqueued:
                return False
    return True


def new_messages(address: str, user_id: str) -> dict[int, str]:
    """Return the messages of `user_id` of which no memories were formed, by their ids."""
    select = "SELECT id, text FROM example_messages WHERE user_id = %s AND NOT formed ORDER BY id"
    with psycopg.connect(address) as connection:
        return dict(connection.execute(select, (user_id,)).fetchall())


def mark_formed(address: str, ids: Iterable[int]) -> None:
    """Record that memories of these messages were formed."""
    update = "UPDATE example_messages SET formed = true WHERE id = ANY(%s)"
    with psycopg.connect(address) as connection:
        connection.execute(update, ([*ids],))


async def run_one_job(address: str, remember: Callable[[str, str], None]) -> None:
    """Run a worker until one job has called `remember` with the address and a user's id."""
    queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address))
    done = asyncio.Event()

    @queue.task(name=TASK)
    async def job(user_id: str) -> None:
        try:
            await asyncio.to_thread(remember, address, user_id)
        finally:
            done.set()

    async with queue.open_async():
        worker = asyncio.create_task(
            queue.run_worker_async(fetch_job_polling_interval=0.2, install_signal_handlers=False)
        )
        waiting = asyncio.create_task(done.wait())
        await asyncio.wait([worker, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        worker.cancel()
        await asyncio.wait([worker, waiting])
