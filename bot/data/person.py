"""All data about a person: exported as one document and sent as files, or erased."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.rows import DictRow
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.acts.blocks import one_line
from bot.acts.lines import asked_text, describe
from bot.acts.receipt import Click, Receipt
from bot.app import App
from bot.config import Settings
from bot.kept.lines import end_lines
from bot.locale import Localizer
from bot.logs import fault
from bot.panel.content import data_flows
from bot.panel.home import publish_later
from bot.queue.queue import Queue
from bot.slack.client import PATIENCE_SECONDS, SLACK_FAULTS, error_code, slack_fault
from bot.slack.posting import notice_metadata
from bot.slack.reading import read_said
from bot.types import PersonErased
from memory import Person, Pool, export_memories
from memory.credentials import redact
from memory.model import Json
from memory.postgres import (
    PersonTransaction,
    load_statements,
    person_transaction,
    transaction_timeout,
)
from memory.store import erase_within, read_epoch, seeing_forgotten, seeing_states

log = logging.getLogger(__name__)

_SQL = load_statements("bot.data", "data")

_DATABASE_SECONDS = 30.0
# Errors without the scope for files, or in a workspace that refuses such files from apps.
_FORBIDDEN = frozenset(
    {
        "file_type_not_allowed",
        "file_upload_size_restricted",
        "file_uploads_disabled",
        "file_uploads_except_images_disabled",
        "missing_scope",
        "storage_limit_reached",
    }
)

_PARTS = ("messages", "settings", "memory_off", "kept")
EXPORTED = ("memories", "statements", "forgotten", *_PARTS)
"""The parts of an export that are about the person; all are empty for an unknown person."""

_ROWS_AT_ONCE = 20  # a row has two texts of up to 40,000 characters each


async def export_person(
    pool: Pool, person: Person, settings: Settings
) -> dict[str, Any]:
    """Return everything about a person as one document; docs/reference/export.md describes it."""
    memories = await export_memories(pool, person)
    rows: dict[str, Any] = {}
    async with person_transaction(pool, person) as transaction:
        for part in _PARTS:
            # A few at a time, so that parsing many long ones does not hold up the event loop.
            async with transaction.connection.cursor(name="export") as cursor:
                cursor.itersize = _ROWS_AT_ONCE
                await cursor.execute(_SQL[part], person.parameters)
                rows[part] = [row["row"] async for row in cursor]
    rows["messages"] = await asyncio.to_thread(_redacted, rows["messages"])
    # A person has one row of settings, or none.
    rows["settings"] = rows["settings"][0] if rows["settings"] else {}
    return {
        # `memories` has these as well; here they are at the top of the file.
        "format": memories["format"],
        "version": memories["version"],
        "exported_at": datetime.now(UTC).isoformat(),
        "person": person.ids,
        "received_by": data_flows(settings),
        **memories,
        **rows,
    }


def _redacted(messages: list[DictRow]) -> list[DictRow]:
    """Return messages with no credential in their texts.

    Only the text of a waiting message may contain one: questions and replies are redacted before
    they are stored.
    """
    for message in messages:
        if message["text"]:
            message["text"] = redact(message["text"]).text
    return messages


async def erase_person(
    pool: Pool, person: Person, identity: UUID | None = None, *, keeps_off: bool = False
) -> PersonErased:
    """Erase everything about a person: memories, statements, conversation, settings.

    What is in Slack stays, also the files of an export. The ids of messages just delivered are
    kept, without text or author, until Slack no longer delivers them again. Waiting jobs contain
    the person's ids, but find nothing to do and end.

    `identity` is the id of an erasure that a restored database lacks; see `forgotten_since`.
    `keeps_off`: memory stays off where it is off, for a person who continues to write to the app.

    Work that is running for the person at that moment stores nothing afterwards. Erasing twice has
    the effect of erasing once.
    """
    queue = Queue(pool)
    await queue.open()
    async with person_transaction(pool, person, locked=True) as transaction:
        before = await _count_rows(transaction)
        rows = await transaction.fetch(_SQL["threads_being_answered"])
        await end_lines(queue, transaction)
        if identity is None and any(before.values()):
            identity = uuid4()
        memories = await erase_within(transaction, identity)
        await transaction.execute(_SQL["forget_author_of_messages"])
        if not keeps_off:
            await transaction.execute(_SQL["forget_switches"])
        # Home shows memories until it is published again without them.
        await publish_later(transaction.connection, queue, person)
        await queue.abort(transaction.connection, [row["thread"] for row in rows])
    async with person_transaction(pool, person) as transaction:
        left = await _count_rows(transaction)
        [references] = await transaction.fetch(_SQL["count_references"])
    switches = 0
    if keeps_off:
        switches = left["memory_off"]
        before["memory_off"] = left["memory_off"] = 0
    erased = PersonErased(
        at=datetime.now(UTC),
        memories=memories,
        counts=before,
        left=left,
        never_formed_messages=references["places"],
        switches=switches,
    )
    log.info("erased a person: %d row(s), %d left", erased.total, sum(left.values()))
    return erased


async def _count_rows(transaction: PersonTransaction) -> dict[str, int]:
    """Return how many rows of the person each table has, with those that are hidden."""
    async with seeing_forgotten(transaction), seeing_states(transaction):
        rows = await transaction.fetch(_SQL["count_rows"])
    return {row["name"]: row["rows"] for row in rows}


# --- sent to the person ------------------------------------------------------------------------


async def send_export(app: App, click: Click) -> Receipt:
    """Send the document to the person's direct messages with the app, and say so.

    Raises `AlreadyUnderWay` for a second click while the first file is still being made and sent,
    and `memory.Overtaken` for a person who is erased before the files are sent.
    """
    person = click.person
    localizer = click.localizer
    with app.under_way.once(f"export {person.scope}"):
        epoch = await read_epoch(app.pool, person)
        with transaction_timeout(_DATABASE_SECONDS):
            document = await export_person(app.pool, person, app.settings)
        name = f"kioku-{datetime.now(UTC).date().isoformat()}"
        files = {
            f"{name}.md": await _text_of(app, person, localizer, document),
            f"{name}.json": await asyncio.to_thread(_file_of, document),
        }
        async with person_transaction(app.pool, person, epoch=epoch):
            pass
        key = await _send_files(app, person, files, localizer.say("export_message"))
    return click.say(key)


async def _text_of(
    app: App, person: Person, localizer: Localizer, document: dict[str, Any]
) -> bytes:
    """Return the file to read; a message that waits for its answer is shown as people read it."""
    messages: list[dict[str, Any]] = []
    for message in document["messages"]:
        if message["text"]:
            text, _ = await read_said(
                app.names, person, message["text"], message["channel"]
            )
            message = {**message, "text": text}
        messages.append(message)
    shown = {"memories": document["memories"], "messages": messages}
    text = await asyncio.to_thread(export_markdown, localizer, shown)
    return text.encode()


def _file_of(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return f"{text}\n".encode()


async def _send_files(
    app: App, person: Person, files: Mapping[str, bytes], text: str
) -> str:
    """Send files, by their names, to a person's direct messages with the app, below `text`.

    Returns the key of the sentence for the person. A message below which Slack has not confirmed
    the files is taken back.
    """
    client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
    sent: AsyncSlackResponse | None = None
    try:
        # The id of the person's direct messages is in the answer.
        sent = await client.chat_postMessage(
            channel=person.user_id,
            text=text,
            unfurl_links=False,
            metadata=notice_metadata(),
        )
        await client.files_upload_v2(
            file_uploads=[
                {"filename": name, "content": content}
                for name, content in files.items()
            ],
            channel=str(sent["channel"]),
            thread_ts=str(sent["ts"]),
        )
    except SLACK_FAULTS as error:
        code = error_code(error)
        log.warning("a file was not sent: %s", code or fault(error))
        if sent is not None:
            await _take_back(client, sent)
        return "export_no_scope" if code in _FORBIDDEN else "export_failed"
    return "exported"


async def _take_back(client: AsyncWebClient, sent: AsyncSlackResponse) -> None:
    try:
        await client.chat_delete(channel=str(sent["channel"]), ts=str(sent["ts"]))
    except SLACK_FAULTS as error:
        log.warning("a message about a file stayed: %s", slack_fault(error))


# --- the file to read --------------------------------------------------------------------------

# What Markdown reads as markup anywhere in a line, and what it does at the beginning of one.
_MARKUP = re.compile(r"[\\`*_\[\]<>&~|#$]")
_BEGINNING = re.compile(r"^(\d*)([-+=.):])")
_BREAK = "  \n"


def export_markdown(localizer: Localizer, document: Json) -> str:
    """Return an export as Markdown in which everything that somebody wrote is plain text.

    `document` is described in docs/reference/export.md. Source: https://spec.commonmark.org/0.31.2/
    """
    parts = [f"# {localizer.say('export_heading')}"]
    if memories := document["memories"]:
        parts.append(f"## {localizer.say('panel_title')}")
        parts.append("\n".join(_memory(localizer, memory) for memory in memories))
    if messages := [*_exchanges(localizer, document["messages"])]:
        parts.append(f"## {localizer.say('export_talks')}")
        parts += messages
    return "\n\n".join(parts) + "\n"


def _memory(localizer: Localizer, memory: Json) -> str:
    item = f"- {_escaped(describe(localizer, str(memory['kind']), memory['content']))}"
    details: list[str] = []
    if day := memory.get("said_on"):
        details.append(localizer.stored_day(day))
    sources = memory.get("sources") or [{}]
    if sentence := sources[-1].get("evidence"):
        details.append(localizer.say("row_said", what=one_line(sentence)))
    if details:
        item += f"{_BREAK}  {_escaped(' · '.join(details))}"
    return item


def _exchanges(localizer: Localizer, messages: Sequence[Json]) -> Iterator[str]:
    for message in messages:
        said = str(message.get("question") or message.get("text") or "")
        if not said:
            continue
        when = datetime.fromtimestamp(float(message["ts"]), UTC)
        yield f"### {localizer.minute(when)}"
        yield _text(asked_text(localizer, said))
        if reply := str(message.get("reply") or ""):
            yield _text(reply, "> ")


def _text(text: str, prefix: str = "") -> str:
    """Return text as Markdown that shows its lines as they are, each after `prefix`."""
    return _BREAK.join(f"{prefix}{_escaped(line)}" for line in text.splitlines())


def _escaped(line: str) -> str:
    """Return a line of text as Markdown. Its indentation becomes spaces that do not make code."""
    text = line.strip()
    indent = "\N{NO-BREAK SPACE}" * (len(line.rstrip()) - len(text))
    marked = _MARKUP.sub(r"\\\g<0>", text)
    return indent + _BEGINNING.sub(r"\1\\\2", marked)
