"""What Slack sends: a person's message to the bot, as it is stored until its turn begins.

Its texts are as Slack wrote them. When its turn begins, `bot.slack.content` makes of it what people
read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from psycopg import DataError

from memory import DM, InvalidNamespace, Person
from memory.model import Json, objects

# The team of the people whom callers of POST /ask name: it is no Slack workspace.
API_TEAM = "API"
_PERSONAL_SUBTYPES = frozenset({None, "file_share", "thread_broadcast", "me_message"})

_FORWARDS = ("is_share", "is_msg_unfurl", "is_reply_unfurl")
_PREVIEWS = ("from_url", "original_url")

_CHANNEL_ID = re.compile(r"[A-Z0-9]{1,64}")
_TS = re.compile(r"[0-9]{10}\.[0-9]{1,6}")

# Slack escapes < and > in what a person typed, so no < is inside a mention.
MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
_GROUP_FIRST = re.compile(r"\A\s*+<!(?:subteam\^|here|channel|everyone)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

MAX_DEPTH = 60
"""The most levels of nesting; Slack's deepest payloads, views of Block Kit, have about 15."""
MAX_CHARACTERS = 40_000
"""Characters kept of one text: as many as a message of Slack's can have.

Source: https://docs.slack.dev/changelog/2018-truncating-really-long-messages
"""
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    DataError,
    InvalidNamespace,
)
"""Exceptions that reading a payload of unexpected form can raise."""


THREAD_SETTING = "kioku.thread"
"""The setting of a transaction that names the thread whose messages it may reach."""


def thread_key(team_id: str, channel_id: str, thread_ts: str) -> str:
    """Return the key of a thread, ``TEAM.CHANNEL.TS``; work on one thread is done in order."""
    return f"{team_id}.{channel_id}.{thread_ts}"


def split_thread_key(thread: str) -> tuple[str, str, str]:
    """Return the team's id, the channel's id and the ts of a thread's first message."""
    team_id, channel_id, thread_ts = thread.split(".", 2)
    return team_id, channel_id, thread_ts


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The app in one workspace; `enterprise_id` is the Enterprise organisation it belongs to."""

    team_id: str
    bot_user_id: str
    bot_token: str = field(default="", repr=False)
    enterprise_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message a person wrote, with everything from Slack's own envelope.

    `user_team_id` is the author's workspace, which may be another one of the organisation. `ts` and
    `thread_ts` are Slack timestamps; `thread_ts` is the root that the reply goes under. `audience`
    is None except for direct messages. `addressed`: it is a direct message or mentions the bot; any
    other is meant for the bot only if the bot takes part in its thread. `brought` has those of its
    fields ``blocks``, ``attachments`` and ``files`` that hold more than the text.

    `is_shared`: the event says that people of another organisation can read the conversation. Such
    a message addresses the bot, and has no text.
    """

    team_id: str
    user_id: str
    user_team_id: str
    channel_id: str
    ts: str
    thread_ts: str
    text: str
    audience: str | None
    addressed: bool
    brought: Mapping[str, list[Json]] = field(default_factory=dict)
    is_shared: bool = False

    @property
    def person(self) -> Person:
        """The person whose memories are read and written."""
        return Person(self.team_id, self.user_id)

    @property
    def thread(self) -> str:
        """The key of the message's thread."""
        return thread_key(self.team_id, self.channel_id, self.thread_ts)

    @property
    def scope(self) -> dict[str, str]:
        """The settings of a transaction that may reach the rows of its thread and its author."""
        return {THREAD_SETTING: self.thread, **self.person.settings}

    @property
    def opens_thread(self) -> bool:
        """Whether the message is the first of its thread."""
        return self.ts == self.thread_ts


def is_direct(channel_id: str) -> bool:
    """Return whether a conversation is a direct message: its id begins with D.

    Source: https://docs.slack.dev/reference/objects/conversation-object
    """
    return channel_id.startswith("D")


def read_found_message(
    found: Json,
    installation: Installation,
    *,
    channel_id: str,
    is_shared: bool = False,
) -> Message | None:
    """Return a message found in a conversation's history, as `read_message` reads an event's."""
    body = {
        "team_id": installation.team_id,
        "is_ext_shared_channel": is_shared,
        "event": {"type": "message", **found, "channel": channel_id},
    }
    try:
        message = read_message(body, installation)
    except InvalidNamespace:
        return None
    # Only of a message for the app, because others may be long.
    return message and Message(**sanitize_payload(asdict(message)))


def installation_team(body: Json) -> str:
    """Return the id of the workspace that an event, command, click or submission is for.

    It is never the author's home team: for a form in a Slack Connect channel `team` is that home
    team, and only the view names the workspace. Sources:
    https://docs.slack.dev/apis/events-api/#authorizations and
    https://github.com/slackapi/bolt-js/issues/1614
    """
    installed = (body.get("view") or {}).get("app_installed_team_id")
    first = (body.get("authorizations") or [body])[0]
    named = (
        first.get("team_id")
        or body.get("team_id")
        or (body.get("team") or {}).get("id")
    )
    return str(installed or named or "")


