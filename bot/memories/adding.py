"""Memories that a person asks for, formed at once from lines or a message of theirs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.access import (
    NotRemembered,
    QuotaExceeded,
    begin_request,
    check_request,
    count_tokens,
)
from bot.app import App
from bot.conversation.unformed import mark_message_formed
from bot.people import is_off, read_settings, was_off
from bot.slack.messages import author_key, typed
from bot.ui.blocks import escaped
from bot.ui.forms import field_error
from bot.ui.lines import changes_line, notable_changes, off_line, question_line
from bot.ui.messages import (
    SENTENCE_LIMIT,
    on_button,
    promise_told,
    refusal_line,
    refusal_payload,
    remind_button,
)
from bot.ui.panel import Done, answer_buttons
from bot.ui.reader import Reader
from memory import (
    DM,
    ChangedSince,
    ChangeGone,
    EmbeddingsUnavailable,
    FormationResult,
    FormationUnavailable,
    InvalidContent,
    MemoryFull,
    MemoryOff,
    MemoryView,
    Person,
    PersonMessage,
    Promise,
    Reason,
    Refusal,
    UserFact,
    add_memories,
    list_changes,
    memory_view,
    open_questions,
)
from memory.credentials import redact
from memory.postgres import person_transaction
from memory.store import MAX_MEMORIES, forgotten_messages, memory_page

log = logging.getLogger(__name__)

# Lines of one run: it has `MAX_PROPOSALS` at most, and a line may be proposed twice.
_AT_ONCE = 20
# Deadline of the model calls, in seconds, and more for each further line; after it the words are
# stored as typed.
_DEADLINE, _DEADLINE_OF_LINE = 5.0, 1.0
# What a verdict says. After any other refusal the words are stored as typed: the words of a command
# are their own evidence.
_VERDICTS = frozenset[Reason]({"unsupported", "not_asserted", "other_person", "sensitive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is to be remembered: lines of a form for one audience, or one message of the person."""

    lines: Sequence[str]
    view: MemoryView
    channel: str = ""
    ts: str = ""


@dataclass(slots=True)
class _Outcome:
    """What became of the lines: `left` says why some were not stored, by their text."""

    left: dict[str, str] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)


EXPECTED = (
    *(InvalidContent, MemoryOff, MemoryFull, ChangeGone, ChangedSince),
    *(EmbeddingsUnavailable, FormationUnavailable, NotRemembered, QuotaExceeded),
)
"""What `why_not` has a sentence for."""


def why_not(reader: Reader, problem: Exception) -> str:
    """Return the sentence that says why something of `EXPECTED` was not done."""
    match problem:
        case InvalidContent():
            return field_error(reader, next(iter(problem.codes.values())))
        case MemoryOff():
            return reader.say("off")
        case MemoryFull():
            return refusal_line(reader, "full", "")
        case ChangeGone():
            return reader.say("memory_gone")
        case ChangedSince():
            return reader.say("ask_changed")
        case QuotaExceeded():
            return problem.refusal(reader)
        case NotRemembered():
            return reader.say(problem.key)
    return reader.say("command_failed")


async def add_lines(
    app: App, person: Person, reader: Reader, lines: Sequence[str], audience: str = DM
) -> Done:
    """Remember lines now: what is formed of a line, else the line itself as a fact."""
    source = Source(lines=lines, view=memory_view(person.namespace(audience)))
    return await _add(app, person, reader, source)


async def remember_message(
    app: App, person: Person, reader: Reader, channel: str, message: Mapping[str, Any]
) -> Done:
    """Remember what a message of Slack's says, if the person wrote it, with it as the source.

    No memory is formed from a message that the person forgot or that was written while memory was
    off.
    """
    ts = str(message.get("ts") or "")
    author = author_key(message, person.team_id, shared="user_team" in message)
    if not (author == person.user_id and not message.get("bot_id") and ts and channel):
        return Done(line=reader.say("remember_not_own"))
    words = typed(str(message.get("text") or ""))
    if not words:
        return Done(line=reader.say("remember_no_words"))
    view = await _view(app, person, channel, ts)
    source = Source(lines=[words], view=view, channel=channel, ts=ts)
    done = await _add(app, person, reader, source)
    if len(done.buttons) + bool(done.undo) > 2 or Promise not in app.schemas:
        return done
    value = f"remind {channel} {ts} {words}"[:SENTENCE_LIMIT]
    return replace(done, buttons=[*done.buttons, remind_button(reader, value)])


