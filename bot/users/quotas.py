"""A person's messages an hour, and the tokens that models used."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import LiteralString

from bot.locale import Language, say
from memory import Person, Pool, TokenUse, count, person_transaction, step


class QuotaExceeded(Exception):
    """The person has used up `limit` messages and requests of this hour."""

    def __init__(self, limit: int) -> None:
        super().__init__("A person's messages of this hour are used up.")
        self.limit = limit
        self.seconds = 3600 - time.time() % 3600

    @property
    def minutes(self) -> int:
        """Whole minutes until the next hour of the clock; at least one."""
        return max(1, -(-int(self.seconds) // 60))

    def refusal(self, language: Language) -> str:
        """Return the sentence for a request, not a message, that was not carried out."""
        return say(language, "limit_requests", limit=self.limit, count=self.minutes)


_MOMENT: LiteralString = "COALESCE(event.reopened_at, event.received_at)"
BEFORE: LiteralString = (
    "(SELECT count(*) FROM inbox_events other"
    " WHERE other.team_id = event.team_id AND other.user_id = event.user_id"
    f" AND other.received_at >= date_trunc('hour', {_MOMENT}) AND other.received_at <= {_MOMENT}"
    " AND (other.id < event.id OR event.reopened_at IS NOT NULL))"
    " + (SELECT COALESCE(sum(requests), 0) FROM person_requests counted"
    " WHERE counted.team_id = event.team_id AND counted.user_id = event.user_id"
    f" AND counted.hour = date_trunc('hour', {_MOMENT}))"
    # Of these requests, one that is answered again is the last.
    " - (event.reopened_at IS NOT NULL)::int"
)
"""Number of messages and requests of a person in the hour of the message `event`, before it.

A message that is answered again, because it was edited, belongs to the hour of the edit.
"""
COUNT_REQUEST: LiteralString = (
    "INSERT INTO person_requests AS known (team_id, user_id, hour, requests)"
    " VALUES (%(team)s, %(user)s, date_trunc('hour', now()), 1)"
    " ON CONFLICT (team_id, user_id, hour) DO UPDATE SET requests = known.requests + 1"
)
"""Counts a request of a person in this hour, in their scope."""
_WRITTEN: LiteralString = (
    "(SELECT count(*) FROM inbox_events WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND received_at >= date_trunc('hour', now()))"
)
# Checks and counts in one statement: of two at once, the second waits for the row of the first.
_ADMIT: LiteralString = (
    "INSERT INTO person_requests AS known (team_id, user_id, hour, requests)"
    " SELECT %(team)s, %(user)s, date_trunc('hour', now()), 1"
    f" WHERE {_WRITTEN} < %(limit)s ON CONFLICT (team_id, user_id, hour)"
    " DO UPDATE SET requests = known.requests + 1"
    f" WHERE known.requests + {_WRITTEN} < %(limit)s RETURNING 1"
)


@dataclass(frozen=True, slots=True)
class Quotas:
    """Counted in PostgreSQL, for all replicas together; a limit of 0 is none.

    `limit` is that of the messages and requests of a person in an hour of the clock. Messages are
    counted by their rows in ``inbox_events``, other requests that call a model, and edits of
    answered messages, in ``person_requests``.
    """

    pool: Pool
    limit: int

    def check(self, before: int) -> None:
        """Raise `QuotaExceeded` if no message is allowed after `before` messages and requests."""
        if self.limit and before >= self.limit:
            raise QuotaExceeded(self.limit)

    @step("quotas")
    async def admit(self, person: Person) -> None:
        """Count a request that makes the app call a model and is no message in the inbox.

        Call it right before the model is called. Raises `QuotaExceeded`; then the request is not
        counted and must not be carried out.
        """
        if not self.limit:
            return
        async with person_transaction(self.pool, person) as connection:
            admitted = await connection.execute(_ADMIT, {**person.ids, "limit": self.limit})
            if not admitted.rowcount:
                raise QuotaExceeded(self.limit)


def count_tokens(team_id: str, used: TokenUse) -> None:
    """Add a call of a model for a workspace to the metric ``kioku_model_tokens_total``."""
    for (model, kind), tokens in used.items():
        count("model_tokens", tokens, team=team_id, model=model, kind=kind)
