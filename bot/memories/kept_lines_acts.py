"""*Keep for This Channel* and *Keep as Decision*: only the author of a message can keep it.

The words are those of one message, read from Slack at that moment, and judged before they are kept.
If somebody wants to keep another person's message, its author is asked; only the author sees the
question and can answer it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.access import person_refusal, refusal_in
from bot.app import App
from bot.conversation.audiences import look_up_kind
from bot.locale import Localizer
from bot.memories.adding import (
    check_may_store,
    check_state,
    exclude_from_formation,
    words_typed,
)
from bot.memories.expected import NotKept
from bot.memories.forgetting import forget_selection, receipt
from bot.memories.kept_lines import add_line
from bot.requests_under_way import begin_request, check_request
from bot.slack.client import SLACK_FAULTS, error_code, find_message
from bot.ui.acts import Keep, TakeBack
from bot.ui.done import Click, Done
from bot.ui.kept_lines import author_question
from bot.ui.lines import refusal_line
from memory import (
    PUBLIC,
    Change,
    ChangedSince,
    Person,
    PersonMessage,
    Refusal,
    Selection,
)
from memory.formation import TypedMessage
from memory.model import Json, kept_channel
from memory.postgres import PersonTransaction
from memory.store import (
    find_memory,
    keep,
    kept_author,
    keys_of_kept,
)

log = logging.getLogger(__name__)

_LONGEST = 1_000  # characters
# These verdicts have sentences of their own, because nothing is remembered about the person.
_REASONS = {
    "not_asserted": "kept_refused_open",
    "other_person": "kept_refused_other",
    "sensitive": "kept_refused_sensitive",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A person's message of which words are to be kept for its conversation.

    `words` are the typed words; `quote` is the part of them that is meant, None: all of it.
    """

    click: Click
    wanted: Keep
    words: str
    quote: str | None = None


def _not_kept(click: Click, key: str) -> NotKept:
    """Return a sentence of the catalogues as the reason why nothing is kept."""
    return NotKept(click.localizer.say(key))


# --- by a shortcut, and by the author's click --------------------------------------------------


async def keep_message(
    app: App, click: Click, message: Json, *, decision: bool
) -> Done:
    """Keep the message that a shortcut was used on, or ask its author. Raises `NotKept`."""
    ts = str(message["ts"])
    thread_ts = str(message.get("thread_ts") or ts)
    wanted = Keep(
        channel=click.place.channel, ts=ts, thread_ts=thread_ts, decision=decision
    )
    found = await _find(app, click, wanted)
    author = str(found.get("user") or "")
    if author == click.person.user_id:
        return await _keep_found(app, click, wanted, found)
    await _ask_author(app, click, wanted, found, Person(click.person.team_id, author))
    return click.say("kept_asked")


async def keep_as_author(app: App, click: Click, wanted: Keep) -> Done:
    """Keep a message as its author, who was asked. Raises `NotKept` for anybody else's click."""
    found = await _find(app, click, wanted)
    if found.get("user") != click.person.user_id:
        raise _not_kept(click, "kept_not_yours")
    return await _keep_found(app, click, wanted, found)


async def _find(app: App, click: Click, wanted: Keep) -> Json:
    """Return the message as Slack has it now. Raises `NotKept`."""
    await _check_place(app, click, wanted.channel)
    client = app.slack.client(click.person.team_id)
    try:
        found = await find_message(client, wanted.channel, wanted.thread_ts, wanted.ts)
    except SLACK_FAULTS as error:
        log.info("a message to keep could not be read: %s", error_code(error))
        found = None
    if found is None or found.get("bot_id"):
        raise _not_kept(click, "kept_unread")
    return found


async def _check_place(app: App, click: Click, channel: str) -> bool:
    """Return whether a conversation is a public channel. Raises `NotKept` if nothing can be kept.

    Nothing is kept in direct messages and in conversations that are shared with another
    organisation, excluded by the operator or of uncertain kind; nor for guests and people who are
    not in the conversation.
    """
    person = click.person
    try:
        kind = await look_up_kind(app, person.team_id, channel)
    except SLACK_FAULTS as error:
        log.info("the kind of a conversation is not known: %s", error_code(error))
        raise _not_kept(click, "kept_place") from error
    if kind.shared:
        raise _not_kept(click, "shared_channel")
    if kind.audience not in (PUBLIC, channel):
        raise _not_kept(click, "kept_place")
    if refused := refusal_in(app.settings, person, channel, kind.audience):
        raise _not_kept(click, refused)
    if channel not in await app.members.conversations(person):
        raise _not_kept(click, "kept_members_only")
    return kind.audience == PUBLIC


async def _ask_author(
    app: App, click: Click, wanted: Keep, message: Json, author: Person
) -> None:
    """Ask the author of a message, privately, whether to keep it. Raises `NotKept`."""
    person = click.person
    if await kept_author(app.pool, person.team_id, wanted.channel, wanted.ts):
        raise _not_kept(click, "kept_already")
    cannot = _not_kept(click, "kept_cannot_ask")
    words = await words_typed(app, person, wanted.channel, message)
    settings = await app.people.settings(author, keep_new=False)
    is_off = settings.off(app.settings.consent) is not None
    if not words or is_off or person_refusal(app.settings, author):
        raise cannot
    if not await app.members.is_member(author):
        raise cannot
    question = author_question(settings.localizer(), person, words, wanted)
    client = app.slack.client(person.team_id)
    try:
        await client.chat_postEphemeral(
            channel=wanted.channel, user=author.user_id, **question
        )
    except SLACK_FAULTS as error:
        log.info("the author of a message could not be asked: %s", error_code(error))
        raise cannot from error