async def remember_as_typed(
    app: App, person: Person, reader: Reader, value: str, kind: type[BaseModel] = UserFact
) -> Done:
    """Store the sentence in a button as a memory of a kind: ``CHANNEL TS TEXT``."""
    channel, ts, text = (*value.split(" ", 2), "", "")[:3]
    channel, ts = channel.strip("-"), ts.strip("-")
    if not text or kind not in app.schemas:
        return Done(line=reader.say("command_broke"), beside=True)
    view = await _view(app, person, channel, ts) if ts else memory_view(person.namespace(DM))
    source = Source(lines=[text], view=view, channel=channel, ts=ts)
    if refused := await why_not_now(app, person, reader, source):
        return replace(refused, beside=True)
    batch = uuid4()
    await app.quotas.admit(person)
    request = await begin_request(app.pool, person, channel=channel, ts=ts)
    await _store(app, source, kind, [text], batch, request)
    log.info("a person stored a sentence as it was typed")
    return await _done(app, person, reader, batch, _Outcome())


async def _view(app: App, person: Person, channel: str, ts: str) -> MemoryView:
    """Return where a message is remembered: in the audience in which it was said."""
    async with person_transaction(app.pool, person) as connection:
        found = await connection.execute(
            "SELECT audience FROM messages WHERE team_id = %s AND user_id = %s"
            " AND channel_id = %s AND ts = %s AND begun_at IS NOT NULL",
            (person.team_id, person.user_id, channel, ts),
        )
        row = await found.fetchone()
    return await app.audiences.view_of(person, channel, ts, row["audience"] if row else None)


async def _add(app: App, person: Person, reader: Reader, source: Source) -> Done:
    if refused := await why_not_now(app, person, reader, source):
        return refused
    batch, outcome = uuid4(), _Outcome()
    for begin in range(0, len(source.lines), _AT_ONCE):
        some = source.lines[begin : begin + _AT_ONCE]
        try:
            await app.quotas.admit(person)
            await _form(app, person, reader, source, some, batch, outcome)
        except EXPECTED as problem:
            outcome.left |= dict.fromkeys(some, why_not(reader, problem))
    return await _done(app, person, reader, batch, outcome)


async def why_not_now(
    app: App, person: Person, reader: Reader, source: Source | None = None
) -> Done | None:
    """Return why nothing, or nothing of a source, may be stored; None if it may."""
    if refusal := app.policy.refuses_person(person):
        return Done(line=reader.say(refusal))
    async with person_transaction(app.pool, person) as connection:
        off = (await read_settings(connection, person)).off(app.settings.consent)
        unlearned = source is not None and await _is_unlearned(connection, person, source)
    if off:
        return Done(line=off_line(reader, off), buttons=[on_button(reader)])
    if unlearned:
        return Done(line=reader.say("remember_off_record"))
    secret = source is not None and any(redact(one).removed for one in source.lines)
    return Done(line=reader.say("form_secret")) if secret else None


async def _form(
    app: App,
    person: Person,
    reader: Reader,
    source: Source,
    lines: Sequence[str],
    batch: UUID,
    outcome: _Outcome,
) -> None:
    """Store what is formed from lines, else the lines as facts. Raises one of `EXPECTED`."""
    request = await begin_request(app.pool, person, channel=source.channel, ts=source.ts)
    words = {
        PersonMessage(
            text=line,
            channel=source.channel,
            ts=source.ts,
            origin="message" if source.ts else "command",
            zone=reader.zone,
        ): line
        for line in lines
    }
    try:
        formed = await app.former.form(
            source.view,
            [*words],
            batch=batch,
            in_commit=partial(_in_commit, app, person, source, request),
            deadline=_DEADLINE + _DEADLINE_OF_LINE * (len(lines) - 1),
            spend=partial(count_tokens, person.team_id),
        )
    except FormationUnavailable:
        formed = FormationResult(changes=(), refused=(), late=True)
    judged = {
        one.evidence.original: one
        for one in reversed(formed.refused)
        if one.reason in _VERDICTS and one.evidence is not None
    }
    outcome.refused += [one for said, one in judged.items() if said not in formed.accepted]
    others = [line for said, line in words.items() if said not in {*formed.accepted, *judged}]
    if formed.late:
        log.warning("what a person added was not judged in time; it is stored as typed")
    else:
        others = [line for line in others if not await _is_known(app, person, source, line)]
    if others and app.stores_facts:
        await _store(app, source, UserFact, others, batch, request)
    else:
        outcome.left |= dict.fromkeys(others, reader.say("form_invalid"))


