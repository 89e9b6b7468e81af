"""When a person was told why a message is not answered, so that they are told once."""

from __future__ import annotations

from memory import Person, Pool
from memory.postgres import PersonTransaction, load_statements, person_statement

_SQL = load_statements("bot.notices", "told")


async def may_tell(pool: Pool, person: Person, ts: str, since: float) -> bool:
    """Return whether to tell a person why their message `ts` is not answered; note that they are.

    They are told once, unless that was before `since`, in seconds since 1970, or they have been
    answered since. The same message always gets True again, because an earlier attempt at it may
    have failed before the sentence was sent.
    """
    values = {"ts": ts, "since": since}
    return bool(await person_statement(pool, person, _SQL["claim"], values))


async def may_tell_unread(pool: Pool, person: Person, ts: str) -> bool:
    """Return whether to tell, as `may_tell` does, that words could not be read: once a day."""
    statement = _SQL["claim_unread"]
    return bool(await person_statement(pool, person, statement, {"ts": ts}))


async def note_answered(
    transaction: PersonTransaction, *, deleted: str | None = None
) -> None:
    """Let the person be told again, in the caller's transaction.

    With `deleted` only if they were told below this message, by its ts, with which that is gone.
    """
    await transaction.execute(_SQL["end"], {"ts": deleted})
