"""Records of a workspace: its identity, people, conversations, messages, views, agent sessions."""

import random
import secrets
import string
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

Kind = Literal["public", "private", "mpim", "im"]
RequestKind = Literal["events_api", "slash_commands", "interactive"]
Json = dict[str, Any]
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine, the only one with which the playground communicates."""
SCOPE_PREFIXES = {
    "public": "channels",
    "private": "groups",
    "mpim": "mpim",
    "im": "im",
}
_ALPHABET = string.ascii_uppercase + string.digits


def without_nulls(fields: Json) -> Json:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def comma_separated(text: str) -> list[str]:
    """The parts of a text that are separated by commas, without empty ones."""
    return [part for part in text.split(",") if part]


def new_id(prefix: str) -> str:
    """An id in Slack's format: a prefix and ten capital letters or digits."""
    return prefix + "".join(random.choices(_ALPHABET, k=10))  # noqa: S311


def new_number() -> int:
    """A number of 13 digits, as in tokens and codes."""
    return secrets.randbelow(10**12) + 10**12


def _now() -> int:
    return int(time.time())


@dataclass(kw_only=True, frozen=True)
class Identity:
    """The ids of the team, and of the app and its bot in it."""

    team_id: str = field(default_factory=partial(new_id, "T"))
    app_id: str = field(default_factory=partial(new_id, "A"))
    bot_id: str = field(default_factory=partial(new_id, "B"))
    bot_user_id: str = field(default_factory=partial(new_id, "U"))
    team_name: str = "Playground"
    team_domain: str = "playground"


@dataclass(kw_only=True)
class User:
    """A person or a bot.

    Another `team` than the workspace's is a workspace of the same organisation, or, for an
    `external` person, one of another organisation. No two have the same `handle`, Slack's ``name``.
    """

    id: str = field(default_factory=partial(new_id, "U"))
    name: str
    handle: str = ""
    team: str
    locale: str = "en-US"
    tz: str = "America/Los_Angeles"
    is_bot: bool = False
    deleted: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    external: bool = False
    bot_id: str = ""
    app_id: str = ""
    updated: int = field(default_factory=_now)


@dataclass(kw_only=True)
class Channel:
    """A conversation.

    `shared`: with another organisation, a Slack Connect channel; `pending`: an invitation to that
    is not accepted yet; `org_shared`: with other workspaces of the same organisation. Slack does
    not tell the kind of one that is not `told`.
    """

    id: str
    name: str
    kind: Kind
    created: int = field(default_factory=_now)
    members: list[str] = field(default_factory=list)
    shared: bool = False
    pending: bool = False
    org_shared: bool = False
    told: bool = True
    archived: bool = False
    creator: str = ""

    @property
    def name_in_payloads(self) -> str:
        """The name of the conversation in commands and clicks."""
        names = {
            "im": "directmessage",
            "private": "privategroup",
            "mpim": f"mpdm-{self.name}",
        }
        return names.get(self.kind, self.name)

    @property
    def channel_type(self) -> str:
        """The `channel_type` of message events in this conversation."""
        return SCOPE_PREFIXES[self.kind].removesuffix("s")

    @property
    def is_private(self) -> bool:
        """Whether only its members can see it."""
        return self.kind != "public"


@dataclass(kw_only=True)
class Message:
    """A message as stored: `body` is the Slack message object, without its metadata.

    `only_for` is the one person who sees an ephemeral message. A streamed message keeps its chunks;
    `stream` is "live", "stopped" (by the app), "stopped_by_user", "expired" or "". `stream_mode` is
    the argument that had the stream's first content, "markdown_text" or "chunks", or "" before
    there is any. `stream_for` is the recipient of a stream in a channel; until it ends, everybody
    else sees `stream_opened`, the content with which it was opened.
    """

    channel: str
    ts: str
    body: Json
    metadata: Json | None = None
    only_for: str = ""
    stream: str = ""
    stream_mode: str = ""
    stream_chunks: list[Json] = field(default_factory=list)
    stream_for: str = ""
    stream_opened: Json = field(default_factory=dict)

    @property
    def thread_ts(self) -> str:
        """The ts of this message's thread: its own, unless it is a reply."""
        return str(self.body.get("thread_ts", self.ts))

    @property
    def archive_path(self) -> str:
        """The path of the message's permalink."""
        digits = self.ts.replace(".", "")
        return f"archives/{self.channel}/p{digits}"

    @property
    def is_reply(self) -> bool:
        """Whether the message is a reply in a thread."""
        return self.thread_ts != self.ts


@dataclass(kw_only=True)
class View:
    """An open modal in a person's stack, or their App Home tab."""

    id: str
    user: str
    body: Json


@dataclass(kw_only=True)
class Thread:
    """The app's settings of a thread: title, agent session.

    `session` is the session's status, "" if there is none; `session_set` is when it was set, and
    `worked` when the app last posted, updated or ended a message, in seconds since 1970.
    """

    channel: str
    ts: str
    session: str = ""
    session_title: str = ""
    session_set: float = 0.0
    worked: float = 0.0


@dataclass(kw_only=True)
class File:
    """A file; `content` is in base64, None until it is uploaded.

    `ticket` and `announced` (bytes) belong to an upload that has not arrived yet; `completed`: the
    app has shared the file.
    """

    id: str = field(default_factory=partial(new_id, "F"))
    name: str
    owner: str
    created: int = field(default_factory=_now)
    content: str | None = None
    size: int = 0
    title: str = ""
    ticket: str = ""
    announced: int = 0
    completed: bool = False
    channels: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Installation:
    """The scopes granted to the app, and Slack's error for a call with its token, "" if none.

    `refused` is "account_inactive" while the app is not installed, "token_revoked" if the token
    alone was revoked.
    """

    granted: frozenset[str]
    refused: Literal["", "account_inactive", "token_revoked"] = ""

    @property
    def installed(self) -> bool:
        """Whether the app is installed."""
        return self.refused != "account_inactive"


@dataclass(kw_only=True)
class Trigger:
    """A trigger_id: lets the app open one modal for this person within three seconds.

    `view` is the modal that it came from; `born` is a time of the monotonic clock, here and in the
    class below.
    """

    user: str
    view: str = ""
    used: bool = False
    born: float = field(default_factory=time.monotonic)


@dataclass(kw_only=True)
class ResponseUrl:
    """The response_url of one interaction; `message` is the clicked message."""

    channel: str
    user: str
    message: Message | None = None
    uses: int = 0
    born: float = field(default_factory=time.monotonic)
