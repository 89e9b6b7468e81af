"""Arrays of vectors as one query parameter, in pgvector's binary format (four bytes a number)."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.rows import DictRow
from psycopg.types import TypeInfo

_HEADER = struct.Struct(">hh")  # dimensions, unused
_ARRAY = struct.Struct(">iiIii")  # dimensions, has nulls, element type, length, lower bound
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)


def packed(vector: Sequence[float]) -> bytes:
    """Return a vector as ``vector_send`` of pgvector does: int16 dimensions, int16 0, float4s."""
    numbers = array("f", vector)
    if sys.byteorder == "little":
        numbers.byteswap()
    return _HEADER.pack(len(numbers), 0) + numbers.tobytes()


@dataclass(frozen=True, slots=True)
class VectorArray:
    """A parameter of type ``vector[]``: packed vectors, None for NULL.

    `type_oid` is the oid of the type ``vector``, which differs between databases.
    """

    vectors: Sequence[bytes | None]
    type_oid: int


class _VectorArrayDumper(Dumper):
    """PostgreSQL's binary array format; the type of the parameter is that of its cast."""

    format = Format.BINARY

    def dump(self, obj: VectorArray) -> bytes:
        if not obj.vectors:
            return struct.pack(">iiI", 0, 0, obj.type_oid)
        parts = [_ARRAY.pack(1, 1, obj.type_oid, len(obj.vectors), 1)]
        for vector in obj.vectors:
            parts += [_NULL] if vector is None else [_LENGTH.pack(len(vector)), vector]
        return b"".join(parts)


async def vector_array(
    connection: AsyncConnection[DictRow], vectors: Sequence[bytes | None]
) -> VectorArray:
    """Return packed vectors as a parameter for ``%(name)b::vector[]`` on this connection."""
    connection.adapters.register_dumper(VectorArray, _VectorArrayDumper)
    known = connection.adapters.types.get("vector")
    if known is None:
        found = await connection.execute("SELECT 'vector'::regtype::oid::bigint AS oid")
        [row] = await found.fetchall()
        known = TypeInfo("vector", int(row["oid"]), 0)
        connection.adapters.types.add(known)
    return VectorArray(vectors, known.oid)
