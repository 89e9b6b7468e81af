"""Begins and ends a turn in its message's row, and schedules the formation of its words.

What decides how it begins is read in one round trip to PostgreSQL, and the beginning is stored in
another. The end is one transaction. All are in the scope of the person and the thread.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from psycopg.rows import DictRow

from bot.access import check_quota
from bot.app import App
from bot.cancellation import Stopped, Superseded
from bot.conversation.audiences import view_at
from bot.conversation.inbox import ClaimedMessage, Outcome, finish, values_of
from bot.notices.notices import show_later
from bot.people import MemoryState, memory_state, memory_state_queries, note_answered
from bot.queue.queue import BACKGROUND
from bot.slack.messages import API_TEAM, Message
from bot.slack.names import whole_marks
from memory import DM, PUBLIC, MemoryView, Person, Pool
from memory.credentials import Credential, redact_texts
from memory.metrics import count, step
from memory.model import MessageKey
from memory.postgres import (
    PersonTransaction,
    Query,
    execute_queries,
    load_statements,
    person_statement,
    transaction,
)
from memory.recall import large_set_query
from memory.store import Asked, KeptLine, ask_query, kept_query, kept_settings

FORM_MEMORIES = "form_memories"
WORDS_LIMIT = 8_000  # characters of a message that memories are formed from
HISTORY_TURNS = 10
_BEFORE_SECONDS = 3_600  # how old "that" can be in "forget that"
_SQL = load_statements("bot.conversation", "turns")
# Many more can be unformed while formation is off; the prompt leaves out the oldest.
_UNFORMED_WORDS = 100
_MAX_QUESTION = 300  # characters
# A formation asks models for seconds; what else waits in the background takes less and is due.
_LAST = -1
_SENTENCES = re.compile(r"(?<=[.!?؟])\s+|(?<=[。！？])\s*|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An earlier question with its answer; `user_id` says who asked.

    `cited` are the keys of memories, and the ids of kept lines, that the answer rests on.
    """

    ts: str
    user_id: str
    question: str
    reply: str | None
    cited: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn: its message, what decides how it begins, and what it begins with.

    What decides is read by `read_start`, before anything of the turn is stored. `view`: what may be
    seen, and where it is remembered. `memory_state`: whether memory may be read and written.

    `has_large_set`: the person has more memories than a prompt holds.

    `forgotten_messages` are the timestamps of messages that the person has forgotten, in any thread
    of this channel since this one began. `history_from` is the time of their last forgetting, in
    seconds since 1970, or 0. `epoch` is the person's (`memory.store.people`).

    `store_begin` stores the row of the turn, and sets the other fields. `removed` are the
    credentials of the message, which are not stored; `words` is its typed text without them.

    An earlier attempt may have posted parts of the reply: `reply_ts` are the timestamps that it
    stored. If it died before it stored one, `asked` is how many seconds ago it may have asked Slack
    to post that message, which is then looked for in Slack.

    `exchanges` are earlier turns of the thread, in a direct message also those of the last day, in
    order; `recent_words` the person's words that are not formed yet. Both are later than
    `history_from`, and empty while memory is off. `kept` is what is kept for the conversation,
    newest first, if the turn `reads_kept`. If it `lacks_thread`, `known_messages` are the
    timestamps of the messages of the thread that the history has, or of which a text was deleted,
    and of the app's answers to them.
    """

    claimed: ClaimedMessage
    view: MemoryView
    memory_state: MemoryState
    has_large_set: bool
    forgotten_messages: frozenset[str]
    epoch: int
    history_from: float
    removed: tuple[Credential, ...] = ()
    words: str = ""
    reply_ts: tuple[str, ...] = ()
    asked: float | None = None
    exchanges: tuple[Exchange, ...] = ()
    recent_words: tuple[str, ...] = ()
    known_messages: frozenset[str] = frozenset()
    kept: tuple[KeptLine, ...] = ()

    @property
    def id(self) -> UUID:
        """The id of its row in `messages`."""
        return self.claimed.id

    @property
    def message(self) -> Message:
        """The message that is answered."""
        return self.claimed.message

    @property
    def stores_texts(self) -> bool:
        """Whether texts are stored: memory is on, and the message has not been forgotten."""
        return (
            self.memory_state.on_record
            and self.message.ts not in self.forgotten_messages
        )

    @property
    def is_cut(self) -> bool:
        """Whether memories are formed from the beginning of a long message only."""
        return self.stores_texts and len(self.words) > WORDS_LIMIT

    @property
    def lacks_thread(self) -> bool:
        """Whether its history may lack messages of its thread, which must be read from Slack.

        In a channel these are what people write to each other. A direct message has none, because
        its threads are the bot's own, unless memory is off: then there is no history. A new thread
        has none to read.
        """
        message = self.message
        if message.opens_thread:
            return False
        return message.audience != DM or self.memory_state.off is not None

    @property
    def reads_kept(self) -> bool:
        """Whether it is given what is kept for the conversation.

        It is not in direct messages, where the kind of the conversation is not known, and while
        memory is off.
        """
        is_known = PUBLIC in self.view.audiences
        in_dm = self.view.own.audience == DM
        return is_known and not in_dm and self.memory_state.off is None

    @property
    def last_reply(self) -> str | None:
        """The app's last reply to the person."""
        for exchange in reversed(self.exchanges):
            if exchange.user_id == self.message.user_id:
                return exchange.reply
        return None


