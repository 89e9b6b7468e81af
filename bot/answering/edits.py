"""What follows from an edit (memories are formed again) and a deletion (they are forgotten)."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from uuid import UUID

from slack_sdk.errors import SlackApiError

from bot.access import QuotaExceeded, admit, check_quota, refusal_in
from bot.app import App
from bot.conversation.audiences import kind_now, view_of_audience
from bot.conversation.edits import (
    ChangedMessage,
    MessageChange,
    delete_texts,
    edit_message,
    update_later,
    withdraw_message,
)
from bot.conversation.turns import (
    end_exchanges,
    form_after,
    read_turn,
    schedule_formation,
    stored_words,
)
from bot.delivery.record import unrecorded_messages
from bot.kept.acts import follow_edit
from bot.kept.lines import end_lines
from bot.notices.notices import update_notices
from bot.people import note_answered, read_memory_state
from bot.queue.retries import RunLater
from bot.remembering.adding import words_typed
from bot.slack.client import (
    PATIENCE_SECONDS,
    delete_message,
    error_code,
    find_message,
    unless_refused,
)
from bot.slack.messages import THREAD_SETTING, split_thread_key
from bot.slack.reading import name_words, plain, typed
from memory import Person, PersonMessage
from memory.credentials import redact_texts
from memory.formation import still_quoted, take_back
from memory.model import MessageKey
from memory.postgres import (
    PersonTransaction,
    execute_statement,
    load_statements,
    person_transaction,
    transaction,
)
from memory.store import (
    ask_within,
    begin_epoch,
    delete_set_aside,
    find_kept,
    forgotten_among,
    messages_among,
    read_set_aside,
)

log = logging.getLogger(__name__)

_SQL = load_statements("bot.conversation", "edits")


async def follow_change(app: App, change: MessageChange) -> None:
    """Store an edit or deletion, and schedule what follows from it, in one transaction.

    A running answer to the message ends. Memories that were not formed yet are formed from the new
    words; those that were, and those that a tool or *Remember* stored, are updated by a job. If
    memory is off, or the policy refuses the person, the new words are not stored: the job reads
    them from Slack. Credentials are never stored.
    """
    scope = {THREAD_SETTING: change.thread}
    kept = await find_kept(app.pool, change.team_id, change.channel_id, change.ts)
    author = change.author
    if kept is not None:
        # Slack may report a deletion without the message.
        author = kept.user_id
    lock = ""
    if author:
        person = Person(change.team_id, author)
        scope |= person.settings
        lock = person.prefix
    question, words = _texts_of(app, change)
    async with transaction(app.pool, scope, lock=lock, shared=True) as connection:
        if change.text is None:
            changed = await withdraw_message(connection, app.queue, change)
        else:
            changed = await edit_message(
                connection,
                app.queue,
                change,
                question,
                words,
                must_agree=app.settings.consent == "ask",
            )
        user = changed.user_id if changed else author
        if not user:
            return
        of_author = PersonTransaction(connection, Person(change.team_id, user))
        await of_author.execute(_SQL["enter_person"])
        if changed is not None:
            await _follow_row(app, of_author, change, changed, words)
        if kept is not None and change.text is None:
            await end_lines(app.queue, of_author, kept.id)
        elif kept is not None:
            await follow_edit(app, of_author, kept, words)
        await _follow_memories(app, of_author, change, changed, is_kept=bool(kept))
        if changed is not None and changed.interrupts:
            await app.queue.abort(connection, [change.thread])


async def _follow_memories(
    app: App,
    transaction: PersonTransaction,
    change: MessageChange,
    changed: ChangedMessage | None,
    *,
    is_kept: bool,
) -> None:
    """Update later what was formed from a message; answers since then are shown to no model again.

    Nor is anything stored of what a model was asked before.
    """
    says_something = await _has_taught(transaction, change, changed)
    if says_something:
        root = ""
        if change.text is not None:
            root = split_thread_key(change.thread)[2]
        await update_later(app.queue, transaction, change.channel_id, change.ts, root)
    if change.text is None and changed is not None:
        await end_exchanges(transaction, change.ts)
    elif says_something and (changed is None or changed.reworded):
        await end_exchanges(transaction, change.ts, edited=change.ts)
    says_else = changed is not None and changed.says_else
    if says_something or is_kept or says_else:
        await begin_epoch(transaction)


async def _has_taught(
    transaction: PersonTransaction,
    change: MessageChange,
    changed: ChangedMessage | None,
) -> bool:
    """Return whether something was remembered or asked from a message that says something else."""
    if changed is not None and changed.reworded and changed.formed:
        return True
    if changed is not None and changed.says_the_same:
        return False
    message = (change.channel_id, change.ts)
    return bool(await messages_among(transaction, [message]))


def _texts_of(app: App, change: MessageChange) -> tuple[str, str]:
    """Return the question and the words of an edited message; "" for a deleted one.

    Slack waits for this, so it is not asked for names. Words wait for theirs in their formation.
    """
    if change.text is None:
        return "", ""
    channel = change.channel_id
    bot_user_id = app.slack.bot_user_id(change.team_id)
    question = app.names.shown(plain(change.text, bot_user_id), channel)
    words = app.names.named(typed(change.text, bot_user_id), channel)
    [redacted_question, redacted_words] = redact_texts(question, words)
    return redacted_question.text, stored_words(redacted_words.text)


async def _follow_row(
    app: App,
    transaction: PersonTransaction,
    change: MessageChange,
    changed: ChangedMessage,
    words: str,
) -> None:
    """Schedule formation of the new words of a message.

    Words that may not be kept are deleted. The interim reply of an outage is deleted with its
    message, so the person gets another one.
    """
    if change.text is None:
        await note_answered(transaction, deleted=change.ts)
    if not changed.reworded:
        return
    person = transaction.person
    is_refused = refusal_in(app.settings, person, change.channel_id, changed.audience)
    if is_refused or not changed.on_record:
        await delete_texts(transaction, changed.id)
    elif words:
        await _form_again(app, transaction, changed.audience)


async def _form_again(app: App, transaction: PersonTransaction, audience: str) -> None:
    """Schedule the formation of edited words; where the person's hour is used up, after it."""
    try:
        check_quota(app.settings, await ask_within(transaction))
    except QuotaExceeded as used_up:
        await form_after(app, transaction, audience, used_up.seconds_left)
    else:
        await schedule_formation(app, transaction, audience)


