"""The messages of a turn's reply: recorded before and after posting, found after a crash."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from psycopg import OperationalError
from slack_sdk.web.async_client import AsyncWebClient

from bot.conversation.claimed_message import STILL_OURS, superseded
from bot.conversation.inbox import THREAD_SETTING
from bot.conversation.turns import Turn
from bot.slack.client import next_cursor
from memory import Pool
from memory.metrics import step
from memory.postgres import execute_statement

_TURN_EVENT = "kioku_turn"
# How far this clock and Slack's may differ; Slack's signatures allow as much.
_CLOCKS_DIFFER_SECONDS = 300.0
_NOTE_ATTEMPTS = 3
_PAGES = 5


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
    """Return the messages of a thread that are newer than `ts`, with metadata: 1,000 at most.

    Raises what the Slack client raises.
    """
    found: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    for _ in range(_PAGES):
        answer = await client.conversations_replies(
            channel=channel,
            ts=thread_ts,
            oldest=ts,
            include_all_metadata=True,
            limit=200,
            **more,
        )
        found += answer.get("messages") or []
        cursor = next_cursor(answer)
        if not cursor:
            break
        more = {"cursor": cursor}
    # Slack sends the thread's first message along, however old it is.
    return [one for one in found if float(one.get("ts") or 0) > float(ts)]


class Outbox:
    """The messages of one turn, as its row in `messages` records them.

    `times` are the timestamps stored, in order. `unknown`: one more message may be in the thread,
    because a worker died, or a call was lost, before its timestamp was stored. `since` (seconds of
    the epoch) is when Slack was asked to post it, and `age` how many seconds before this attempt:
    `PostedMessages.delete_replaced` waits until Slack must have carried out the call. It is
    infinite if this attempt asked, and 0.0 if it cancelled that call.
    """

    def __init__(self, pool: Pool, turn: Turn) -> None:
        self._pool = pool
        self._ownership = turn.claimed.ownership
        self.turn_id = turn.id
        self._thread = turn.message.thread
        self._scope = {THREAD_SETTING: self._thread}
        self.times = turn.reply_ts
        self.unknown = turn.since is not None
        self.since = turn.since or 0.0
        self.age = math.inf if turn.since is None else turn.age

    @step("intend")
    async def record_intent(self) -> None:
        """Record that a message is about to be posted, before Slack is called.

        Raises `Superseded` when another worker answers, `psycopg.OperationalError` when the
        database is unavailable.
        """
        rows = await execute_statement(
            self._pool,
            f"UPDATE messages SET posting_since = now() WHERE {STILL_OURS}"
            " RETURNING extract(epoch FROM posting_since)::float8 AS since",
            self._ownership,
            scope=self._scope,
            prepare=True,
        )
        if not rows:
            raise superseded()
        [row] = rows
        self.since, self.age = row["since"], math.inf

    @step("note")
    async def record_posted(self, ts: str) -> None:
        """Store the ts of a posted message, and clear the intent.

        Raises `Superseded` when another worker answers.
        """
        for _ in range(_NOTE_ATTEMPTS - 1):
            try:
                return await self._note(ts)
            except OperationalError:
                continue
        return await self._note(ts)

    async def _note(self, ts: str) -> None:
        noted = await execute_statement(
            self._pool,
            "UPDATE messages SET posting_since = NULL, reply_ts = CASE WHEN %s = ANY(reply_ts)"
            " THEN reply_ts ELSE array_append(reply_ts, %s) END"
            f" WHERE {STILL_OURS} RETURNING id",
            (ts, ts, *self._ownership),
            scope=self._scope,
            prepare=True,
        )
        if not noted:
            raise superseded()
        self.unknown = False

    async def record_deleted(self, ts: str) -> None:
        """Remove a message that was deleted from the row."""
        await execute_statement(
            self._pool,
            "UPDATE messages SET reply_ts = array_remove(reply_ts, %s) WHERE id = %s",
            (ts, self.turn_id),
            scope=self._scope,
        )

    async def cancel_intent(self) -> None:
        """Clear the intent: nothing was posted."""
        await execute_statement(
            self._pool,
            f"UPDATE messages SET posting_since = NULL WHERE {STILL_OURS}",
            self._ownership,
            scope=self._scope,
        )

    async def recorded_replies(self) -> frozenset[str]:
        """Return the times of the messages that turns of the thread have recorded as theirs."""
        found = await execute_statement(
            self._pool,
            "SELECT DISTINCT unnest(reply_ts) AS ts FROM messages WHERE thread = %s",
            (self._thread,),
            scope=self._scope,
        )
        return frozenset(row["ts"] for row in found)
