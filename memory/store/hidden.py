"""What row-level security hides from a transaction that does not ask for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from memory.postgres.database import PersonTransaction
from memory.postgres.statements import load_statements

_SQL = load_statements("memory", "statements")

UNDO_MINUTES = 10  # after that what was forgotten does not come back


@asynccontextmanager
async def seeing_states(transaction: PersonTransaction) -> AsyncIterator[None]:
    """Let the statements in this block see questions and what was not remembered."""
    await transaction.execute(_SQL["see_states"], {"shown": "shown"})
    yield
    await transaction.execute(_SQL["see_states"], {"shown": ""})


@asynccontextmanager
async def seeing_forgotten(
    transaction: PersonTransaction, *, many: bool = True
) -> AsyncIterator[None]:
    """Let the statements in this block see what is forgotten, perhaps many rows at once."""
    await transaction.execute(_SQL["see_forgotten"], {"shown": "shown", "many": many})
    yield
    await transaction.execute(_SQL["see_forgotten"], {"shown": "", "many": many})
