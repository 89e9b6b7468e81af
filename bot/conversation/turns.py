"""How a turn begins and ends in its message's row; what its reply asks; when words are formed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, LiteralString, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.access import check_quota
from bot.config import Settings
from bot.conversation.inbox import (
    OPEN,
    THREAD_SETTING,
    ClaimedMessage,
    Superseded,
    check_ownership,
    finish,
    key_of,
)
from bot.people import MemoryState, note_informed, read_memory_state
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.messages import Message
from memory import DM, MemoryView, Namespace, Person, Pool, memory_view
from memory.credentials import Credential, redact_texts
from memory.metrics import count, step
from memory.postgres import transaction
from memory.recall import first_memories

FORM_MEMORIES = "form_memories"
MAX_DELAY_FACTOR = 15
"""The longest wait for formation, as a multiple of the seconds of quiet."""
WORDS_LIMIT = 8_000
HISTORY_TURNS = 10
_MAX_QUESTION = 300  # characters
_SENTENCES = re.compile(r"(?<=[.!?؟])\s+|(?<=[。！？])\s*|\n+")

_THREAD: LiteralString = "thread = %(thread)s"
# People do not think in threads, and Slack opens one for every top-level direct message.
_THREAD_OR_DAY: LiteralString = (
    "(thread = %(thread)s OR (user_id = %(user)s AND ended_at > now() - interval '1 day'))"
)
# What was said before the person's last forgetting may tell what was forgotten: the model is not
# shown it again. An Undo deletes the row of the forgetting, and so ends that.
_HISTORY_FROM: LiteralString = (
    "(SELECT max(forgotten_at) FROM forgotten_sources"
    " WHERE team_id = %(team)s AND user_id = %(user)s AND what = 'forgetting')"
)
_EXCHANGES: LiteralString = (
    "SELECT ts, thread, user_id, question, reply FROM messages"
    " WHERE team_id = %(team)s AND channel_id = %(channel)s"
    f" AND NOT {OPEN} AND ended_at IS NOT NULL AND question <> '' AND ts < %(ts)s"
    f" AND begun_at > COALESCE({_HISTORY_FROM}, '-infinity')"
)
# The newest ones: the prompt leaves out the oldest. While nothing is formed there are many more.
_UNFORMED: LiteralString = (
    "SELECT ts, words FROM messages"
    " WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND (%(audiences)s::text[] IS NULL OR audience = ANY(%(audiences)s))"
    " AND formed_at IS NULL AND words <> '' AND ts < %(ts)s"
    f" AND begun_at > COALESCE({_HISTORY_FROM}, '-infinity')"
    " ORDER BY ts DESC LIMIT 100"
)

# A fixed sentence that replaces an earlier answer stores no texts, and deletes none.
_KEPT: LiteralString = "ended_at IS NOT NULL AND %(kept)s AND %(question)s = '' AND %(words)s = ''"
_BEGIN: LiteralString = (
    "WITH earlier AS (SELECT begun_at AS begun, extract(epoch FROM now() - posting_since)::float8"
    "  AS asked FROM messages WHERE id = %(id)s)"
    " UPDATE messages SET status = 'answering', audience = %(audience)s,"
    " begun_at = COALESCE(begun_at, now()), model = NULL,"
    " posting_since = COALESCE(posting_since, now()),"
    f" question = CASE WHEN {_KEPT} THEN question WHEN on_record THEN %(question)s ELSE '' END,"
    f" words = CASE WHEN {_KEPT} THEN words WHEN on_record THEN %(words)s ELSE '' END FROM earlier"
    f" WHERE id = %(id)s AND attempts = %(attempt)s AND {OPEN}"
    " RETURNING reply_ts, begun IS NOT NULL AS again, asked,"
    " interrupted OR revision <> %(revision)s AS changed"
)
_BEGIN_ASKED: LiteralString = (
    "INSERT INTO messages (id, attempts, team_id, user_id, channel_id, thread, audience, ts,"
    " question, words, on_record, status, begun_at) VALUES (%(id)s, %(attempt)s, %(team)s,"
    " %(user)s, %(channel)s, %(thread)s, %(audience)s, %(ts)s, %(question)s, %(words)s, %(kept)s,"
    " 'answering', now())"
    " RETURNING reply_ts, false AS again, NULL::float8 AS asked, false AS changed"
)
_FORGOTTEN_SINCE: LiteralString = (
    "EXISTS (SELECT FROM forgotten_sources f WHERE f.team_id = messages.team_id"
    " AND f.user_id = messages.user_id AND f.what = 'forgetting'"
    " AND f.forgotten_at > now() - interval '1 day' AND f.forgotten_id <> ALL(%s))"
)

Outcome: TypeAlias = Literal["answered", "failed", "stopped"]
ReadView: TypeAlias = Callable[[Message], Awaitable[MemoryView]]
RepeatNotice: TypeAlias = Callable[[Queue, AsyncConnection[DictRow], Person, UUID], Awaitable[None]]
"""Shows the notice of a turn, if it has one, once the caller's transaction is committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An earlier question with its answer; `user_id` says who asked."""

    ts: str
    thread: str
    user_id: str
    question: str
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn that has begun: its message, its stored row, and what it begins with.

    `view`: what may be seen, and where it is remembered. `memory_state`: whether memory may be read
    and written. `removed` are the credentials of the message, which are not stored; `words` is its
    typed text without them. `changed`: the message had been stopped or edited when the row was
    stored. `again`: an earlier attempt has begun the turn.

    An earlier attempt may have posted parts of the reply: `reply_ts` are the timestamps that it
    stored. If it died before it stored one, `asked` is how many seconds ago it may have asked Slack
    to post that message, which is then looked for in Slack.

    `exchanges` are earlier turns of the thread, in a direct message also of the last day, in order;
    `recent_words` the person's words that are not formed yet; `memories` what
    `memory.recall_memories` reads first. All three are empty where memory is off.

    `forgotten_messages` are the timestamps of messages in this channel that the person had
    forgotten, those of other threads too, since the thread began; `forgettings` the ids of what
    they forgot on that day before. `history_from` is the time of their last forgetting, in seconds
    since 1970, 0 without one: `exchanges` and `recent_words` are of after it.
    """

    claimed: ClaimedMessage
    view: MemoryView
    memory_state: MemoryState
    removed: tuple[Credential, ...] = ()
    words: str = ""
    changed: bool = False
    again: bool = False
    reply_ts: tuple[str, ...] = ()
    asked: float | None = None
    exchanges: tuple[Exchange, ...] = ()
    recent_words: tuple[str, ...] = ()
    memories: Sequence[Mapping[str, Any]] = ()
    forgotten_messages: frozenset[str] = frozenset()
    forgettings: tuple[UUID, ...] = ()
    history_from: float = 0.0

    @property
    def id(self) -> UUID:
        """The id of its row in `messages`."""
        return self.claimed.id

    @property
    def message(self) -> Message:
        """The message that is answered."""
        return self.claimed.message

    @property
    def is_kept(self) -> bool:
        """Whether texts are stored: memory was on, and the message not forgotten as it waited."""
        return self.memory_state.on_record and self.message.ts not in self.forgotten_messages

    @property
    def lacks_thread(self) -> bool:
        """Whether messages of its thread are not in its history, and are to be read from Slack.

        Not of a direct message, whose threads are the bot's own, nor of a thread that has a turn
        already or just begins. Where memory is off there is no history, and the thread is read.
        """
        message = self.message
        known = message.audience == DM or any(e.thread == message.thread for e in self.exchanges)
        return not message.opens_thread and (not known or self.memory_state.off is not None)

    @property
    def last_reply(self) -> str | None:
        """The app's last reply to the person."""
        own = [one.reply for one in self.exchanges if one.user_id == self.message.user_id]
        return own[-1] if own else None