async def begin_turn(
    app: App, claimed: ClaimedMessage, *, question: str, words: str
) -> Turn:
    """Begin the turn of a message, with `read_start` and `store_begin`; raises as they do."""
    start = await read_start(app, claimed)
    return await store_begin(app, start, question=question, words=words)


@step("start")
async def read_start(
    app: App, claimed: ClaimedMessage, *, limited: bool = False
) -> Turn:
    """Return a turn that is not stored yet, with what decides how it begins.

    `limited`: the message is counted, unless an earlier attempt was, and if there are too many in
    this hour, raises `bot.access.QuotaExceeded`.
    """
    message = claimed.message
    is_counted = limited and not claimed.begun
    view = view_at(
        claimed.kind,
        message.person,
        message.channel_id,
        message.ts,
        message.audience,
    )
    in_thread = {**values_of(message), "thread_ts": message.thread_ts}
    queries = [
        *memory_state_queries(message.person, message.channel_id, message.ts),
        ask_query(message.person, int(is_counted)),
        Query(_SQL["forgettings"], in_thread, prepare=True),
        large_set_query(view, budget=app.settings.memory_tokens),
    ]
    found = await execute_queries(app.pool, queries, scope=message.scope)
    [person_rows, message_rows, [counted], [forgotten], [memories]] = found
    asked = Asked(**counted)
    if is_counted:
        check_quota(app.settings, asked)
    return Turn(
        claimed=claimed,
        view=view,
        memory_state=memory_state(person_rows, message_rows, app.settings.consent),
        has_large_set=memories["is_large"],
        forgotten_messages=frozenset(forgotten["messages"]),
        epoch=asked.epoch,
        history_from=forgotten["history_from"],
    )


