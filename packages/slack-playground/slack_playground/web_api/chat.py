"""chat.*: posting, updating and deleting messages."""

from slack_playground import posting
from slack_playground.calls import STREAMED, UNSEEN
from slack_playground.objects import added
from slack_playground.records import Json, Message
from slack_playground.rich_text import as_read
from slack_playground.web_api.call import Call, SlackError, serves
from slack_playground.web_api.content import read_content, read_metadata


@serves("chat.postMessage")
def post_message(call: Call) -> Json:
    """chat.postMessage; a person's id as `channel` is their DM."""
    if call.args.get("as_user"):
        raise SlackError("as_user_not_supported")
    workspace, person = call.slack.workspace, call.text("channel")
    if person.startswith(("U", "W")):
        if person not in workspace.users or workspace.users[person].deleted:
            raise SlackError("user_not_found")
        call.args["channel"] = workspace.open_dm(person).id
    channel = call.open_channel()
    thread_ts, content, metadata = call.thread(channel), read_content(call), read_metadata(call)
    if thread_ts is not None and call.args.get("reply_broadcast"):
        content["subtype"] = "thread_broadcast"
    message = posting.by_app(call.slack, channel, content, thread_ts=thread_ts, metadata=metadata)
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
    channel = call.open_channel()
    if call.text("user") not in channel.members:
        raise SlackError("user_not_in_channel")
    thread_ts, content = call.thread(channel), read_content(call)
    message = posting.ephemeral(
        call.slack, channel, call.text("user"), content, thread_ts=thread_ts
    )
    if message is None:
        call.slack.violations.add_all(call.method.name, [UNSEEN])
    return {"message_ts": call.slack.workspace.next_ts() if message is None else message.ts}


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
    posting.change(call.slack, message, changes, editor=editor)
    answer = {"channel": channel.id, "ts": message.ts, "text": message.body["text"]}
    return {**answer, "message": shown(message)}


@serves("chat.delete")
def delete(call: Call) -> Json:
    """chat.delete; a live stream has to be stopped first."""
    channel = call.channel(member=False)
    message = call.own_message(channel, "cant_delete_message")
    if message.stream == "live":
        raise SlackError("cant_delete_message")
    posting.delete(call.slack, message)
    return {"channel": channel.id, "ts": message.ts}


@serves("chat.getPermalink")
def get_permalink(call: Call) -> Json:
    """chat.getPermalink."""
    channel = call.channel(member=False)
    message = call.message(channel, "message_ts")
    domain = call.slack.workspace.identity.team_domain
    link = f"https://{domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}
