from .search import (
    first_memories as first_memories,
)

__all__: list[str]
