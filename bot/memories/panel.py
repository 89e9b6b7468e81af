"""Reads what a person's panel shows."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit
from uuid import UUID

from bot.app import App
from bot.config import Settings
from bot.conversation.turns import form_after
from bot.locale import Localizer
from bot.notices import count_unread
from bot.people import (
    PersonSettings,
    person_refusal,
    read_off_scopes,
    read_settings,
    refusal_in,
)
from bot.ui.acts import Position
from bot.ui.blocks import Payload, as_mrkdwn, escaped, payload
from bot.ui.cards import MOST_LINES
from bot.ui.lines import change_line, kept_for, memory_line
from bot.ui.panel import PAGE_SIZE, Content
from bot.ui.payloads import list_payload
from memory import (
    Person,
    list_changes,
    list_memories,
    open_questions,
)
from memory.model import provider_and_name
from memory.postgres import load_statements, person_transaction
from memory.store import count_kept, memory_page, read_card, read_kept, read_not_remembered

_SQL = load_statements("bot", "panel")

_NEWEST = 5  # memories or changes that are listed in a message


async def read_panel(
    app: App,
    person: Person,
    localizer: Localizer,
    position: Position,
    *,
    home: bool = False,
) -> Content:
    """Return what the panel shows at a position, in Home or in its modal.

    Unread messages of the person are formed now.
    """
    unformed = await _form_now(app, person)
    # Read from the database, because a process's cache of the person may be half a minute old.
    async with person_transaction(app.pool, person) as connection:
        settings = await read_settings(connection, person)
        off_in = await read_off_scopes(connection, person)
    questions = await open_questions(app.pool, person)
    content = Content(
        position=position,
        off=settings.off(app.settings.consent),
        asks=app.settings.consent == "ask" and not (settings.agreed or settings.switched_off),
        off_in=off_in,
        refusal=person_refusal(app.settings, person),
        questions=questions,
        unformed=unformed,
        unread=await count_unread(app.pool, person),
        handling=data_handling(app, localizer, settings) if home else (),
    )
    if home and position == Position() and content.refusal is None and not content.asks:
        card = await read_card(app.pool, person, person, most=MOST_LINES)
        content = replace(content, card=card)
    match position.list:
        case "changes" | "notice":
            content = await _with_changes(app, person, content)
        case "kept":
            content = await _with_kept(app, person, content)
        case _:
            content = await _with_memories(app, person, content)
    sources = {one.key: one.source_messages[-1] for one in content.memories if one.source_messages}
    sources |= {str(one.id): one.message for one in content.changes if one.message}
    for line in content.kept or ():
        sources |= dict.fromkeys([line.memory.key], line.memory.source_messages[-1])
    links = await app.slack.permalinks(person.team_id, sources)
    return replace(content, links=links)


async def _with_memories(app: App, person: Person, content: Content) -> Content:
    position = content.position
    page = await memory_page(
        app.pool, person, size=PAGE_SIZE, page=position.page, words=position.of
    )
    total = (await memory_page(app.pool, person, size=1)).total if position.of else page.total
    content = replace(content, total=total, found=page.total, memories=page.memories)
    return replace(content, position=position.on_page(page.page))


async def _with_changes(app: App, person: Person, content: Content) -> Content:
    position = content.position
    if position.list == "notice":
        found = await list_changes(app.pool, person, batch=UUID(position.of))
    else:
        limit = position.page * PAGE_SIZE + 1
        found = await list_changes(app.pool, person, key=position.of or None, limit=limit)
    if position == Position(list="changes"):
        content = replace(content, not_remembered=await read_not_remembered(app.pool, person))
    end = position.page * PAGE_SIZE
    return replace(content, changes=found[end - PAGE_SIZE : end], found=len(found))


async def _with_kept(app: App, person: Person, content: Content) -> Content:
    """Add what is kept for a conversation, if Slack says that the person is in it now."""
    channel = content.position.of
    conversations = await app.members.conversations(person)
    if content.refusal or channel not in conversations:
        return content
    if refusal_in(app.settings, person, channel, None):
        return content
    skipped = (content.position.page - 1) * PAGE_SIZE
    lines = await read_kept(app.pool, person, [channel], most=PAGE_SIZE, skipped=skipped)
    found = await count_kept(app.pool, person, channel)
    return replace(content, kept=lines, viewer=person, found=found)


async def newest_payload(
    app: App, person: Person, localizer: Localizer, position: Position
) -> Payload:
    """Return the newest memories, those with some words, or changes, with *Show All*."""
    if position.list == "changes":
        changes = await list_changes(app.pool, person, limit=_NEWEST)
        if not changes:
            return payload(localizer.say("no_changes"))
        lines = [change_line(localizer, one) for one in changes]
        return list_payload(localizer, localizer.say("changes_title"), lines, position)
    if position.of:
        page = await memory_page(app.pool, person, position.of, size=_NEWEST)
        found = [*page.memories]
        none = localizer.say("panel_no_match", words=as_mrkdwn(position.of))
    else:
        found = (await list_memories(app.pool, person))[:_NEWEST]
        none = localizer.say("panel_none")
    if not found:
        return payload(none)
    lines = [memory_line(localizer, memory) for memory in found]
    return list_payload(localizer, localizer.say("panel_title"), lines, position)


def data_handling(app: App, localizer: Localizer, settings: PersonSettings) -> list[str]:
    """Return who receives a person's data, and how long it is kept."""
    lines = [localizer.say("home_kept_where")]
    if app.settings.stand_in:
        lines.append(localizer.say("home_flow_stand_in"))
    else:
        receivers = map(escaped, dict.fromkeys(data_flows(app.settings).values()))
        lines.append(
            localizer.say("home_flow_replies", receivers=localizer.say("listed").join(receivers))
        )
    most = app.settings.retention_days
    texts = app.settings.history_days
    days = min((one for one in (most, settings.retention_days) if one), default=None)
    kept = kept_for(localizer, days)
    texts_kept = kept_for(localizer, min(texts, days or texts))
    lines.append(localizer.say("settings_kept", memories=kept, texts=texts_kept))
    if app.settings.web_search and not app.settings.stand_in:  # the stand-in does not search
        lines.append(localizer.say("home_policy_web"))
    return lines


