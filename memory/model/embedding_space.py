"""The embedding model of a database, and the size of its vectors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The embedding model of all vectors in a database, and their number of dimensions."""

    model: str
    dimensions: int
