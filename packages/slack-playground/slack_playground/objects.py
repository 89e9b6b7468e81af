"""Slack's objects: conversations, people, files, parts of messages; constants in objects.json."""

import json
import mimetypes
import zoneinfo
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from slack_playground.blocks import with_ids
from slack_playground.records import Channel, File, Json, Message, User

_CONSTANTS = json.loads(
    files("slack_playground").joinpath("objects.json").read_text("utf-8")
)


def slack_object(kind: str, **fields: Any) -> Json:
    """Return an object of Slack's: the constant fields of its kind, and these."""
    return {**_CONSTANTS[kind], **fields}


# What tells the kind of a conversation.
_KIND = (
    "is_channel",
    "is_group",
    "is_im",
    "is_mpim",
    "is_private",
    "is_shared",
    "is_ext_shared",
    "is_org_shared",
    "is_pending_ext_shared",
)


def channel_object(channel: Channel, users: dict[str, User], bot: User) -> Json:
    """The conversation object Slack returns to the app that `bot` belongs to."""
    shown = _channel_object(channel, users, bot)
    if not channel.told:
        for flag in _KIND:
            shown.pop(flag, None)
    return shown


def _channel_object(channel: Channel, users: dict[str, User], bot: User) -> Json:
    common: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.archived,
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "context_team_id": bot.team,
        "updated": channel.created * 1000,
    }
    if channel.kind == "im":
        user = bot.id
        for member in channel.members:
            if member != bot.id:
                user = member
        return slack_object("im", **common, user=user)
    teams = {users[member].team for member in channel.members}
    return slack_object(
        "channel",
        **common,
        name=channel.name,
        name_normalized=channel.name,
        is_channel=channel.kind != "mpim",
        is_group=channel.kind == "mpim",
        is_private=channel.is_private,
        is_general=channel.name == "general",
        is_shared=channel.shared or channel.org_shared,
        is_ext_shared=channel.shared,
        is_org_shared=channel.org_shared,
        is_pending_ext_shared=channel.pending,
        creator=channel.creator,
        is_member=bot.id in channel.members,
        shared_team_ids=sorted(teams),
    )


def user_object(user: User, team: str, *, locale: bool = True) -> Json:
    """The user object Slack returns to an app in workspace `team`.

    For people from Slack Connect it never has the locale.
    """
    now = datetime.now(tz=zoneinfo.ZoneInfo(user.tz))
    offset = now.utcoffset() or timedelta()
    profile = {
        "title": "",
        "team": user.team,
        "real_name": user.name,
        "real_name_normalized": user.name,
        "display_name": user.name,
        "display_name_normalized": user.name,
    }
    if user.is_bot:
        profile |= {"api_app_id": user.app_id, "bot_id": user.bot_id}
    shown = slack_object(
        "user",
        id=user.id,
        team_id=user.team,
        name=user.handle,
        deleted=user.deleted,
        real_name=user.name,
        tz=user.tz,
        tz_label=now.tzname(),
        tz_offset=int(offset.total_seconds()),
        profile=profile,
        is_restricted=user.is_restricted,
        is_ultra_restricted=user.is_ultra_restricted,
        is_bot=user.is_bot,
        updated=user.updated,
    )
    if locale and user.team == team:
        shown["locale"] = user.locale
    return shown


def mimetype(file: File) -> str:
    """The MIME type of a file, guessed from its name."""
    guessed, _ = mimetypes.guess_type(file.name)
    return guessed or "application/octet-stream"


def file_object(file: File, url: str, team: str) -> Json:
    """The file object of messages; `url` is the address of the playground."""
    _, dot, extension = file.name.lower().rpartition(".")
    if not dot:
        extension = "text"
    name = quote(file.name.lower())
    private = f"{url}/files-pri/{team}-{file.id}"
    return slack_object(
        "file",
        id=file.id,
        created=file.created,
        timestamp=file.created,
        name=file.name,
        title=file.title or file.name,
        mimetype=mimetype(file),
        filetype=extension,
        pretty_type=extension.upper(),
        user=file.owner,
        user_team=team,
        size=file.size,
        url_private=f"{private}/{name}",
        url_private_download=f"{private}/download/{name}",
        permalink=f"https://playground.slack.com/files/{file.owner}/{file.id}/{name}",
    )


def with_update_below(message: Message, changes: Json) -> Json:
    """Return an update of a streamed message: what it shows, and the new content below."""
    text = str(changes.get("text") or "")
    shown = changes.get("blocks") or []
    if text and not shown:
        shown = [{"type": "markdown", "text": text}]
    before = message.body.get("blocks", [])
    below = with_ids(shown)
    return {
        **changes,
        "text": message.body["text"] + text,
        "blocks": [*before, *below],
    }


def forwarded(message: Message, author: User, channel: Channel) -> Json:
    """Return a forwarded message as the attachment of another one, as recorded from Slack.

    Source: https://github.com/slackapi/java-slack-sdk/issues/1179
    """
    body = message.body
    names = {"im": "Direct Message", "mpim": "Group Message"}
    block = {
        "team": author.team,
        "channel": channel.id,
        "ts": message.ts,
        "message": {"blocks": body.get("blocks", [])},
    }
    shared = slack_object(
        "forwarded",
        ts=message.ts,
        author_id=author.id,
        author_name=author.name,
        author_subname=author.name,
        channel_id=channel.id,
        channel_team=author.team,
        channel_name=names.get(channel.kind, channel.name),
        message_blocks=[block],
        from_url=f"https://playground.slack.com/{message.archive_path}",
        fallback=f"{author.name}: {body.get('text', '')}",
        text=body.get("text", ""),
    )
    if body.get("files"):
        shared["files"] = body["files"]
    return shared


def bot_profile(bot: User) -> Json:
    """The `bot_profile` of a bot's messages."""
    return slack_object(
        "bot_profile",
        id=bot.bot_id,
        deleted=bot.deleted,
        name=bot.name,
        updated=bot.updated,
        app_id=bot.app_id,
        team_id=bot.team,
    )
