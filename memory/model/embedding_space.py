"""The embedding model of a database, and the size of its vectors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The embedding model by which all vectors of a database are made, and their dimensions."""

    model: str
    dimensions: int