@step("begin")
async def store_begin(app: App, start: Turn, *, question: str, words: str) -> Turn:
    """Store the turn of a message that is about to be answered; return it with what it begins with.

    Texts that may not be kept are not stored, and credentials never are. Raises `Superseded` if the
    message is no longer this run's; then nothing is stored.
    """
    [redacted_question, redacted_words] = redact_texts(question, words)
    removed = dict.fromkeys([*redacted_question.removed, *redacted_words.removed])
    message = start.message
    values = {
        **values_of(message),
        **start.claimed.run.ownership,
        "audience": start.view.own.audience,
        "question": "",
        "words": "",
        "on_record": start.memory_state.on_record,
    }
    if start.stores_texts:
        values["question"] = redacted_question.text
        values["words"] = stored_words(redacted_words.text)
    begin = Query(_SQL["begin"], values, prepare=True)
    if message.team_id == API_TEAM:
        # A request to POST /ask is stored only now.
        begin = Query(_SQL["begin_ask"], values)
    queries = {"begin": begin, **_context_queries(start)}
    scope = message.scope
    if start.reads_kept:
        scope |= kept_settings(message.team_id, message.channel_id)
    results = await execute_queries(app.pool, [*queries.values()], scope=scope)
    found = dict(zip(queries, results, strict=True))
    if not found["begin"]:
        raise Superseded
    [row] = found["begin"]
    if row["stopped"]:
        start.claimed.run.interrupt(Stopped())
    exchanges = [Exchange(**exchange) for exchange in found["exchanges"]]
    shown = {exchange.ts for exchange in exchanges}
    recent_words = [one["words"] for one in found["words"] if one["ts"] not in shown]
    return replace(
        start,
        removed=tuple(removed),
        words=redacted_words.text,
        asked=row["asked"],
        reply_ts=tuple(row["reply_ts"]),
        exchanges=tuple(reversed(exchanges)),
        recent_words=tuple(reversed(recent_words)),
        known_messages=frozenset([one["ts"] for one in found.get("known", [])]),
        kept=tuple(KeptLine(**one) for one in found.get("kept", [])),
    )


async def read_turn(
    pool: Pool, person: Person, channel: str, ts: str
) -> DictRow | None:
    """Return a person's message, if its turn has begun.

    The row has `audience`, `question`, `words` and `has_changed`: it was edited or deleted.
    """
    values = {"channel": channel, "ts": ts}
    found = await person_statement(pool, person, _SQL["of_message"], values)
    return found[0] if found else None


async def message_before(
    pool: Pool, person: Person, channel: str, ts: str
) -> DictRow | None:
    """Return `ts` and `question` of a person's last message in a channel before `ts`, for an hour.

    Requests about memory, of which no text is stored, are passed over; blanked messages are not.
    """
    since = f"{float(ts) - _BEFORE_SECONDS:.6f}"
    values = {"channel": channel, "ts": ts, "since": since}
    found = await person_statement(pool, person, _SQL["message_before"], values)
    return found[0] if found else None


async def blank_message(transaction: PersonTransaction, message: MessageKey) -> None:
    """Keep no text of a message and of its answer, also if it is only being answered."""
    channel, ts = message
    await transaction.execute(_SQL["blank"], {"channel": channel, "ts": ts})


async def end_exchanges(
    transaction: PersonTransaction, since: str, *, edited: str = ""
) -> None:
    """Show the person's exchanges from the message `since` on to no model again.

    What was taken back, edited or deleted may stand in any of them, in whatever words. The text of
    the message `edited` stays. An answer that is being written is not stored if the caller begins
    another epoch.
    """
    values = {"since": since, "edited": edited}
    await transaction.execute(_SQL["end_exchanges"], values)


@step("end")
async def end_turn(
    app: App,
    turn: Turn,
    outcome: Outcome,
    *,
    reply: str | None,
    kept: Sequence[UUID] = (),
    cited: Sequence[str] = (),
    removal_proposed: bool = False,
    refused: bool = False,
    credentials: Iterable[Credential] = (),
) -> None:
    """End the turn and its message, and schedule formation if there are words to form.

    `kept` are the lines of the conversation that the model was given: the reply is not stored if
    one has ended meanwhile, and blanked when one ends later. `cited` are those of an `Exchange`.
    `removal_proposed`: a button asks the person whether to forget something, so the words
    themselves remove nothing. `refused`: the model's provider refused the message alone, so no
    model is shown it again. A notice of what tools changed is shown now.

    This is one transaction. Raises `Superseded` if the message is no longer this run's.
    The reply is stored without credentials, also those that it repeats from the message or from
    `credentials`. It is not stored if the person forgot the message before the turn began, or is in
    another epoch by now: it may repeat what is gone. The words of a message that was forgotten
    during its turn are blanked.
    """
    message = turn.message
    person = message.person
    has_reply = reply is not None
    [redacted] = redact_texts(reply or "", known=[*turn.removed, *credentials])
    stored_reply = None
    if has_reply and turn.stores_texts:
        stored_reply = redacted.text
    async with transaction(
        app.pool, message.scope, lock=person.prefix, shared=True
    ) as connection:
        of_author = PersonTransaction(connection, person)
        await finish(connection, turn.claimed, outcome)
        # A fixed sentence in place of an answer does not show that a model answers again.
        if outcome == "answered" and has_reply:
            await note_answered(of_author)
        # A fixed sentence in place of an answer asks for no consent.
        has_informed = has_reply or not turn.memory_state.asks
        if turn.memory_state.is_first and has_informed:
            await of_author.execute(_SQL["note_informed"])
        values = {
            **values_of(message),
            "id": turn.id,
            "epoch": turn.epoch,
            "reply": stored_reply,
            "kept": list(kept),
            "cited": list(cited),
            "removal_proposed": removal_proposed,
            "refused": refused,
        }
        ended = await connection.execute(_SQL["end"], values, prepare=True)
        [row] = await ended.fetchall()
        if row["unformed"]:
            await schedule_formation(app, of_author, row["audience"])
        if row["has_notice"]:
            await show_later(app, of_author, [turn.id])
    count("turns", outcome=outcome)


