"""The messages of a turn's reply: recorded before and after posting, found after a crash."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, LiteralString
from uuid import UUID

from slack_sdk.web.async_client import AsyncWebClient

from bot.conversation.claimed_message import STILL_OURS, THREAD_SETTING, superseded
from bot.conversation.turns import Turn
from memory import Pool
from memory.metrics import step
from memory.postgres import execute_statement

_TURN_EVENT = "kioku_turn"
# How far this clock and Slack's may differ; Slack's signatures allow as much.
_CLOCKS_DIFFER_SECONDS = 300.0


def turn_metadata(turn_id: UUID, part: int) -> dict[str, Any]:
    """Return what a reply's message carries. Every member of the workspace can read it."""
    return {"event_type": _TURN_EVENT, "event_payload": {"turn": str(turn_id), "part": part}}


def messages_of_turn(
    found: Iterable[Mapping[str, Any]],
    *,
    bot_user_id: str,
    turn_id: UUID,
    since: float,
    recorded: Collection[str],
) -> list[str]:
    """Return the times of the messages in a thread that are the turn's, in order.

    These are the app's own messages with the turn's metadata that no turn has `recorded`. If there
    are none, it is the message without metadata that is nearest to `since`, when it was intended: a
    stream gets its metadata only as it ends.
    """
    marked: list[str] = []
    bare: list[str] = []
    for message in found:
        ts = str(message.get("ts"))
        if message.get("user") != bot_user_id or ts in recorded:
            continue
        metadata = message.get("metadata") or {}
        payload = metadata.get("event_payload") or {}
        if metadata.get("event_type") == _TURN_EVENT and payload.get("turn") == str(turn_id):
            marked.append(ts)
        elif not metadata and float(ts) > since - _CLOCKS_DIFFER_SECONDS:
            bare.append(ts)
    if marked or not bare:
        return sorted(marked)
    return [min(bare, key=lambda ts: abs(float(ts) - since))]


@step("slack replies")
async def replies_after(
    client: AsyncWebClient, channel: str, thread_ts: str, ts: str
) -> list[dict[str, Any]]:
    """Return the messages of a thread that are newer than `ts`, with metadata: the first 200.

    Raises what the Slack client raises.
    """
    answer = await client.conversations_replies(
        channel=channel, ts=thread_ts, oldest=ts, include_all_metadata=True, limit=200
    )
    # Slack sends the thread's first message along, however old it is.
    found = answer.get("messages") or []
    return [one for one in found if float(one.get("ts") or 0) > float(ts)]


class Outbox:
    """The messages of one turn, as its row in `messages` records them.

    `times` are the timestamps stored, in order. `intended`: the row says that a message may be in
    the thread whose timestamp is not stored; `Turns.begin` stores so for the first one. `asked_at`
    (monotonic) is when Slack was asked for such a message, by this attempt or one that died, and
    None where it is known that there is none.
    """

    def __init__(self, pool: Pool, turn: Turn) -> None:
        self._pool = pool
        self._ownership = turn.claimed.ownership
        self.turn_id = turn.id
        self._thread = turn.message.thread
        self.times = turn.reply_ts
        self.intended = True
        self.asked_at = None if turn.asked is None else time.monotonic() - turn.asked

    @property
    def since(self) -> float:
        """When Slack was asked, in seconds of the epoch."""
        return time.time() - (time.monotonic() - (self.asked_at or 0.0))

    @step("intend")
    async def record_intent(self) -> None:
        """Record that a message is about to be posted, before Slack is called.

        Raises `Superseded` when another worker answers, `psycopg.OperationalError` when the
        database is unavailable.
        """
        if not self.intended:
            await self._update("posting_since = now()")
            self.intended = True

    async def cancel_intent(self) -> None:
        """Clear the intent if nothing was posted. Raises as `record_intent` does."""
        if self.intended and self.asked_at is None:
            await self._update("posting_since = NULL")

    @step("note")
    async def record_posted(self, ts: str) -> None:
        """Store the ts of a posted message, and clear the intent.

        Raises `Superseded` when another worker answers.
        """
        await self._update(
            "posting_since = NULL, reply_ts = CASE WHEN %s = ANY(reply_ts)"
            " THEN reply_ts ELSE array_append(reply_ts, %s) END",
            ts,
            ts,
        )
        self.intended, self.asked_at = False, None

    async def record_deleted(self, ts: str) -> None:
        """Remove a message that was deleted from the row. Raises as `record_posted` does."""
        await self._update("reply_ts = array_remove(reply_ts, %s)", ts)

    async def _update(self, change: LiteralString, *values: str) -> None:
        rows = await execute_statement(
            self._pool,
            f"UPDATE messages SET {change} WHERE {STILL_OURS} RETURNING id",
            (*values, *self._ownership),
            scope={THREAD_SETTING: self._thread},
            prepare=True,
        )
        if not rows:
            raise superseded()

    async def recorded_replies(self) -> frozenset[str]:
        """Return the times of the messages that turns of the thread have recorded as theirs."""
        found = await execute_statement(
            self._pool,
            "SELECT DISTINCT unnest(reply_ts) AS ts FROM messages WHERE thread = %s",
            (self._thread,),
            scope={THREAD_SETTING: self._thread},
        )
        return frozenset(row["ts"] for row in found)
