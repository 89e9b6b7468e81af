from .search import (
    first_memories as first_memories,
    similar_memories as similar_memories,
)

__all__: list[str]
