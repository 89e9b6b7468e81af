"""Records a reply's messages in PostgreSQL: those in Slack, and one that may be there."""

from __future__ import annotations

from typing import Literal, TypeAlias

from bot.conversation.inbox import ClaimedMessage
from bot.conversation.run import Superseded
from bot.slack.messages import THREAD_SETTING
from memory import Pool
from memory.metrics import step
from memory.postgres import execute_statement, load_statements

RecordStatement: TypeAlias = Literal["intend", "give_up_intent", "record", "remove"]
_SQL = load_statements("bot", "delivery")


@step("note")
async def record_reply(
    pool: Pool, claimed: ClaimedMessage, statement: RecordStatement, ts: str
) -> None:
    """Execute a statement of ``delivery.sql`` on a message's `posting_since` and `reply_ts`.

    `posting_since` is set before Slack is asked for a message, and cleared when its `ts` is added
    to `reply_ts`; `store_begin` sets it for the first one. Raises `Superseded` if another worker
    answers, and `psycopg.OperationalError`.
    """
    rows = await execute_statement(
        pool,
        _SQL[statement],
        {**claimed.run.ownership, "ts": ts},
        scope={THREAD_SETTING: claimed.message.thread},
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
