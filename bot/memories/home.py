"""App Home: published when it is opened, after a click in it, and after something is forgotten."""

from __future__ import annotations

import logging

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.app import App
from bot.locale import Reader, known_language
from bot.memories.panel import data_handling, read_panel
from bot.people import PersonSettings, person_refusal
from bot.queue.queue import REPLIES, Queue
from bot.slack.client import error_code, is_passing
from bot.slack.messages import API_TEAM
from bot.ui.acts import Position, Undo
from bot.ui.panel import Content, Done, panel
from memory import Person, Pool
from memory.store import undoable_forgetting

log = logging.getLogger(__name__)

PUBLISH = "publish_home"
# A person may be waiting, and the job is tried again.
_PATIENCE_SECONDS = 10.0


async def publish_later(
    where: AsyncConnection[DictRow] | Pool, queue: Queue, person: Person, *, erased: str = ""
) -> None:
    """Add the job that publishes a Home, in the caller's transaction if there is one.

    `erased` is the language of a person who is being erased. Callers of POST /ask have no Home.
    """
    if person.team_id != API_TEAM:
        jobs = {f"home:{person.scope}": {**person.ids, "erased": erased}}
        await queue.defer(where, PUBLISH, jobs, queue=REPLIES)


async def publish_home(app: App, team: str, user: str, erased: str = "") -> None:
    """Publish the first page of a Home; run as a job.

    `erased` is the language of an erased person, of whom nothing is stored any more: their Home
    shows nothing. Raises what Slack raised where a later attempt may do better.
    """
    person = Person(team, user)
    if not erased:
        await show_home(app, person, Position())
        return
    reader = Reader(known_language(erased) or "en")
    nothing, consent = PersonSettings(), app.settings.consent
    content = Content(
        off=nothing.off(consent),
        asks=consent == "ask",
        refusal=person_refusal(app.settings, person),
        handling=data_handling(app, reader, nothing),
    )
    await _publish(app, person, reader, content)


async def show_home(app: App, person: Person, position: Position, said: Done | None = None) -> None:
    """Publish a Home at a position; `said` is what the click that led to it did.

    Without it, the newest forgetting is said, while it can be undone.
    """
    reader = await app.people.reader(person, keep_new=False)
    if said is None and (found := await undoable_forgetting(app.pool, person)):
        forgotten, end = found
        memories = reader.say("counted_memories", count=forgotten.count)
        note = reader.say("undo_until", until=reader.plain_minute(end))
        line = f"{reader.say('forgotten', what=memories)}\n{note}"
        said = Done(line=line, undo=Undo(what="forgetting", ids=(forgotten.id,)))
    content = await read_panel(app, person, reader, position, home=True)
    await _publish(app, person, reader, content, said)


async def _publish(
    app: App, person: Person, reader: Reader, content: Content, said: Done | None = None
) -> None:
    client = app.slack.client(person.team_id, patience=_PATIENCE_SECONDS)
    try:
        view = {"type": "home", "blocks": panel(reader, content, said)}
        await client.views_publish(user_id=person.user_id, view=view)
    except SlackApiError as error:
        if is_passing(error):
            raise
        # The next attempt would be refused for the same reason.
        log.warning("a Home was refused: %s", error_code(error))
