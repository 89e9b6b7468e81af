"""Forgetting: memories by their keys, what was said in a conversation or period, or everything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from bot.app import App
from bot.conversation.turns import form_after, schedule_formation
from bot.locale import Localizer
from bot.memories.expected import NotDone
from bot.memories.home import publish_later
from bot.notices import update_notices
from bot.ui.acts import Forget, Undo
from bot.ui.blocks import Payload, bulleted, escaped, payload
from bot.ui.lines import memory_line
from bot.ui.payloads import forget_button, forget_question, search_button
from bot.ui.receipt import Click, Receipt, undoable
from memory import (
    DM,
    ChangeGone,
    Forgotten,
    Memory,
    Person,
    Selection,
    forget,
    undo_forgetting,
)
from memory.model import MessageKey
from memory.postgres import (
    PersonTransaction,
    load_statements,
    person_transaction,
    transaction_timeout,
)
from memory.store import (
    Gone,
    memory_page,
    message_parameters,
    read_in_order,
    selected,
)

_SQL = load_statements("bot", "forgetting")

# A person's whole history can be tens of thousands of rows; forgetting it takes seconds.
FORGETTING_SECONDS = 60.0
MAX_KEYS = 50  # memories that one button forgets, because their keys are in its value
_NAMED = 5


async def forget_words_question(
    app: App, person: Person, localizer: Localizer, words: str
) -> Payload | None:
    """Return the question whether to forget the memories with these words; None without any."""
    found = await memory_page(
        app.pool,
        person,
        words,
        size=MAX_KEYS,
    )
    if not found.memories:
        return None
    return forget_question(localizer, found.memories, found.total)


def nothing_to_forget(localizer: Localizer, words: str) -> Payload:
    """Return that no memory contains these words, with a button for the search."""
    line = localizer.say("panel_no_match", words=escaped(words))
    return payload(line, search_button(localizer))


async def forget_memories_question(
    app: App, person: Person, localizer: Localizer, keys: Collection[str]
) -> Payload:
    """Return the question whether to forget these memories, or that there are none."""
    memories = await _memories(app, person, keys)
    if not memories:
        return payload(localizer.say("memory_gone"))
    return forget_question(localizer, memories)


async def forget_period_question(
    app: App, person: Person, localizer: Localizer, since: datetime, until: datetime
) -> Payload:
    """Return the question whether to forget what was said in a time.

    There may be texts of it even if there is no memory.
    """
    found = await selected(app.pool, person, Selection(since=since, until=until))
    first, last = localizer.minute(since), localizer.minute(until)
    lines = [localizer.say("forget_between", since=first, until=last)]
    lines += [memory_line(localizer, memory) for memory in found[:_NAMED]]
    more = len(found) - _NAMED
    if more > 0:
        lines.append(localizer.say("forget_more", count=more))
    line = f"{localizer.say('forget_these')}\n{bulleted(lines)}"
    act = Forget(since=since, until=until)
    return payload(line, forget_button(localizer, act))


async def _memories(app: App, person: Person, keys: Collection[str]) -> list[Memory]:
    async with person_transaction(app.pool, person) as transaction:
        return await read_in_order(transaction, keys)


def forget_everything_question(localizer: Localizer) -> Payload:
    """Return the question whether to forget everything."""
    everything = forget_button(localizer, Forget(everything=True))
    return payload(localizer.say("forget_everything_ask"), everything)


async def forget_selected(app: App, click: Click, act: Forget) -> Receipt:
    """Forget what a button names; pressing it twice does no harm.

    After a click in Home the caller publishes it, because a job would not say what was forgotten.
    Raises `AlreadyUnderWay` for a second click while the first is being carried out, and
    `ChangeGone` for what is not there any more.
    """
    localizer = click.localizer
    selection = act.selection
    publish = not click.place.is_home
    with app.under_way.once(f"forget {click.person.scope} {act.value}"):
        forgotten = await forget_selection(
            app, click.person, selection, publish=publish
        )
    if forgotten.id is None:
        raise ChangeGone("What was to be forgotten is gone.")
    lines: list[str] = []
    if selection.messages:
        lines.append(localizer.say("not_remembered"))
    if forgotten.memories:
        what = _one_or_count(localizer, forgotten.memories)
        lines.append(localizer.say("forgotten", what=what))
    if not lines:
        lines.append(localizer.say("forgotten_words"))
    return receipt(localizer, "\n".join(lines), forgotten)


def _one_or_count(localizer: Localizer, memories: Sequence[Memory]) -> str:
    """Return the line of a single memory, or the number of several."""
    if len(memories) == 1:
        return memory_line(localizer, memories[0])
    return localizer.say("counted_memories", count=len(memories))


def receipt(localizer: Localizer, line: str, forgotten: Forgotten) -> Receipt:
    """Return what was forgotten, and that the earlier conversation is no longer used."""
    if forgotten.id is None or not forgotten.can_undo:
        return Receipt(line=f"{line}\n{localizer.say('forgotten_note')}")
    undo = Undo(what="forgetting", ids=(forgotten.id,))
    return undoable(localizer, line, undo, note=localizer.say("undo_note"))


async def forget_selection(
    app: App, person: Person, selection: Selection, *, publish: bool = True
) -> Forgotten:
    """Forget a selection; its notices and Home no longer show it.

    Texts that name it are deleted after ten minutes, when it can no longer be undone. Until then
    the model is shown no earlier exchange (`bot.conversation.turns`).
    """

    async def in_commit(transaction: PersonTransaction, forgotten: Forgotten) -> None:
        if forgotten.id is None:
            return
        await update_notices(app, transaction, batches=forgotten.batches)
        if publish:
            await publish_later(transaction.connection, app.queue, person)

    with transaction_timeout(FORGETTING_SECONDS):
        return await forget(
            app.pool,
            person,
            selection,
            stop_forming=stop_forming,
            delete_texts=delete_forgotten_texts,
            in_commit=in_commit,
        )


async def stop_forming(
    transaction: PersonTransaction,
    selection: Selection,
    gone: Gone,
) -> list[MessageKey]:
    """Keep the messages of what is forgotten from being formed again; return them."""
    values = {**selection.parameters(), **_parameters_of_texts(gone)}
    rows = await transaction.fetch(_SQL["stop_forming"], values)
    return [(row["channel"], row["ts"]) for row in rows]


async def delete_forgotten_texts(transaction: PersonTransaction, gone: Gone) -> None:
    """Delete the texts of these messages, and texts that name what is gone."""
    await transaction.execute(_SQL["delete_texts"], _parameters_of_texts(gone))


def _parameters_of_texts(gone: Gone) -> dict[str, Any]:
    """Return the parameters that find the person's texts about what is forgotten."""
    return {
        **message_parameters(gone.messages),
        "needles": list(gone.needles),
    }


async def undo_forgotten(app: App, click: Click, forgetting: UUID) -> Receipt:
    """Undo a forgetting, once and within ten minutes; formation embeds what is left to embed."""
    person = click.person

    async def in_commit(transaction: PersonTransaction, forgotten_at: datetime) -> None:
        rows = await transaction.fetch(_SQL["unform"], {"at": forgotten_at})
        audiences = {row["audience"] for row in rows}
        for audience in audiences:
            await schedule_formation(app, transaction, audience)
        # A job of formation also embeds the memories that lack a vector, of whatever audience, even
        # where nothing is formed.
        await form_after(app, transaction, DM, 0.0)

    try:
        with transaction_timeout(FORGETTING_SECONDS):
            restored = await undo_forgetting(
                app.pool, app.embedder, person, forgetting, in_commit=in_commit
            )
    except ChangeGone:
        raise NotDone(click.localizer.say("undo_gone")) from None
    return Receipt(line=_restored_line(click.localizer, restored))


def _restored_line(localizer: Localizer, restored: Sequence[Memory]) -> str:
    """Return what an Undo has brought back."""
    if not restored:
        return localizer.say("restored_words")
    what = _one_or_count(localizer, restored)
    return localizer.say("restored", what=what)
