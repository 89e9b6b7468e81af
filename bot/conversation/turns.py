"""Questions and answers: the `turns` table, which is also the history of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.callbacks import (
    AddNotice,
    RepeatNotice,
    ScheduleFormation,
    ScheduleSourceUpdate,
)
from bot.conversation.claimed_message import STILL_OURS, ClaimedMessage, finish, superseded
from bot.conversation.history import put_off_record
from bot.conversation.inbox import THREAD_SETTING
from bot.conversation.turn_query import TurnContext, read_turn_start
from bot.slack.messages import Message, scopes
from bot.types import ConsentMode, MemoryState
from bot.users.incognito import is_on
from bot.users.quotas import Quotas
from bot.users.settings import note_informed, read_settings
from memory import (
    PERSON_SETTING,
    MemoryView,
    Person,
    Pool,
    Redacted,
    Removed,
    count,
    credential_kinds,
    measured,
    redact_texts,
    transaction,
)

_WORDS_LIMIT = 8_000

Outcome: TypeAlias = Literal["answered", "failed", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMetrics:
    """The model of an answer, and the milliseconds until it was complete."""

    model: str
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """The stored row of a turn whose reply is about to be posted.

    An earlier attempt may have posted parts of the reply: `reply_ts` are the timestamps that it
    stored. If it died between asking Slack to post a message and storing its timestamp, `since`
    (seconds of the epoch) is when it asked, and `age` how many seconds ago; the message is then
    looked for in Slack. `memory_state`: whether memory may be read and written. `unchanged`: the
    message had not been stopped, edited or deleted when the row was stored. `removed` are the
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


