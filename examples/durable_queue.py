"""What background_durable.py keeps in PostgreSQL: messages, and at most one waiting job a user.

The queue is procrastinate's, as in Kioku (`bot/queue/queue.py`).
"""

import asyncio
from collections.abc import Callable

import procrastinate
import psycopg
from procrastinate.exceptions import AlreadyEnqueued

TASK = "remember"


def set_up(conn_url: str) -> None:
    """Make the tables of the queue and of the messages, where there are none."""
    with psycopg.connect(conn_url) as connection:
        if connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone() == (None,):
            connection.execute(procrastinate.schema.SchemaManager.get_schema())
        connection.execute(
            "CREATE TABLE IF NOT EXISTS example_messages (id serial PRIMARY KEY,"
            " user_id text NOT NULL, text text NOT NULL, formed bool NOT NULL DEFAULT false)"
        )


def hear(conn_url: str, user_id: str, text: str, *, seconds_of_quiet: int) -> bool:
    """Store a message and its job, both or neither; False where a waiting job will see it."""
    queue = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=conn_url))
    with queue.open(), psycopg.connect(conn_url, autocommit=True) as connection:
        job = queue.configure_task(
            TASK,
            connection=connection,
            lock=user_id,  # one runs at a time
            queueing_lock=user_id,  # one waits
            schedule_in={"seconds": seconds_of_quiet},
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


def heard(conn_url: str, user_id: str) -> list[tuple[int, str]]:
    """Return what `user_id` said and no memory was formed of yet."""
    with psycopg.connect(conn_url) as connection:
        return connection.execute(
            "SELECT id, text FROM example_messages WHERE user_id = %s AND NOT formed ORDER BY id",
            (user_id,),
        ).fetchall()


def mark_formed(conn_url: str, messages: list[tuple[int, str]]) -> None:
    """Keep these messages from being formed again."""
    with psycopg.connect(conn_url) as connection:
        connection.execute(
            "UPDATE example_messages SET formed = true WHERE id = ANY(%s)",
            ([number for number, _ in messages],),
        )


async def run_one(conn_url: str, remember: Callable[[str, str], None]) -> None:
    """Work, as any number of processes may, until one job has called `remember`."""
    queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conn_url))
    done = asyncio.Event()

    @queue.task(name=TASK)
    async def job(user_id: str) -> None:
        try:
            await asyncio.to_thread(remember, conn_url, user_id)
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
