"""*Keep for This Channel* and *Keep as Decision*: only the author of a message can keep it.

The words are those of one message, read from Slack at that moment, and judged before they are kept.
If somebody wants to keep another person's message, its author is asked; only the author sees the
question and can answer it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.access import NotRemembered, admit, admit_question, begin_request, check_request
from bot.app import App
from bot.conversation.audiences import look_up_kind
from bot.locale import Localizer
from bot.memories.forgetting import forget_all_of
from bot.memories.kept_lines import WHOLE, add_line, update_lines
from bot.people import person_refusal, read_memory_state, refusal_in
from bot.slack.client import SLACK_FAULTS, error_code, find_message, show_privately
from bot.slack.messages import author_key, is_direct, typed
from bot.ui.acts import Keep, Replace, TakeBack, Undo
from bot.ui.kept_lines import author_question
from bot.ui.lines import off_line, refusal_line
from bot.ui.panel import Click, Done
from bot.ui.payloads import kept_done
from memory import (
    PUBLIC,
    Change,
    ChangedSince,
    ChangeGone,
    MemoryOff,
    Origin,
    Person,
    PersonMessage,
    Refusal,
    Selection,
)
from memory.model import KEPT_KIND, kept_channel
from memory.postgres import load_statements, person_transaction
from memory.store import (
    KeptMemory,
    find_memory,
    forgotten_among,
    keep,
    keys_of_kept,
    nearest_kept,
    read_kept,
    replace_decision,
)

log = logging.getLogger(__name__)

QUESTIONS_AN_HOUR = 20
_LONGEST = 1_000  # characters
_MOST_REPLACED = 3
_SQL = load_statements("bot", "kept_lines")
# These verdicts have sentences of their own, because nothing is remembered about the person.
_REASONS = {
    "not_asserted": "kept_refused_open",
    "other_person": "kept_refused_other",
    "sensitive": "kept_refused_sensitive",
}


class NotKept(Exception):
    """A message is not kept; `line` is the sentence that says why."""

    def __init__(self, line: str) -> None:
        super().__init__("A message is not kept.")
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A person's message that is to be kept for its conversation; `words` are the typed words."""

    person: Person
    localizer: Localizer
    channel: str
    ts: str
    thread_ts: str
    words: str
    decision: bool


# --- by a shortcut, and by the author's click --------------------------------------------------


async def keep_message(
    app: App, click: Click, message: Mapping[str, Any], *, decision: bool
) -> Done:
    """Keep the message that a shortcut was used on, or ask its author."""
    ts = str(message.get("ts") or "")
    thread_ts = str(message.get("thread_ts") or ts)
    wanted = Keep(channel=click.place.channel, ts=ts, thread_ts=thread_ts, decision=decision)
    try:
        found = await _find(app, click, wanted)
        if await _author(app, click.person, found) == click.person.user_id:
            return await _keep_found(app, click, wanted, found)
        await _ask_author(app, click, wanted, found)
    except NotKept as refused:
        return Done(line=refused.line, beside=True)
    return Done(line=click.localizer.say("kept_asked"))


async def keep_as_author(app: App, click: Click, act: Keep) -> Done:
    """Keep a message as its author, who was asked; nobody else's click does anything."""
    try:
        found = await _find(app, click, act)
        if await _author(app, click.person, found) != click.person.user_id:
            return Done(line=click.localizer.say("kept_not_yours"), beside=True)
        return await _keep_found(app, click, act, found)
    except NotKept as refused:
        return Done(line=refused.line, beside=True)


async def _find(app: App, click: Click, wanted: Keep) -> Mapping[str, Any]:
    """Return the message as Slack has it now. Raises `NotKept`."""
    await _check_place(app, click.person, click.localizer, wanted.channel)
    client = app.slack.client(click.person.team_id)
    try:
        found = await find_message(client, wanted.channel, wanted.thread_ts, wanted.ts)
    except SLACK_FAULTS as error:
        log.info("a message to keep could not be read: %s", error_code(error))
        found = None
    if found is None or found.get("bot_id") or found.get("subtype") == "tombstone":
        raise NotKept(click.localizer.say("kept_unread"))
    return found


async def _author(app: App, person: Person, message: Mapping[str, Any]) -> str:
    installation = await app.slack.get(person.team_id)
    return author_key(message, installation, shared="user_team" in message)


