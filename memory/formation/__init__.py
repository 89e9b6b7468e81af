"""Formation of memories from what a person typed: extraction, evidence, verdict, commit."""

from memory.formation.chat_model import (
    MODEL_TIMEOUT as MODEL_TIMEOUT,
    TokenUse as TokenUse,
    token_use as token_use,
)
from memory.formation.evidence import OMITTED as OMITTED, TypedMessage as TypedMessage
from memory.formation.extract import (
    calls_memory_tools as calls_memory_tools,
    extract_writes as extract_writes,
)
from memory.formation.formation_model import FormationModel as FormationModel
from memory.formation.kept import judge_kept as judge_kept
from memory.formation.proposal import VerdictReason as VerdictReason
from memory.formation.unsaid import (
    still_quoted as still_quoted,
    take_back as take_back,
    undo_message as undo_message,
)
