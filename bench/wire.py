"""A proxy that counts what a system sends to PostgreSQL.

It reads PostgreSQL's own protocol (version 3, "Message Flow"), so it counts all drivers in the same
way: an Execute or a simple Query is a statement, a Sync or a simple Query is a round trip.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

Read = Callable[[asyncio.StreamReader], Awaitable[bytes]]
"""Reads the next message to pass on; empty at the end."""


async def message(reader: asyncio.StreamReader, head: int = 5) -> bytes:
    """Read the next message. A client's first one has no type letter: its `head` has 4 bytes."""
    try:
        start = await reader.readexactly(head)
        return start + await reader.readexactly(int.from_bytes(start[-4:], "big") - 4)
    except asyncio.IncompleteReadError:
        return b""


@asynccontextmanager
async def counted(
    address: str, folder: Path, answers: Read = message
) -> AsyncIterator[tuple[str, Counter[str]]]:
    """Yield an address that leads to the database at `address`, and counts of what is sent to it.

    It counts `connections`, `statements` and `round_trips`. The socket is in `folder`, whose path
    must be short (sockets allow about a hundred characters). `answers` reads what PostgreSQL sends,
    and may change it.
    """
    parts = conninfo_to_dict(address)
    socket_name = f".s.PGSQL.{parts['port']}"
    upstream = Path(str(parts["host"])) / socket_name
    await asyncio.to_thread(folder.mkdir, mode=0o700)
    sent = Counter[str]()
    pumps: set[asyncio.Task[None]] = set()

    async def read_request(reader: asyncio.StreamReader) -> bytes:
        data = await message(reader)
        sent["statements"] += data[:1] in (b"Q", b"E")
        sent["round_trips"] += data[:1] in (b"Q", b"S")
        return data

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            pumps.add(task)
            task.add_done_callback(pumps.discard)
        sent["connections"] += 1
        up_reader, up_writer = await asyncio.open_unix_connection(str(upstream))
        up_writer.write(await message(reader, head=4))
        await asyncio.gather(
            _pump(reader, up_writer, read_request), _pump(up_reader, writer, answers)
        )

    server = await asyncio.start_unix_server(serve, str(folder / socket_name))
    try:
        yield make_conninfo(address, host=str(folder)), sent
    finally:
        server.close()
        for task in [*pumps]:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, read: Read
) -> None:
    try:
        while data := await read(reader):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, BrokenPipeError):
        return  # a connection ends when one side closes it
    finally:
        with contextlib.suppress(ConnectionError):
            writer.close()