@dataclass(frozen=True, slots=True)
class Turns:
    """Reads and writes of one turn; each is one transaction in the person's and thread's scope.

    `read_view` returns what may be seen in the conversation of a message that is not direct.
    """

    pool: Pool
    read_view: ReadView
    _: KW_ONLY
    queue: Queue
    settings: Settings
    repeat_notice: RepeatNotice

    async def view(self, message: Message) -> MemoryView:
        """Return what may be seen, and where it is remembered, in the message's conversation."""
        if message.audience == DM:
            return memory_view(message.person.namespace(DM))
        return await self.read_view(message)

    @step("begin")
    async def begin(
        self,
        claimed: ClaimedMessage,
        *,
        question: str,
        words: str,
        limited: bool = False,
    ) -> Turn:
        """Store the turn of a message that is about to be answered; read what it begins with.

        What is not to be kept is not stored, and credentials never are. Raises `Superseded` and, if
        it is `limited`, `bot.access.QuotaExceeded`: then nothing is stored.
        """
        message, view = claimed.message, await self.view(claimed.message)
        redacted_question, redacted_words = redact_texts(question, words)
        async with transaction(self.pool, _scope(message)) as connection:
            if limited:
                await check_quota(connection, self.settings, message.person, claimed.id)
            memory_state = await read_memory_state(
                connection,
                message.person,
                message.channel_id,
                message.ts,
                self.settings.consent,
            )
            row = await _read(connection, claimed, view)
            forgotten = message.ts in row["forgotten"]
            stored = await _begin(
                connection,
                claimed,
                view.own.audience,
                "" if forgotten else redacted_question.text,
                "" if forgotten else redacted_words.text[:WORDS_LIMIT],
                kept=memory_state.on_record,
            )
        return Turn(
            claimed=claimed,
            view=view,
            memory_state=memory_state,
            removed=tuple(dict.fromkeys([*redacted_question.removed, *redacted_words.removed])),
            words=redacted_words.text,
            changed=stored["changed"],
            again=stored["again"],
            reply_ts=tuple(stored["reply_ts"]),
            asked=stored["asked"],
            forgotten_messages=frozenset(row["forgotten"]),
            forgettings=tuple(row["forgettings"]),
            history_from=row["history_from"] or 0.0,
            **({} if memory_state.off else _context(row)),
        )

    @step("end")
    async def end(
        self,
        turn: Turn,
        outcome: Outcome,
        *,
        reply: str | None,
        recalled: Sequence[str] = (),
        removal_proposed: bool = False,
        noticed: bool = False,
        model: str | None = None,
    ) -> None:
        """End the turn and its message, and schedule formation if there are words to form.

        `removal_proposed`: the person is asked by a button whether to forget something, so the
        words themselves remove nothing. `noticed`: tools changed memories, and the notice of that
        is shown now. `model` made the reply, if it can be rated.

        All in one transaction. Raises `Interrupted` where the message was edited or deleted
        meanwhile. No credential of the reply is stored, and no reply if the person forgot the
        message before the turn began, or anything since: it may repeat that. The words of a message
        that was forgotten while its turn began are blanked.
        """
        message, person = turn.message, turn.view.person
        [kept] = redact_texts(reply or "", known=turn.removed)
        lock = message.person.prefix
        async with transaction(self.pool, _scope(message), lock=lock, shared=True) as connection:
            await finish(connection, turn.claimed, outcome)
            # A sentence in place of an answer asks for no consent.
            if turn.memory_state.is_first and (reply is not None or not turn.memory_state.asks):
                await note_informed(connection, message.person)
            ended = await connection.execute(
                "UPDATE messages SET"
                " question = CASE WHEN forgotten.found THEN '' ELSE question END,"
                " words = CASE WHEN forgotten.found THEN '' ELSE words END,"
                f" reply = CASE WHEN on_record AND NOT {_FORGOTTEN_SINCE} THEN %s END,"
                " recalled = %s, removal_proposed = %s, model = %s,"
                " formed_at = CASE WHEN forgotten.found THEN now() ELSE formed_at END"
                " FROM (SELECT EXISTS (SELECT FROM forgotten_sources WHERE team_id = %s"
                " AND user_id = %s AND channel = %s AND ts = %s) AS found) AS forgotten"
                " WHERE id = %s AND team_id = %s AND user_id = %s"
                " RETURNING audience, formed_at IS NULL AS unformed",
                (
                    list(turn.forgettings),
                    kept.text if reply is not None and turn.is_kept else None,
                    list(recalled),
                    removal_proposed,
                    model,
                    *(message.team_id, message.user_id, message.channel_id, message.ts),
                    *(turn.id, message.team_id, message.user_id),
                ),
                prepare=True,
            )
            row = await ended.fetchone()
            if row is not None and row["unformed"]:
                namespace = person.namespace(row["audience"])
                await schedule_formation(connection, self.queue, self.settings, namespace)
            if noticed or turn.again:
                await self.repeat_notice(self.queue, connection, person, turn.id)
        count("turns", outcome=outcome)


