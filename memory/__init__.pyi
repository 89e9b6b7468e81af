from .credentials.redaction import (
    Removed as Removed,
    credential_kinds as credential_kinds,
    redact as redact,
    redact_json as redact_json,
    redact_texts as redact_texts,
)
from .embeddings.embedder import (
    Embedder as Embedder,
    embedding_space as embedding_space,
)
from .formation.chat_model import (
    TokenUse as TokenUse,
    memory_model as memory_model,
    provider_and_name as provider_and_name,
)
from .formation.commit import FormationResult as FormationResult
from .formation.evidence import (
    OMITTED as OMITTED,
    PersonMessage as PersonMessage,
)
from .formation.former import Former as Former
from .formation.model_check import calls_memory_tools as calls_memory_tools
from .formation.proposal import (
    Reason as Reason,
    Refusal as Refusal,
)
from .formation.questions import (
    Question as Question,
    answer_question as answer_question,
    open_questions as open_questions,
)
from .formation.sources import (
    source_changed as source_changed,
    sources_among as sources_among,
)
from .metrics import (
    count as count,
    recorded as recorded,
    step as step,
    step_ended as step_ended,
)
from .model.custom_schemas import (
    checked_schemas as checked_schemas,
    load_schemas as load_schemas,
)
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
    MemoryOff as MemoryOff,
)
from .model.namespace import (
    COLLEAGUES as COLLEAGUES,
    DM as DM,
    PUBLIC as PUBLIC,
    Namespace as Namespace,
    Person as Person,
    MemoryView as MemoryView,
    memory_view as memory_view,
)
from .model.schemas import (
    LEVEL_FIELDS as LEVEL_FIELDS,
    SCHEMAS as SCHEMAS,
    Promise as Promise,
    UserFact as UserFact,
    UserTechInterest as UserTechInterest,
    subject as subject,
)
from .postgres.database import (
    PERSON_SETTING as PERSON_SETTING,
    OutcomeUnknown as OutcomeUnknown,
    Pool as Pool,
    create_pool as create_pool,
    execute_statement as execute_statement,
    transaction_timeout as transaction_timeout,
    is_unavailable as is_unavailable,
    person_statement as person_statement,
    person_transaction as person_transaction,
    transaction as transaction,
)
from .postgres.embedded import EmbeddedPostgres as EmbeddedPostgres
from .postgres.locks import (
    NO_FORGETTING as NO_FORGETTING,
    lock_person as lock_person,
)
from .postgres.migrate import (
    Migration as Migration,
    check_access as check_access,
    check_database as check_database,
    migrate as migrate,
    packaged_migrations as packaged_migrations,
)
from .recall.search import (
    first_memories as first_memories,
    recall_memories as recall_memories,
    similar_memories as similar_memories,
)
from .store.cards import read_card as read_card
from .store.edits import (
    add_memories as add_memories,
    edit_memory as edit_memory,
    move_memory as move_memory,
    validated as validated,
)
from .store.erasing import (
    Erased as Erased,
    count_each as count_each,
    delete_each as delete_each,
    erase as erase,
)
from .store.expiry import (
    expire_due as expire_due,
    expire_unconfirmed as expire_unconfirmed,
)
from .store.export import export_memories as export_memories
from .store.forgetting import (
    Forgotten as Forgotten,
    Gone as Gone,
    Selection as Selection,
    forget as forget,
    forget_again as forget_again,
    forgotten_messages as forgotten_messages,
    forgotten_since as forgotten_since,
    selected as selected,
    undo_forgetting as undo_forgetting,
)
from .store.memories import (
    MAX_MEMORIES as MAX_MEMORIES,
    Memory as Memory,
    find_memory as find_memory,
    list_memories as list_memories,
    search_memories as search_memories,
)
from .store.pages import memory_page as memory_page
from .store.reembedding import reembed as reembed
from .store.undo import undo_changes as undo_changes
from .store.versions import (
    Change as Change,
    list_changes as list_changes,
)
from .tools.arguments import read_arguments as read_arguments
from .tools.definitions import (
    function_tool as function_tool,
    memory_tools as memory_tools,
)
from .tools.memory_tools import MemoryTools as MemoryTools

__all__: list[str]