async def update_from_message(
    app: App, team: str, user: str, channel: str, ts: str, root: str
) -> None:
    """Take back what a message said before it was edited or deleted, and form its words again.

    Its words are the stored ones; where none are stored, they are read from Slack, in the thread of
    `root`, which is "" for a deleted message. The notices about it are updated. Raises what
    the Slack client raises; then nothing was changed.
    """
    person = Person(team, user)
    message = (channel, ts)
    turn = await read_turn(app.pool, person, channel, ts)
    words = turn["words"] if turn else ""
    is_stored = bool(words)
    if root and not is_stored:
        [read] = redact_texts(await _words_now(app, person, channel, ts, root))
        words = await name_words(app.names, person, read.text, channel)
        now = PersonMessage(text=words, channel=channel, ts=ts)
        if await still_quoted(app.pool, person, message, now):
            return

    async def in_commit(
        transaction: PersonTransaction, batches: Collection[UUID]
    ) -> None:
        await update_notices(
            app, transaction, batches=batches, message_deleted=not root
        )
        if is_stored:
            where = {"channel": channel, "ts": ts}
            for row in await transaction.fetch(_SQL["unform"], where):
                await _form_again(app, transaction, row["audience"])

    said = await take_back(
        app.pool,
        app.embedder,
        person,
        message,
        is_deleted=not root,
        in_commit=in_commit,
    )
    log.info(
        "a message was edited or deleted: it said %d thing(s) of memories", len(said)
    )
    if words and not is_stored:
        await _form_now(app, person, message, words)


async def _form_now(app: App, person: Person, message: MessageKey, words: str) -> None:
    """Form the words of an edited message of which no text is stored, such as of *Remember This*.

    Nothing is formed where memory is off, in a conversation that is shared with another
    organisation, if the operator's policy refuses the person, or if something of the message was
    forgotten. Raises `RunLater` if the person's hour is used up.
    """
    channel, ts = message
    async with person_transaction(app.pool, person) as transaction:
        before = await read_set_aside(transaction, [message])
        mode = app.settings.consent
        state = await read_memory_state(transaction, channel, ts, mode)
        forgotten = await forgotten_among(transaction, [message])
    if not before or state.off or not state.on_record or forgotten:
        return
    audience = before[-1].audience
    kind = await kind_now(app, person.team_id, channel)
    if kind.shared or refusal_in(app.settings, person, channel, audience):
        return
    try:
        epoch = await admit(app.pool, app.settings, person)
    except QuotaExceeded as used_up:
        raise RunLater(used_up.seconds_left) from None
    view = await view_of_audience(app, person.namespace(audience))
    said = PersonMessage(text=words, channel=channel, ts=ts, zone=state.settings.zone)

    async def in_commit(transaction: PersonTransaction, _: object) -> None:
        await delete_set_aside(transaction, [message])

    await app.former.form(view, [said], epoch=epoch, in_commit=in_commit)


async def _words_now(app: App, person: Person, channel: str, ts: str, root: str) -> str:
    try:
        client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
        found = await find_message(client, channel, root, ts)
    except SlackApiError as error:
        if error_code(error) not in ("thread_not_found", "message_not_found"):
            raise
        return ""
    if found is None:
        return ""
    return await words_typed(app, person, channel, found)


async def delete_answer(app: App, team: str, thread: str, message: str) -> None:
    """Delete in Slack what was posted of an answer to a message that was deleted meanwhile.

    A message of which it is not known whether Slack began it is looked for in the thread. Raises
    what the Slack client raises if the thread may be read, or a message deleted, later.
    """
    scope = {THREAD_SETTING: thread}
    values = {"id": UUID(message)}
    found = await execute_statement(
        app.pool, _SQL["answer_to_delete"], values, scope=scope
    )
    if not found:
        return
    [answer] = found
    client = app.slack.client(team, patience=PATIENCE_SECONDS)
    channel = split_thread_key(thread)[1]
    posted = answer["reply_ts"]
    if answer["asked"] is not None:
        since = time.time() - answer["asked"]
        posted += await unrecorded_messages(
            app.pool, client, thread, turn_id=values["id"], ts=answer["ts"], since=since
        )
    for ts in posted:
        with unless_refused("delete a reply"):
            await delete_message(client, channel, ts)
    await app.sessions.end(thread)
    await execute_statement(app.pool, _SQL["forget_answer"], values, scope=scope)
