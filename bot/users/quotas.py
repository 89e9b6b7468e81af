"""Quotas: a person's messages an hour, a workspace's model tokens a day, and what they cost."""

from __future__ import annotations

import asyncio
import logging
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal, LiteralString

from psycopg import OperationalError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.config import SettingsError
from bot.locale import Language, say
from bot.logs import fault
from bot.users.workspaces import AWAY
from memory import Person, Pool, TokenUse, count, execute_statement, measured, person_transaction

log = logging.getLogger(__name__)

_PACKAGED = Path(__file__).parent.parent / "prices.toml"
_BATCH_SECONDS = 1.0
_CLOSE_SECONDS = 2.0
# The API names the snapshot that answered, such as gpt-6-luna-2026-09-22.
_SNAPSHOT = re.compile(r"-\d{4}-?\d{2}-?\d{2}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustedQuota:
    """A quota that is used up: which sentence says so, of what `limit`, and for how long."""

    sentence: Literal["quota_messages", "quota_tokens"]
    limit: int
    seconds: float

    @property
    def count(self) -> int:
        """Whole minutes, of tokens whole hours, until the quota starts again; at least one."""
        unit = 60 if self.sentence == "quota_messages" else 3600
        return max(1, -(-int(self.seconds) // unit))

    def refusal(self, language: Language) -> str:
        """Return the sentence for a request, not a message, that was not carried out."""
        if self.sentence == "quota_messages":
            return say(language, "limit_requests", limit=self.limit, count=self.count)
        return say(language, "limit_tokens", count=self.count)


class _Price(BaseModel):
    """USD for a million tokens."""

    model_config = ConfigDict(extra="forbid")

    input: Decimal = Field(ge=0)
    cached: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)

    @property
    def cache_write(self) -> Decimal:
        """Price of input that OpenAI stores in its cache, since GPT-5.6.

        Source: https://platform.openai.com/docs/guides/prompt-caching
        """
        return self.input * Decimal("1.25")


class Prices(BaseModel):
    """Prices by model, as they were on a day."""

    model_config = ConfigDict(extra="forbid")

    as_of: date
    models: dict[str, _Price]

    def knows(self, model: str) -> bool:
        """Return whether the table has a price for this model or snapshot of a model."""
        return self._name(model) in self.models

    def cost(self, used: TokenUse) -> tuple[Decimal, int]:
        """Return the cost in USD, and the number of tokens of models without a price."""
        cost, unpriced = Decimal(0), 0
        for (model, kind), tokens in used.items():
            if self.knows(model):
                cost += tokens * Decimal(getattr(self.models[self._name(model)], kind)) / 1_000_000
            else:
                unpriced += tokens
        return cost, unpriced

    def _name(self, model: str) -> str:
        return model if model in self.models else _SNAPSHOT.sub("", model)


def read_prices(path: Path | None) -> Prices:
    """Return the prices of a TOML file; None: the packaged table. Raises `SettingsError`."""
    try:
        text = (path or _PACKAGED).read_text("utf-8")
        return Prices.model_validate(tomllib.loads(text, parse_float=Decimal))
    except (OSError, ValueError, ValidationError):
        raise SettingsError(
            f"KIOKU_PRICES: {path} is no table of prices: write one like bot/prices.toml."
        ) from None


class QuotaExceeded(Exception):
    """The message goes beyond its person's quota: they are told until when, and not answered."""

    def __init__(self, used_up: ExhaustedQuota) -> None:
        super().__init__("The message goes beyond its person's quota.")
        self.used_up = used_up

    def refusal(self, language: Language) -> str:
        """Return the sentence for a request, not a message, that was not carried out."""
        return self.used_up.refusal(language)


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
SECONDS_LEFT: LiteralString = (
    f"extract(epoch FROM date_trunc('hour', {_MOMENT}) + interval '1 hour' - now())::float8"
)
"""Seconds that are left of the hour of the message `event`."""
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
    "WITH admitted AS (INSERT INTO person_requests AS known (team_id, user_id, hour, requests)"
    " SELECT %(team)s, %(user)s, date_trunc('hour', now()), 1"
    f" WHERE {_WRITTEN} < %(limit)s ON CONFLICT (team_id, user_id, hour)"
    " DO UPDATE SET requests = known.requests + 1"
    f" WHERE known.requests + {_WRITTEN} < %(limit)s RETURNING 1)"
    " SELECT EXISTS (SELECT FROM admitted) AS admitted,"
    " extract(epoch FROM date_trunc('hour', now()) + interval '1 hour' - now())::float AS seconds"
)


@dataclass(slots=True)
class _Spent:
    """Calls of models that are not written yet, their tokens and their cost in US dollars."""

    calls: int = 0
    tokens: int = 0
    cost: Decimal = field(default_factory=Decimal)
    unpriced: int = 0


class Quotas:
    """Counted in PostgreSQL, for all replicas together; a limit of 0 is none.

    `messages_per_hour` is the limit of messages and requests of a person. Hours are those of the
    clock, days those of UTC. Messages are counted by their rows in
    ``inbox_events``, other requests that call a model in ``person_requests``, as are edits of
    answered messages; one hourly limit holds for both together. Model calls are written in batches,
    one after the other, each with all calls that ended meanwhile: otherwise each answer would wait
    for the row of its workspace. Without a limit of tokens a batch holds the calls of a second,
    which a process that is killed loses.
    """

    def __init__(
        self, pool: Pool, *, messages_per_hour: int, tokens_per_day: int, prices: Prices
    ) -> None:
        self._pool = pool
        self._prices = prices
        self.messages_per_hour = messages_per_hour
        self._tokens_per_day = tokens_per_day
        self._unwritten: dict[str, _Spent] = {}
        self._newest_batch: asyncio.Task[None] | None = None
        self._awaited = asyncio.Event()

    def raise_if_used_up(self, before: int, seconds: float) -> None:
        """Raise `QuotaExceeded` if the limit allows no more after `before` messages and requests.

        `seconds` is how long the hour still lasts.
        """
        limit = self.messages_per_hour
        if limit and before >= limit:
            raise QuotaExceeded(
                ExhaustedQuota(sentence="quota_messages", limit=limit, seconds=seconds)
            )

    @measured("quotas")
    async def admit(self, person: Person) -> None:
        """Count a request that makes the app call a model and is no message in the inbox.

        Call it right before the model is called. Raises `QuotaExceeded`; then the request is not
        counted and must not be carried out.
        """
        if used_up := await self.tokens_used_up(person.team_id):
            raise QuotaExceeded(used_up)
        if not (limit := self.messages_per_hour):
            return
        parameters = {**person.ids, "limit": limit}
        async with person_transaction(self._pool, person) as connection:
            found = await connection.execute(_ADMIT, parameters)
            [row] = await found.fetchall()
        if not row["admitted"]:
            self.raise_if_used_up(limit, row["seconds"])

    @measured("quotas")
    async def tokens_used_up(self, team_id: str) -> ExhaustedQuota | None:
        """Say whether the workspace has used up today's model tokens."""
        if not self._tokens_per_day:
            return None
        rows = await execute_statement(
            self._pool,
            "SELECT tokens, extract(epoch FROM (day + 1) - now() AT TIME ZONE 'utc')::float"
            " AS seconds FROM token_use"
            " WHERE team_id = %s AND day = (now() AT TIME ZONE 'utc')::date",
            (team_id,),
        )
        row = rows[0] if rows else None
        if row is None or row["tokens"] < self._tokens_per_day:
            return None
        return ExhaustedQuota(
            sentence="quota_tokens", limit=self._tokens_per_day, seconds=row["seconds"]
        )

    async def spend(self, team_id: str, used: TokenUse) -> None:
        """Count a call of a model for a workspace, the tokens it used and their cost.

        With a limit of tokens it returns once the batch with that call is written, or could not
        be; otherwise at once. Cancelling the caller does not cancel the batch.
        """
        for (model, kind), tokens in used.items():
            named = model if self._prices.knows(model) else "unpriced"
            count("model_tokens", tokens, team=team_id, model=named, kind=kind)
        cost, unpriced = self._prices.cost(used)
        count("model_cost_usd", float(cost), team=team_id)
        if not self._unwritten:  # the newest batch, if any, has been taken already
            batch = self._write_next(self._newest_batch)
            self._newest_batch = asyncio.create_task(batch, context=Context())
        spent = self._unwritten.setdefault(team_id, _Spent())
        spent.calls += 1
        spent.tokens += used.total()
        spent.cost += cost
        spent.unpriced += unpriced
        if self._tokens_per_day:
            await self.written()

    async def written(self) -> None:
        """Wait until what was spent so far is written, or could not be."""
        if self._newest_batch is not None:
            self._awaited.set()
            await asyncio.shield(self._newest_batch)

    async def close(self) -> None:
        """Wait for what `written` waits for, two seconds at most: PostgreSQL may be unavailable."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.written()

    async def _write_next(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])  # also if it failed
        if not self._tokens_per_day:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._awaited.wait(), _BATCH_SECONDS)
        self._awaited.clear()
        spent, self._unwritten = self._unwritten, {}
        await self._write(spent)

    @measured("quotas")
    async def _write(self, spent: Mapping[str, _Spent]) -> None:
        try:
            await execute_statement(
                self._pool,
                "INSERT INTO token_use AS known"
                " (team_id, day, tokens, calls, cost_usd, unpriced)"
                " SELECT team, (now() AT TIME ZONE 'utc')::date, tokens, calls, cost, unpriced"
                " FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::numeric[],"
                " %s::bigint[]) AS spent (team, tokens, calls, cost, unpriced)"
                # The purge of a workspace that has left does not see what is stored after it.
                " WHERE NOT EXISTS (SELECT FROM workspaces"
                f"  WHERE workspaces.team_id = spent.team AND {AWAY})"
                " ORDER BY team ON CONFLICT (team_id, day) DO UPDATE"
                " SET tokens = known.tokens + excluded.tokens,"
                " calls = known.calls + excluded.calls,"
                " cost_usd = known.cost_usd + excluded.cost_usd,"
                " unpriced = known.unpriced + excluded.unpriced",
                (
                    [*spent],
                    [one.tokens for one in spent.values()],
                    [one.calls for one in spent.values()],
                    [one.cost for one in spent.values()],
                    [one.unpriced for one in spent.values()],
                ),
                prepare=True,
            )
        except OperationalError as error:
            # An answer does not fail because its cost cannot be recorded.
            tokens = sum(one.tokens for one in spent.values())
            log.warning("%d tokens were not counted: %s", tokens, fault(error))