async def _read(
    connection: AsyncConnection[DictRow], claimed: ClaimedMessage, view: MemoryView
) -> DictRow:
    """Read what a turn begins with, in a transaction with the person's and the thread's scope."""
    message, in_dm = claimed.message, view.own.audience == DM
    exchanges = f"{_EXCHANGES} AND {_THREAD_OR_DAY if in_dm else _THREAD}"
    found = await connection.execute(
        "SELECT"
        " ARRAY(SELECT ts FROM forgotten_sources WHERE team_id = %(team)s AND user_id = %(user)s"
        "  AND channel = %(channel)s AND ts >= %(thread_ts)s) AS forgotten,"
        " ARRAY(SELECT forgotten_id FROM forgotten_sources WHERE team_id = %(team)s"
        "  AND user_id = %(user)s AND what = 'forgetting'"
        "  AND forgotten_at > now() - interval '1 day') AS forgettings,"
        f" extract(epoch FROM {_HISTORY_FROM})::float8 AS history_from,"
        f" (SELECT json_agg(one) FROM ({exchanges} ORDER BY ts DESC"
        f"  LIMIT {HISTORY_TURNS}) one) AS exchanges,"
        f" (SELECT json_agg(one) FROM ({_UNFORMED}) one) AS unformed",
        {
            **message.person.ids | {"channel": message.channel_id, "ts": message.ts},
            "thread": message.thread,
            "thread_ts": message.thread_ts,
            # In a direct message everything that the person wrote may be shown.
            "audiences": None if in_dm else list(view.audiences),
        },
        prepare=True,
    )
    [row] = await found.fetchall()
    statement, parameters = first_memories(view)
    found = await connection.execute(statement, parameters)
    return {**row, "memories": await found.fetchall()}


