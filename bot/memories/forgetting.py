"""Forgetting: memories by their keys, what was said in a conversation or period, or everything."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.app import App
from bot.conversation.changed_turns import check_changed_sources
from bot.conversation.history import delete_forgotten_texts
from bot.memories.home import publish_later
from bot.notices import update_notices
from bot.people import has_opened_home
from bot.slack.messages import Message
from bot.ui.lines import memory_line
from bot.ui.messages import forget_question
from bot.ui.panel import EVERYTHING, Done
from bot.ui.reader import Reader
from memory import (
    ChangeGone,
    Forgotten,
    KiokuMemoryError,
    Person,
    Selection,
    changes,
    forget,
    selected,
    source_changed,
    transaction_timeout,
    undo_changes,
    undo_forgetting,
)

log = logging.getLogger(__name__)

# A person's whole history is tens of thousands of rows and one transaction: it takes seconds.
FORGETTING_SECONDS = 60.0
_NAMED = 5


def selection_of(value: str) -> Selection:
    """Return what the value of a button selects. Raises `ValueError` for any other text."""
    kind, _, rest = value.partition(" ")
    if kind == EVERYTHING:
        return Selection(everything=True)
    if kind == "keys" and rest:
        return Selection(keys=rest.split())
    if kind == "said":
        said = json.loads(rest)
        return Selection(
            channel=said.get("channel"),
            messages=[tuple(one) for one in said.get("messages", ())],
            since=_moment(said.get("since")),
            until=_moment(said.get("until")),
        )
    raise ValueError("This button selects nothing.")


def value_of(selection: Selection) -> str:
    """Return the value of the button that forgets a selection."""
    if selection.everything:
        return EVERYTHING
    if selection.keys:
        return f"keys {' '.join(selection.keys)}"
    said = {
        "channel": selection.channel,
        "messages": list(selection.messages),
        "since": selection.since.isoformat() if selection.since else None,
        "until": selection.until.isoformat() if selection.until else None,
    }
    return f"said {json.dumps({name: value for name, value in said.items() if value})}"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


async def forget_question_about(
    app: App, person: Person, reader: Reader, selection: Selection
) -> dict[str, Any] | None:
    """Return the question whether to forget a selection; None where nothing is there."""
    found = await selected(app.pool, person, selection)
    if not found.count and not selection.everything:
        return None
    text = reader.say("forget_everything_ask")
    if not selection.everything:
        named = [memory_line(reader, one) for one in found.memories[:_NAMED]]
        what = reader.say("listed").join(named)
        if more := found.count - len(named):
            what = reader.say("and_more", what=what, count=more)
        text = reader.say("forget_ask", what=what)
    return forget_question(reader, text, value_of(selection))


async def forget_selected(
    app: App, person: Person, reader: Reader, value: str, *, in_home: bool = False
) -> Done:
    """Forget what a button names; pressing it twice does no harm.

    `in_home`: the caller publishes the person's Home. A job would take its *Undo* away again.
    """
    forgotten = await forget_all_of(app, person, selection_of(value), publish=not in_home)
    if forgotten.id is None:
        return Done(line=reader.say("forgotten_already"), beside=forgotten.just_now)
    if forgotten.count == 1 and forgotten.memories:
        line = reader.say("forgotten", what=memory_line(reader, forgotten.memories[0]))
    elif forgotten.count:
        line = reader.say("forgotten_many", count=forgotten.count)
    else:
        line = reader.say("forgotten_words")
    return Done(line=f"{line}\n{reader.say('undo_note')}", undo=f"forgetting {forgotten.id}")


async def forget_all_of(
    app: App, person: Person, selection: Selection, *, publish: bool = True
) -> Forgotten:
    """Forget a selection, with the texts that say it; its notices and Home no longer show it."""
    delete_texts = partial(_delete_texts, app, person, publish)
    with transaction_timeout(FORGETTING_SECONDS):
        forgotten = await forget(app.pool, person, selection, delete_texts=delete_texts)
    log.info("a person forgot %d memories", forgotten.count)
    return forgotten


async def _delete_texts(
    app: App, person: Person, publish: bool, connection: AsyncConnection[DictRow], gone: Any
) -> int:
    await update_notices(app, connection, person, gone.batches)
    if publish and await has_opened_home(connection, person):
        await publish_later(connection, app.queue, person)
    return await delete_forgotten_texts(connection, gone, person=person)


async def undo_forgotten(app: App, person: Person, reader: Reader, forgetting: str) -> Done:
    """Undo a forgetting: once, and within ten minutes."""
    try:
        with transaction_timeout(FORGETTING_SECONDS):
            count = await undo_forgetting(app.pool, person, UUID(forgetting))
    except (ChangeGone, ValueError):
        return Done(line=reader.say("undo_gone"), beside=True)
    await check_changed_sources(app.pool, app.queue, person)
    log.info("a person undid forgetting %d memories", count)
    return Done(line=reader.say("undone", count=count))


async def take_back(
    app: App,
    message: Message,
    ids: Sequence[UUID],
    questions: Collection[UUID],
    *,
    again: bool,
) -> None:
    """Undo what tools stored of a message; of what was new no trace is left.

    `ids` are those of changes, `questions` those of questions that the message alone left open. A
    change that cannot be undone is treated as if the message was deleted. Where it is answered
    `again`, all else that comes from it is: an earlier attempt may have ended with it stored.
    """
    person = message.person
    entries = await changes(app.pool, person, ids=ids) if ids else []
    new = [entry.key for entry in entries if entry.before is None]
    try:
        undone = await undo_changes(app.pool, app.embedder, person, ids=ids) if ids else []
        if again or len(undone) < len(ids):
            source = message.channel_id, message.ts
            gone = await source_changed(app.pool, app.embedder, person, *source, None)
            new += [one.key for one in gone if one.after is None]
    except KiokuMemoryError as problem:
        log.warning("changes could not be undone: %s", type(problem).__name__)
    if new or questions:
        await forget_all_of(app, person, Selection(keys=new, questions=list(questions)))
