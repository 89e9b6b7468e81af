"""The part of the control API that acts as a person: writing, commands, clicks, modals, Stop."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from functools import partial

from slack_playground.blocks import block_errors, with_ids
from slack_playground.control.input import BadRequestError, Input
from slack_playground.delivery import Delivery
from slack_playground.files import FILE_BYTES, add_file, file_object, own_file, shared_file
from slack_playground.message_objects import forwarded
from slack_playground.records import Channel, Json, Message, View
from slack_playground.slack import Slack


class Actions:
    """Handlers of people's actions."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.posts: dict[str, Callable[[Input], Awaitable[Json]]] = {
            "messages": self.say,
            "messages/edit": self.edit,
            "messages/delete": self.delete,
            "messages/forward": self.forward,
            "commands": self.command,
            "actions": self.action,
            "shortcuts": self.shortcut,
            "files": self.upload,
            "views/submit": self.submit,
            "views/close": self.close,
            "stop": self.stop,
            "home/open": self.open_home,
            "context": self.look,
        }

    def _place(self, given: Input, user: str) -> Channel:
        """The conversation a request names, "dm" being that person's with the app."""
        workspace = self._slack.workspace
        name = given.text("channel")
        channel = workspace.open_dm(user) if name == "dm" else workspace.channel(name)
        if user not in channel.members:
            raise BadRequestError(f"{user} is not in {channel.id}.")
        if channel.archived:
            raise BadRequestError(f"{channel.id} is archived.")
        return channel

    def _message(self, given: Input, user: str) -> Message:
        """The message a request names by its ts, an ephemeral one only for its own person."""
        channel = self._place(given, user)
        name = "message_ts" if "message_ts" in given.content else "ts"
        ts = given.text(name)
        own = self._slack.workspace.ephemerals.get(channel.id, {}).get(ts)
        if own is not None:
            if own.only_for != user or own.unseen:
                raise PermissionError(f"{user} cannot see that message.")
            return own
        return self._slack.workspace.message(channel.id, ts)

    async def say(self, given: Input) -> Json:
        """Post a message as a person; delivery to the app runs in the background."""
        workspace = self._slack.workspace
        user = workspace.user(given.text("user"))
        if user.deleted:
            raise BadRequestError(f"{user.id} has left the workspace.")
        channel = self._place(given, user.id)
        thread_ts = given.optional("thread_ts")
        if thread_ts is not None and workspace.message(channel.id, thread_ts).is_reply:
            raise BadRequestError("thread_ts must be the parent of the thread.")
        text = given.text("text", default="").replace(
            "<@BOT>", f"<@{workspace.identity.bot_user_id}>"
        )
        parts = {name: given.objects(name) for name in ("blocks", "attachments", "files")}
        if "file_ids" in given.content:
            sent = [shared_file(self._slack, user.id, one) for one in given.strings("file_ids")]
            for file in sent:
                file.channels.append(channel.id)
                workspace.save(file)
            parts["files"] = [file_object(self._slack, file) for file in sent]
        if parts["blocks"] is not None:
            if errors := block_errors(parts["blocks"]):
                raise BadRequestError(f"blocks: {errors[0]}.")
            parts["blocks"] = with_ids(parts["blocks"])
        if not text and not any(parts.values()):
            raise BadRequestError("text is missing: a message says something.")
        own = given.optional("client_msg_id")
        message = self._slack.posting.typed(
            user, channel, text, thread_ts=thread_ts, client_msg_id=own, **parts
        )
        return {"channel": channel.id, "ts": message.ts}

    def _own(self, given: Input) -> Message:
        user = self._slack.workspace.user(given.text("user"))
        message = self._message(given, user.id)
        if message.body.get("user") != user.id:
            raise PermissionError(f"{user.id} did not write that message.")
        return message

    async def edit(self, given: Input) -> Json:
        """Edit a person's own message."""
        message = self._own(given)
        self._slack.posting.edit(message, given.text("text"))
        return {"channel": message.channel, "ts": message.ts}

    async def delete(self, given: Input) -> Json:
        """Delete a person's own message."""
        message = self._own(given)
        self._slack.posting.delete(message)
        return {"channel": message.channel, "ts": message.ts}

    async def forward(self, given: Input) -> Json:
        """Forward a message that a person can see to another conversation, `to`."""
        workspace = self._slack.workspace
        user = workspace.user(given.text("user"))
        message = self._message(given, user.id)
        name = given.text("to")
        to = workspace.open_dm(user.id) if name == "dm" else workspace.channel(name)
        if user.id not in to.members:
            raise BadRequestError(f"{user.id} is not in {to.id}.")
        for file in message.body.get("files", []):
            stored = workspace.files[file["id"]]
            stored.channels.append(to.id)
            workspace.save(stored)
        author = workspace.user(str(message.body["user"]))
        shared = forwarded(message, author, workspace.channel(message.channel))
        text = given.text("text", default="")
        posted = self._slack.posting.typed(user, to, text, attachments=[shared])
        return {"channel": to.id, "ts": posted.ts}

    async def command(self, given: Input) -> Json:
        """Run a slash command as a person; return the content of its ack."""
        user = self._slack.workspace.user(given.text("user"))
        channel = self._place(given, user.id)
        self._installed()
        name = given.text("command")
        command = self._slack.manifest.commands.get(name)
        if command is None:
            raise BadRequestError(f"{name} is not a command of this app.")
        if given.optional("thread_ts") is not None:
            raise BadRequestError("Slash commands do not work in threads.")
        text = given.text("text", default="").strip()
        if command.should_escape:
            text = self._slack.posting.escaped(text)
        return _outcome(await self._slack.interactions.command(user, channel, name, text))

    async def action(self, given: Input) -> Json:
        """Click an element of a visible message or of the person's own view."""
        user = self._slack.workspace.user(given.text("user"))
        self._interactive()
        place: Message | View
        if given.optional("view_id") is not None:
            place = self._view(given, user.id)
        else:
            place = self._message(given, user.id)
        delivery = await self._slack.interactions.click(
            user,
            place,
            given.text("action_id"),
            block_id=given.optional("block_id"),
            value=given.content.get("value"),
            values=given.object("values"),
            file_of=partial(own_file, self._slack, user.id),
        )
        return _outcome(delivery)

    def _interactive(self) -> None:
        self._installed()
        if not self._slack.manifest.interactivity:
            raise BadRequestError("The app's manifest has interactivity switched off.")

    def _installed(self) -> None:
        if not self._slack.installation.installed:
            raise BadRequestError("The app is not installed in this workspace.")

    def _view(self, given: Input, user: str) -> View:
        view = self._slack.workspace.views.get(given.text("view_id"))
        if view is None or view.closed:
            raise BadRequestError("That view is not open.")
        if view.user != user:
            raise PermissionError(f"{user} cannot see that view.")
        return view

    async def upload(self, given: Input) -> Json:
        """Upload a person's file (base64) for a form or a message."""
        user = self._slack.workspace.user(given.text("user"))
        try:
            content = base64.b64decode(given.text("content"), validate=True)
        except binascii.Error:
            raise BadRequestError("content must be base64.") from None
        if len(content) > FILE_BYTES:
            raise BadRequestError(f"A file has {FILE_BYTES // 1024 // 1024} MB at most.")
        name = given.text("name")
        if not name:
            raise BadRequestError("name is missing.")
        file = add_file(self._slack.workspace, owner=user.id, name=name, content=content)
        return {"id": file.id, "name": file.name, "size": file.size}

    async def shortcut(self, given: Input) -> Json:
        """Use a global shortcut or a message shortcut."""
        user = self._slack.workspace.user(given.text("user"))
        self._interactive()
        callback_id = given.text("callback_id")
        shortcut = self._slack.manifest.shortcuts.get(callback_id)
        if shortcut is None:
            raise BadRequestError(f"{callback_id} is not a shortcut of this app.")
        message = self._message(given, user.id) if shortcut.kind == "message" else None
        return _outcome(await self._slack.interactions.shortcut(user, callback_id, message))

    async def submit(self, given: Input) -> Json:
        """Submit a modal."""
        self._interactive()
        view_id = given.text("view_id")
        owner = self._slack.workspace.views.get(view_id)
        user = given.text("user", default=owner.user if owner is not None else "")
        view = self._view(given, user)
        values = given.object("values")
        person = self._slack.workspace.user(user)
        file_of = partial(own_file, self._slack, user)
        return _outcome(
            await self._slack.interactions.submit(person, view, values, file_of=file_of)
        )

    async def close(self, given: Input) -> Json:
        """Close a modal."""
        user = self._slack.workspace.user(given.text("user"))
        delivery = await self._slack.interactions.close(user, self._view(given, user.id))
        return {"ok": True} if delivery is None else _outcome(delivery)

    async def stop(self, given: Input) -> Json:
        """Press Stop in a thread that the app is working in."""
        slack = self._slack
        user = slack.workspace.user(given.text("user"))
        channel = self._place(given, user.id)
        thread_ts = given.text("thread_ts")
        if "agent_session_stopped" not in slack.manifest.events:
            raise BadRequestError(
                "There is no Stop button: the app listens to no agent_session_stopped."
            )
        thread = slack.workspace.thread(channel.id, thread_ts)
        live = [
            message
            for message in slack.workspace.replies(channel.id, thread_ts)
            if message.stream == "live"
        ]
        if thread.session != "processing":
            raise BadRequestError("There is no Stop button: the app is not working in that thread.")
        for message in live:
            slack.posting.stop_stream(message)
        stopped = [message.ts for message in live]
        slack.events.emit(
            {
                "type": "agent_session_stopped",
                "channel": channel.id,
                "user": user.id,
                "thread_ts": thread_ts,
                "streaming_message_ts": stopped,
                "event_ts": slack.workspace.next_ts(),
            },
            channel,
        )
        return {"streaming_message_ts": stopped}

    async def open_home(self, given: Input) -> Json:
        """Open the app's Home or Messages tab."""
        slack = self._slack
        user = slack.workspace.user(given.text("user"))
        tab = given.text("tab", default="home")
        enabled = {"home": slack.manifest.home_tab, "messages": slack.manifest.messages_tab}
        if not enabled.get(tab):
            raise BadRequestError(f"The app has no {tab} tab.")
        channel = slack.workspace.open_dm(user.id)
        event: Json = {
            "type": "app_home_opened",
            "user": user.id,
            "channel": channel.id,
            "tab": tab,
            "event_ts": slack.workspace.next_ts(),
        }
        home = slack.workspace.homes.get(user.id)
        if tab == "home" and home is not None:
            event["view"] = home.body
        return {"sent": slack.events.emit(event)}

    async def look(self, given: Input) -> Json:
        """Open a conversation, or one message of it, with the app in the side panel."""
        slack = self._slack
        user = slack.workspace.user(given.text("user"))
        channel = self._place(given, user.id)
        team = slack.workspace.identity.team_id
        entity: Json = {"type": "slack#/types/channel_id", "value": channel.id, "team_id": team}
        entities = [entity]
        if given.optional("ts") is not None:
            place = {"channel_id": channel.id, "message_ts": self._message(given, user.id).ts}
            message = {"type": "slack#/types/message_context", "value": place, "team_id": team}
            entities = [message, entity]
        event: Json = {
            "type": "app_context_changed",
            "user": user.id,
            "channel": slack.workspace.open_dm(user.id).id,
            "context": {"entities": entities},
            "event_ts": slack.workspace.next_ts(),
        }
        return {"sent": slack.events.emit(event)}


def _outcome(delivery: Delivery) -> Json:
    """Return whether a command or click was acked, and the content of the ack."""
    last = delivery.attempts[-1]
    return {
        "ok": delivery.outcome == "acked",
        "ack": last.get("answer"),
        "reason": last.get("reason"),
        "complaints": last.get("complaints", []),
        "ms": last.get("ms"),
        "delivery": delivery.number,
    }