async def _keep_found(app: App, click: Click, wanted: Keep, message: Json) -> Done:
    words = await words_typed(app, click.person, wanted.channel, message)
    await check_may_store(app, click, wanted.channel, wanted.ts)
    return await _keep(app, _Said(click=click, wanted=wanted, words=words))


# --- in words to the app -----------------------------------------------------------------------


async def keep_words(
    app: App, click: Click, wanted: Keep, words: str, quote: str
) -> Done:
    """Keep what a person asks for in a message to the app: the part that `quote` quotes.

    Raises `NotKept`.
    """
    await _check_place(app, click, wanted.channel)
    said = _Said(click=click, wanted=wanted, words=words, quote=quote)
    return await _keep(app, said)


# --- both --------------------------------------------------------------------------------------


async def _keep(app: App, said: _Said) -> Done:
    """Judge words, and keep them. Raises `NotKept`."""
    click = said.click
    wanted = said.wanted
    request = await begin_request(
        app.pool, click.person, channel=wanted.channel, ts=wanted.ts
    )
    words = await _judge(app, said)
    # Checked again, because the channel may have been shared or the person may have left since.
    is_public = await _check_place(app, click, wanted.channel)
    await _store(app, said, words, request, is_public=is_public)
    line = click.localizer.say("kept_done", channel=f"<#{wanted.channel}>")
    return Done(line=line)


async def _judge(app: App, said: _Said) -> PersonMessage:
    """Return the words that may be kept. Raises `NotKept`."""
    click = said.click
    message = PersonMessage(
        text=said.words,
        channel=said.wanted.channel,
        ts=said.wanted.ts,
        actor="command",
        zone=click.localizer.zone,
    )
    judged = await app.former.judge_kept(
        click.person, message, said.quote, decision=said.wanted.decision
    )
    if isinstance(judged, Refusal):
        raise NotKept(_refusal(click.localizer, judged))
    if len(judged.text) > _LONGEST:
        raise _not_kept(click, "kept_long")
    return judged.words


def _refusal(localizer: Localizer, refused: Refusal) -> str:
    key = _REASONS.get(refused.reason)
    if key is None:
        return refusal_line(localizer, refused.reason, refused.sentence)
    return localizer.say(key)


async def _store(
    app: App, said: _Said, words: PersonMessage, request: str, *, is_public: bool
) -> None:
    """Keep words, with the line in their thread. Raises `NotKept`."""
    person = said.click.person
    wanted = said.wanted

    async def in_commit(
        transaction: PersonTransaction, changes: Sequence[Change]
    ) -> None:
        await check_state(app, transaction, said.click, wanted.channel, wanted.ts)
        if said.quote is not None and not _says_more(said, words):
            # A message that asks for this says nothing about the person.
            await exclude_from_formation(transaction, wanted.channel, wanted.ts)
        await check_request(transaction, request)
        [kept] = changes
        await add_line(app, transaction, kept.key, wanted.channel, wanted.thread_ts)

    try:
        await keep(
            app.pool,
            app.embedder,
            person,
            wanted.channel,
            words,
            decision=wanted.decision,
            public=is_public,
            in_commit=in_commit,
        )
    except ChangedSince as known:
        raise _not_kept(said.click, "kept_already") from known


def _says_more(said: _Said, kept: PersonMessage) -> bool:
    """Return whether a message has a sentence in which none of the kept words are."""
    message = TypedMessage(replace(kept, text=said.words))
    place = message.find(kept.text)
    if place is None:
        return True
    first_begin, _ = message.sentences[0]
    _, last_end = message.sentences[-1]
    begin, end = message.sentences_around(*place)
    return begin > first_begin or end < last_end


async def take_back(app: App, click: Click, act: TakeBack) -> Done:
    """Stop keeping one of the person's lines: it disappears for everybody, with *Undo* for them."""
    memory = await find_memory(app.pool, click.person, act.key)
    if memory is None:
        return click.say("kept_not_yours", beside=True)
    selection = Selection(keys=[act.key])
    publish = not click.place.is_home
    forgotten = await forget_selection(app, click.person, selection, publish=publish)
    [audience] = memory.audiences
    line = click.localizer.say(
        "kept_taken_back", channel=f"<#{kept_channel(audience)}>"
    )
    done = receipt(click.localizer, line, forgotten)
    return replace(done, beside=click.place.position is None)


async def take_all_back(app: App, person: Person) -> None:
    """Stop keeping anything of a person who has left the workspace."""
    keys = await keys_of_kept(app.pool, person)
    if keys:
        await forget_selection(app, person, Selection(keys=keys))
        log.info("%d kept line(s) of a person who left were taken back", len(keys))