async def _check_place(app: App, person: Person, localizer: Localizer, channel: str) -> bool:
    """Return whether a conversation is a public channel. Raises `NotKept` if nothing can be kept.

    Nothing is kept in direct messages and in conversations that are shared with other workspaces,
    excluded by the operator or of uncertain kind; nor for guests and people who are not in the
    conversation.
    """
    if not channel or is_direct(channel):
        raise NotKept(localizer.say("kept_channels_only"))
    if refused := refusal_in(app.settings, person, channel, None):
        raise NotKept(localizer.say(refused))
    try:
        kind = await look_up_kind(app, person.team_id, channel)
    except SLACK_FAULTS as error:
        log.info("the kind of a conversation is not known: %s", error_code(error))
        raise NotKept(localizer.say("kept_place")) from error
    if kind.shared or kind.audience not in (PUBLIC, channel):
        raise NotKept(localizer.say("kept_place"))
    if channel not in await app.members.conversations(person):
        raise NotKept(localizer.say("kept_members_only"))
    return kind.audience == PUBLIC


async def _ask_author(app: App, click: Click, wanted: Keep, message: Mapping[str, Any]) -> None:
    """Ask the author of a message, privately, whether to keep it. Raises `NotKept`."""
    person = click.person
    author = Person(person.team_id, await _author(app, person, message))
    cannot = NotKept(click.localizer.say("kept_cannot_ask"))
    words = typed(str(message.get("text") or ""))
    settings = await app.people.settings(author, keep_new=False)
    is_off = settings.off(app.settings.consent) is not None
    if not words or is_off or person_refusal(app.settings, author):
        raise cannot
    if not await app.members.is_member(author):
        raise cannot
    if not await admit_question(app.pool, person, QUESTIONS_AN_HOUR):
        raise NotKept(click.localizer.say("kept_enough_asked"))
    question = author_question(settings.localizer(), person, words, wanted)
    # Slack shows it in a thread only if the thread has a reply.
    in_thread = bool(message.get("reply_count")) or wanted.thread_ts != wanted.ts
    client = app.slack.client(person.team_id)
    try:
        await show_privately(
            client,
            question,
            channel=wanted.channel,
            user=author.user_id,
            thread_ts=wanted.thread_ts if in_thread else None,
        )
    except SLACK_FAULTS as error:
        log.info("the author of a message could not be asked: %s", error_code(error))
        raise cannot from error


async def _keep_found(app: App, click: Click, wanted: Keep, message: Mapping[str, Any]) -> Done:
    said = _Said(
        person=click.person,
        localizer=click.localizer,
        channel=wanted.channel,
        ts=wanted.ts,
        thread_ts=str(message.get("thread_ts") or wanted.thread_ts or wanted.ts),
        words=typed(str(message.get("text") or "")),
        decision=wanted.decision,
    )
    async with person_transaction(app.pool, said.person) as connection:
        await _check_state(app, connection, said)
    await admit(app.pool, app.settings, said.person)
    return await _kept(app, said, None)


async def _check_state(app: App, connection: AsyncConnection[DictRow], said: _Said) -> None:
    person = said.person
    state = await read_memory_state(connection, person, said.channel, said.ts, app.settings.consent)
    if state.off:
        raise NotKept(off_line(said.localizer, state.off))
    forgotten = await forgotten_among(connection, person, [(said.channel, said.ts)])
    if not state.on_record or forgotten:
        raise NotKept(said.localizer.say("remember_off_record"))


# --- in words to the app -----------------------------------------------------------------------


async def keep_words(
    app: App,
    person: Person,
    localizer: Localizer,
    message: tuple[str, str, str],
    words: str,
    quote: str,
    *,
    decision: bool,
) -> Done:
    """Keep what a person asks for in a message to the app: the part that `quote` quotes.

    `message` is its conversation, ts and thread. Raises `NotKept`.
    """
    channel, ts, thread_ts = message
    await _check_place(app, person, localizer, channel)
    said = _Said(
        person=person,
        localizer=localizer,
        channel=channel,
        ts=ts,
        thread_ts=thread_ts,
        words=words,
        decision=decision,
    )
    return await _kept(app, said, quote)


# --- both --------------------------------------------------------------------------------------


async def _kept(app: App, said: _Said, quote: str | None) -> Done:
    """Keep words, and offer older decisions that they may replace. Raises `NotKept`."""
    kept = await _keep(app, said, quote)
    older = await _older_decisions(app, said, kept) if said.decision else []
    return kept_done(said.localizer, said.channel, kept.key, older)