def data_flows(settings: Settings) -> dict[str, str]:
    """Return the receivers of a person's words, as ``MODEL (HOST)``, by purpose.

    The fallback model gets what the reply model gets, while that one does not answer. A model that
    is not called through OpenAI's API has its provider's name as the host.
    """
    host = urlsplit(settings.reply_server.base_url).hostname or ""
    flows = {"replies": f"{settings.reply_model} ({host})"}
    if settings.fallback_model is not None:
        flows["fallback"] = f"{settings.fallback_model} ({host})"
    provider, model = provider_and_name(settings.memory_model_name)
    own_host = urlsplit(settings.memory_server.base_url).hostname or ""
    flows["memories"] = f"{model} ({own_host if provider == 'openai' else provider})"
    search_host = urlsplit(settings.embedding_server.base_url).hostname or ""
    flows["search"] = f"{settings.embedding_model} ({search_host})"
    return flows


async def _form_now(app: App, person: Person) -> int:
    """Schedule immediate formation of all unformed words; return the number of their messages.

    It is 0 while memory is off for the person.
    """
    if app.settings.formation == "off":
        return 0
    async with person_transaction(app.pool, person) as connection:
        if (await read_settings(connection, person)).off(app.settings.consent):
            return 0
        found = await connection.execute(_SQL["unformed"], person.ids)
        rows = await found.fetchall()
        for row in rows:
            await form_after(app, connection, person.namespace(row["audience"]), 0.0)
    return sum(row["messages"] for row in rows)
