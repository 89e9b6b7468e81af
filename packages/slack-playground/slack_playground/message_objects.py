"""Parts of Slack's message objects: profiles, tombstones, forwarded messages."""

from slack_playground.blocks import with_ids
from slack_playground.records import Channel, Json, Message, User


def added(message: Message, changes: Json) -> Json:
    """Return an update of a message that was streamed: what it shows, and the new below it."""
    text, blocks = str(changes.get("text") or ""), changes.get("blocks")
    shown = blocks or ([{"type": "markdown", "text": text}] if text else [])
    return {
        **changes,
        "text": message.body["text"] + text,
        "blocks": [*message.body.get("blocks", []), *with_ids(shown)],
    }


def forwarded(message: Message, author: User, channel: Channel) -> Json:
    """Return a forwarded message as the attachment of another one, as recorded from Slack.

    Source: https://github.com/slackapi/java-slack-sdk/issues/1179
    """
    body = message.body
    text, blocks = body.get("text", ""), body.get("blocks", [])
    names = {"im": "Direct Message", "mpim": "Group Message"}
    origin = {"team": author.team, "channel": channel.id, "ts": message.ts}
    place = f"archives/{channel.id}/p{message.ts.replace('.', '')}"
    return {
        "ts": message.ts,
        "author_id": author.id,
        "author_name": author.name,
        "author_subname": author.name,
        "channel_id": channel.id,
        "channel_team": author.team,
        "channel_name": names.get(channel.kind, channel.name),
        "is_msg_unfurl": True,
        "is_share": True,
        "message_blocks": [{**origin, "message": {"blocks": blocks}}],
        "from_url": f"https://playground.slack.com/{place}",
        "id": 1,
        "fallback": f"{author.name}: {text}",
        "text": text,
        "mrkdwn_in": ["text"],
        **({"files": body["files"]} if body.get("files") else {}),
    }


def tombstone(ts: str) -> Json:
    """Return the placeholder of a deleted parent message of a thread."""
    return {
        "type": "message",
        "subtype": "tombstone",
        "user": "USLACKBOT",
        "text": "This message was deleted.",
        "hidden": True,
        "ts": ts,
        "thread_ts": ts,
        "parent_user_id": "USLACKBOT",
    }


def profile(bot: User) -> Json:
    """The `bot_profile` of a bot's messages."""
    return {
        "id": bot.bot_id,
        "deleted": bot.deleted,
        "name": bot.name,
        "updated": bot.updated,
        "app_id": bot.app_id,
        "icons": {},
        "team_id": bot.team,
    }


def card(user: User) -> Json:
    """The `user_profile` Slack adds to messages of people from another workspace."""
    return {
        "name": user.name.lower(),
        "real_name": user.name,
        "display_name": user.name,
        "team": user.team,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
    }
