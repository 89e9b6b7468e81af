"""Begins and ends a turn in its message's row, and schedules the formation of its words.

Its beginning and its end are one transaction each, in the scope of the person and the thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow

from bot.access import MODEL_AWAY, check_quota, end_telling
from bot.app import App
from bot.conversation.audiences import view_of_message
from bot.conversation.inbox import ClaimedMessage, finish, values_of
from bot.conversation.run import Stopped, Superseded
from bot.notices import repeat_notice
from bot.people import MemoryState, note_informed, read_memory_state
from bot.queue.queue import BACKGROUND
from bot.slack.messages import API_TEAM, THREAD_SETTING, Message
from memory import DM, MemoryView, Namespace
from memory.credentials import Credential, redact_texts
from memory.metrics import count, step
from memory.postgres import load_statements, pipeline, transaction
from memory.recall import first_memories
from memory.store import channels_with_kept

FORM_MEMORIES = "form_memories"
WORDS_LIMIT = 8_000
HISTORY_TURNS = 10
_SQL = load_statements("bot", "turns")
# Many more can be unformed while formation is off; the prompt leaves out the oldest.
_UNFORMED_WORDS = 100
_MAX_QUESTION = 300  # characters
_SENTENCES = re.compile(r"(?<=[.!?؟])\s+|(?<=[。！？])\s*|\n+")

Outcome: TypeAlias = Literal["answered", "failed", "stopped"]


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
    typed text without them. `again`: an earlier attempt has begun the turn.

    An earlier attempt may have posted parts of the reply: `reply_ts` are the timestamps that it
    stored. If it died before it stored one, `asked` is how many seconds ago it may have asked Slack
    to post that message, which is then looked for in Slack.

    `exchanges` are earlier turns of the thread, in a direct message also those of the last day, in
    order; `recent_words` the person's words that are not formed yet; `memories` what
    `memory.recall_memories` reads first; `channels_with_kept` the conversations of the workspace
    for which something is kept. Where memory is off these are empty, and `memories` is None.

    `forgotten_messages` are the timestamps of messages that the person has forgotten, in any thread
    of this channel since this one began; `forgettings` are the ids of what they forgot in the last
    day. `history_from` is the time of their last forgetting, in seconds since 1970, or 0:
    `exchanges` and `recent_words` are later than that.
    """

    claimed: ClaimedMessage
    view: MemoryView
    memory_state: MemoryState
    removed: tuple[Credential, ...] = ()
    words: str = ""
    again: bool = False
    reply_ts: tuple[str, ...] = ()
    asked: float | None = None
    exchanges: tuple[Exchange, ...] = ()
    recent_words: tuple[str, ...] = ()
    memories: Sequence[Mapping[str, Any]] | None = None
    channels_with_kept: frozenset[str] = frozenset()
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
        """Whether texts are stored: memory is on, and the message has not been forgotten."""
        return self.memory_state.on_record and self.message.ts not in self.forgotten_messages

    @property
    def lacks_thread(self) -> bool:
        """Whether its history lacks messages of its thread, which must be read from Slack.

        It lacks none in a direct message, whose threads are the bot's own, or in a thread that has
        had a turn, unless memory is off: then there is no history. A new thread has none to read.
        """
        message = self.message
        if message.opens_thread:
            return False
        if self.memory_state.off is not None:
            return True
        if message.audience == DM:
            return False
        return all(exchange.thread != message.thread for exchange in self.exchanges)

    @property
    def last_reply(self) -> str | None:
        """The app's last reply to the person."""
        for exchange in reversed(self.exchanges):
            if exchange.user_id == self.message.user_id:
                return exchange.reply
        return None


