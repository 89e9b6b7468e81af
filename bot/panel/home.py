"""App Home: published when it is opened, after a click in it, and after something is forgotten."""

from __future__ import annotations

import logging
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from bot.acts.kinds import Position, Undo
from bot.acts.receipt import Receipt, undoable
from bot.app import App
from bot.locale import Localizer
from bot.panel.content import read_panel
from bot.panel.views import home_view
from bot.queue.queue import REPLIES, Queue
from bot.slack.client import error_code, is_passing
from bot.slack.messages import API_TEAM
from memory import Person, Pool
from memory.postgres import Connection
from memory.store import undoable_forgetting

log = logging.getLogger(__name__)

PUBLISH = "publish_home"
# A person may be waiting, and the job is tried again.
_PATIENCE_SECONDS = 10.0


async def publish_later(
    where: Connection | Pool,
    queue: Queue,
    person: Person,
    *,
    replaces: str = "",
) -> None:
    """Add the job that publishes a Home, in the caller's transaction if there is one.

    `replaces` is the hash of the Home to replace, "" for whichever stands there. Callers of
    POST /ask have no Home.
    """
    if person.team_id != API_TEAM:
        jobs = {f"home:{person.scope}": {**person.ids, "replaces": replaces}}
        await queue.defer(where, PUBLISH, jobs, queue=REPLIES)


async def publish_home(app: App, team: str, user: str, replaces: str = "") -> None:
    """Publish the first page of a Home; run as a job.

    `replaces`: see `publish_later`. People of another organisation have none. Raises what Slack
    raises if a later attempt may succeed.
    """
    person = Person(team, user)
    if await app.members.is_outsider(person):
        return
    await show_home(app, person, Position(), replaces=replaces)


async def show_home(
    app: App,
    person: Person,
    position: Position,
    receipt: Receipt | None = None,
    *,
    above: int = 0,
    replaces: str = "",
) -> None:
    """Publish a Home at a position, with the receipt of a click below the blocks `above` it.

    Without one, the newest forgetting is shown while it can be undone. With `replaces`, the
    hash of a Home, a newer Home is left as it is.
    Source: https://docs.slack.dev/surfaces/modals#handling_race_conditions
    """
    localizer = await app.people.localizer(person, keep_new=False)
    localizer = replace(localizer, read_at_once=True)
    if receipt is None:
        receipt = await _newest_forgetting(app, person, localizer)
    content = await read_panel(app, person, localizer, position, home=True)
    view = home_view(localizer, content, receipt, above)
    client = app.slack.client(person.team_id, patience=_PATIENCE_SECONDS)
    try:
        await client.views_publish(
            user_id=person.user_id, view=view, hash=replaces or None
        )
    except SlackApiError as error:
        if is_passing(error):
            raise
        if error_code(error) == "hash_conflict":
            return
        # The next attempt would be refused for the same reason.
        log.warning("a Home was refused: %s", error_code(error))


async def _newest_forgetting(
    app: App, person: Person, localizer: Localizer
) -> Receipt | None:
    """Return what the person forgot last, with *Undo*; None if it can no longer be undone."""
    found = await undoable_forgetting(app.pool, person)
    if found is None:
        return None
    line = localizer.say("forgotten_words")
    if found["count"]:
        memories = localizer.say("counted_memories", count=found["count"])
        line = localizer.say("forgotten", what=memories)
    note = localizer.say("undo_until", until=localizer.minute(found["until"]))
    undo = Undo(what="forgetting", ids=(found["id"],))
    return undoable(localizer, line, undo, note=note)
