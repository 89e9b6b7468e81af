"""Memories that a person asks for, formed at once from typed lines or one of their messages."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args
from uuid import UUID, uuid4

from bot.access import admit, person_refusal
from bot.acts.blocks import VALUE_LIMIT, Payload, button, escaped
from bot.acts.buttons import on_button
from bot.acts.kinds import (
    Remember,
    Undo,
)
from bot.acts.lines import (
    off_line,
    question_line,
    refusal_line,
)
from bot.acts.receipt import EXPECTED, Click, NotDone, Receipt, explain, undoable
from bot.app import App
from bot.conversation.audiences import ConversationKind, kind_now, view_at
from bot.conversation.edits import update_later
from bot.conversation.turns import read_turn
from bot.locale import Localizer
from bot.notices.payload import batch_lines, batch_payload
from bot.people import read_memory_state
from bot.slack.reading import name_words, typed
from memory import (
    DM,
    Change,
    ChangedSince,
    FormationResult,
    FormationUnavailable,
    Memory,
    MemoryView,
    Person,
    PersonMessage,
    Reason,
    Refusal,
    UserFact,
    add_memories,
    edit_memory,
    memory_view,
    open_questions,
)
from memory.credentials import redact
from memory.formation import VerdictReason
from memory.model import Json
from memory.postgres import (
    PersonTransaction,
    load_statements,
    person_transaction,
)
from memory.store import (
    MAX_MEMORIES,
    forgotten_among,
    memory_page,
    read_epoch,
)

log = logging.getLogger(__name__)

_SQL = load_statements("bot.remembering", "adding")

_DAY_SECONDS = 86_400
# Credentials are never stored, and sensitive information is not with KIOKU_SENSITIVE=never.
_FINAL: frozenset[Reason] = frozenset({"secret", "sensitive", "full"})
# The deadline of the model calls, in seconds, and what each further line adds to it. After it the
# words are stored as typed.
_DEADLINE = 5.0
_DEADLINE_OF_LINE = 1.0


async def add_lines(
    app: App, click: Click, lines: Sequence[str], audience: str
) -> Receipt:
    """Remember lines now: the memories formed from a line, or else the line itself as a fact."""
    view = memory_view(click.person.namespace(audience))
    return await _Addition(app=app, click=click, lines=lines, view=view).remember()


async def remember_message(
    app: App, click: Click, channel: str, message: Json
) -> Payload:
    """Remember what a Slack message says, if the person wrote it, with the message as the source.

    No memory is formed from a message that the person forgot or that was written while memory was
    off, nor in a conversation that is shared with another organisation.
    """
    ts = str(message["ts"])
    person = click.person
    kind = await kind_now(app, person.team_id, channel)
    if kind.shared:
        raise NotDone(click.localizer.say("shared_channel"))
    if message.get("user") != person.user_id or message.get("bot_id"):
        raise NotDone(click.localizer.say("remember_not_own"))
    words = await words_typed(app, person, channel, message)
    if not words:
        raise NotDone(click.localizer.say("remember_no_words"))
    view = await _view(app, kind, person, channel, ts)
    addition = _Addition(
        app=app,
        click=click,
        lines=[words],
        view=view,
        channel=channel,
        ts=ts,
        root=str(message.get("thread_ts") or ts),
    )
    receipt = await addition.remember()
    if not await open_questions(app.pool, person, batch=addition.batch):
        return receipt.payload
    asked = await batch_payload(app.pool, person, click.localizer, addition.batch)
    return asked or receipt.payload


async def words_typed(app: App, person: Person, channel: str, message: Json) -> str:
    """Return what its author typed in a message that was read from Slack, for `person`.

    Raises `memory.FormationUnavailable` if Slack does not say a name in it just now.
    """
    bot_user_id = app.slack.bot_user_id(person.team_id)
    words = typed(str(message.get("text") or ""), bot_user_id)
    return await name_words(app.names, person, words, channel)


async def remember_as_typed(app: App, click: Click, act: Remember) -> Receipt:
    """Store a sentence as a fact, as it was typed."""
    if not app.stores_facts:
        raise NotDone(click.localizer.say("command_broke"))
    epoch = await read_epoch(app.pool, click.person)
    view = memory_view(click.person.namespace(DM))
    if act.ts:
        kind = await kind_now(app, click.person.team_id, act.channel)
        view = await _view(app, kind, click.person, act.channel, act.ts)
        turn = await read_turn(app.pool, click.person, act.channel, act.ts)
        if turn and turn["has_changed"] and act.text not in turn["words"]:
            raise ChangedSince("The message was edited since.")
    addition = _Addition(
        app=app,
        click=click,
        lines=[act.text],
        view=view,
        channel=act.channel,
        ts=act.ts,
    )
    await addition.check()
    await addition.store(addition.lines, epoch)
    return await addition.done([])


async def _view(
    app: App, kind: ConversationKind, person: Person, channel: str, ts: str
) -> MemoryView:
    """Return the view of a message's conversation, with the audience in which it was said."""
    turn = await read_turn(app.pool, person, channel, ts)
    audience = turn["audience"] if turn else None
    return view_at(kind, person, channel, ts, audience)


