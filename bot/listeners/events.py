"""Events of Slack's Events API: each is handled before it is acknowledged.

A person's message is stored for the worker. Every other event changes what is known of a message,
a person, a conversation or the installation.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from psycopg import OperationalError

from bot.access import refusal_in
from bot.answering.edits import follow_change
from bot.app import App
from bot.conversation.audiences import invalidate_kind
from bot.conversation.backfill import read_follow_ups
from bot.conversation.channels import change_channel_later
from bot.conversation.edits import MessageChange, find_stored
from bot.conversation.inbox import (
    add_brought,
    stop_thread,
    store_message,
    store_withdrawn,
)
from bot.kept.lines import end_all_lines
from bot.panel.home import publish_later
from bot.slack.messages import (
    Installation,
    Message,
    author_home,
    happened_ts,
    installation_team,
    is_outsider,
    read_found_message,
    read_message,
    thread_key,
)
from bot.slack.sessions import WAIT_SECONDS
from memory import DM, Person
from memory.model import Json

# Slack repeats a delivery that was not acknowledged within three seconds, at first at once.
_LATE_DELIVERY_SECONDS = 3.0
# Slack delivers events of the same moment in any order, and repeats a failed delivery for six
# minutes.
_ON_ITS_WAY_SECONDS = 420.0
# Slack reports a conversion by a message in the channel, any other change by an event of its own.
CONVERSATION_CHANGES = frozenset(
    {
        "channel_shared",
        "channel_unshared",
        "channel_left",
        "group_left",
        "channel_convert_to_private",
        "channel_convert_to_public",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    `fields` is the inner event of Slack's envelope. `is_shared`: it happened in a conversation that
    is shared with another organisation.
    """

    fields: Json
    is_shared: bool
    installation: Installation

    @property
    def team(self) -> str:
        """The id of the workspace."""
        return self.installation.team_id

    @property
    def ts(self) -> str:
        """When it happened, as Slack's timestamp."""
        return str(self.fields.get("ts") or "")

    @property
    def channel(self) -> str:
        """The id of the conversation."""
        return str(self.fields.get("channel"))

    @property
    def person(self) -> Person:
        """The person whose id the event has. Raises `memory.InvalidNamespace` if it has none."""
        return Person(self.team, str(self.fields.get("user")))

    @property
    def kind(self) -> str | None:
        """The type of the event, or the subtype of a message."""
        name = "subtype" if self.fields.get("type") == "message" else "type"
        return self.fields.get(name)


Handler: TypeAlias = Callable[[App, Event], Awaitable[None]]


async def handle_event(app: App, body: Json) -> str | None:
    """Handle an ``event_callback``; return one sentence instead while the app is uninstalled.

    A message that a person wrote is stored. Nothing that people of another organisation do is
    handled.

    Raises `bot.slack.client.NotInstalled` for an event of another workspace.
    """
    installation = app.slack.installation_in(installation_team(body))
    fields = body["event"]
    if fields.get("type") == "app_uninstalled":
        await app.presence.leave()
        return None
    if fields.get("type") == "tokens_revoked":
        # Slack is asked about the token, if a bot's was revoked.
        if (fields.get("tokens") or {}).get("bot"):
            app.slack.token_refused.set()
        return None
    if app.presence.problem is not None:
        return app.presence.problem
    message = read_message(body, installation)
    if message is not None:
        await enqueue(app, message, happened_ts(fields))
        return None
    event = Event(
        fields=fields,
        is_shared=bool(body.get("is_ext_shared_channel")),
        installation=installation,
    )
    handler = HANDLERS.get(event.kind)
    if handler and not (_is_of_a_bot(event) or _is_of_an_outsider(event)):
        await handler(app, event)
    return None


def _is_of_a_bot(event: Event) -> bool:
    """Return True for a message that any bot, this app included, posted or changed.

    A conversion by a bot is False, because it changes who can read the conversation.
    """
    if event.kind in CONVERSATION_CHANGES:
        return False
    fields = event.fields
    for message in (fields, fields.get("message"), fields.get("previous_message")):
        if isinstance(message, dict) and message.get("bot_id"):
            return True
    return False


def _is_of_an_outsider(event: Event) -> bool:
    """Return whether a message that changed, or a profile, is of another organisation's person."""
    fields = event.fields
    homes = [
        author_home(fields.get("message") or {}),
        author_home(fields.get("previous_message") or {}),
    ]
    if event.kind == "user_change":
        homes.append(str(fields["user"].get("team_id") or ""))
    here = event.installation
    return any(is_outsider(home, here, shared=event.is_shared) for home in homes)


async def enqueue(app: App, message: Message, event_ts: str) -> None:
    """Store a message that Slack reports by an event of `event_ts`.

    After a mention that was delivered late, its thread is read: replies that came after the event
    and before the mention was stored were not stored, because they did not address the bot.

    If the message has to wait, for its turn or for PostgreSQL, Slack shows that.
    """
    try:
        is_new = await store_message(app, message)
    except OperationalError:
        _show_wait(app, message, after=0.0)
        raise
    if is_new:
        _show_wait(app, message, after=WAIT_SECONDS)
    elif message.brought:
        await add_brought(app, message, event_ts)
    if message.is_shared:
        return
    is_mention = message.addressed and message.audience != DM
    seconds_under_way = time.time() - float(event_ts)
    if is_mention and seconds_under_way >= _LATE_DELIVERY_SECONDS:
        await read_follow_ups(app, message, event_ts)


