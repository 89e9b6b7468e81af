"""Reads what a person's panel shows."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from bot.access import person_refusal, refusal_in
from bot.acts.blocks import Payload, bulleted, button, escaped, payload
from bot.acts.kinds import Position
from bot.acts.lines import change_line, own_line, repeated_sentences, retention_text
from bot.app import App
from bot.config import STAND_IN_MODEL, ModelServer, Settings
from bot.conversation.turns import form_after
from bot.locale import Localizer
from bot.panel.rows import PanelContent
from bot.panel.views import PAGE_SIZE
from bot.people import PersonSettings, read_off_scopes, read_settings
from memory import Person, list_changes, open_questions
from memory.model import MessageKey, provider_and_name, speaks_openai
from memory.postgres import PersonTransaction, load_statements, person_transaction
from memory.store import (
    memory_page,
    next_reminders,
    read_in_order,
    read_kept,
    read_not_remembered,
    shown_lines,
)

_SQL = load_statements("bot.panel", "panel")

_FIRST = 5  # memories or changes that are listed in a message


async def read_panel(
    app: App,
    person: Person,
    localizer: Localizer,
    position: Position,
    *,
    home: bool = False,
) -> PanelContent:
    """Return what the panel shows at a position, in Home or in its modal.

    Messages of the person that are not read yet are counted, and their formation is scheduled. What
    may be forgotten is left to the caller (`bot.forgetting.forgetting`).
    """
    # Read from the database, because a process's cache of the person may be half a minute old.
    async with person_transaction(app.pool, person) as transaction:
        settings = await read_settings(transaction)
        off_in = await read_off_scopes(transaction)
        unformed = await _schedule_unformed(app, transaction, settings)
    content = PanelContent(
        position=position,
        off=settings.off(app.settings.consent),
        asks=settings.asks(app.settings.consent),
        off_in=off_in,
        refusal=person_refusal(app.settings, person),
        questions=await open_questions(app.pool, person),
        unformed=unformed,
    )
    if home:
        content = replace(content, handling=data_handling(app, localizer, settings))
    match position.list:
        case "changes":
            content = await _with_changes(app, person, content)
        case "kept":
            content = await _with_kept(app, person, content)
        case "cited":
            content = await _with_cited(app, person, content)
        case "memories":
            content = await _with_memories(app, person, content)
    links = await app.slack.permalinks(person.team_id, _sources(content))
    return replace(content, links=links)


async def _schedule_unformed(
    app: App,
    transaction: PersonTransaction,
    settings: PersonSettings,
) -> int:
    """Schedule the formation of all unformed words; return the number of their messages.

    Most have a job that waits for a pause of the person. The number is 0 while memory is off for
    the person.
    """
    if app.settings.formation == "off" or settings.off(app.settings.consent):
        return 0
    unformed = 0
    for row in await transaction.fetch(_SQL["unformed"]):
        unformed += row["messages"]
        await form_after(app, transaction, row["audience"], 0.0)
    return unformed


def _sources(content: PanelContent) -> dict[str, MessageKey]:
    """Return the message that each memory, change or kept line came from, by key or id."""
    sources: dict[str, MessageKey] = {}
    for memory in content.memories:
        if memory.source_messages:
            sources[memory.key] = memory.source_messages[-1]
    for change in content.changes:
        if change.message:
            sources[str(change.id)] = change.message
    for line in content.kept or ():
        sources[str(line.id)] = line.message
    return sources


async def _with_memories(
    app: App, person: Person, content: PanelContent
) -> PanelContent:
    position = content.position
    page = await memory_page(
        app.pool,
        person,
        position.of,
        size=PAGE_SIZE,
        page=position.page,
    )
    keys = [memory.key for memory in page.memories]
    return replace(
        content,
        position=position.on_page(page.page),
        memories=page.memories,
        reminders=await next_reminders(app.pool, person, keys),
        found=page.total,
    )


async def _with_changes(
    app: App, person: Person, content: PanelContent
) -> PanelContent:
    position = content.position
    end = position.page * PAGE_SIZE
    found = await list_changes(app.pool, person, key=position.of or None, limit=end + 1)
    if position == Position(list="changes"):
        content = replace(
            content, not_remembered=await read_not_remembered(app.pool, person)
        )
    page = found[end - PAGE_SIZE : end]
    return replace(content, changes=page, found=len(found))


async def _with_kept(app: App, person: Person, content: PanelContent) -> PanelContent:
    """Add what is kept for a conversation in which the person has typed the command for it."""
    channel = content.position.of
    if refusal_in(app.settings, person, channel, None):
        return content
    found = await read_kept(app.pool, person.team_id, channel)
    end = content.position.page * PAGE_SIZE
    return replace(
        content,
        kept=found[end - PAGE_SIZE : end],
        kept_shown={one.id for one in shown_lines(found)},
        viewer=person,
        found=len(found),
    )


async def _with_cited(app: App, person: Person, content: PanelContent) -> PanelContent:
    """Add the memories that an answer to the person rests on, as they are now."""
    async with person_transaction(app.pool, person) as transaction:
        values = {"turn": content.position.of}
        found = await transaction.fetch(_SQL["cited"], values)
        if not found:
            return replace(content, is_others=True)
        memories = await read_in_order(transaction, found[0]["cited"])
    return replace(content, memories=memories)


async def short_list(
    app: App, person: Person, localizer: Localizer, position: Position
) -> Payload:
    """Return the first lines of the panel's list at a position, with *Show All*.

    Messages of the person that are not read yet are counted below it, and their formation is
    scheduled.
    """
    async with person_transaction(app.pool, person) as transaction:
        settings = await read_settings(transaction)
        unformed = await _schedule_unformed(app, transaction, settings)
    if position.list == "changes":
        title = localizer.say("changes_title")
        none = localizer.say("changes_none")
        changes = await list_changes(app.pool, person, limit=_FIRST)
        lines = [change_line(localizer, one) for one in changes]
    else:
        title = localizer.say("panel_title")
        none = localizer.say("panel_none")
        if position.of:
            none = localizer.say("panel_no_match", words=escaped(position.of))
        page = await memory_page(
            app.pool,
            person,
            position.of,
            size=_FIRST,
        )
        repeated = repeated_sentences(page.memories)
        lines = [own_line(localizer, memory, repeated) for memory in page.memories]
    text = f"*{title}*\n{bulleted(lines)}" if lines else none
    if unformed:
        text += "\n" + localizer.say("messages_unformed", count=unformed)
    return payload(text, button(localizer.say("show_all"), position))


def data_handling(
    app: App, localizer: Localizer, settings: PersonSettings
) -> list[str]:
    """Return who receives a person's data, and how long it is kept."""
    lines = [localizer.say("home_kept_where")]
    if app.settings.stand_in:
        lines.append(localizer.say("home_flow_stand_in"))
    else:
        distinct = dict.fromkeys(data_flows(app.settings).values())
        receivers = localizer.listed(map(escaped, distinct))
        lines.append(localizer.say("home_flow_replies", receivers=receivers))
    retention = settings.retention(app.settings.retention_days)
    history_days = app.settings.history_days
    memories_kept = retention_text(localizer, retention)
    texts_kept = retention_text(localizer, min(retention or history_days, history_days))
    lines.append(
        localizer.say("settings_kept", memories=memories_kept, texts=texts_kept)
    )
    # The stand-in does not search.
    if app.settings.web_search and app.model.searches and not app.settings.stand_in:
        lines.append(localizer.say("home_policy_web"))
    return lines


def data_flows(settings: Settings) -> dict[str, str]:
    """Return the receivers of a person's words, as ``MODEL (HOST)``, by purpose.

    A model that is not called through OpenAI's API has its provider's name as the host. Without a
    model `kioku up` starts the stand-in, which commands such as `kioku export` do not.
    """
    if not settings.has_model:
        stand_in = f"{STAND_IN_MODEL} (127.0.0.1)"
        return dict.fromkeys(("replies", "memories", "search"), stand_in)
    flows = {
        "replies": _receiver(settings.reply_model, settings.reply_server),
        "memories": _receiver(settings.memory_model, settings.memory_server),
    }
    if settings.has_embeddings:
        search = settings.embedding_model
        flows["search"] = _receiver(search, settings.embedding_server)
    return flows


def _receiver(model: str, server: ModelServer) -> str:
    provider, name = provider_and_name(model)
    host = urlsplit(server.base_url).hostname or ""
    if not speaks_openai(model):
        host = provider
    return f"{name} ({host})"
