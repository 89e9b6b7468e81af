"""Long-term memory of people: recalled, formed, seen and forgotten. It knows nothing of Slack.

Names are loaded when they are first used, so importing this package is cheap; LangMem by the first
`Former.form` (or `warm_up`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memory.arguments import read_arguments
    from memory.confirming import Confirmed, judge_instructions
    from memory.credentials import Credential, find_credentials, holds_secret
    from memory.database import (
        PERSON_SETTING,
        OutcomeUnknown,
        Pool,
        PoolTimeout,
        create_pool,
        execute_alone,
        impatiently,
        is_away,
        person_transaction,
        transaction,
    )
    from memory.diagnosis import DatabaseFacts, database_facts
    from memory.due import expire_due
    from memory.edits import add_memory, edit_memory, move_memory, validated
    from memory.embedded import EmbeddedPostgres, EmbeddedPostgresError
    from memory.embeddings import Embedder, embedding_space
    from memory.erasing import Erased, count_each, delete_each, erase
    from memory.errors import (
        AlreadyUnderWay,
        ChangedSince,
        ChangeGone,
        DatabaseNotReady,
        EmbeddingSpaceMismatch,
        EmbeddingsUnavailable,
        FormationUnavailable,
        InvalidContent,
        InvalidNamespace,
        InvalidSchemas,
        KiokuMemoryError,
        MemoryOff,
        NotAnExport,
    )
    from memory.evidence import OMITTED, Words
    from memory.forgetting import (
        Forgotten,
        Undo,
        UndoExpired,
        ask_forgotten,
        bring_back,
        forget,
        forgotten_places,
    )
    from memory.formation import Formed, Former, memory_model, warm_up
    from memory.ledger import Entry, changes_named, history, undo_change, undo_changes
    from memory.locks import lock_for_forgetting
    from memory.memories import Memory, Names, folded, list_memories, matching
    from memory.migrating import (
        EmbeddingSpace,
        Migration,
        check_access,
        check_database,
        migrate,
        packaged_migrations,
    )
    from memory.namespace import DM, PUBLIC, Namespace, Person, View, view
    from memory.own_schemas import checked_schemas, load_schemas
    from memory.pages import MemoryPage, memory_page
    from memory.proposals import Reason, Refused
    from memory.purge import WorkspaceTable, purge_memories, purge_rows
    from memory.questions import Question, answer_question, open_questions
    from memory.recall import Recalled, ask_first, recall_memories
    from memory.redaction import (
        CredentialKind,
        Redacted,
        Removed,
        credential_kinds,
        is_redacted,
        redact,
        redact_json,
        redact_texts,
    )
    from memory.reembedding import reembed
    from memory.retention import end_old
    from memory.roles import Login
    from memory.rotation import Conninfo
    from memory.schemas import (
        EPISODE_KIND,
        INSTRUCTION_KIND,
        SCHEMAS,
        Episode,
        UserFact,
        UserFoodPreference,
        UserInstruction,
        UserTechInterest,
        subject,
    )
    from memory.sources import is_source, source_deleted, source_edited
    from memory.spans import Span, current_step, measured, recorded, step
    from memory.tools import MemoryTools
    from memory.transfer import Plan, Planned, export_memories, import_memories, plan_import
    from memory.verdicts import SensitivePolicy, Verifier
    from memory.writing import Change

_HOMES = {
    "memory.confirming": (
        "Confirmed",
        "judge_instructions",
    ),
    "memory.arguments": ("read_arguments",),
    "memory.credentials": (
        "Credential",
        "find_credentials",
        "holds_secret",
    ),
    "memory.database": (
        "PERSON_SETTING",
        "OutcomeUnknown",
        "Pool",
        "PoolTimeout",
        "create_pool",
        "execute_alone",
        "impatiently",
        "is_away",
        "person_transaction",
        "transaction",
    ),
    "memory.diagnosis": (
        "DatabaseFacts",
        "database_facts",
    ),
    "memory.due": ("expire_due",),
    "memory.edits": (
        "add_memory",
        "edit_memory",
        "move_memory",
        "validated",
    ),
    "memory.embedded": (
        "EmbeddedPostgres",
        "EmbeddedPostgresError",
    ),
    "memory.embeddings": (
        "Embedder",
        "embedding_space",
    ),
    "memory.erasing": (
        "Erased",
        "count_each",
        "delete_each",
        "erase",
    ),
    "memory.errors": (
        "AlreadyUnderWay",
        "ChangedSince",
        "ChangeGone",
        "DatabaseNotReady",
        "EmbeddingSpaceMismatch",
        "EmbeddingsUnavailable",
        "FormationUnavailable",
        "InvalidContent",
        "InvalidNamespace",
        "InvalidSchemas",
        "KiokuMemoryError",
        "MemoryOff",
        "NotAnExport",
    ),
    "memory.evidence": (
        "OMITTED",
        "Words",
    ),
    "memory.forgetting": (
        "Forgotten",
        "Undo",
        "UndoExpired",
        "bring_back",
        "forget",
        "ask_forgotten",
        "forgotten_places",
    ),
    "memory.formation": (
        "Formed",
        "Former",
        "memory_model",
        "warm_up",
    ),
    "memory.ledger": (
        "Entry",
        "changes_named",
        "history",
        "undo_change",
        "undo_changes",
    ),
    "memory.locks": ("lock_for_forgetting",),
    "memory.memories": (
        "Memory",
        "Names",
        "folded",
        "list_memories",
        "matching",
    ),
    "memory.migrating": (
        "EmbeddingSpace",
        "Migration",
        "check_access",
        "check_database",
        "migrate",
        "packaged_migrations",
    ),
    "memory.namespace": (
        "DM",
        "PUBLIC",
        "Namespace",
        "Person",
        "View",
        "view",
    ),
    "memory.own_schemas": (
        "checked_schemas",
        "load_schemas",
    ),
    "memory.pages": (
        "MemoryPage",
        "memory_page",
    ),
    "memory.proposals": (
        "Reason",
        "Refused",
    ),
    "memory.purge": (
        "WorkspaceTable",
        "purge_memories",
        "purge_rows",
    ),
    "memory.questions": (
        "Question",
        "answer_question",
        "open_questions",
    ),
    "memory.recall": (
        "Recalled",
        "ask_first",
        "recall_memories",
    ),
    "memory.redaction": (
        "CredentialKind",
        "Redacted",
        "Removed",
        "is_redacted",
        "credential_kinds",
        "redact",
        "redact_json",
        "redact_texts",
    ),
    "memory.reembedding": ("reembed",),
    "memory.retention": ("end_old",),
    "memory.roles": ("Login",),
    "memory.rotation": ("Conninfo",),
    "memory.schemas": (
        "EPISODE_KIND",
        "INSTRUCTION_KIND",
        "SCHEMAS",
        "Episode",
        "UserFact",
        "UserFoodPreference",
        "UserInstruction",
        "UserTechInterest",
        "subject",
    ),
    "memory.sources": (
        "is_source",
        "source_deleted",
        "source_edited",
    ),
    "memory.spans": (
        "Span",
        "current_step",
        "measured",
        "recorded",
        "step",
    ),
    "memory.tools": ("MemoryTools",),
    "memory.transfer": (
        "Plan",
        "Planned",
        "export_memories",
        "import_memories",
        "plan_import",
    ),
    "memory.verdicts": (
        "SensitivePolicy",
        "Verifier",
    ),
    "memory.writing": ("Change",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a name of this package from its module, once."""
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value = getattr(import_module(home), name)
        return value