async def _keep(app: App, said: _Said, quote: str | None) -> Change:
    """Judge words and keep them. Raises `NotKept`."""
    localizer = said.localizer
    person = said.person
    request = await begin_request(app.pool, person, channel=said.channel, ts=said.ts)
    message = PersonMessage(text=said.words, channel=said.channel, ts=said.ts, zone=localizer.zone)
    judged = await app.former.judge_kept(person, message, quote, decision=said.decision)
    if isinstance(judged, Refusal):
        raise NotKept(_refused(localizer, judged))
    if len(judged.text) > _LONGEST:
        raise NotKept(localizer.say("kept_long"))
    # Checked again, because the channel may have been shared or the person may have left since.
    is_public = await _check_place(app, person, localizer, said.channel)
    origin = Origin(
        actor="command",
        evidence=judged.text,
        channel=said.channel,
        ts=said.ts,
        zone=str(localizer.zone),
    )

    async def in_commit(connection: AsyncConnection[DictRow], changes: Sequence[Change]) -> None:
        await _check_state(app, connection, said)
        if quote is not None:
            values = {**person.ids, "channel": said.channel, "ts": said.ts}
            await connection.execute(_SQL["mark_formed"], values)
        await check_request(connection, person, request)
        [kept] = changes
        await add_line(app, connection, person, kept.key, said.channel, said.thread_ts)

    try:
        kept = await keep(
            app.pool,
            app.embedder,
            person,
            said.channel,
            origin,
            decision=said.decision,
            public=is_public,
            in_commit=in_commit,
        )
    except ChangedSince as known:
        raise NotKept(localizer.say("kept_already")) from known
    except (MemoryOff, NotRemembered) as changed:
        raise NotKept(localizer.say("changed_meanwhile")) from changed
    log.info("a person keeps a message for its conversation")
    return kept


def _refused(localizer: Localizer, refused: Refusal) -> str:
    key = _REASONS.get(refused.reason)
    if key is None:
        return refusal_line(localizer, refused.reason, refused.sentence)
    return localizer.say(key)


async def _older_decisions(app: App, said: _Said, kept: Change) -> list[KeptMemory]:
    """Return the decisions that a new one may replace: the nearest to it, or else the newest."""
    found = await nearest_kept(
        app.pool,
        app.embedder,
        said.person,
        [said.channel],
        kept.evidence,
        most=_MOST_REPLACED + 1,
        decisions=True,
    )
    if not found:
        lines = await read_kept(app.pool, said.person, [said.channel], most=WHOLE)
        found = [one for one in lines if one.is_decision and not one.is_replaced]
    return [one for one in found if one.memory.key != kept.key][:_MOST_REPLACED]


async def replace_older(app: App, click: Click, act: Replace) -> Done:
    """Let a decision of the person replace an older one that they chose."""

    async def in_commit(connection: AsyncConnection[DictRow], _: Sequence[Change]) -> None:
        await update_lines(app.queue, connection, click.person, keys=[act.key])

    changed = await replace_decision(
        app.pool, app.embedder, click.person, act.key, act.old, in_commit=in_commit
    )
    undo = Undo(what="changes", ids=(changed.id,))
    return Done(line=click.localizer.say("kept_replaced_done"), undo=undo)


async def take_back(app: App, click: Click, act: TakeBack) -> Done:
    """Stop keeping one of the person's lines: it disappears for everybody, with *Undo* for them."""
    memory = await find_memory(app.pool, click.person, act.key)
    if memory is None or memory.kind != KEPT_KIND:
        return Done(line=click.localizer.say("kept_not_yours"), beside=True)
    is_elsewhere = not click.place.is_home
    forgotten = await forget_all_of(
        app, click.person, Selection(keys=[act.key]), publish=is_elsewhere
    )
    if forgotten.id is None:
        raise ChangeGone
    channels = [kept_channel(audience) for audience in memory.audiences]
    where = f"<#{channels[0]}>" if channels else ""
    undo = Undo(what="forgetting", ids=(forgotten.id,))
    line = click.localizer.say("kept_taken_back", channel=where)
    return Done(line=line, undo=undo, beside=click.place.position is None)


async def take_all_back(app: App, person: Person) -> None:
    """Stop keeping anything of a person who has left the workspace."""
    keys = await keys_of_kept(app.pool, person)
    if keys:
        await forget_all_of(app, person, Selection(keys=keys))
        log.info("%d kept line(s) of a person who left were taken back", len(keys))