@step("begin")
async def begin_turn(
    app: App,
    claimed: ClaimedMessage,
    *,
    question: str,
    words: str,
    limited: bool = False,
) -> Turn:
    """Store the turn of a message that is about to be answered; read what it begins with.

    Texts that may not be kept are not stored, and credentials never are. Raises `Interrupted` and,
    if `limited`, `bot.access.QuotaExceeded`; then nothing is stored.
    """
    message = claimed.message
    view = await view_of_message(app, message)
    [redacted_question, redacted_words] = redact_texts(question, words)
    async with transaction(app.pool, _scope(message)) as connection:
        if limited and message.team_id != API_TEAM:
            await check_quota(connection, app.settings, message.person, claimed.id)
        async with pipeline(connection):
            forgotten = await _read_forgettings(connection, message)
            memory_state = await read_memory_state(
                connection, message.person, message.channel_id, message.ts, app.settings.consent
            )
        [forgettings] = await forgotten.fetchall()
        texts = ("", "")
        if memory_state.on_record and message.ts not in forgettings["messages"]:
            texts = (redacted_question.text, redacted_words.text[:WORDS_LIMIT])
        context = {}
        async with pipeline(connection):
            begun = await _store_begin(
                connection, claimed, view.own.audience, *texts, on_record=memory_state.on_record
            )
            if memory_state.off is None:
                context = await _read_context(
                    connection, view, message, forgettings, app.settings.memory_tokens
                )
        stored = await _check_begun(connection, claimed, begun)
    return Turn(
        claimed=claimed,
        view=view,
        memory_state=memory_state,
        removed=tuple(dict.fromkeys([*redacted_question.removed, *redacted_words.removed])),
        words=redacted_words.text,
        forgotten_messages=frozenset(forgettings["messages"]),
        forgettings=tuple(forgettings["ids"]),
        history_from=forgettings["history_from"],
        **stored,
        **context,
    )


@step("end")
async def end_turn(
    app: App,
    turn: Turn,
    outcome: Outcome,
    *,
    reply: str | None,
    removal_proposed: bool = False,
    noticed: bool = False,
) -> None:
    """End the turn and its message, and schedule formation if there are words to form.

    `removal_proposed`: a button asks the person whether to forget something, so the words
    themselves remove nothing. `noticed`: tools changed memories, and the notice of that is shown
    now.

    This is one transaction. Raises `Interrupted` if the message was edited or deleted meanwhile.
    The reply is stored without credentials. It is not stored if the person forgot the message
    before the turn began, or anything since, which it may repeat. The words of a message that was
    forgotten during its turn are blanked.
    """
    message = turn.message
    person = turn.view.person
    [kept] = redact_texts(reply or "", known=turn.removed)
    lock = message.person.prefix
    async with transaction(app.pool, _scope(message), lock=lock, shared=True) as connection:
        await finish(connection, turn.claimed, outcome)
        # A fixed sentence in place of an answer does not show that a model answers again.
        if outcome == "answered" and reply is not None:
            await end_telling(connection, message.person, MODEL_AWAY)
        # A fixed sentence in place of an answer asks for no consent.
        if turn.memory_state.is_first and (reply is not None or not turn.memory_state.asks):
            await note_informed(connection, message.person)
        values = {
            **message.person.ids,
            "id": turn.id,
            "channel": message.channel_id,
            "ts": message.ts,
            "forgettings": list(turn.forgettings),
            "reply": kept.text if reply is not None and turn.is_kept else None,
            "removal_proposed": removal_proposed,
        }
        ended = await connection.execute(_SQL["end"], values, prepare=True)
        row = await ended.fetchone()
        if row is not None and row["unformed"]:
            namespace = person.namespace(row["audience"])
            await schedule_formation(app, connection, namespace)
        if noticed or turn.again:
            await repeat_notice(app, connection, person, turn.id)
    count("turns", outcome=outcome)


async def _read_forgettings(
    connection: AsyncConnection[DictRow], message: Message
) -> AsyncCursor[DictRow]:
    """Read what the person has forgotten: a row of `history_from`, `messages` and `ids`."""
    values = {
        **message.person.ids,
        "channel": message.channel_id,
        "thread_ts": message.thread_ts,
    }
    return await connection.execute(_SQL["forgettings"], values, prepare=True)


