"""chat.*: posting, updating and deleting messages."""

from slack_playground.calls import STREAMED, UNSEEN
from slack_playground.message_objects import added
from slack_playground.records import Channel, Json, Message
from slack_playground.rich_text import as_read
from slack_playground.web_api.call import Call, SlackError, serves
from slack_playground.web_api.content import read_content, read_metadata


def _target(call: Call) -> Channel:
    """Return the conversation to post to: by its id, or a person's DM by their user id."""
    workspace = call.slack.workspace
    if call.text("channel").startswith(("U", "W")):
        user = workspace.users.get(call.text("channel"))
        if user is None or user.deleted:
            raise SlackError("user_not_found")
        return workspace.open_dm(user.id)
    return call.channel()


def check_open(call: Call, channel: Channel) -> None:
    """Refuse an archived conversation, and the Messages tab if the manifest has none."""
    if channel.archived:
        raise SlackError("is_archived")
    if channel.kind == "im" and not call.slack.manifest.messages_tab:
        raise SlackError("messages_tab_disabled")


@serves("chat.postMessage")
def post_message(call: Call) -> Json:
    """chat.postMessage."""
    if call.args.get("as_user"):
        raise SlackError("as_user_not_supported")
    channel = _target(call)
    check_open(call, channel)
    thread_ts = call.thread(channel, missing="thread_not_found")
    content = read_content(call)
    if thread_ts is not None and call.args.get("reply_broadcast"):
        content["subtype"] = "thread_broadcast"
    message = call.slack.posting.by_app(
        channel, content, thread_ts=thread_ts, metadata=read_metadata(call)
    )
    return {"channel": channel.id, "ts": message.ts, "message": shown(message)}


def shown(message: Message) -> Json:
    """The message object in an answer."""
    body = dict(as_read(message.body))
    if message.metadata is not None:
        body["metadata"] = message.metadata
    return body


@serves("chat.postEphemeral")
def post_ephemeral(call: Call) -> Json:
    """chat.postEphemeral: in a thread it is shown only if that has a reply already."""
    channel = call.channel()
    check_open(call, channel)
    if call.text("user") not in channel.members:
        raise SlackError("user_not_in_channel")
    thread_ts = call.thread(channel, missing="thread_not_found")
    message = call.slack.posting.ephemeral(
        channel, call.text("user"), read_content(call), thread_ts=thread_ts
    )
    if message.unseen:
        call.slack.violations.add_all(call.method.name, [UNSEEN])
    return {"message_ts": message.ts}


@serves("chat.update")
def update(call: Call) -> Json:
    """chat.update: a text without blocks removes the blocks; other parts not mentioned stay.

    A message that was streamed keeps its text and blocks, and the new ones come below them.
    """
    channel = call.channel(member=False)
    message = call.own_message(channel, "cant_update_message")
    if message.stream == "live":
        raise SlackError("streaming_state_conflict")
    content = read_content(call)
    changes: Json = dict(content)
    if "blocks" not in content and "blocks" in message.body and "text" in content:
        changes["blocks"] = None
    if message.stream:
        call.slack.violations.add_all(call.method.name, [STREAMED])
        changes = added(message, changes)
    if "metadata" in call.args:
        message.metadata = read_metadata(call)
    editor = None if "blocks" in content else call.bot.id
    call.slack.posting.change(message, changes, editor=editor)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.body["text"],
        "message": shown(message),
    }


@serves("chat.delete")
def delete(call: Call) -> Json:
    """chat.delete; a live stream has to be stopped first."""
    channel = call.channel(member=False)
    message = call.own_message(channel, "cant_delete_message")
    if message.stream == "live":
        raise SlackError("cant_delete_message")
    call.slack.posting.delete(message)
    return {"channel": channel.id, "ts": message.ts}


@serves("chat.getPermalink")
def get_permalink(call: Call) -> Json:
    """chat.getPermalink."""
    channel = call.channel(member=False)
    message = call.message(channel, "message_ts")
    return {"channel": channel.id, "permalink": permalink(call, channel, message)}


def permalink(call: Call, channel: Channel, message: Message) -> str:
    """Return a message's permalink."""
    domain = call.slack.workspace.identity.team_domain
    link = f"https://{domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return link
