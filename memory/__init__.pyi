from . import (
    formation as formation,
    model as model,
    postgres as postgres,
    store as store,
)
from .embeddings.embedder import (
    Embedder as Embedder,
    embedding_space as embedding_space,
)
from .formation.chat_model import memory_model as memory_model
from .formation.commit import FormationResult as FormationResult
from .formation.former import Former as Former
from .formation.proposal import (
    Reason as Reason,
    Refusal as Refusal,
)
from .model.custom_schemas import load_schemas as load_schemas
from .model.embedding_space import EmbeddingSpace as EmbeddingSpace
from .model.errors import (
    ChangedSince as ChangedSince,
    ChangeGone as ChangeGone,
    EmbeddingSpaceMismatch as EmbeddingSpaceMismatch,
    EmbeddingsUnavailable as EmbeddingsUnavailable,
    FormationUnavailable as FormationUnavailable,
    InvalidContent as InvalidContent,
    InvalidNamespace as InvalidNamespace,
    KiokuMemoryError as KiokuMemoryError,
    MemoryModelRefused as MemoryModelRefused,
    MemoryFull as MemoryFull,
    Overtaken as Overtaken,
)
from .model.namespace import (
    DM as DM,
    PUBLIC as PUBLIC,
    Namespace as Namespace,
    Person as Person,
    MemoryView as MemoryView,
    memory_view as memory_view,
)
from .model.person_message import PersonMessage as PersonMessage
from .model.schemas import (
    SCHEMAS as SCHEMAS,
    Promise as Promise,
    UserFact as UserFact,
    UserTechInterest as UserTechInterest,
    subject as subject,
)
from .postgres.embedded import EmbeddedPostgres as EmbeddedPostgres
from .postgres.migrate import migrate as migrate
from .postgres.pool import (
    Pool as Pool,
    create_pool as create_pool,
)
from .recall.search import recall_memories as recall_memories
from .store.changes import (
    Change as Change,
    list_changes as list_changes,
    undo_changes as undo_changes,
)
from .store.edits import (
    add_memories as add_memories,
    edit_memory as edit_memory,
    move_memory as move_memory,
)
from .store.erasing import erase as erase
from .store.export import export_memories as export_memories
from .store.forgetting import (
    Forgotten as Forgotten,
    Selection as Selection,
    forget as forget,
    undo_forgetting as undo_forgetting,
)
from .store.memories import (
    Memory as Memory,
    list_memories as list_memories,
)
from .store.questions import (
    Question as Question,
    answer_question as answer_question,
    open_questions as open_questions,
)
from .tools.definitions import memory_tools as memory_tools
from .tools.memory_tools import MemoryTools as MemoryTools

__all__: list[str]
