"""Questions and answers: the `turns` table, which is also the history of threads."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Literal, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow

from bot.conversation.callbacks import Announce, Renew, announce_nothing, renew_nothing
from bot.conversation.history import put_off_record
from bot.conversation.inbox import (
    THREAD_SETTING,
    ClaimedMessage,
    ask_flags,
    ask_unanswered,
    finish,
    raise_if_changed,
)
from bot.conversation.interruptions import Interrupted, Superseded
from bot.slack.messages import Message
from bot.slack.text import typed
from bot.types import ConsentMode, MemoryState
from bot.users.incognito import is_on, scopes
from bot.users.quotas import Quotas
from bot.users.settings import ask_memory_state, memory_state_of, note_told, read_settings
from memory import (
    DM,
    PERSON_SETTING,
    Namespace,
    Person,
    PersonMessage,
    Pool,
    Redacted,
    Removed,
    View,
    credential_kinds,
    measured,
    query_first,
    query_forgotten,
    redact,
    redact_texts,
    transaction,
)

HISTORY_TURNS = 10
_WORDS_LIMIT = 8_000
_MAX_QUESTION = 300  # characters
_SENTENCES = re.compile(r"(?<=[.!?؟])\s+|(?<=[。！？])\s*|\n+")

Outcome: TypeAlias = Literal["answered", "failed", "stopped"]
Follow: TypeAlias = Callable[[AsyncConnection[DictRow], Person, UUID], Awaitable[None]]
Schedule: TypeAlias = Callable[[AsyncConnection[DictRow], Namespace], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An earlier question with its answer; `user_id` says who asked."""

    ts: str
    thread: str
    user_id: str
    question: str
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Earlier turns: `exchanges` in order, and the person's words that are not formed yet.

    `forgotten` are the timestamps of messages in this channel that the person had forgotten.
    `memories` are what `memory.recall_memories` looks at first.
    """

    exchanges: tuple[Exchange, ...]
    recent_words: tuple[str, ...]
    forgotten: frozenset[str] = frozenset()
    memories: Sequence[DictRow] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMetrics:
    """By which model an answer was made, and how long the person waited for all of it."""

    model: str
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A turn about to post. `reply_ts` names what an earlier attempt at it has posted already.

    `since` (seconds of the epoch) is when one was about to post what it then did not note, and
    `age` how many seconds ago that was. `memory_state` says what memory may do for it. `unchanged`:
    nobody had stopped, edited or deleted the message as this was read. `removed` are the
    credentials of the message, which are not stored; `words` is its typed text without them.
    """

    id: UUID
    memory_state: MemoryState
    reply_ts: tuple[str, ...] = ()
    since: float | None = None
    age: float = 0.0
    unchanged: bool = False
    removed: tuple[Removed, ...] = ()
    words: str = ""