async def _begin(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    audience: str,
    question: str,
    words: str,
    *,
    kept: bool,
) -> DictRow:
    """Store that the turn begins, or begins again: without the rating of its earlier answer.

    Texts that are not to be `kept` are not stored. A message without an event, of POST /ask, is
    stored here. Raises `Interrupted` if the message was deleted or erased, or if another worker
    answers it.
    """
    message = claimed.message
    stored = await connection.execute(
        _BEGIN_ASKED if not message.event_id else _BEGIN,
        {
            **key_of(message),
            "id": claimed.id,
            "attempt": claimed.attempt_number,
            "revision": claimed.revision,
            "audience": audience,
            "question": question if kept else "",
            "words": words if kept else "",
            "kept": kept,
        },
        prepare=True,
    )
    row = await stored.fetchone()
    if row is None:
        await check_ownership(connection, claimed)
        raise Superseded
    if row["again"]:
        await connection.execute("DELETE FROM feedback WHERE turn_id = %s", (claimed.id,))
    return row


def _context(row: DictRow) -> dict[str, Any]:
    """Return `exchanges`, `recent_words` and `memories` of a turn."""
    exchanges = tuple(Exchange(**one) for one in reversed(row["exchanges"] or []))
    shown = {exchange.ts for exchange in exchanges}
    recent = [one for one in reversed(row["unformed"] or []) if one["ts"] not in shown]
    words = tuple(one["words"] for one in recent)
    return {"exchanges": exchanges, "recent_words": words, "memories": row["memories"]}


def _scope(message: Message) -> dict[str, str]:
    return {THREAD_SETTING: message.thread, **message.person.settings}


def final_question(reply: str) -> str | None:
    """Return the last sentence of a reply if it ends with a question mark, else None."""
    sentences = [one for one in _SENTENCES.split(reply.strip().rstrip("*_~` ")) if one]
    if not sentences or not sentences[-1].endswith(("?", "？", "؟")):
        return None
    return sentences[-1][-_MAX_QUESTION:]


async def schedule_formation(
    connection: AsyncConnection[DictRow], queue: Queue, settings: Settings, namespace: Namespace
) -> None:
    """Schedule formation of unformed words, in the transaction that stores them.

    A waiting job is postponed: a burst of messages is one formation that sees all of them. It waits
    at most `MAX_DELAY_FACTOR` times the seconds of quiet.
    """
    if settings.formation != "off":
        quiet = 0.0 if settings.formation == "hot" else settings.formation_delay
        await form_after(connection, queue, namespace, quiet, at_most=quiet * MAX_DELAY_FACTOR)


async def form_after(
    connection: AsyncConnection[DictRow],
    queue: Queue,
    namespace: Namespace,
    delay: float,
    *,
    at_most: float = 0.0,
) -> None:
    """Let a job form memories after `delay` seconds; postponed, `at_most` so many in all."""
    person = namespace.person
    await queue.debounce(
        connection,
        FORM_MEMORIES,
        queue=BACKGROUND,
        lock=f"{BACKGROUND}:{namespace.prefix}",
        delay=delay,
        at_most=max(delay, at_most),
        team=person.team_id,
        user=person.user_id,
        audience=namespace.audience,
    )
