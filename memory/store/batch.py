# TEMPORARY
from contextvars import ContextVar
from uuid import UUID

BATCH: ContextVar[UUID | None] = ContextVar("batch", default=None)
