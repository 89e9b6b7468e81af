"""Generated memories, as PostgreSQL takes them in: the same for every system."""

from __future__ import annotations

import json
import math
import random
import struct
import uuid
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import mul

import psycopg
from psycopg import sql

TEAM = "TBENCH"
OWNERS = {"U10": 10, "U100": 100, "U1000": 1_000, "U5000": 5_000}
"""The people who are asked about, by how many memories they have."""
OF_EACH_OTHER = 100
_BINARY = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"


@dataclass(frozen=True, slots=True)
class GeneratedMemory:
    """Memory `number` of all: whose it is, and its key."""

    number: int
    user: str

    @property
    def key(self) -> str:
        """The row's key."""
        return str(uuid.UUID(int=self.number + 1))

    @property
    def prefix(self) -> str:
        """The row's namespace."""
        return f"chat.{TEAM}.{self.user}.dm"


def generated_memories(start: int, end: int) -> Iterator[GeneratedMemory]:
    """Yield memories `start` to `end`; the owners' are the first."""
    owned = [user for user, count in OWNERS.items() for _ in range(count)]
    for number in range(start, end):
        user = owned[number] if number < len(owned) else f"O{number // OF_EACH_OTHER}"
        yield GeneratedMemory(number, user)


class Vectors:
    """Random vectors of unit length, one for each memory, made again whenever they are asked for.

    All are windows onto one long row of numbers, at places of their own: a million take no memory.
    """

    def __init__(self, dimensions: int, *, seed: int = 7) -> None:
        self.dimensions = dimensions
        chance = random.Random(seed)
        self._row = array("f", (chance.gauss(0, 1) for _ in range(2**21)))
        self._sent = array("f", self._row)
        self._sent.byteswap()
        self._bytes = self._sent.tobytes()
        self._places = len(self._row) - dimensions
        self._head = struct.pack(">HH", dimensions, 0)

    def _place(self, number: int) -> int:
        # Odd, so every place is met once before any is met again.
        return number * 786_433 % self._places

    def of(self, number: int) -> array[float]:
        """Return the vector of a memory."""
        start = self._place(number)
        return self._row[start : start + self.dimensions]

    def sent(self, number: int) -> bytes:
        """Return the vector of a memory as pgvector takes it in a binary COPY."""
        start = self._place(number) * 4
        return self._head + self._bytes[start : start + 4 * self.dimensions]

    def asked(self, number: int) -> list[float]:
        """Return the vector of a question: near nothing in particular."""
        chance = random.Random(f"question {number}")
        return [chance.gauss(0, 1) for _ in range(self.dimensions)]

    def nearest(
        self, asked: Sequence[float], mine: Sequence[GeneratedMemory], count: int
    ) -> list[str]:
        """Return the keys of the nearest of somebody's memories by cosine, by plain arithmetic."""
        scored = []
        for one in mine:
            vector = self.of(one.number)
            length = math.sqrt(sum(map(mul, vector, vector)))
            scored.append((-sum(map(mul, vector, asked)) / length, one.key))
        return [key for _, key in sorted(scored)[:count]]


def load_store(
    owner: psycopg.Connection[tuple[object, ...]], vectors: Vectors, start: int, end: int
) -> None:
    """Add memories `start` to `end` in the shape LangMem stores, and let PostgreSQL count them."""
    value = json.dumps(
        {"kind": "UserFact", "content": {"fact": "something they said of themselves"}}
    )
    # What refers to what is right by construction.
    owner.execute("SET session_replication_role = replica")
    with owner.cursor().copy("COPY store (prefix, key, value) FROM STDIN") as copy:
        for one in generated_memories(start, end):
            copy.write_row((one.prefix, one.key, value))
    statement = "COPY store_vectors (prefix, key, field_name, embedding) FROM STDIN (FORMAT binary)"
    with owner.cursor().copy(statement) as copy:
        copy.write(_BINARY)
        for one in generated_memories(start, end):
            texts = (one.prefix.encode(), one.key.encode(), b"content")
            copy.write(_record(*texts, vectors.sent(one.number)))
        copy.write(_END)
    owner.execute("VACUUM ANALYZE store")
    owner.execute("VACUUM ANALYZE store_vectors")


def load_mem0(
    owner: psycopg.Connection[tuple[object, ...]], vectors: Vectors, start: int, end: int
) -> None:
    """Add memories `start` to `end` to the table that mem0 makes, in the shape it writes."""
    statement = "COPY mem0 (id, vector, payload) FROM STDIN (FORMAT binary)"
    with owner.cursor().copy(statement) as copy:
        copy.write(_BINARY)
        for one in generated_memories(start, end):
            payload = {"data": "something they said", "user_id": one.user}
            identity = uuid.UUID(one.key).bytes
            sent = b"\x01" + json.dumps(payload).encode()
            copy.write(_record(identity, vectors.sent(one.number), sent))
        copy.write(_END)
    owner.execute("VACUUM ANALYZE mem0")


def make_mem0(owner: psycopg.Connection[tuple[object, ...]], dimensions: int) -> None:
    """Make the table and index that mem0ai 2.2.1 makes by default."""
    owner.execute("CREATE EXTENSION IF NOT EXISTS vector")
    owner.execute(
        sql.SQL("CREATE TABLE mem0 (id uuid PRIMARY KEY, vector vector({}), payload jsonb)").format(
            sql.Literal(dimensions)
        )
    )


def index_mem0(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    """Make mem0's index once the rows are there: the same index, sooner."""
    owner.execute("CREATE INDEX ON mem0 USING hnsw (vector vector_cosine_ops)")
    owner.execute("ANALYZE mem0")


def _record(*fields: bytes) -> bytes:
    packed = b"".join(struct.pack(">i", len(field)) + field for field in fields)
    return struct.pack(">h", len(fields)) + packed
