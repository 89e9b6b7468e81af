from .search import (
    NEAREST as NEAREST,
    first_memories as first_memories,
    nearest_memories as nearest_memories,
)

__all__: list[str]
