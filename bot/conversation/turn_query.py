"""Input of a turn, in one statement: settings, history, memories and quota."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.claimed_message import ClaimedMessage, Interrupted, raise_if_changed
from bot.slack.text import typed
from bot.types import ConsentMode, MemoryState
from bot.users.prompt_versions import ACTIVE_STYLE
from bot.users.quotas import BEFORE, SECONDS_LEFT
from bot.users.settings import (
    MEMORY_STATE,
    OFF_RECORD,
    memory_state_of,
    memory_state_parameters,
)
from memory import DM, MemoryView, first_memories, redact

HISTORY_TURNS = 10

_THREAD: LiteralString = "thread = %(thread)s"
# People do not think in threads, and Slack opens one for every top-level direct message.
_THREAD_OR_DAY: LiteralString = (
    "(thread = %(thread)s OR (user_id = %(user)s AND ended_at > now() - interval '1 day'))"
)
_EXCHANGES: LiteralString = (
    "SELECT question_ts AS ts, thread, user_id, question, reply FROM turns"
    " WHERE team_id = %(team)s AND channel_id = %(channel)s"
    " AND status <> 'answering' AND question <> '' AND withheld_at IS NULL"
    " AND question_ts < %(ts)s"
)
# The person's earlier messages that still wait to be answered.
_WAITING: LiteralString = (
    "SELECT ts, message->>'text' AS text FROM inbox_events e"
    " WHERE team_id = %(team)s AND user_id = %(user)s AND status = 'waiting' AND ts < %(ts)s"
    " AND (channel_id = %(channel)s OR (%(in_dm)s AND audience = %(dm)s))"
    f" AND NOT ({OFF_RECORD})"
)
_UNFORMED: LiteralString = (
    "SELECT question_ts AS ts, audience, words FROM turns"
    " WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND formed_at IS NULL AND withheld_at IS NULL AND words <> '' AND question_ts < %(ts)s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An earlier question with its answer; `user_id` says who asked."""

    ts: str
    thread: str
    user_id: str
    question: str
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnContext:
    """Earlier turns: `exchanges` in order, and the person's words that are not formed yet.

    `forgotten` are the timestamps of messages in this channel that the person had forgotten.
    `memories` are what `memory.recall_memories` reads first. `style` is the workspace's own text of
    that section of the prompt, if an admin approved one.
    """

    exchanges: tuple[Exchange, ...]
    recent_words: tuple[str, ...]
    forgotten: frozenset[str] = frozenset()
    memories: Sequence[Mapping[str, Any]] = ()
    style: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStart:
    """The result of `read_turn_start`.

    `unchanged`: nobody had stopped, edited or deleted the message. `requests_before` is what its
    person wrote and asked for before it in its hour (0 without a limit); `seconds_left` is how long
    that hour still lasts.
    """

    memory_state: MemoryState
    unchanged: bool
    requests_before: int
    seconds_left: float
    context: TurnContext


async def read_turn_start(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    view: MemoryView,
    *,
    bot_user_id: str,
    consent: ConsentMode,
    count_requests: bool,
) -> TurnStart:
    """Read what a turn needs, in a transaction with the person's and the thread's scope.

    Exchanges are the thread's (in a direct message also the last day's across its threads). Recent
    words are the person's own that no formation has taken up: of turns that `view` may see, and of
    messages that still wait. Where memory is off there is neither, and there are no memories.
    """
    message, in_dm = claimed.message, view.own.audience == DM
    memories, memories_parameters = first_memories(view)
    exchanges = f"{_EXCHANGES} AND {_THREAD_OR_DAY if in_dm else _THREAD}"
    found = await connection.execute(
        "SELECT state.*, event.attempts, event.status, event.revision, event.interrupted,"
        " ARRAY(SELECT ts FROM forgotten_sources WHERE team_id = %(team)s AND user_id = %(user)s"
        "  AND channel = %(channel)s) AS forgotten,"
        f" (SELECT json_agg(one) FROM ({exchanges} ORDER BY question_ts DESC"
        f"  LIMIT {HISTORY_TURNS}) one) AS exchanges,"
        f" (SELECT json_agg(one) FROM ({_WAITING}) one) AS waiting,"
        f" (SELECT json_agg(one) FROM ({_UNFORMED}) one) AS unformed,"
        f" {memories} AS memories, {ACTIVE_STYLE} AS style,"
        f" CASE WHEN %(count_requests)s THEN {BEFORE} ELSE 0 END AS requests_before,"
        f" {SECONDS_LEFT} AS seconds_left"
        f" FROM ({MEMORY_STATE}) state LEFT JOIN inbox_events event ON event.id = %(event)s",
        {
            **memory_state_parameters(message),
            **memories_parameters,
            "thread": message.thread,
            "event": claimed.id,
            "in_dm": in_dm,
            "dm": DM,
            "count_requests": count_requests,
        },
    )
    [row] = await found.fetchall()
    memory_state = memory_state_of(row, consent)
    return TurnStart(
        memory_state=memory_state,
        unchanged=_is_unchanged(row, claimed),
        requests_before=int(row["requests_before"]),
        seconds_left=row["seconds_left"] or 0.0,
        context=_context(row, view, bot_user_id, off=memory_state.off is not None),
    )


def _is_unchanged(row: DictRow, claimed: ClaimedMessage) -> bool:
    try:
        raise_if_changed(row if row["attempts"] is not None else None, claimed)
    except Interrupted:
        return False
    return True


def _context(row: DictRow, view: MemoryView, bot_user_id: str, *, off: bool) -> TurnContext:
    forgotten = frozenset(row["forgotten"])
    if off:
        return TurnContext(exchanges=(), recent_words=(), forgotten=forgotten, style=row["style"])
    exchanges = tuple(Exchange(**one) for one in reversed(row["exchanges"] or []))
    recent = {
        one["ts"]: redact(typed(one["text"], bot_user_id)).text for one in row["waiting"] or []
    }
    for one in row["unformed"] or []:
        if view.allows(view.person.namespace(one["audience"])):
            recent[one["ts"]] = one["words"]
    shown = {exchange.ts for exchange in exchanges}
    return TurnContext(
        exchanges=exchanges,
        recent_words=tuple(recent[ts] for ts in sorted(recent) if recent[ts] and ts not in shown),
        forgotten=forgotten,
        memories=row["memories"] or [],
        style=row["style"],
    )
