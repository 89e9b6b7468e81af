"""Forgetting: memories by their keys, what was said in a conversation or period, or everything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from bot.acts.blocks import (
    Payload,
    actions,
    bulleted,
    escaped,
    explained_button,
    one_line,
    payload,
    section,
    truncate,
)
from bot.acts.buttons import forget_all_button, forget_button, search_button
from bot.acts.kinds import Forget, Undo
from bot.acts.lines import (
    asked_text,
    memory_line,
    own_line,
    repeated_sentences,
    with_sentence,
)
from bot.acts.receipt import Click, NotDone, Receipt, undoable
from bot.app import App
from bot.conversation.turns import form_after, schedule_formation
from bot.locale import Localizer
from bot.notices.notices import update_notices
from bot.panel.home import publish_later
from memory import (
    DM,
    ChangeGone,
    Forgotten,
    Memory,
    Person,
    PersonMessage,
    Reason,
    Selection,
    undo_forgetting,
)
from memory.model import MAX_TEXT, MessageKey, Statement, messages_of, needles, plain
from memory.postgres import (
    PersonTransaction,
    load_statements,
    person_statement,
    person_transaction,
    transaction_timeout,
)
from memory.store import (
    forget_within,
    memory_page,
    note_refusals,
    read_in_order,
    selected,
    statement_of,
)

_SQL = load_statements("bot.forgetting", "forgetting")
_MOST_ROWS = 10  # rows of memories that can each be forgotten

# A person's whole history can be tens of thousands of rows; forgetting it takes seconds.
FORGETTING_SECONDS = 60.0
MAX_KEYS = 50  # memories that one button forgets, because their keys are in its value
_NAMED = 5


async def forget_words_question(
    app: App, person: Person, localizer: Localizer, words: str
) -> Payload | None:
    """Return the question whether to forget what has these words; None if nothing has.

    These are memories, and messages of the last day without one: they stand in prompts, or wait to
    be formed.
    """
    found = await memory_page(
        app.pool,
        person,
        words,
        size=MAX_KEYS,
    )
    said = await _said_within_a_day(app, person, words)
    messages = said[: MAX_KEYS - len(found.memories)]
    if not found.memories and not messages:
        return None
    return forget_question(localizer, found.memories, found.total, messages)


async def _said_within_a_day(
    app: App, person: Person, words: str
) -> list[tuple[MessageKey, str]]:
    """Return the person's messages of the last day that have these words and taught nothing."""
    wanted = needles(words)
    rows = await person_statement(app.pool, person, _SQL["messages_of_day"])
    found: list[tuple[MessageKey, str]] = []
    for row in rows:
        said = row["question"] or row["words"]
        text = plain([said])
        if wanted and all(needle in text for needle in wanted):
            found.append(((row["channel"], row["ts"]), said))
    return found


def nothing_to_forget(localizer: Localizer, words: str) -> Payload:
    """Return that nothing contains these words, with a button for the search.

    Without words there is no memory at all.
    """
    if not words:
        return payload(localizer.say("panel_none"))
    line = localizer.say("panel_no_match", words=escaped(words))
    return payload(line, search_button(localizer))


async def forget_memories_question(
    app: App, person: Person, localizer: Localizer, keys: Collection[str]
) -> Payload:
    """Return the question whether to forget these memories, or that there are none."""
    async with person_transaction(app.pool, person) as transaction:
        memories = await read_in_order(transaction, keys)
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
    line = localizer.say("forgotten_words")
    if forgotten.memories:
        what = _named(localizer, forgotten.memories, quoted=not click.place.stays)
        line = localizer.say("forgotten", what=what)
    undo = Undo(what="forgetting", ids=(forgotten.id,))
    return undoable(localizer, line, undo, note=localizer.say("undo_note"))


def _named(localizer: Localizer, memories: Sequence[Memory], *, quoted: bool) -> str:
    """Return the line of a single memory, or how many there are.

    A message that stays in Slack does not quote what was forgotten.
    """
    if quoted and len(memories) == 1:
        return memory_line(localizer, memories[0])
    return localizer.say("counted_memories", count=len(memories))