class Turns:
    """Reads and writes of one turn; each is one transaction in the person's and thread's scope."""

    def __init__(
        self,
        pool: Pool,
        schedule_formation: Schedule,
        *,
        consent: ConsentMode = "notice",
        announce: Announce = announce_nothing,
        renew: Renew = renew_nothing,
        follow: Follow | None = None,
        shares: Quotas | None = None,
    ) -> None:
        self._pool = pool
        self._schedule_formation = schedule_formation
        self._consent = consent
        self._announce = announce
        self._renew = renew
        self._follow = follow
        self._shares = shares

    @measured("begin")
    async def begin(
        self,
        claimed: ClaimedMessage,
        view: View,
        *,
        question: str,
        words: str,
        bot_user_id: str,
        limited: bool = False,
    ) -> tuple[Intent, Context]:
        """Store that this message is about to be answered, and read what was said before it.

        History is the thread's (in a DM: the last day's across its threads). Recent words are the
        person's own that no formation has taken up: of turns the view may see, and of messages
        still waiting. Never those of other people. Where memory is off all of that is empty; what
        is not to be kept is not stored, and credentials never are. Raises `Superseded` when another
        worker answers it and, where it is `limited`, `bot.users.quotas.QuotaExceeded`: then nothing
        is stored.
        """
        message = claimed.message
        asked_in, typed_in = await redact_texts(question, words)
        words = typed_in.text
        async with transaction(self._pool, _scope(message)) as connection:
            # Asked together, answered together: the person waits for each round trip.
            async with connection.pipeline():
                asked = _Asked(
                    memory_state=await ask_memory_state(connection, message),
                    flags=await ask_flags(connection, claimed),
                    forgotten=await query_forgotten(connection, message.person, message.channel_id),
                    exchanges=await _ask_exchanges(connection, message, view),
                    unanswered=await ask_unanswered(connection, view, claimed),
                    unformed=await _ask_unformed_words(connection, message),
                    memories=await query_first(connection, view),
                    share=(
                        await self._shares.ask_messages(connection, claimed.id)
                        if limited and self._shares
                        else None
                    ),
                )
            if self._shares and asked.share:
                self._shares.raise_if_used_up(await asked.share.fetchone())
            [standing_row] = await asked.memory_state.fetchall()
            memory_state = memory_state_of(standing_row, self._consent)
            forgotten = frozenset(row["ts"] for row in await asked.forgotten.fetchall())
            if message.ts in forgotten:
                # Forgotten while it waited: it is answered, and not kept.
                asked_in, words = Redacted(text=""), ""
            intent = await _intend(
                connection, claimed, view, asked_in, words[:_WORDS_LIMIT], memory_state
            )
            intent = replace(
                intent,
                unchanged=_is_unchanged(await asked.flags.fetchone(), claimed),
                removed=tuple(dict.fromkeys([*asked_in.removed, *typed_in.removed])),
                words=typed_in.text,
            )
        if memory_state.off:
            return intent, Context(exchanges=(), recent_words=(), forgotten=forgotten)
        return intent, await _context(asked, view, bot_user_id, forgotten)

    async def reword(
        self, team_id: str, channel_id: str, ts: str, thread: str, *, question: str, words: str
    ) -> None:
        """Take over the edited (or, with nothing, the deleted) text of a message already asked.

        Memories that were not formed yet are formed from the new words; those that were follow.
        One that was forgotten stays so, whatever it is edited to. While memory is off new words are
        not kept; credentials never are.
        """
        asked_in, typed_in = await redact_texts(question, words)
        question, words = asked_in.text, typed_in.text[:_WORDS_LIMIT]
        async with transaction(self._pool, {THREAD_SETTING: thread}) as connection:
            changed = await connection.execute(
                "UPDATE turns SET question = %s, words = %s, left_out = %s WHERE team_id = %s"
                " AND channel_id = %s AND question_ts = %s"
                # Slack also says so when it adds a preview to a link.
                " AND (question <> '' OR words <> '') AND (question, words) <> (%s, %s)"
                " AND NOT off_record RETURNING id, user_id, formed_at IS NOT NULL AS formed",
                (
                    question,
                    words,
                    list(credential_kinds(asked_in.removed)),
                    team_id,
                    channel_id,
                    ts,
                    question,
                    words,
                ),
            )
            for row in await changed.fetchall():
                person = Person(team_id, row["user_id"])
                await connection.execute(
                    "SELECT set_config(%s, %s, true)", (PERSON_SETTING, person.scope)
                )
                off = (await read_settings(connection, person)).off_reason(self._consent)
                if off or await is_on(connection, person, scopes(channel_id, thread)):
                    await put_off_record(connection, row["id"])
                if row["formed"] and self._follow is not None:
                    await self._follow(connection, person, row["id"])

    @measured("end")
    async def end(
        self,
        claimed: ClaimedMessage,
        intent: Intent,
        view: View,
        outcome: Outcome,
        *,
        reply: str | None,
        recalled: Sequence[str] = (),
        asked: bool = False,
        learned: Sequence[UUID] = (),
        questions: Sequence[UUID] = (),
        note: str | None = None,
        made: ReplyMetrics | None = None,
    ) -> None:
        """End the turn, its message and, where there are words to remember, defer formation.

        `asked`: the person was asked to confirm a forgetting, so the words remove nothing.
        `learned` are changes of memories made while it was answered, `questions` what these left
        open: they are shown to the person. `note` is the key of a line below the reply. `made` says
        how the model made it, where it can be rated.

        All in one transaction: a turn has ended with all of this or has not ended. Raises
        `Interrupted` where the message was edited or deleted meanwhile: then it has not. Of the
        reply, too, no credential is stored: not one it repeats, nor any other.
        """
        [kept] = await redact_texts(reply or "", known=intent.removed)
        async with transaction(self._pool, _scope(claimed.message)) as connection:
            await finish(connection, claimed, "failed" if outcome == "failed" else "done")
            if intent.memory_state.needs_introduction or intent.memory_state.needs_consent_question:
                await note_told(connection, claimed.message.person)
            await connection.execute(
                "UPDATE turns SET status = %s, reply = CASE WHEN NOT off_record THEN %s END,"
                " recalled = %s, asked = %s, reply_note = %s, model = %s, latency_ms = %s,"
                " ended_at = now(), formed_at = CASE WHEN words = '' THEN now() ELSE formed_at END"
                " WHERE id = %s",
                (
                    outcome,
                    None if reply is None else kept.text,
                    list(recalled),
                    asked,
                    note,
                    made.model if made else None,
                    made.milliseconds if made else None,
                    intent.id,
                ),
            )
            await self._schedule_formation(connection, view.own)
            await self._announce(connection, view.person, intent.id, learned, questions)
            if intent.reply_ts:
                await self._renew(connection, view.person, intent.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The query results with which a turn begins."""

    memory_state: AsyncCursor[DictRow]
    flags: AsyncCursor[DictRow]
    forgotten: AsyncCursor[DictRow]
    exchanges: AsyncCursor[DictRow]
    unanswered: AsyncCursor[DictRow]
    unformed: AsyncCursor[DictRow]
    memories: AsyncCursor[DictRow]
    share: AsyncCursor[DictRow] | None


async def _context(
    asked: _Asked, view: View, bot_user_id: str, forgotten: frozenset[str]
) -> Context:
    exchanges = [Exchange(**row) for row in reversed(await asked.exchanges.fetchall())]
    recent = {
        row["ts"]: redact(typed(row["text"], bot_user_id)).text
        for row in await asked.unanswered.fetchall()
    }
    for row in await asked.unformed.fetchall():
        if view.allows(view.person.namespace(row["audience"])):
            recent[row["question_ts"]] = row["words"]
    shown = {exchange.ts for exchange in exchanges}
    return Context(
        exchanges=tuple(exchanges),
        recent_words=tuple(recent[ts] for ts in sorted(recent) if recent[ts] and ts not in shown),
        forgotten=forgotten,
        memories=await asked.memories.fetchall(),
    )


def _is_unchanged(flags: DictRow | None, claimed: ClaimedMessage) -> bool:
    try:
        raise_if_changed(flags, claimed)
    except Interrupted:
        return False
    return True


def _scope(message: Message) -> dict[str, str]:
    return {PERSON_SETTING: message.person.scope, THREAD_SETTING: message.thread}


async def _ask_exchanges(
    connection: AsyncConnection[DictRow], message: Message, view: View
) -> AsyncCursor[DictRow]:
    # People do not think in threads, and Slack opens one for every top-level direct message.
    place = (
        "(thread = %(thread)s OR (user_id = %(user)s AND ended_at > now() - interval '1 day'))"
        if view.own.audience == DM
        else "thread = %(thread)s"
    )
    return await connection.execute(
        "SELECT question_ts AS ts, thread, user_id, question, reply FROM turns"
        f" WHERE team_id = %(team)s AND channel_id = %(channel)s AND {place}"
        " AND status <> 'answering' AND question <> '' AND withheld_at IS NULL"
        " AND question_ts < %(ts)s"
        " ORDER BY question_ts DESC LIMIT %(limit)s",
        {
            "team": message.team_id,
            "channel": message.channel_id,
            "thread": message.thread,
            "user": message.user_id,
            "ts": message.ts,
            "limit": HISTORY_TURNS,
        },
    )


async def _intend(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    view: View,
    question: Redacted,
    words: str,
    memory_state: MemoryState,
) -> Intent:
    message = claimed.message
    stored = await connection.execute(
        "INSERT INTO turns (id, team_id, user_id, channel_id, thread, audience, question_ts,"
        " question, words, left_out, off_record, posting_since)"
        " SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, NULL"
        " WHERE NOT EXISTS (SELECT FROM inbox_events WHERE id = %s AND attempts <> %s)"
        " ON CONFLICT (team_id, channel_id, question_ts) DO UPDATE SET status = 'answering',"
        # One that is off the record stays so when it is begun again.
        " question = CASE WHEN turns.off_record THEN '' WHEN turns.withheld_at IS NOT NULL"
        " THEN turns.question ELSE excluded.question END,"
        " words = CASE WHEN turns.off_record THEN '' WHEN turns.withheld_at IS NOT NULL"
        " THEN turns.words ELSE excluded.words END,"
        " left_out = excluded.left_out,"
        " off_record = turns.off_record OR (excluded.off_record AND turns.withheld_at IS NULL)"
        " RETURNING id, reply_ts,"
        " extract(epoch FROM posting_since)::float8 AS since,"
        " extract(epoch FROM now() - posting_since)::float8 AS age",
        (
            uuid4(),
            message.team_id,
            message.user_id,
            message.channel_id,
            message.thread,
            view.own.audience,
            message.ts,
            question.text if memory_state.kept else "",
            words if memory_state.kept else "",
            list(credential_kinds(question.removed)) if memory_state.kept else [],
            not memory_state.kept,
            claimed.id,
            claimed.attempts + 1,
        ),
    )
    row = await stored.fetchone()
    if row is None:
        raise Superseded("Another worker answers the message now.")
    return Intent(
        id=row["id"],
        memory_state=memory_state,
        reply_ts=tuple(row["reply_ts"]),
        since=row["since"],
        age=row["age"] or 0.0,
    )


async def _ask_unformed_words(
    connection: AsyncConnection[DictRow], message: Message
) -> AsyncCursor[DictRow]:
    return await connection.execute(
        "SELECT question_ts, audience, words FROM turns WHERE team_id = %s AND user_id = %s"
        " AND formed_at IS NULL AND withheld_at IS NULL AND words <> '' AND question_ts < %s",
        (message.team_id, message.user_id, message.ts),
    )


async def unformed(
    connection: AsyncConnection[DictRow], namespace: Namespace, limit: int, *, zone: tzinfo = UTC
) -> tuple[list[UUID], list[PersonMessage]]:
    """Return the oldest ended turns whose words are not remembered yet, and those words.

    `zone` is the person's: "until Friday" is said where they are.
    """
    found = await connection.execute(
        "SELECT id, channel_id, question_ts, words, asked,"
        # What we had said before: in a direct message, in whichever of its threads.
        " (SELECT reply FROM turns earlier WHERE earlier.team_id = turns.team_id"
        " AND earlier.user_id = turns.user_id AND earlier.channel_id = turns.channel_id"
        " AND (earlier.thread = turns.thread OR turns.audience = %s)"
        " AND earlier.withheld_at IS NULL"
        " AND earlier.question_ts < turns.question_ts"
        " AND earlier.ended_at > turns.intended_at - interval '1 day'"
        " ORDER BY earlier.question_ts DESC LIMIT 1) AS before FROM turns"
        " WHERE team_id = %s AND user_id = %s AND audience = %s AND formed_at IS NULL"
        " AND ended_at IS NOT NULL AND withheld_at IS NULL AND words <> ''"
        " ORDER BY question_ts LIMIT %s",
        (DM, namespace.person.team_id, namespace.person.user_id, namespace.audience, limit),
    )
    rows = await found.fetchall()
    words = [
        PersonMessage(
            text=row["words"],
            channel=row["channel_id"],
            ts=row["question_ts"],
            asked=row["asked"],
            reply_to=final_question(row["before"] or ""),
            zone=zone,
        )
        for row in rows
    ]
    return [row["id"] for row in rows], words


def final_question(reply: str) -> str | None:
    """Return the last sentence of a reply if it ends with a question mark, else None."""
    sentences = [one for one in _SENTENCES.split(reply.strip().rstrip("*_~` ")) if one]
    if not sentences or not sentences[-1].endswith(("?", "？", "؟")):
        return None
    return sentences[-1][-_MAX_QUESTION:]


async def is_unformed(connection: AsyncConnection[DictRow], namespace: Namespace) -> bool:
    """Say whether there is an ended turn whose words are not remembered yet."""
    found = await connection.execute(
        "SELECT FROM turns WHERE team_id = %s AND user_id = %s AND audience = %s"
        " AND formed_at IS NULL AND ended_at IS NOT NULL AND withheld_at IS NULL AND words <> ''"
        " LIMIT 1",
        (namespace.person.team_id, namespace.person.user_id, namespace.audience),
    )
    return await found.fetchone() is not None


async def unformed_audiences(connection: AsyncConnection[DictRow], person: Person) -> list[str]:
    """Return the audiences in which something the person said is not remembered yet."""
    found = await connection.execute(
        "SELECT DISTINCT audience FROM turns WHERE team_id = %s AND user_id = %s"
        " AND formed_at IS NULL AND withheld_at IS NULL AND words <> ''",
        (person.team_id, person.user_id),
    )
    return [str(row["audience"]) for row in await found.fetchall()]


async def mark_formed(
    connection: AsyncConnection[DictRow], ids: Sequence[UUID], words: Sequence[PersonMessage]
) -> bool:
    """Note that these turns' words have been taken up.

    False where one has other words meanwhile: it was edited, deleted or forgotten.
    """
    marked = await connection.execute(
        "UPDATE turns SET formed_at = now()"
        " FROM unnest(%s::uuid[], %s::text[]) AS taken (id, words)"
        " WHERE turns.id = taken.id AND turns.words = taken.words AND turns.withheld_at IS NULL",
        (list(ids), [one.text for one in words]),
    )
    return marked.rowcount == len(ids)