async def _read_context(
    connection: AsyncConnection[DictRow],
    view: MemoryView,
    message: Message,
    forgettings: DictRow,
    memory_tokens: int,
) -> dict[str, Any]:
    """Read `exchanges`, `recent_words`, `memories` and `channels_with_kept` of a turn."""
    in_dm = view.own.audience == DM
    values = {
        **values_of(message),
        "audiences": None if in_dm else list(view.audiences),
        "history_from": forgettings["history_from"],
        "most_exchanges": HISTORY_TURNS,
        "most_words": _UNFORMED_WORDS,
    }
    history = _SQL["exchanges_of_direct_messages" if in_dm else "exchanges_of_thread"]
    memories, budget = first_memories(view, memory_tokens)
    exchange_rows = await connection.execute(history, values, prepare=True)
    words_rows = await connection.execute(_SQL["unformed_words"], values, prepare=True)
    memory_rows = await connection.execute(memories, budget)
    with_kept = await channels_with_kept(connection, message.team_id)
    exchanges = [Exchange(**row) for row in await exchange_rows.fetchall()]
    unformed = await words_rows.fetchall()
    shown = {exchange.ts for exchange in exchanges}
    recent_words = [row["words"] for row in unformed if row["ts"] not in shown]
    return {
        "exchanges": tuple(reversed(exchanges)),
        "recent_words": tuple(reversed(recent_words)),
        "memories": await memory_rows.fetchall(),
        "channels_with_kept": with_kept,
    }


async def _store_begin(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    audience: str,
    question: str,
    words: str,
    *,
    on_record: bool,
) -> AsyncCursor[DictRow]:
    """Store that the turn begins; a request to POST /ask is stored here. See `_check_begun`."""
    message = claimed.message
    values = {
        **values_of(message),
        **claimed.run.ownership,
        "audience": audience,
        "question": question,
        "words": words,
        "on_record": on_record,
        "keep_texts": on_record and not (question or words),
    }
    if message.team_id == API_TEAM:
        return await connection.execute(_SQL["begin_request"], values)
    return await connection.execute(_SQL["begin"], values, prepare=True)


async def _check_begun(
    connection: AsyncConnection[DictRow],
    claimed: ClaimedMessage,
    begun: AsyncCursor[DictRow],
) -> dict[str, Any]:
    """Return `again`, `asked` and `reply_ts` of a `Turn` whose beginning was stored.

    If it begins again, the rating of its earlier answer is deleted. Raises `Interrupted` if the
    message was deleted or erased, or if another run answers it.
    """
    if claimed.message.team_id == API_TEAM:
        return {}
    run = claimed.run
    row = await begun.fetchone()
    if row is None:
        await run.check(connection)
        raise Superseded("Another run answers the message.")
    if row["stopped"]:
        run.interrupt(Stopped("The person pressed Stop."))
    if row["again"]:
        await connection.execute(_SQL["delete_rating"], run.ownership)
    return {"again": row["again"], "asked": row["asked"], "reply_ts": tuple(row["reply_ts"])}


def _scope(message: Message) -> dict[str, str]:
    return {THREAD_SETTING: message.thread, **message.person.settings}


def final_question(reply: str) -> str | None:
    """Return the last sentence of a reply if it ends with a question mark, else None."""
    bare = reply.strip().rstrip("*_~` ")
    sentences = [one for one in _SENTENCES.split(bare) if one]
    if not sentences or not sentences[-1].endswith(("?", "？", "؟")):
        return None
    return sentences[-1][-_MAX_QUESTION:]


async def schedule_formation(
    app: App, connection: AsyncConnection[DictRow], namespace: Namespace
) -> None:
    """Schedule formation of unformed words, in the transaction that stores them.

    A job runs after the seconds of quiet, and is put off while the person writes, so that one
    formation sees a whole burst of messages. A message adds one unless one waits already.
    """
    settings = app.settings
    if settings.formation == "off":
        return
    delay = 0.0
    if settings.formation != "hot":
        delay = settings.formation_delay
    await form_after(app, connection, namespace, delay)


async def form_after(
    app: App,
    connection: AsyncConnection[DictRow],
    namespace: Namespace,
    delay: float,
    *,
    priority: int = 0,
) -> None:
    """Add a job that forms memories of a person and audience after `delay` seconds.

    None is added if one waits already, of this `priority` or a higher one.

    Jobs of one person and audience run in order; one of lower `priority` holds up no other.
    """
    lock = f"{BACKGROUND}:{namespace.prefix}"
    if await app.queue.hold_waiting(connection, FORM_MEMORIES, lock, priority=priority):
        return
    arguments = {
        "team": namespace.person.team_id,
        "user": namespace.person.user_id,
        "audience": namespace.audience,
    }
    await app.queue.defer(
        connection,
        FORM_MEMORIES,
        {lock: arguments},
        queue=BACKGROUND,
        priority=priority,
        delay=delay,
    )