async def check_may_store(
    app: App, click: Click, channel: str = "", ts: str = ""
) -> None:
    """Raise `NotDone` if nothing may be stored about the person, or from their message, if any.

    A message that the person forgot or wrote while memory was off, or that is older than memories
    are kept, forms nothing.
    """
    localizer = click.localizer
    if refusal := person_refusal(app.settings, click.person):
        raise NotDone(localizer.say(refusal))
    async with person_transaction(app.pool, click.person) as transaction:
        mode = app.settings.consent
        state = await read_memory_state(transaction, channel, ts or "0", mode)
        forgotten = await forgotten_among(transaction, [(channel, ts)])
    if state.off:
        on = on_button(localizer, state.off.scope)
        raise NotDone(off_line(localizer, state.off), on)
    if not ts:
        return
    if forgotten or not state.on_record:
        raise NotDone(localizer.say("remember_off_record"))
    days = state.settings.retention(app.settings.retention_days)
    age = time.time() - float(ts)
    if days is not None and age > days * _DAY_SECONDS:
        raise NotDone(localizer.say("remember_too_old", days=days))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Addition:
    """What is to be remembered: lines of a form for one audience, or one message of the person.

    `root` is the ts of the thread of a message that was read from Slack.
    """

    app: App
    click: Click
    lines: Sequence[str]
    view: MemoryView
    channel: str = ""
    ts: str = ""
    root: str = ""
    batch: UUID = field(default_factory=uuid4)

    async def remember(self) -> Receipt:
        """Form the lines, and say what was stored and what was not."""
        app = self.app
        epoch = await admit(app.pool, app.settings, self.click.person)
        await self.check()
        try:
            return await self.done(*await self._form(epoch))
        except EXPECTED as problem:
            why = explain(self.click.localizer, problem).line
            return await self.done([], why)

    async def check(self) -> None:
        """Raise `NotDone` if this may not be stored."""
        await check_may_store(self.app, self.click, self.channel, self.ts)
        if any(redact(line).removed for line in self.lines):
            raise NotDone(self.click.localizer.say("refused_secret"))

    async def _form(self, epoch: int) -> tuple[list[Refusal], str]:
        """Store what is formed from the lines, or else the lines as facts.

        Returns what the verdict refused, and why other lines were not stored, or "". Raises one of
        `EXPECTED`.
        """
        messages = [self._message(line) for line in self.lines]
        formed = await self._judge(messages, epoch)
        others = [message.text for message in messages]
        refused: dict[PersonMessage, Refusal] = {}
        if formed is not None:
            refused = _refused_by_verdict(formed)
            judged = {*formed.accepted, *refused}
            left_over = [one.text for one in messages if one not in judged]
            others = await self._unknown(left_over)
        problem = ""
        if others and self.app.stores_facts:
            await self.store(others, epoch)
        elif others:
            problem = self.click.localizer.say("form_invalid")
        return [*refused.values()], problem

    def _message(self, line: str) -> PersonMessage:
        return PersonMessage(
            text=line,
            channel=self.channel,
            ts=self.ts,
            actor="formation" if self.ts else "command",
            zone=self.click.localizer.zone,
        )

    async def _judge(
        self, messages: Sequence[PersonMessage], epoch: int
    ) -> FormationResult | None:
        """Form memories from the lines; return None if they were not judged in time."""
        try:
            return await self.app.former.form(
                self.view,
                messages,
                batch=self.batch,
                epoch=epoch,
                in_commit=self._in_commit,
                deadline=_DEADLINE + _DEADLINE_OF_LINE * (len(messages) - 1),
            )
        except FormationUnavailable:
            log.warning(
                "what a person added was not judged in time; it is stored as typed"
            )
            return None

    async def _unknown(self, lines: Sequence[str]) -> list[str]:
        """Return the lines that no memory contains that may be used in this view."""
        unknown: list[str] = []
        for line in lines:
            found = await memory_page(
                self.app.pool,
                self.click.person,
                line,
                size=MAX_MEMORIES,
                whole_words=True,
            )
            is_known = any(self.view.allows(one.namespace) for one in found.memories)
            if not is_known:
                unknown.append(line)
        return unknown

    async def store(self, lines: Sequence[str], epoch: int) -> None:
        """Store each line as a fact, with itself as the evidence."""
        facts: list[tuple[dict[str, str], PersonMessage]] = []
        for line in lines:
            words = replace(self._message(line), actor="command")
            facts.append(({"fact": line}, words))
        await add_memories(
            self.app.pool,
            self.app.embedder,
            self.view.own,
            UserFact.__name__,
            facts,
            batch=self.batch,
            epoch=epoch,
            in_commit=self._in_commit,
        )

    async def _in_commit(self, transaction: PersonTransaction, _: object) -> None:
        """Mark the message as formed, in the transaction that stores what it says."""
        message = {"channel": self.channel, "ts": self.ts}
        await transaction.execute(_SQL["exclude_from_formation"], message)
        if self.root:
            # An edit of a message that is not stored begins no epoch: it is read once more.
            queue = self.app.queue
            await update_later(queue, transaction, self.channel, self.ts, self.root)

    async def done(self, refused: Sequence[Refusal], problem: str = "") -> Receipt:
        """Return what was stored and asked, what was refused, and the problem that ended it."""
        pool = self.app.pool
        person = self.click.person
        localizer = self.click.localizer
        told = await batch_lines(pool, person, localizer, self.batch)
        questions = await open_questions(pool, person, batch=self.batch)
        if not (told or questions or problem) and len(refused) == 1:
            return refusal_done(localizer, refused[0], facts=self.app.stores_facts)
        # The panel asks the question.
        lines = told + [question_line(localizer, one) for one in questions[:1]]
        for one in refused:
            lines.append(refusal_line(localizer, one.reason, one.sentence))
        if problem:
            lines.append(problem)
        if not lines:
            raise NotDone(localizer.say("add_known"))
        line = "\n".join(lines)
        if not told:
            return Receipt(line=line)
        return undoable(localizer, line, Undo(what="notice", ids=(self.batch,)))


