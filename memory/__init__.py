"""Long-term memory of people: recalled, formed, seen and forgotten. It knows nothing of Slack.

Importing this package is cheap; LangMem is loaded by the first `Former.form` (or `warm_up`).
"""

from memory.database import (
    EmbeddingSpace,
    Migration,
    Pool,
    PoolTimeout,
    check_access,
    check_database,
    create_pool,
    migrate,
    packaged_migrations,
    person_transaction,
    transaction,
)
from memory.embedded import EmbeddedPostgres, EmbeddedPostgresError
from memory.embeddings import Embedder, embedding_space
from memory.errors import (
    DatabaseNotReady,
    EmbeddingSpaceMismatch,
    EmbeddingsUnavailable,
    FormationUnavailable,
    InvalidNamespace,
    KiokuMemoryError,
)
from memory.formation import Change, Formed, Former, Words, memory_model, warm_up
from memory.memories import Memory, folded, forget, list_memories, matching
from memory.namespace import DM, PUBLIC, Namespace, Person, View, view
from memory.recall import Recalled, recall_memories
from memory.schemas import SCHEMAS, UserFoodPreference, UserTechInterest, subject

__all__ = [
    "DM",
    "PUBLIC",
    "SCHEMAS",
    "Change",
    "DatabaseNotReady",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "Embedder",
    "EmbeddingSpace",
    "EmbeddingSpaceMismatch",
    "EmbeddingsUnavailable",
    "FormationUnavailable",
    "Formed",
    "Former",
    "InvalidNamespace",
    "KiokuMemoryError",
    "Memory",
    "Migration",
    "Namespace",
    "Person",
    "Pool",
    "PoolTimeout",
    "Recalled",
    "UserFoodPreference",
    "UserTechInterest",
    "View",
    "Words",
    "check_access",
    "check_database",
    "create_pool",
    "embedding_space",
    "folded",
    "forget",
    "list_memories",
    "matching",
    "memory_model",
    "migrate",
    "packaged_migrations",
    "person_transaction",
    "recall_memories",
    "subject",
    "transaction",
    "view",
    "warm_up",
]