async def forget_selection(
    app: App, person: Person, selection: Selection, *, publish: bool = True
) -> Forgotten:
    """Forget a selection; its notices and Home no longer show it.

    Ten minutes later it can no longer be undone, and every earlier text of the person is deleted.
    Until then the model is shown none of them (`bot.conversation.turns`).
    """
    with transaction_timeout(FORGETTING_SECONDS):
        async with person_transaction(app.pool, person, locked=True) as transaction:
            messages: list[MessageKey] = []
            if selection.everything or selection.until is not None:
                values = selection.parameters()
                messages = messages_of(
                    await transaction.fetch(_SQL["messages_of"], values)
                )
            forgotten = await forget_within(transaction, selection, messages=messages)
            if forgotten.id is not None:
                await update_notices(app, transaction, batches=forgotten.batches)
                if publish:
                    await publish_later(transaction.connection, app.queue, person)
    return forgotten


async def end_texts(transaction: PersonTransaction, before: datetime) -> bool:
    """Blank the person's texts from before a time; return whether none is left.

    Words that are not formed yet wait for a day at most; *Changes* says which were dropped.
    Messages that wait for their answer keep their text until then.
    """
    values = {"before": before}
    await transaction.execute(_SQL["end_texts"], values)
    dropped = await transaction.fetch(_SQL["drop_words"], values)
    refused: list[tuple[Statement, Reason]] = []
    for row in dropped:
        text = truncate(row["words"], MAX_TEXT)
        words = PersonMessage(text=text, channel=row["channel"], ts=row["ts"])
        # What was never formed is a statement that does not count.
        statement = statement_of(
            str(uuid4()), "", row["audience"], None, words, batch=uuid4()
        )
        refused.append((statement, "dropped"))
    await note_refusals(transaction, refused)
    [row] = await transaction.fetch(_SQL["texts_left"], values)
    return not row["is_left"]


async def undo_forgotten(app: App, click: Click, forgetting: UUID) -> Receipt:
    """Undo a forgetting, once and within ten minutes; formation embeds what is left to embed."""
    person = click.person

    async def in_commit(transaction: PersonTransaction, _: None) -> None:
        for row in await transaction.fetch(_SQL["audiences_unformed"]):
            await schedule_formation(app, transaction, row["audience"])
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
    if not restored:
        return click.say("restored_words")
    what = _named(click.localizer, restored, quoted=True)
    return Receipt(line=click.localizer.say("restored", what=what))


def forget_question(
    localizer: Localizer,
    memories: Sequence[Memory],
    total: int | None = None,
    messages: Sequence[tuple[MessageKey, str]] = (),
) -> Payload:
    """Return the question whether to forget a memory or message, or which of several.

    Words may have been found in the sentence of a memory only, so it is shown if it says more.
    `total`: how many memories there are, if that is more than one button can forget. `messages`,
    each with its text, are those without a memory.
    """
    rows = [*_forget_rows(localizer, memories), *_message_rows(localizer, messages)]
    if len(rows) == 1:
        [(text, forget, _)] = rows
        if memories:
            [memory] = memories
            line = own_line(localizer, memory)
            question = localizer.say("forget_ask", what=line)
            text = with_sentence(localizer, memory, line, question)
        return payload(text, forget_button(localizer, forget))
    count = len(memories)
    shown = rows[:_MOST_ROWS]
    below = [
        section(text, explained_button(localizer, "menu_forget", forget, line))
        for text, forget, line in shown
    ]
    lines = [localizer.say("forget_which")]
    if total is not None and total > count:
        lines.append(localizer.say("forget_part", total=total, count=count))
    elif len(rows) > len(shown):
        more = len(rows) - len(shown)
        lines.append(localizer.say("forget_more", count=more))
    everything = Forget(
        keys=tuple(memory.key for memory in memories),
        messages=tuple(message for message, _ in messages),
    )
    below.append(actions(forget_all_button(localizer, everything)))
    which = payload("\n".join(lines))
    return {**which, "blocks": [*which["blocks"], *below]}


def _forget_rows(
    localizer: Localizer, memories: Sequence[Memory]
) -> list[tuple[str, Forget, str]]:
    """Return the text of each memory, what forgets it, and what its button is about."""
    rows: list[tuple[str, Forget, str]] = []
    repeated = repeated_sentences(memories)
    for memory in memories:
        line = own_line(localizer, memory, repeated)
        text = with_sentence(localizer, memory, line, line)
        rows.append((text, Forget(keys=(memory.key,)), line))
    return rows


def _message_rows(
    localizer: Localizer, messages: Sequence[tuple[MessageKey, str]]
) -> list[tuple[str, Forget, str]]:
    """Return the same of each message."""
    rows: list[tuple[str, Forget, str]] = []
    for message, said in messages:
        what = escaped(one_line(asked_text(localizer, said)))
        line = localizer.say("forget_message", what=what)
        rows.append((line, Forget(messages=(message,)), line))
    return rows