def _show_wait(app: App, message: Message, *, after: float) -> None:
    """Show that a message waits, unless it might not be answered."""
    if message.is_shared or not message.addressed:
        return
    refusal = refusal_in(
        app.settings, message.person, message.channel_id, message.audience
    )
    if refusal is None:
        app.sessions.show_wait(message, after=after)


# --- changed messages --------------------------------------------------------------------------


async def follow_edit(app: App, event: Event) -> None:
    """Follow the edit of a message, or a deletion that Slack reports as an edit.

    The new text of a message in a shared conversation is not stored.
    """
    before = event.fields.get("previous_message") or {}
    edited = event.fields.get("message") or {}
    # Slack leaves a tombstone in the place of a deleted message that has replies.
    if edited.get("subtype") == "tombstone":
        await _withdraw(app, event, before or edited)
        return
    text = str(edited.get("text") or "")
    # Slack also sends this event when it adds a preview of what a link leads to.
    now = _message_on_its_way(event, edited)
    if now is not None and now.brought:
        await add_brought(app, now, event.ts)
    if before.get("text") == text:
        return
    if event.is_shared:
        text = ""
    on_its_way = _message_on_its_way(event, before)
    if on_its_way is not None:
        await store_message(app, replace(on_its_way, text=text))
    # Slack's reference shows this event without the previous message.
    author = str((before or edited).get("user") or "")
    await follow_change(app, _change_of(event, edited, author=author, text=text))


async def follow_deletion(app: App, event: Event) -> None:
    """Follow the deletion of a message."""
    ts = str(event.fields.get("deleted_ts"))
    deleted = event.fields.get("previous_message")
    if not deleted:
        # Slack's reference shows this event without the message.
        deleted = await find_stored(app.pool, event.team, event.channel, ts)
    await _withdraw(app, event, {**deleted, "ts": ts})


async def _withdraw(app: App, event: Event, deleted: Json) -> None:
    on_its_way = _message_on_its_way(event, deleted)
    if on_its_way is not None:
        await store_withdrawn(app, on_its_way)
    author = str(deleted.get("user") or "")
    await follow_change(app, _change_of(event, deleted, author=author, text=None))


def _message_on_its_way(event: Event, before: Json) -> Message | None:
    """Return a message as `before` has it, if its own event may still come after this one."""
    message = read_found_message(
        before,
        event.installation,
        channel_id=event.channel,
        is_shared=event.is_shared,
    )
    if message is None:
        return None
    age = time.time() - float(message.ts)
    return message if age <= _ON_ITS_WAY_SECONDS else None


def _change_of(
    event: Event,
    message: Json,
    *,
    author: str,
    text: str | None,
) -> MessageChange:
    ts = str(message.get("ts"))
    thread_ts = str(message.get("thread_ts") or ts)
    return MessageChange(
        team_id=event.team,
        channel_id=event.channel,
        ts=ts,
        thread=thread_key(event.team, event.channel, thread_ts),
        author=author,
        text=text,
        changed_ts=event.ts,
    )


# --- everything else ---------------------------------------------------------------------------


async def stop_turn(app: App, event: Event) -> None:
    """Interrupt the turn of a thread; where there is none, end the session's ``processing``."""
    thread = thread_key(event.team, event.channel, str(event.fields.get("thread_ts")))
    stopped_ts = str(event.fields.get("event_ts") or "")
    if not await stop_thread(app, thread, stopped_ts=stopped_ts):
        app.sessions.activate(thread)


async def publish_opened_home(app: App, event: Event) -> None:
    """Publish the Home that a person opens, unless a click in it is faster."""
    if event.fields.get("tab") != "home":
        return
    shown = event.fields.get("view") or {}
    replaces = str(shown.get("hash") or "")
    await publish_later(app.pool, app.queue, event.person, replaces=replaces)


async def update_person(app: App, event: Event) -> None:
    """Note a person's new language, time zone and name."""
    user = event.fields.get("user") or {}
    person = Person(event.team, str(user.get("id") or ""))
    await app.people.store_change(person, user)
    app.names.note_user(user)
    app.members.invalidate(person)
    if user.get("deleted"):
        await end_all_lines(app, person)


async def change_channel_id(app: App, event: Event) -> None:
    """Schedule replacing the id of a conversation by its new one."""
    old = str(event.fields.get("old_channel_id"))
    new = str(event.fields.get("new_channel_id"))
    await change_channel_later(app, event.team, old, new)


async def invalidate_conversation(app: App, event: Event) -> None:
    """Look up again what kind of conversation this is when it is needed next."""
    await invalidate_kind(app, event.team, event.channel)


HANDLERS: Mapping[str | None, Handler] = {
    "message_changed": follow_edit,
    "message_deleted": follow_deletion,
    "agent_session_stopped": stop_turn,
    "app_home_opened": publish_opened_home,
    "user_change": update_person,
    "channel_id_changed": change_channel_id,
    **dict.fromkeys(CONVERSATION_CHANGES, invalidate_conversation),
}
"""The handler of each kind of event, except people's messages and the end of the installation."""
