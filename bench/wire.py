"""Counts what a system says to PostgreSQL, by standing between them.

Reads PostgreSQL's own protocol (version 3, "Message Flow"), so it counts the same for every driver:
an Execute or a simple Query is a statement, a Sync or a simple Query is a round trip.
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
"""Reads the next bytes to pass on; none at the end."""


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    return await reader.read(65_536)


class Said(Counter[str]):
    """Counts of `connections`, `statements` and `round_trips` to PostgreSQL."""


class Reading:
    """The messages of one client, in whatever pieces they come."""

    def __init__(self, said: Said) -> None:
        self._said = said
        self._buffer = bytearray()
        self._begun = False
        self._skip = 0

    def take(self, data: bytes) -> None:
        """Count what these bytes bring to an end."""
        self._buffer += data
        while self._next():
            pass

    def _next(self) -> bool:
        if self._skip:
            passed = min(self._skip, len(self._buffer))
            del self._buffer[:passed]
            self._skip -= passed
            return not self._skip and bool(self._buffer)
        head = 5 if self._begun else 4
        if len(self._buffer) < head:
            return False
        length = int.from_bytes(self._buffer[head - 4 : head], "big")
        if self._begun:
            kind = bytes(self._buffer[:1])
            self._said["statements"] += kind in (b"Q", b"E")
            self._said["round_trips"] += kind in (b"Q", b"S")
        # The first message has no letter; the letter is not in the length of the others.
        self._skip = length + (1 if self._begun else 0)
        self._begun = True
        return True


@asynccontextmanager
async def counted(
    address: str, folder: Path, answers: Read = _chunk
) -> AsyncIterator[tuple[str, Said]]:
    """Yield an address that leads to the database of `address`, and what is said to it.

    `folder` takes the socket; its path must be short (sockets allow about a hundred characters).
    `answers` reads what PostgreSQL sends, and may change it.
    """
    parts = conninfo_to_dict(address)
    socket_name = f".s.PGSQL.{parts['port']}"
    there = Path(str(parts["host"])) / socket_name
    await asyncio.to_thread(folder.mkdir, mode=0o700)
    said = Said()
    pumps: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            pumps.add(task)
            task.add_done_callback(pumps.discard)
        said["connections"] += 1
        up_reader, up_writer = await asyncio.open_unix_connection(str(there))
        await asyncio.gather(
            _pump(reader, up_writer, _chunk, Reading(said)), _pump(up_reader, writer, answers)
        )

    server = await asyncio.start_unix_server(serve, str(folder / socket_name))
    try:
        yield make_conninfo(address, host=str(folder)), said
    finally:
        server.close()
        for task in [*pumps]:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    read: Read,
    reading: Reading | None = None,
) -> None:
    try:
        while data := await read(reader):
            if reading is not None:
                reading.take(data)
            writer.write(data)
            await writer.drain()
    except (ConnectionError, BrokenPipeError):
        return  # the other side has gone, which is how it ends
    finally:
        with contextlib.suppress(ConnectionError):
            writer.close()
