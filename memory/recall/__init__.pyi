from .lines import (
    memories_within as memories_within,
    memory_line as memory_line,
)
from .search import (
    MEMORY_TOKENS as MEMORY_TOKENS,
    NEAREST as NEAREST,
    Recalled as Recalled,
    first_memories as first_memories,
    nearest_memories as nearest_memories,
)

__all__: list[str]
