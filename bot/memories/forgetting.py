"""Forgetting: memories by their keys, what was said in a conversation or period, or everything."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.app import App
from bot.conversation.edits import update_from_message_later
from bot.locale import Reader
from bot.memories.home import publish_later
from bot.notices import update_notices
from bot.queue.queue import BACKGROUND
from bot.slack.messages import split_thread_key
from bot.ui.blocks import Payload, as_mrkdwn, payload, shortened
from bot.ui.lines import memory_line
from bot.ui.messages import forget_button
from bot.ui.panel import EVERYTHING, Click, Done
from memory import ChangeGone, Forgotten, Gone, Person, Selection, forget, undo_forgetting
from memory.formation import sources_among
from memory.postgres import person_statement, person_transaction, transaction_timeout
from memory.store import MessageKey, embed_missing, selected

log = logging.getLogger(__name__)

# A person's whole history is tens of thousands of rows and one transaction: it takes seconds.
FORGETTING_SECONDS = 60.0
MAX_KEYS = 50  # memories that one button forgets: their keys are its value
_NAMED = 5
_WORDS_LIMIT = 80  # characters of a message in the question whether to forget it
EMBED = "embed_memories"
_IN_SELECTION: LiteralString = (
    "(%(everything)s OR (%(ranged)s AND ts::float8 >= %(since)s AND ts::float8 < %(until)s))"
)
# Messages of which no attempt has begun.
_NOT_BEGUN: LiteralString = (
    "SELECT channel_id, ts FROM messages WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND status = 'waiting' AND begun_at IS NULL"
)
_DELETE_TEXTS: LiteralString = (
    f"WITH meant AS (SELECT id, {_IN_SELECTION} OR (channel_id, ts) IN (SELECT * FROM"
    " unnest(%(channels)s::text[], %(times)s::text[])) AS whole FROM messages"
    " WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND (question <> '' OR words <> '' OR reply IS NOT NULL) FOR UPDATE),"
    " gone AS (SELECT id, whole OR says(question, %(subjects)s) AS question,"
    " whole OR says(words, %(subjects)s) AS words,"
    " whole OR says(COALESCE(reply, ''), %(subjects)s) AS reply"
    " FROM messages JOIN meant USING (id)),"
    # What people said of an answer may repeat it.
    " comments AS (UPDATE feedback SET comment = '' WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND comment <> '' AND (%(everything)s OR says(comment, %(subjects)s) OR turn_id IN"
    " (SELECT id FROM gone WHERE question OR words OR reply)))"
    " UPDATE messages SET question = CASE WHEN gone.question THEN '' ELSE messages.question END,"
    " words = CASE WHEN gone.words THEN '' ELSE messages.words END,"
    " reply = CASE WHEN gone.reply THEN NULL ELSE messages.reply END"
    " FROM gone WHERE messages.id = gone.id AND (gone.question OR gone.words OR gone.reply)"
    " RETURNING channel_id, CASE WHEN gone.question OR gone.words THEN ts END AS asked,"
    " CASE WHEN gone.reply THEN reply_ts ELSE '{}' END AS answered"
)


def selection_of(value: str) -> Selection:
    """Return what the value of a button selects. Raises `ValueError` for any other text."""
    match value.split(" "):
        case [str(everything)] if everything == EVERYTHING:
            return Selection(everything=True)
        case ["keys", *keys] if keys:
            return Selection(keys=keys)
        case ["message", channel, ts]:
            return Selection(messages=[(channel, ts)])
        case ["time", since, until]:
            ends = [datetime.fromtimestamp(float(end), UTC) for end in (since, until)]
            return Selection(since=ends[0], until=ends[1])
    raise ValueError("This button selects nothing.")


def value_of(selection: Selection) -> str:
    """Return the value of the button that forgets a selection, as `selection_of` reads it."""
    if selection.everything:
        return EVERYTHING
    if selection.keys:
        return f"keys {' '.join(selection.keys)}"
    if selection.messages:
        [(channel, ts)] = selection.messages
        return f"message {channel} {ts}"
    ends = (end.timestamp() if end else 0.0 for end in (selection.since, selection.until))
    return f"time {' '.join(map(str, ends))}"


async def forget_question_about(
    app: App, person: Person, reader: Reader, selection: Selection
) -> Payload | None:
    """Return the question whether to forget a selection; None for memories that are not there.

    What was said at a time may be stored without a memory of it.
    """
    if selection.everything:
        return payload(reader.say("forget_everything_ask"), forget_button(reader, EVERYTHING))
    found = await selected(app.pool, person, selection)
    if not (found.count or selection.messages or selection.until):
        return None
    what = reader.say("listed").join(memory_line(reader, one) for one in found.memories[:_NAMED])
    if (more := found.count - _NAMED) > 0:
        what = reader.say("and_more", what=what, count=more)
    if selection.messages or selection.until:
        what = f"{await _texts_of(app, person, reader, selection)} {what}".strip()
    return payload(reader.say("forget_ask", what=what), forget_button(reader, value_of(selection)))


async def _texts_of(app: App, person: Person, reader: Reader, selection: Selection) -> str:
    """Return which texts go with a selection: one message by its beginning, or those of a time."""
    if not selection.messages:
        return reader.say("forget_said")
    [(channel, ts)] = selection.messages
    found = await person_statement(
        app.pool,
        person,
        "SELECT question FROM messages WHERE team_id = %s AND user_id = %s AND channel_id = %s"
        " AND ts = %s AND question <> ''",
        (person.team_id, person.user_id, channel, ts),
    )
    if not found:
        return reader.say("forget_said")
    words = shortened(" ".join(found[0]["question"].split()), _WORDS_LIMIT)
    return reader.say("forget_message", words=as_mrkdwn(words))


async def forget_selected(app: App, click: Click, value: str, *, in_home: bool = False) -> Done:
    """Forget what a button names; pressing it twice does no harm.

    `in_home`: the caller publishes the person's Home. A job would not say what was forgotten.
    Raises `AlreadyUnderWay` for a second click while the first is being carried out.
    """
    reader = click.reader
    selection = selection_of(value)
    with app.under_way.once(f"forget {click.person.scope} {value}"):
        forgotten = await forget_all_of(app, click.person, selection, publish=not in_home)
    if forgotten.id is None:
        return Done(line=reader.say("forgotten_already"), beside=True)
    lines = [reader.say("forgotten_message")] if selection.messages else []
    if forgotten.count == 1 and forgotten.memories:
        lines.append(reader.say("forgotten", what=memory_line(reader, forgotten.memories[0])))
    elif forgotten.count:
        lines.append(reader.say("forgotten_many", count=forgotten.count))
    line = "\n".join(lines) or reader.say("forgotten_words")
    return _undoable(reader, line, forgotten)


def not_remembered(reader: Reader, forgotten: Forgotten) -> Done:
    """Return that a message is not remembered; with *Undo* if memories were forgotten for that."""
    line = reader.say("not_remembered")
    return _undoable(reader, line, forgotten) if forgotten.count else Done(line=line)


def _undoable(reader: Reader, line: str, forgotten: Forgotten) -> Done:
    if not forgotten.can_undo:
        return Done(line=line)
    return Done(line=f"{line}\n{reader.say('undo_note')}", undo=f"forgetting {forgotten.id}")


async def forget_all_of(
    app: App, person: Person, selection: Selection, *, publish: bool = True
) -> Forgotten:
    """Forget a selection, with the texts that say it; its notices and Home no longer show it."""
    delete_texts = partial(_delete_texts, app, person, publish)
    with transaction_timeout(FORGETTING_SECONDS):
        return await forget(app.pool, person, selection, delete_texts=delete_texts)


async def _delete_texts(
    app: App, person: Person, publish: bool, connection: AsyncConnection[DictRow], gone: Gone
) -> list[MessageKey]:
    await update_notices(app, connection, person, gone.batches)
    if publish:
        await publish_later(connection, app.queue, person)
    return await delete_forgotten_texts(connection, gone, person=person)


async def delete_forgotten_texts(
    connection: AsyncConnection[DictRow], gone: Gone, *, person: Person
) -> list[MessageKey]:
    """Delete the texts of the turns that are sources of what is forgotten, and texts that name it.

    Comments on answers are deleted if they name it or are about a deleted text. Returns the
    messages whose texts were deleted or that wait without a turn.
    """
    selection = gone.selection
    sources = [*gone.messages, *selection.messages]
    values = {
        **person.ids,
        "everything": selection.everything,
        "ranged": selection.is_ranged,
        "since": selection.since.timestamp() if selection.since else 0.0,
        "until": selection.until.timestamp() if selection.until else float("inf"),
        "channels": [channel for channel, _ in sources],
        "times": [ts for _, ts in sources],
        "subjects": list(gone.subjects),
    }
    messages: list[MessageKey] = []
    if selection.everything or selection.is_ranged:
        # First: a turn that begins meanwhile is found by the next statement.
        found = await connection.execute(f"{_NOT_BEGUN} AND {_IN_SELECTION}", values)
        messages += [(row["channel_id"], row["ts"]) for row in await found.fetchall()]
    found = await connection.execute(_DELETE_TEXTS, values)
    for row in await found.fetchall():
        times = [*filter(None, [row["asked"]]), *row["answered"]]
        messages += [(row["channel_id"], ts) for ts in times]
    return messages


async def undo_forgotten(app: App, click: Click, forgetting: str) -> Done:
    """Undo a forgetting: once, and within ten minutes. A job embeds the memories again."""
    person, reader = click.person, click.reader
    jobs = {f"{EMBED}:{person.scope}": person.ids}
    embed = partial(app.queue.defer, name=EMBED, jobs=jobs, queue=BACKGROUND)
    try:
        with transaction_timeout(FORGETTING_SECONDS):
            count = await undo_forgetting(app.pool, person, UUID(forgetting), in_commit=embed)
    except (ChangeGone, ValueError):
        return Done(line=reader.say("undo_gone"), beside=True)
    await check_changed_sources(app, person)
    return Done(line=reader.say("undone", count=count))


async def check_changed_sources(app: App, person: Person) -> None:
    """Schedule an update from each edited or deleted message that a memory comes from.

    For an Undo that has restored memories: while they were gone, an edit or a deletion of their
    messages found nothing to update.
    """
    async with person_transaction(app.pool, person) as connection:
        found = await connection.execute(
            "SELECT channel_id, ts, thread FROM messages"
            " WHERE team_id = %(team)s AND user_id = %(user)s AND changed_ts <> ''",
            person.ids,
        )
        rows = await found.fetchall()
        threads = {(row["channel_id"], row["ts"]): row["thread"] for row in rows}
        for channel, ts in await sources_among(connection, person, threads):
            _, _, root = split_thread_key(threads[channel, ts])
            await update_from_message_later(connection, app.queue, person, channel, ts, root)


async def embed_memories(app: App, team: str, user: str) -> None:
    """Embed what an Undo has brought back; run as a job. Raises `EmbeddingsUnavailable`."""
    await embed_missing(app.pool, app.embedder, Person(team, user))