@dataclass(frozen=True, slots=True)
class Turns:
    """Reads and writes of one turn; each is one transaction in the person's and thread's scope."""

    pool: Pool
    _: KW_ONLY
    schedule_formation: ScheduleFormation
    consent: ConsentMode
    add_notice: AddNotice
    repeat_notice: RepeatNotice
    schedule_source_update: ScheduleSourceUpdate
    quotas: Quotas

    @measured("begin")
    async def begin(
        self,
        claimed: ClaimedMessage,
        view: MemoryView,
        *,
        question: str,
        words: str,
        bot_user_id: str,
        limited: bool = False,
    ) -> tuple[TurnRow, TurnContext]:
        """Store the turn of a message that is about to be answered; read its context.

        `read_turn_start` says what the context holds. What is not to be kept is not stored, and
        credentials never are. Raises `Superseded` when another worker answers the message and, if
        it is `limited`, `bot.users.quotas.QuotaExceeded`: then nothing is stored.
        """
        message = claimed.message
        redacted_question, redacted_words = await redact_texts(question, words)
        async with transaction(self.pool, _scope(message)) as connection:
            start = await read_turn_start(
                connection,
                claimed,
                view,
                bot_user_id=bot_user_id,
                consent=self.consent,
                count_requests=limited and self.quotas.messages_per_hour > 0,
            )
            if limited:
                self.quotas.raise_if_used_up(start.requests_before, start.seconds_left)
            # Forgotten while it waited: it is answered, and not kept.
            forgotten = message.ts in start.context.forgotten
            turn = await _insert(
                connection,
                claimed,
                view,
                Redacted(text="") if forgotten else redacted_question,
                "" if forgotten else redacted_words.text[:_WORDS_LIMIT],
                kept=start.memory_state.on_record,
            )
        turn_row = TurnRow(
            id=turn["id"],
            memory_state=start.memory_state,
            reply_ts=tuple(turn["reply_ts"]),
            since=turn["since"],
            age=turn["age"] or 0.0,
            unchanged=start.unchanged,
            removed=tuple(dict.fromkeys([*redacted_question.removed, *redacted_words.removed])),
            words=redacted_words.text,
        )
        return turn_row, start.context

    async def reword(
        self, team_id: str, channel_id: str, ts: str, thread: str, *, question: str, words: str
    ) -> None:
        """Store the edited text of an answered message; an empty text means it was deleted.

        Memories that were not formed yet are formed from the new words; those that were follow.
        One that was forgotten stays so, whatever it is edited to. While memory is off new words are
        not kept; credentials never are.
        """
        redacted_question, redacted_words = await redact_texts(question, words)
        question, words = redacted_question.text, redacted_words.text[:_WORDS_LIMIT]
        async with transaction(self.pool, {THREAD_SETTING: thread}) as connection:
            changed = await connection.execute(
                "UPDATE turns SET question = %s, words = %s, left_out = %s WHERE team_id = %s"
                " AND channel_id = %s AND question_ts = %s"
                # Slack also says so when it adds a preview to a link.
                " AND (question <> '' OR words <> '') AND (question, words) <> (%s, %s)"
                " AND NOT off_record RETURNING id, user_id, formed_at IS NOT NULL AS formed",
                (
                    question,
                    words,
                    list(credential_kinds(redacted_question.removed)),
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
                off = (await read_settings(connection, person)).off_reason(self.consent)
                if off or await is_on(connection, person, scopes(channel_id, thread)):
                    await put_off_record(connection, row["id"])
                if row["formed"]:
                    await self.schedule_source_update(connection, person, row["id"])

    @measured("end")
    async def end(
        self,
        claimed: ClaimedMessage,
        turn_row: TurnRow,
        view: MemoryView,
        outcome: Outcome,
        *,
        reply: str | None,
        recalled: Sequence[str] = (),
        removal_proposed: bool = False,
        changes: Sequence[UUID] = (),
        questions: Sequence[UUID] = (),
        note: str | None = None,
        made: ReplyMetrics | None = None,
    ) -> None:
        """End the turn and its message, and schedule formation if there are words to form.

        `removal_proposed`: the person is asked by a button whether to forget something, so the
        words themselves remove nothing. `changes` are the ids of the changes that tools made to
        memories, and `questions` those of the questions that these left open: a notice shows both.
        `note` is the key of a line below the reply. `made` says how the model made a reply that can
        be rated.

        All in one transaction: a turn has ended with all of this or has not ended. Raises
        `Interrupted` where the message was edited or deleted meanwhile: then it has not. Of the
        reply, too, no credential is stored: not one it repeats, nor any other.
        """
        [kept] = await redact_texts(reply or "", known=turn_row.removed)
        async with transaction(self.pool, _scope(claimed.message)) as connection:
            await finish(connection, claimed, "failed" if outcome == "failed" else "done")
            if turn_row.memory_state.is_first:
                await note_informed(connection, claimed.message.person)
            ended = await connection.execute(
                "UPDATE turns SET status = %s, reply = CASE WHEN NOT off_record THEN %s END,"
                " recalled = %s, asked = %s, reply_note = %s, model = %s, latency_ms = %s,"
                " ended_at = now(), formed_at = CASE WHEN words = '' THEN now() ELSE formed_at END"
                " WHERE id = %s AND team_id = %s AND user_id = %s"
                " RETURNING formed_at IS NULL AND withheld_at IS NULL AS unformed",
                (
                    outcome,
                    None if reply is None else kept.text,
                    list(recalled),
                    removal_proposed,
                    note,
                    made.model if made else None,
                    made.milliseconds if made else None,
                    turn_row.id,
                    claimed.message.team_id,
                    claimed.message.user_id,
                ),
            )
            row = await ended.fetchone()
            if row is not None and row["unformed"]:
                await self.schedule_formation(connection, view.own)
            if changes or questions:
                await self.add_notice(connection, view.person, turn_row.id, changes, questions)
            if turn_row.reply_ts:
                await self.repeat_notice(connection, view.person, turn_row.id)
        count("turns", outcome=outcome)


def _scope(message: Message) -> dict[str, str]:
    return {PERSON_SETTING: message.person.scope, THREAD_SETTING: message.thread}


async def _insert(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    view: MemoryView,
    question: Redacted,
    words: str,
    *,
    kept: bool,
) -> DictRow:
    """Insert the turn, or begin it again; raises `Superseded` if another worker answers it."""
    message = claimed.message
    stored = await connection.execute(
        "INSERT INTO turns (id, team_id, user_id, channel_id, thread, audience, question_ts,"
        " question, words, left_out, off_record, traceparent, posting_since)"
        " SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, NULL"
        f" WHERE {STILL_OURS}"
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
            question.text if kept else "",
            words if kept else "",
            list(credential_kinds(question.removed)) if kept else [],
            not kept,
            claimed.traceparent,
            *claimed.ownership,
        ),
    )
    row = await stored.fetchone()
    if row is None:
        raise superseded()
    return row
