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
from memory.diagnosis import DatabaseFacts, database_facts
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
from memory.forgetting import (
    Forgotten,
    Undo,
    UndoExpired,
    bring_back,
    forget,
    forgotten_places,
)
from memory.formation import Change, Formed, Former, Words, memory_model, warm_up
from memory.memories import Memory, folded, list_memories, matching, named_in
from memory.namespace import DM, PUBLIC, Namespace, Person, View, view
from memory.recall import Recalled, recall_memories
from memory.schemas import SCHEMAS, UserFact, UserFoodPreference, UserTechInterest, subject
from memory.tools import MemoryTools, Proposal, as_statement

__all__ = [
    "DM",
    "PUBLIC",
    "SCHEMAS",
    "Change",
    "DatabaseFacts",
    "DatabaseNotReady",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "Embedder",
    "EmbeddingSpace",
    "EmbeddingSpaceMismatch",
    "EmbeddingsUnavailable",
    "Forgotten",
    "FormationUnavailable",
    "Formed",
    "Former",
    "InvalidNamespace",
    "KiokuMemoryError",
    "Memory",
    "MemoryTools",
    "Migration",
    "Namespace",
    "Person",
    "Pool",
    "PoolTimeout",
    "Proposal",
    "Recalled",
    "Undo",
    "UndoExpired",
    "UserFact",
    "UserFoodPreference",
    "UserTechInterest",
    "View",
    "Words",
    "as_statement",
    "bring_back",
    "check_access",
    "check_database",
    "create_pool",
    "database_facts",
    "embedding_space",
    "folded",
    "forget",
    "forgotten_places",
    "list_memories",
    "matching",
    "memory_model",
    "migrate",
    "named_in",
    "packaged_migrations",
    "person_transaction",
    "recall_memories",
    "subject",
    "transaction",
    "view",
    "warm_up",
]
