"""Slack's payloads: removal of text that cannot be stored, and checks of the types relied on.

A payload is signed or comes through Slack's own connection, but it holds what people typed. A
malformed one must not raise an exception in a listener: `bot.listeners.app` acknowledges and
counts it. Fields that are not named here may hold anything: Slack adds new ones.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    ValidationError,
    model_validator,
)

from bot.slack.messages import storable

MAX_DEPTH = 60
"""Levels of nesting; Slack's deepest payloads, views of Block Kit, have about 15."""

UNREADABLE = LookupError | TypeError | ValueError
"""Exceptions of reading a value of unexpected form: of a button, a form's state, or a payload."""

_Id = Annotated[str, Field(pattern=r"\A[A-Z0-9]{1,64}\z")]
ADDRESS = re.compile(r"\Ahttps?://[^\s/]")

_TS = re.compile(r"\A[0-9]{10}\.[0-9]{1,6}\Z")
_EARLIEST = 1_000_000_000.0
_AHEAD_SECONDS = 86_400.0


def _ts(text: str) -> str:
    # Compared as text in the database: right only for numbers of the same length.
    if not _TS.match(text) or not _EARLIEST <= float(text) <= time.time() + _AHEAD_SECONDS:
        raise ValueError("A timestamp of Slack's was expected.")
    return text