__all__ = [
    "DM",
    "EPISODE_KIND",
    "INSTRUCTION_KIND",
    "OMITTED",
    "PERSON_SETTING",
    "PUBLIC",
    "SCHEMAS",
    "AlreadyUnderWay",
    "Change",
    "ChangeGone",
    "ChangedSince",
    "Confirmed",
    "Conninfo",
    "Credential",
    "CredentialKind",
    "DatabaseFacts",
    "DatabaseNotReady",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "Embedder",
    "EmbeddingSpace",
    "EmbeddingSpaceMismatch",
    "EmbeddingsUnavailable",
    "Entry",
    "Episode",
    "Erased",
    "Forgotten",
    "FormationUnavailable",
    "Formed",
    "Former",
    "InvalidContent",
    "InvalidNamespace",
    "InvalidSchemas",
    "KiokuMemoryError",
    "Login",
    "Memory",
    "MemoryOff",
    "MemoryPage",
    "MemoryTools",
    "Migration",
    "Names",
    "Namespace",
    "NotAnExport",
    "OutcomeUnknown",
    "Person",
    "Plan",
    "Planned",
    "Pool",
    "PoolTimeout",
    "Question",
    "Reason",
    "Recalled",
    "Redacted",
    "Refused",
    "Removed",
    "SensitivePolicy",
    "Span",
    "Undo",
    "UndoExpired",
    "UserFact",
    "UserFoodPreference",
    "UserInstruction",
    "UserTechInterest",
    "Verifier",
    "View",
    "Words",
    "WorkspaceTable",
    "add_memory",
    "answer_question",
    "ask_first",
    "ask_forgotten",
    "bring_back",
    "changes_named",
    "check_access",
    "check_database",
    "checked_schemas",
    "count_each",
    "create_pool",
    "credential_kinds",
    "current_step",
    "database_facts",
    "delete_each",
    "edit_memory",
    "embedding_space",
    "end_old",
    "erase",
    "execute_alone",
    "expire_due",
    "export_memories",
    "find_credentials",
    "folded",
    "forget",
    "forgotten_places",
    "history",
    "holds_secret",
    "impatiently",
    "import_memories",
    "is_away",
    "is_redacted",
    "is_source",
    "judge_instructions",
    "list_memories",
    "load_schemas",
    "lock_for_forgetting",
    "matching",
    "measured",
    "memory_model",
    "memory_page",
    "migrate",
    "move_memory",
    "open_questions",
    "packaged_migrations",
    "person_transaction",
    "plan_import",
    "purge_memories",
    "purge_rows",
    "read_arguments",
    "recall_memories",
    "recorded",
    "redact",
    "redact_json",
    "redact_texts",
    "reembed",
    "source_deleted",
    "source_edited",
    "step",
    "subject",
    "transaction",
    "undo_change",
    "undo_changes",
    "validated",
    "view",
    "warm_up",
]
