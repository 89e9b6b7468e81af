"""Records a reply's messages in PostgreSQL: those in Slack, and one that may be there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal, TypeAlias
from uuid import UUID

from bot.cancellation import Superseded
from bot.conversation.inbox import ClaimedMessage
from bot.slack.client import TeamClient
from bot.slack.messages import THREAD_SETTING, split_thread_key
from bot.slack.posting import messages_since, with_metadata
from memory import Pool
from memory.metrics import step
from memory.model import Json
from memory.postgres import execute_statement, load_statements

RecordStatement: TypeAlias = Literal["intend", "give_up_intent", "record", "remove"]
_SQL = load_statements("bot.delivery", "delivery")
_TURN_EVENT = "kioku_turn"


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


def turn_metadata(turn_id: UUID, **payload: str) -> dict[str, Any]:
    """Return the metadata of a reply's message. Every member of the workspace can read it."""
    return {
        "event_type": _TURN_EVENT,
        "event_payload": {"turn": str(turn_id), **payload},
    }


async def unrecorded_messages(
    pool: Pool, client: TeamClient, thread: str, *, turn_id: UUID, ts: str, since: float
) -> list[str]:
    """Return the ts of a turn's messages that are in its thread but not recorded.

    `ts` is that of the message that is answered. `since` is when Slack was asked for a message
    (seconds since 1970); until that call is certainly over, this waits. Raises what the Slack
    client raises if the thread may be read later, and `psycopg.OperationalError`.
    """
    _, channel_id, thread_ts = split_thread_key(thread)
    found = await messages_since(client, channel_id, since, thread_ts=thread_ts)
    rows = await execute_statement(
        pool,
        _SQL["recorded_in_thread"],
        {"thread": thread},
        scope={THREAD_SETTING: thread},
    )
    return messages_of_turn(
        # Slack includes the thread's first message, however old it is.
        [one for one in found if _time(one) > float(ts)],
        bot_user_id=client.bot_user_id(),
        turn_id=turn_id,
        since=since,
        recorded=[row["ts"] for row in rows],
    )


def messages_of_turn(
    found: Iterable[Json],
    *,
    bot_user_id: str,
    turn_id: UUID,
    since: float,
    recorded: Collection[str],
) -> list[str]:
    """Return the ts of the turn's messages among those `found` in its thread, in order.

    They are the app's unrecorded messages with the turn's metadata. If there are none, it is the
    one without metadata nearest to `since`, when it was asked for: a stream gets its metadata only
    when it ends.
    """
    unrecorded = [one for one in found if one["ts"] not in recorded]
    marked = with_metadata(unrecorded, turn_metadata(turn_id), author=bot_user_id)
    if marked:
        return marked
    own = [one for one in unrecorded if one.get("user") == bot_user_id]
    bare = [one for one in own if not one.get("metadata")]
    if not bare:
        return []
    nearest = min(bare, key=lambda one: abs(_time(one) - since))
    return [nearest["ts"]]


def _time(message: Json) -> float:
    return float(message["ts"])
