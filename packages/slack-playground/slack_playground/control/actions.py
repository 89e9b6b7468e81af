"""The part of the control API that acts as a person: writing, commands, clicks, modals, Stop."""

import base64
import binascii
from functools import partial
from typing import Any

from slack_playground.blocks import block_errors, with_ids
from slack_playground.control.request import Act, BadRequestError
from slack_playground.delivery import Delivery
from slack_playground.files import FILE_BYTES, add_file, file_object, own_file, shared_file
from slack_playground.message_objects import forwarded
from slack_playground.records import Channel, Json, Message, View
from slack_playground.slack import Slack


class Actions:
    """Handlers of people's actions."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.posts: dict[str, Act] = {
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

    def _place(self, name: str, user: str) -> Channel:
        """The conversation a request names, "dm" being that person's with the app."""
        workspace = self._slack.workspace
        channel = workspace.open_dm(user) if name == "dm" else workspace.channel(name)
        if user not in channel.members:
            raise BadRequestError(f"{user} is not in {channel.id}.")
        if channel.archived:
            raise BadRequestError(f"{channel.id} is archived.")
        return channel

    def _message(self, name: str, ts: str | None, user: str) -> Message:
        """The message a request names by its ts, an ephemeral one only for its own person."""
        channel = self._place(name, user)
        if ts is None:
            raise BadRequestError("ts is missing.")
        own = self._slack.workspace.ephemerals.get(channel.id, {}).get(ts)
        if own is not None:
            if own.only_for != user or own.unseen:
                raise PermissionError(f"{user} cannot see that message.")
            return own
        return self._slack.workspace.message(channel.id, ts)

    async def say(
        self,
        user: str,
        channel: str,
        text: str = "",
        thread_ts: str | None = None,
        blocks: list[Json] | None = None,
        attachments: list[Json] | None = None,
        files: list[Json] | None = None,
        file_ids: list[str] | None = None,
        client_msg_id: str | None = None,
    ) -> Json:
        """Post a message as a person; delivery to the app runs in the background."""
        workspace = self._slack.workspace
        person = workspace.user(user)
        if person.deleted:
            raise BadRequestError(f"{user} has left the workspace.")
        place = self._place(channel, user)
        if thread_ts is not None and workspace.message(place.id, thread_ts).is_reply:
            raise BadRequestError("thread_ts must be the parent of the thread.")
        text = text.replace("<@BOT>", f"<@{workspace.identity.bot_user_id}>")
        if file_ids:
            sent = [shared_file(self._slack, user, one) for one in file_ids]
            for file in sent:
                file.channels.append(place.id)
                workspace.save(file)
            files = [file_object(self._slack, file) for file in sent]
        if blocks is not None:
            if errors := block_errors(blocks):
                raise BadRequestError(f"blocks: {errors[0]}.")
            blocks = with_ids(blocks)
        if not (text or blocks or attachments or files):
            raise BadRequestError("text is missing: a message says something.")
        message = self._slack.posting.typed(
            person,
            place,
            text,
            thread_ts=thread_ts,
            client_msg_id=client_msg_id,
            blocks=blocks,
            attachments=attachments,
            files=files,
        )
        return {"channel": place.id, "ts": message.ts}

    def _own(self, channel: str, ts: str, user: str) -> Message:
        message = self._message(channel, ts, self._slack.workspace.user(user).id)
        if message.body.get("user") != user:
            raise PermissionError(f"{user} did not write that message.")
        return message

    async def edit(self, user: str, channel: str, ts: str, text: str) -> Json:
        """Edit a person's own message."""
        message = self._own(channel, ts, user)
        self._slack.posting.edit(message, text)
        return {"channel": message.channel, "ts": message.ts}

    async def delete(self, user: str, channel: str, ts: str) -> Json:
        """Delete a person's own message."""
        message = self._own(channel, ts, user)
        self._slack.posting.delete(message)
        return {"channel": message.channel, "ts": message.ts}

    async def forward(self, user: str, channel: str, ts: str, to: str, text: str = "") -> Json:
        """Forward a message that a person can see to another conversation, `to`."""
        workspace = self._slack.workspace
        message = self._message(channel, ts, user)
        place = self._place(to, user)
        for file in message.body.get("files", []):
            stored = workspace.files[file["id"]]
            stored.channels.append(place.id)
            workspace.save(stored)
        author = workspace.user(str(message.body["user"]))
        shared = forwarded(message, author, workspace.channel(message.channel))
        posted = self._slack.posting.typed(workspace.user(user), place, text, attachments=[shared])
        return {"channel": place.id, "ts": posted.ts}

    async def command(
        self, user: str, channel: str, command: str, text: str = "", thread_ts: str | None = None
    ) -> Json:
        """Run a slash command as a person; return the content of its ack."""
        person = self._slack.workspace.user(user)
        place = self._place(channel, user)
        self._installed()
        known = self._slack.manifest.commands.get(command)
        if known is None:
            raise BadRequestError(f"{command} is not a command of this app.")
        if thread_ts is not None:
            raise BadRequestError("Slash commands do not work in threads.")
        text = text.strip()
        if known.should_escape:
            text = self._slack.posting.escaped(text)
        return _outcome(await self._slack.interactions.command(person, place, command, text))

    async def action(
        self,
        user: str,
        action_id: str,
        channel: str = "dm",
        ts: str | None = None,
        message_ts: str | None = None,
        view_id: str | None = None,
        block_id: str | None = None,
        value: Any = None,
        values: Json | None = None,
    ) -> Json:
        """Click an element of a visible message or of the person's own view."""
        person = self._slack.workspace.user(user)
        self._interactive()
        place: Message | View
        if view_id is not None:
            place = self._view(view_id, user)
        else:
            place = self._message(channel, message_ts or ts, user)
        delivery = await self._slack.interactions.click(
            person,
            place,
            action_id,
            block_id=block_id,
            value=value,
            values=values or {},
            file_of=partial(own_file, self._slack, user),
        )
        return _outcome(delivery)

    def _interactive(self) -> None:
        self._installed()
        if not self._slack.manifest.interactivity:
            raise BadRequestError("The app's manifest has interactivity switched off.")

    def _installed(self) -> None:
        if not self._slack.installation.installed:
            raise BadRequestError("The app is not installed in this workspace.")

    def _view(self, view_id: str, user: str) -> View:
        view = self._slack.workspace.views.get(view_id)
        if view is None or view.closed:
            raise BadRequestError("That view is not open.")
        if view.user != user:
            raise PermissionError(f"{user} cannot see that view.")
        return view

    async def upload(self, user: str, name: str, content: str) -> Json:
        """Upload a person's file (base64) for a form or a message."""
        owner = self._slack.workspace.user(user).id
        try:
            data = base64.b64decode(content, validate=True)
        except binascii.Error:
            raise BadRequestError("content must be base64.") from None
        if len(data) > FILE_BYTES:
            raise BadRequestError(f"A file has {FILE_BYTES // 1024 // 1024} MB at most.")
        if not name:
            raise BadRequestError("name is missing.")
        file = add_file(self._slack.workspace, owner=owner, name=name, content=data)
        return {"id": file.id, "name": file.name, "size": file.size}

    async def shortcut(
        self, user: str, callback_id: str, channel: str = "dm", ts: str | None = None
    ) -> Json:
        """Use a global shortcut or a message shortcut."""
        person = self._slack.workspace.user(user)
        self._interactive()
        shortcut = self._slack.manifest.shortcuts.get(callback_id)
        if shortcut is None:
            raise BadRequestError(f"{callback_id} is not a shortcut of this app.")
        message = self._message(channel, ts, user) if shortcut.kind == "message" else None
        return _outcome(await self._slack.interactions.shortcut(person, callback_id, message))

    async def submit(
        self, view_id: str, user: str | None = None, values: Json | None = None
    ) -> Json:
        """Submit a modal, as its owner if no `user` is named."""
        self._interactive()
        owner = self._slack.workspace.views.get(view_id)
        user = user or (owner.user if owner is not None else "")
        view = self._view(view_id, user)
        person = self._slack.workspace.user(user)
        file_of = partial(own_file, self._slack, user)
        return _outcome(
            await self._slack.interactions.submit(person, view, values or {}, file_of=file_of)
        )

    async def close(self, user: str, view_id: str) -> Json:
        """Close a modal."""
        person = self._slack.workspace.user(user)
        delivery = await self._slack.interactions.close(person, self._view(view_id, user))
        return {"ok": True} if delivery is None else _outcome(delivery)

    async def stop(self, user: str, channel: str, thread_ts: str) -> Json:
        """Press Stop in a thread that the app is working in."""
        slack = self._slack
        place = self._place(channel, slack.workspace.user(user).id)
        if "agent_session_stopped" not in slack.manifest.events:
            raise BadRequestError(
                "There is no Stop button: the app listens to no agent_session_stopped."
            )
        thread = slack.workspace.thread(place.id, thread_ts)
        live = [
            message
            for message in slack.workspace.replies(place.id, thread_ts)
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
                "channel": place.id,
                "user": user,
                "thread_ts": thread_ts,
                "streaming_message_ts": stopped,
                "event_ts": slack.workspace.next_ts(),
            },
            place,
        )
        return {"streaming_message_ts": stopped}

    async def open_home(self, user: str, tab: str = "home") -> Json:
        """Open the app's Home or Messages tab."""
        slack = self._slack
        enabled = {"home": slack.manifest.home_tab, "messages": slack.manifest.messages_tab}
        if not enabled.get(tab):
            raise BadRequestError(f"The app has no {tab} tab.")
        channel = slack.workspace.open_dm(slack.workspace.user(user).id)
        event: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": channel.id,
            "tab": tab,
            "event_ts": slack.workspace.next_ts(),
        }
        if tab == "home" and (home := slack.workspace.homes.get(user)):
            event["view"] = home.body
        return {"sent": slack.events.emit(event)}

    async def look(self, user: str, channel: str, ts: str | None = None) -> Json:
        """Open a conversation, or one message of it, with the app in the side panel."""
        slack, seen = self._slack, self._place(channel, user).id
        values: Json = {"channel_id": seen}
        if ts is not None:
            place = {"channel_id": seen, "message_ts": self._message(channel, ts, user).ts}
            values = {"message_context": place, **values}
        team, entities = slack.workspace.identity.team_id, []
        for kind, value in values.items():
            entities.append({"type": f"slack#/types/{kind}", "value": value, "team_id": team})
        slack.events.viewed[user] = entities
        event: Json = {
            "type": "app_context_changed",
            "user": user,
            "channel": slack.workspace.open_dm(user).id,
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
