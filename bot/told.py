"""What people were told, so that they are not told it again and again: the `told` table."""

from __future__ import annotations

from uuid import UUID

from memory import Person, Pool
from memory.postgres import PersonTransaction, load_statements, person_statement

_SQL = load_statements("bot", "told")

MODEL_AWAY = "model_away"
"""The name of an interim reply, for `claim_telling`."""


async def claim_telling(
    pool: Pool, person: Person, message_id: UUID, what: str, seconds: float
) -> bool:
    """Return whether to tell the person a sentence now; start its period of `seconds`.

    `what` names the sentence: its key, `MODEL_AWAY` for an interim reply, or an `AccessRefusal`
    followed by the conversation. Until the period ends only the same message gets True again,
    because an earlier attempt at it may have failed before the sentence was sent.
    """
    values = {"kind": what, "message": message_id, "seconds": seconds}
    return bool(await person_statement(pool, person, _SQL["claim"], values))


async def end_interim_period(
    transaction: PersonTransaction, *, below: UUID | None = None
) -> None:
    """End the period of the person's interim reply, in the caller's transaction.

    With `below` it ends only if that reply is below this message, with which it was deleted.
    """
    values = {"kind": MODEL_AWAY, "message": below}
    await transaction.execute(_SQL["end"], values)