def _context_queries(start: Turn) -> dict[str, Query]:
    """Return the queries for what a turn begins with: history, words, and what else it reads."""
    message = start.message
    in_dm = start.view.own.audience == DM
    is_off = start.memory_state.off is not None
    values = {
        **values_of(message),
        "audiences": None if in_dm else list(start.view.audiences),
        # While memory is off there is no history.
        "history_from": math.inf if is_off else start.history_from,
        "most_exchanges": HISTORY_TURNS,
        "most_words": _UNFORMED_WORDS,
    }
    history = _SQL["exchanges_of_direct_messages" if in_dm else "exchanges_of_thread"]
    queries = {
        "exchanges": Query(history, values, prepare=True),
        "words": Query(_SQL["unformed_words"], values, prepare=True),
    }
    if start.reads_kept:
        queries["kept"] = kept_query(message.team_id, message.channel_id)
    if start.lacks_thread:
        queries["known"] = Query(_SQL["known_of_thread"], values, prepare=True)
    return queries


def stored_words(words: str) -> str:
    """Return the words that are stored: whole sentences of at most `WORDS_LIMIT` characters.

    A first sentence that is longer is cut.
    """
    if len(words) <= WORDS_LIMIT:
        return words
    beginning = words[:WORDS_LIMIT]
    ends = [found.start() for found in _SENTENCES.finditer(beginning)]
    if ends:
        beginning = beginning[: ends[-1]]
    return whole_marks(beginning)


def final_question(reply: str) -> str | None:
    """Return the last sentence of a reply if it ends with a question mark, else None."""
    bare = reply.strip().rstrip("*_~` ")
    sentences = [one for one in _SENTENCES.split(bare) if one]
    if not sentences or not sentences[-1].endswith(("?", "？", "؟")):
        return None
    return sentences[-1][-_MAX_QUESTION:]


async def schedule_formation(
    app: App, transaction: PersonTransaction, audience: str
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
    await form_after(app, transaction, audience, delay)


async def form_after(
    app: App,
    transaction: PersonTransaction,
    audience: str,
    delay: float,
    *,
    failures: int = 0,
) -> None:
    """Add a job that forms memories of the person, for an audience, after `delay` seconds.

    None is added if one waits already, unless it is to know of `failures`: how often the model has
    failed with the oldest words. Jobs of one person and audience run in order.
    """
    person = transaction.person
    connection = transaction.connection
    lock = f"{BACKGROUND}:{person.namespace(audience).prefix}"
    waits = await app.queue.hold_waiting(connection, FORM_MEMORIES, lock, delay)
    if waits and not failures:
        return
    arguments = {**person.ids, "audience": audience, "failures": str(failures)}
    await app.queue.defer(
        connection,
        FORM_MEMORIES,
        {lock: arguments},
        queue=BACKGROUND,
        priority=_LAST,
        delay=delay,
    )