def _refused_by_verdict(formed: FormationResult) -> dict[PersonMessage, Refusal]:
    """Return the first refusal by a verdict of each message from which nothing was formed.

    After any other refusal the words are stored as typed: the words of a command are their own
    evidence.
    """
    by_verdict = get_args(VerdictReason)
    refused: dict[PersonMessage, Refusal] = {}
    for one in formed.refused:
        if one.reason not in by_verdict or one.evidence is None:
            continue
        message = one.evidence.original
        if message not in formed.accepted:
            refused.setdefault(message, one)
    return refused


async def form_anew(
    app: App, click: Click, memory: Memory, sentence: str
) -> Sequence[Change]:
    """Form what a memory says from another sentence.

    A fact that the models do not judge in time is stored as typed. Raises `NotDone`, which says
    why, if the memory stays as it is, and what `Former.form_edit` raises.
    """
    epoch = await admit(app.pool, app.settings, click.person)
    await check_may_store(app, click)
    words = PersonMessage(text=sentence, actor="modal", zone=click.localizer.zone)
    view = memory_view(memory.namespace)
    try:
        formed = await app.former.form_edit(
            view, words, memory, epoch=epoch, deadline=_DEADLINE
        )
    except FormationUnavailable:
        log.warning("what a person wrote anew was not judged in time")
        if memory.kind != UserFact.__name__:
            why = click.localizer.say("edit_not_read", what=escaped(sentence))
            raise NotDone(why) from None
        content = {"fact": sentence}
        return await edit_memory(
            app.pool, app.embedder, click.person, memory.key, content, words
        )
    if not formed.changes and formed.refused:
        reason = formed.refused[0].reason
        raise NotDone(refusal_line(click.localizer, reason, sentence))
    return formed.changes


def refusal_done(localizer: Localizer, refusal: Refusal, *, facts: bool) -> Receipt:
    """Return why a sentence was not stored, with the button that stores it as it was typed.

    `facts`: whether there is a kind of memory for it. A sentence that is too long for a button's
    value, about 1,900 characters, gets no button.
    """
    line = refusal_line(localizer, refusal.reason, refusal.sentence)
    if refusal.evidence is None or not facts or refusal.reason in _FINAL:
        return Receipt(line=line)
    said = refusal.evidence.original
    remember = Remember(
        text=refusal.evidence.text, channel=said.channel or "", ts=said.ts or ""
    )
    if len(remember.value) > VALUE_LIMIT:
        return Receipt(line=line)
    return Receipt(line=line, button=button(localizer.say("remember_button"), remember))