_Ts = Annotated[str, AfterValidator(_ts)]
_Address = Annotated[str, Field(pattern=ADDRESS.pattern)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Authorization(_Part):
    team_id: _Id | None = None
    enterprise_id: _Id | None = None
    user_id: _Id | None = None
    is_enterprise_install: bool | None = None


class _Message(_Part):
    type: str | None = None
    user: _Id | None = None
    team: _Id | None = None
    user_team: _Id | None = None
    bot_id: str | None = None
    ts: _Ts | None = None
    thread_ts: _Ts | None = None
    text: str | None = None
    subtype: str | None = None
    hidden: bool | None = None
    files: list[dict[str, Any]] | None = None
    blocks: list[dict[str, Any]] | None = None


class _Entity(_Part):
    type: str | None = None
    value: Any = None


class _Context(_Part):
    entities: list[_Entity] | None = None


class _User(_Part):
    id: _Id
    team_id: _Id | None = None
    locale: Annotated[str, Field(max_length=100)] | None = None
    tz: Annotated[str, Field(max_length=100)] | None = None
    deleted: bool | None = None
    is_restricted: bool | None = None
    is_ultra_restricted: bool | None = None


class _Tokens(_Part):
    bot: list[str] | None = None


class _HomeView(_Part):
    hash: str | None = None


class _Event(_Message):
    """The event in an ``event_callback``, of a type that the app subscribes to."""

    type: str
    user: _Id | _User | None = None  # type: ignore[assignment]
    channel: _Id | None = None
    channel_type: str | None = None
    message: _Message | None = None
    previous_message: _Message | None = None
    deleted_ts: _Ts | None = None
    old_channel_id: _Id | None = None
    new_channel_id: _Id | None = None
    tokens: _Tokens | None = None
    view: _HomeView | None = None
    context: _Context | None = None
    app_context: _Context | None = None
    tab: str | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        _check_required(self, self.type)
        if isinstance(self.user, _User) is not (self.type == "user_change") and self.user:
            raise ValueError("Only a user_change holds a user object.")
        return self


# The fields that events and interactions of a type hold.
_REQUIRED: Mapping[str, Sequence[str]] = {
    "message": ("channel", "ts"),
    "app_mention": ("channel", "ts", "user"),
    "app_home_opened": ("user",),
    "agent_session_stopped": ("channel", "thread_ts"),
    "agent_session_title_changed": ("channel", "thread_ts"),
    "channel_shared": ("channel",),
    "channel_unshared": ("channel",),
    "channel_archive": ("channel",),
    "channel_unarchive": ("channel",),
    "channel_left": ("channel",),
    "group_left": ("channel",),
    "channel_id_changed": ("old_channel_id", "new_channel_id"),
    "user_change": ("user",),
    "tokens_revoked": ("tokens",),
    "block_actions": ("actions",),
    "view_submission": ("view",),
    "view_closed": ("view",),
    "shortcut": ("callback_id",),
    "message_action": ("callback_id", "response_url"),
}


def _check_required(part: _Part, kind: str) -> None:
    if any(getattr(part, name, None) is None for name in _REQUIRED.get(kind, ())):
        raise ValueError("A field is missing.")


class _EventCallback(_Part):
    type: Literal["event_callback"]
    team_id: _Id | None = None
    enterprise_id: _Id | None = None
    event_id: Annotated[str, Field(min_length=1, max_length=255)]
    event_time: Annotated[int, Field(ge=0, lt=10**10)] | None = None
    is_ext_shared_channel: bool | None = None
    event: _Event
    authorizations: list[_Authorization] | None = None

    @model_validator(mode="after")
    def _names_a_workspace(self) -> Self:
        if not (self.team_id or self.enterprise_id or self.authorizations):
            raise ValueError("A workspace's id is missing.")
        return self


class _Command(_Part):
    command: str
    text: str | None = None
    user_id: _Id
    team_id: _Id | None = None
    enterprise_id: _Id | None = None
    channel_id: _Id
    response_url: _Address
    trigger_id: str | None = None


class _Named(_Part):
    id: _Id


class _Option(_Part):
    value: str | None = None


class _Held(_Part):
    """The value of a Block Kit element, in an action or in the state of a view."""

    type: str | None = None
    value: str | None = None
    selected_option: _Option | None = None
    selected_options: list[_Option] | None = None
    selected_date: str | None = None
    selected_date_time: int | None = None
    files: list[dict[str, Any]] | None = None


class _Action(_Held):
    action_id: str
    block_id: str | None = None


class _State(_Part):
    values: dict[str, dict[str, _Held]]


class _View(_Part):
    id: str
    type: str
    callback_id: str | None = None
    app_installed_team_id: _Id | None = None
    # Written by this app: see bot.views.views.
    private_metadata: Literal[""] | Json[dict[str, Any]] | None = None
    blocks: list[dict[str, Any]] | None = None
    state: _State | None = None


class _Container(_Part):
    thread_ts: _Ts | None = None


class _Interaction(_Part):
    type: str
    user: _User
    team: _Named | None = None
    enterprise: _Named | None = None
    channel: _Named | None = None
    container: _Container | None = None
    message: _Message | None = None
    callback_id: str | None = None
    trigger_id: str | None = None
    response_url: _Address | None = None
    response_urls: list[dict[str, Any]] | None = None
    view: _View | None = None
    actions: Annotated[list[_Action], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        _check_required(self, self.type)
        if self.type == "block_actions" and self.view is None and self.response_url is None:
            raise ValueError("A click in a message has a response_url.")
        if self.type == "view_submission" and self.view and self.view.state is None:
            raise ValueError("A form has a state.")
        return self


def cleaned(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a payload without NULs and lone surrogates; None for a malformed one."""
    try:
        clean: dict[str, Any] = _clean(payload, 0)
        _model(clean).model_validate(clean)
    except (ValidationError, _TooDeep):
        return None
    return clean


def _model(payload: Mapping[str, Any]) -> type[_Part]:
    if "command" in payload:
        return _Command
    kind = payload.get("type")
    if kind == "url_verification" or "ssl_check" in payload:
        return _Part
    if not isinstance(kind, str) or kind == "event_callback" or "event" in payload:
        return _EventCallback
    return _Interaction


class _TooDeep(Exception):
    """A payload is nested more deeply than any of Slack's."""


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return storable(value)
    if depth > MAX_DEPTH:
        raise _TooDeep
    if isinstance(value, dict):
        return {storable(str(key)): _clean(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_clean(one, depth + 1) for one in value]
    return value