async def _is_known(app: App, person: Person, source: Source, line: str) -> bool:
    """Return whether a memory that may be used there contains the line."""
    found = await memory_page(app.pool, person, size=MAX_MEMORIES, words=line, whole_words=True)
    return any(source.view.allows(memory.namespace) for memory in found.memories)


async def _store(
    app: App,
    source: Source,
    kind: type[BaseModel],
    lines: Sequence[str],
    batch: UUID,
    request: str,
) -> None:
    """Store each line as a memory of a kind, in its first field, with itself as the evidence."""
    said = {"channel": source.channel, "ts": source.ts} if source.ts else {}
    origin, name = "message" if source.ts else "command", next(iter(kind.model_fields))
    await add_memories(
        app.pool,
        app.embedder,
        source.view.own,
        kind.__name__,
        [({name: line}, {"kind": origin, "evidence": line, **said}) for line in lines],
        batch=batch,
        in_commit=partial(_in_commit, app, source.view.person, source, request),
    )


async def _in_commit(
    app: App,
    person: Person,
    source: Source,
    request: str,
    connection: AsyncConnection[DictRow],
    _: object,
) -> None:
    """Mark the message as formed, in the transaction that stores what it says.

    Raises `MemoryOff`, also if the person was erased since `request` began, or `NotRemembered` if
    the message was edited, deleted or forgotten since.
    """
    if await is_off(connection, person, source.channel, app.settings.consent):
        raise MemoryOff("The person has switched memory off meanwhile.")
    if await _is_unlearned(connection, person, source):
        raise NotRemembered("remember_off_record")
    if source.ts:
        await mark_message_formed(connection, person, source.channel, source.ts)
    # Last: an edit locks the turn first, and then the requests about its message.
    await check_request(connection, person, request)


async def _is_unlearned(
    connection: AsyncConnection[DictRow], person: Person, source: Source
) -> bool:
    """Return whether no memory is formed from the message any more."""
    if not source.ts:
        return False
    if source.ts in await forgotten_messages(connection, person, source.channel):
        return True
    return await was_off(connection, person, source.channel, source.ts)


async def _done(app: App, person: Person, reader: Reader, batch: UUID, outcome: _Outcome) -> Done:
    """Return what was stored and asked, and what was not stored and why."""
    stored = notable_changes(await list_changes(app.pool, person, batch=batch))
    questions = await open_questions(app.pool, person, batch=batch)
    left = dict(outcome.left)
    if not (stored or questions or left) and len(outcome.refused) == 1:
        shown = refusal_payload(reader, outcome.refused[0], can_store=app.stores_facts)
        buttons = [element for block in shown["blocks"][1:] for element in block["elements"]]
        return Done(line=shown["text"], buttons=buttons)
    for one in outcome.refused:
        left[one.sentence] = refusal_line(reader, one.reason, one.sentence)
    lines = [changes_line(reader, stored)] if stored else []
    buttons = []
    if len(stored) == 1 and (promised := promise_told(reader, stored[0])):
        lines[0], buttons = promised[0], promised[1][:2]
    if questions:
        lines.append(question_line(reader, questions[0]))
        buttons = answer_buttons(reader, questions[0])
    lines += [_left_line(reader, line, reason) for line, reason in left.items()]
    line = "\n".join(lines) or reader.say("add_known")
    return Done(line=line, undo=f"notice {batch}" if stored else None, buttons=buttons)


def _left_line(reader: Reader, line: str, reason: str) -> str:
    shown = escaped(redact(line).text)
    return reason if shown in reason else reader.say("add_left", what=shown, why=reason)
