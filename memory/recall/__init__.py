"""The memories that are relevant to a message."""

from memory.recall.lines import (
    dated_lines as dated_lines,
    memories_within as memories_within,
)
from memory.recall.search import (
    MEMORY_TOKENS as MEMORY_TOKENS,
    Recalled as Recalled,
    large_set_query as large_set_query,
    search_memories as search_memories,
)