def is_outsider(home: object, installation: Installation, *, shared: bool) -> bool:
    """Return whether a person whose workspace is `home` is of another organisation.

    `home` is what Slack says: the id of a workspace or of an Enterprise organisation, or nothing
    for a person of this workspace. An organisation's workspaces have ids of their own; their people
    are no outsiders in a conversation that is not `shared` with another organisation.
    Source: https://docs.slack.dev/apis/slack-connect
    """
    if not home or home in (installation.team_id, installation.enterprise_id):
        return False
    return shared or not installation.enterprise_id


def author_home(message: Json) -> str:
    """Return the workspace of a message's author, as Slack says it; "" if it does not."""
    return str(message.get("user_team") or message.get("team") or "")


def person_reference(user_id: str) -> str:
    """Return what Slack shows as a person's name, ``<@ID>``."""
    return f"<@{user_id}>"


def read_message(body: Json, installation: Installation) -> Message | None:
    """Return the message of an ``event_callback`` if a person wrote it, perhaps to the bot.

    Returns None for messages of bots and of the app itself, of people of another organisation, for
    joins, edits and other subtypes, and for channel messages that do not mention the bot, except
    thread replies that mention no one else and do not begin by calling a group. Raises
    `InvalidNamespace` if Slack's envelope lacks the ids that a memory is stored under.
    """
    event = body.get("event") or {}
    is_shared = bool(body.get("is_ext_shared_channel"))
    if not _is_by_person(event, installation.bot_user_id):
        return None
    if is_outsider(author_home(event), installation, shared=is_shared):
        return None
    message = _message_of(event, installation)
    if is_shared:
        if not message.addressed:
            return None
        message = replace(message, text="", audience=None, brought={}, is_shared=True)
    among_themselves = mentions(message.text) or _GROUP_FIRST.match(message.text)
    if not message.addressed and (message.opens_thread or among_themselves):
        return None
    times = _TS.fullmatch(message.ts) and _TS.fullmatch(message.thread_ts)
    if not (message.person and times and _CHANNEL_ID.fullmatch(message.channel_id)):
        raise InvalidNamespace(
            "Slack's event lacks its channel or time; it was not stored."
        )
    return message


def happened_ts(event: Json) -> str:
    """Return the ts at which the event of a message happened.

    Slack sends a mention again with each edit; such an event happened at the time of the edit. Any
    other has the time of its message.
    """
    edited = event.get("edited") or {}
    ts = str(edited.get("ts") or "")
    return ts if _TS.fullmatch(ts) else str(event["ts"])


def _is_by_person(event: Json, bot_user_id: str) -> bool:
    """Return whether an event is a message that a person wrote."""
    if event.get("type") not in ("message", "app_mention"):
        return False
    if event.get("subtype") not in _PERSONAL_SUBTYPES or event.get("hidden"):
        return False
    if event.get("bot_id") or event.get("bot_profile"):
        return False
    return (event.get("user") or "") not in ("", "USLACK", "USLACKBOT", bot_user_id)


def _message_of(event: Json, installation: Installation) -> Message:
    text = str(event.get("text") or "")
    ts = str(event.get("ts") or "")
    channel_id = str(event.get("channel") or "")
    # Slack leaves `channel_type` out of some events.
    is_dm = is_direct(channel_id)
    called = event["type"] == "app_mention"
    attachments = objects(event.get("attachments"))
    brought = {
        "blocks": blocks_beside_text(event),
        "attachments": [one for one in attachments if not is_preview(one)],
        "files": objects(event.get("files")),
    }
    return Message(
        team_id=installation.team_id,
        user_id=str(event.get("user") or ""),
        user_team_id=author_home(event) or installation.team_id,
        channel_id=channel_id,
        ts=ts,
        thread_ts=str(event.get("thread_ts") or ts),
        text=text,
        audience=DM if is_dm else None,
        addressed=is_dm or called or installation.bot_user_id in mentions(text),
        brought={name: value for name, value in brought.items() if value},
    )


def blocks_beside_text(message: Json) -> list[Json]:
    """Return the blocks of a message that may say more than its text.

    In a person's message the rich text only repeats the text.
    """
    blocks = objects(message.get("blocks"))
    is_of_app = message.get("bot_id") or message.get("bot_profile")
    if is_of_app or not message.get("text"):
        return blocks
    return [block for block in blocks if block.get("type") != "rich_text"]


def is_preview(attachment: Json) -> bool:
    """Return whether an attachment previews a link: a site or app made it, and no one sent it."""
    if attachment.get("is_app_unfurl"):
        return True
    return not is_forwarded(attachment) and any(map(attachment.get, _PREVIEWS))


def is_forwarded(attachment: Json) -> bool:
    """Return whether an attachment is a message, which was forwarded or is linked to."""
    return any(attachment.get(name) is True for name in _FORWARDS)


def mentions(text: str) -> set[str]:
    """Return the user ids mentioned in a message's text."""
    return set(MENTION.findall(text))


def sanitize_payload(value: Any, depth: int = 0) -> Any:
    """Return a part of a payload, its texts cut to a limit and to what PostgreSQL can store.

    Anything nested more deeply than `MAX_DEPTH` becomes None.
    """
    if isinstance(value, str):
        return storable(value[:MAX_CHARACTERS])
    if not isinstance(value, dict | list):
        return value
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, list):
        return [sanitize_payload(one, depth + 1) for one in value]
    return {
        storable(str(key)): sanitize_payload(one, depth + 1)
        for key, one in value.items()
    }


def storable(text: str) -> str:
    """Return `text` in a form that PostgreSQL can hold: without NUL and lone surrogates."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
