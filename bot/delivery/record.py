"""Records a reply's messages in PostgreSQL: those in Slack, and one that may be there."""

from __future__ import annotations

from bot.conversation.inbox import ClaimedMessage
from bot.conversation.run import Superseded
from bot.slack.messages import THREAD_SETTING
from memory import Pool
from memory.metrics import step
from memory.postgres import execute_statement, load_statements

_SQL = load_statements("bot", "delivery")


class ReplyRecord:
    """The columns `posting_since` and `reply_ts` of a message's row.

    `posting_since` is set before Slack is asked for a message, and cleared when its ts is added to
    `reply_ts`; `store_begin` sets it for the first one. The methods that write raise `Superseded`
    if another worker answers, and all may raise `psycopg.OperationalError`.
    """

    def __init__(self, pool: Pool, claimed: ClaimedMessage) -> None:
        self._pool = pool
        self._claimed = claimed
        self._scope = {THREAD_SETTING: claimed.message.thread}

    async def intend(self) -> None:
        """Store that a message is about to be posted."""
        await self._write("intend")

    async def give_up_intent(self) -> None:
        """Store that the intended message was never posted."""
        await self._write("give_up_intent")

    async def add(self, ts: str) -> None:
        """Store the ts of the message that was intended."""
        await self._write("record", ts=ts)

    async def remove(self, ts: str) -> None:
        """Store that a message is not in Slack any more."""
        await self._write("remove", ts=ts)

    @step("note")
    async def _write(self, statement: str, **values: str) -> None:
        ownership = self._claimed.run.ownership
        rows = await execute_statement(
            self._pool,
            _SQL[statement],
            {**ownership, **values},
            scope=self._scope,
            prepare=True,
        )
        if not rows:
            raise Superseded


async def recorded_in_thread(pool: Pool, thread: str) -> set[str]:
    """Return the ts of all recorded messages of a thread; may raise `psycopg.OperationalError`."""
    scope = {THREAD_SETTING: thread}
    statement = _SQL["recorded_in_thread"]
    rows = await execute_statement(pool, statement, {"thread": thread}, scope=scope)
    return {row["ts"] for row in rows}
