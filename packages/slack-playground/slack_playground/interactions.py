"""Commands, clicks, shortcuts and submitted modals."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from slack_playground.blocks import block_errors, view_errors, with_ids
from slack_playground.calls import STREAMED, Violations
from slack_playground.delivery import Deliveries, Delivery
from slack_playground.events import VERIFICATION_TOKEN
from slack_playground.form_values import element_in, state_of
from slack_playground.guidance import message_advice, view_advice
from slack_playground.message_objects import added
from slack_playground.posting import Posting
from slack_playground.records import Channel, Json, Message, User, View
from slack_playground.rich_text import as_read
from slack_playground.views import Views
from slack_playground.workspace import Workspace

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 1800.0
RESPONSE_URL_USES = 5


@dataclass(kw_only=True)
class Trigger:
    """A trigger_id: lets the app open one modal for this person within three seconds."""

    user: str
    born: float
    used: bool = False
    view: str = ""


@dataclass(kw_only=True)
class ResponseUrl:
    """The response_url of one interaction; `message` is the one that was clicked."""

    channel: str
    user: str
    born: float
    uses: int = 0
    message: Message | None = None
    thread_ts: str | None = None


@dataclass(kw_only=True)
class Interactions:
    """Sends interactions to the app and knows what their answers may refer to."""

    workspace: Workspace
    deliveries: Deliveries
    posting: Posting
    views: Views
    violations: Violations
    triggers: dict[str, Trigger] = field(default_factory=dict)
    response_urls: dict[str, ResponseUrl] = field(default_factory=dict)
    base_url: str = ""

    def _trigger(self, user: User, view: str = "") -> str:
        _forget_old(self.triggers, TRIGGER_SECONDS * 10)
        number = time.time_ns() // 1000
        trigger_id = f"{number}.{number // 7}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user=user.id, born=time.monotonic(), view=view)
        return trigger_id

    def _response_url(self, path: str, target: ResponseUrl) -> str:
        _forget_old(self.response_urls, RESPONSE_URL_SECONDS)
        key = f"{path}/{self.workspace.identity.team_id}/{secrets.token_hex(12)}"
        self.response_urls[key] = target
        return f"{self.base_url}/{key}"

    def _envelope(self, kind: str, user: User, *, in_view: bool = False) -> Json:
        identity, name = self.workspace.identity, user.name.lower()
        team = {"id": identity.team_id, "domain": identity.team_domain}
        if in_view and user.team != identity.team_id:  # theirs: slackapi/bolt-js#1614
            team = {"id": user.team, "domain": user.team.lower()}
        return {
            "type": kind,
            "team": team,
            "enterprise": None,
            "is_enterprise_install": False,
            "user": {"id": user.id, "username": name, "name": name, "team_id": user.team},
            "api_app_id": identity.app_id,
            "token": VERIFICATION_TOKEN,
        }

    async def command(self, user: User, channel: Channel, command: str, text: str) -> Delivery:
        """A slash command; what the ack says is shown to the person, or to all if it says so."""
        identity = self.workspace.identity
        target = ResponseUrl(channel=channel.id, user=user.id, born=time.monotonic())
        body = {
            "token": VERIFICATION_TOKEN,
            "team_id": identity.team_id,
            "team_domain": identity.team_domain,
            "channel_id": channel.id,
            "channel_name": channel.name_in_payloads,
            "user_id": user.id,
            "user_name": user.name.lower(),
            "command": command,
            "text": text,
            "api_app_id": identity.app_id,
            "is_enterprise_install": "false",
            "response_url": self._response_url("commands", target),
            "trigger_id": self._trigger(user),
        }
        delivery = await self.deliveries.send_request("slash_commands", command, body)
        answer = delivery.attempts[-1].get("answer") or {}
        wrong = self._complaints(delivery, block_errors(answer.get("blocks", [])))
        if not wrong and any(answer.get(part) for part in ("text", "blocks", "attachments")):
            self.violations.add_all(f"ack of {command}", message_advice(answer))
            self.respond(target, answer)
        return delivery

    def respond(self, target: ResponseUrl, content: Json) -> Message | None:
        """Post, replace or delete as an ack or a response_url body says.

        An ephemeral message is shown at the channel's root, whatever the body says of a thread.
        """
        original = target.message
        if content.get("delete_original") and original is not None:
            self.posting.delete(original)
            return None
        shown = {key: content[key] for key in ("text", "blocks", "attachments") if content.get(key)}
        if "blocks" in shown:
            shown["blocks"] = with_ids(shown["blocks"])
        if content.get("replace_original") and original is not None:
            changes = {"blocks": None, "attachments": None, "text": "", **shown}
            if original.stream:
                self.violations.add_all("response_url", [STREAMED])
                changes = added(original, changes)
            self.posting.change(
                original, {k: v for k, v in changes.items() if v is not None or k in original.body}
            )
            return original
        channel = self.workspace.channel(target.channel)
        if content.get("response_type") == "in_channel":
            thread_ts = content.get("thread_ts") or target.thread_ts
            return self.posting.by_app(
                channel, shown, thread_ts=thread_ts, metadata=content.get("metadata")
            )
        return self.posting.ephemeral(channel, target.user, shown, thread_ts=None)

    async def click(
        self,
        user: User,
        place: Message | View,
        action_id: str,
        *,
        block_id: str | None,
        value: Any,
        values: Json,
    ) -> Delivery:
        """A click on an element of a message or a view; raises ValueError if it is not there.

        `values` is what the other elements hold meanwhile, as in `submit`.
        """
        blocks: list[Json] = place.body.get("blocks", [])
        block, action = element_in(blocks, action_id, block_id, value)
        action |= {
            "action_id": action_id,
            "block_id": block["block_id"],
            "action_ts": self.workspace.next_ts(),
        }
        body = self._envelope("block_actions", user, in_view=isinstance(place, View))
        if isinstance(place, Message):
            body |= self._from_message(user, place)
            body["state"] = {"values": state_of(blocks, values)}
            body["trigger_id"] = self._trigger(user)
        else:
            body["container"] = {"type": "view", "view_id": place.id}
            held = state_of(blocks, values)
            body["view"] = {**place.body, "blocks": blocks, "state": {"values": held}}
            body["trigger_id"] = self._trigger(user, place.id)
        body["actions"] = [action]
        return await self.deliveries.send_request("interactive", action_id, body)

    def _from_message(self, user: User, message: Message) -> Json:
        channel = self.workspace.channel(message.channel)
        thread_ts = message.body.get("thread_ts")
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": bool(message.only_for),
        }
        if thread_ts:
            container["thread_ts"] = thread_ts
        target = ResponseUrl(
            channel=channel.id,
            user=user.id,
            born=time.monotonic(),
            message=message,
            thread_ts=thread_ts,
        )
        part: Json = {
            "container": container,
            "channel": {"id": channel.id, "name": channel.name_in_payloads},
            "response_url": self._response_url("actions", target),
        }
        if not message.only_for:
            part["message"] = as_read(message.body)
        return part

    async def shortcut(
        self, user: User, callback_id: str, message: Message | None = None
    ) -> Delivery:
        """A global shortcut, or one on a message."""
        body = self._envelope("shortcut" if message is None else "message_action", user)
        body |= {"callback_id": callback_id, "trigger_id": self._trigger(user)}
        body["action_ts"] = self.workspace.next_ts()
        if message is not None:
            part = self._from_message(user, message)
            body |= {"message_ts": message.ts, "message": as_read(message.body)}
            body |= {"channel": part["channel"], "response_url": part["response_url"]}
        return await self.deliveries.send_request("interactive", callback_id, body)

    async def submit(self, user: User, view: View, values: Json) -> Delivery:
        """Submit a modal and do what the answer says with the stack.

        Raises ValueError when a required input is empty or a value fits no input.
        """
        body = self._envelope("view_submission", user, in_view=True)
        state = {"values": state_of(view.body["blocks"], values, required=True)}
        body["view"] = {**view.body, "state": state}
        body["trigger_id"] = self._trigger(user, view.id)
        body["response_urls"] = []
        delivery = await self.deliveries.send_request(
            "interactive", view.body.get("callback_id", ""), body
        )
        if delivery.outcome == "acked":
            self._after_submit(view, delivery, delivery.attempts[-1].get("answer") or {})
        return delivery

    def _after_submit(self, view: View, delivery: Delivery, answer: Json) -> None:
        action = answer.get("response_action")
        if action in ("update", "push"):
            if self._complaints(delivery, view_errors(answer.get("view"))):
                return
            self.violations.add_all(f"ack of {delivery.name}", view_advice(answer["view"]))
        if action == "errors" and not answer.get("errors"):
            self._complaints(delivery, ["missing required field: errors"])
        elif action == "clear":
            self.views.close_all(view.user)
        elif action == "update":
            self.views.replace(view, answer["view"])
        elif action == "push":
            self.views.open(view.user, answer["view"], on=view)
        elif action != "errors":
            self.views.close(view)

    def _complaints(self, delivery: Delivery, complaints: list[str]) -> list[str]:
        """Mark a delivery whose answer Slack would not take."""
        if complaints:
            delivery.outcome = "failed"
            delivery.attempts[-1] |= {"reason": "invalid_response", "complaints": complaints}
            self.violations.add_all(f"ack of {delivery.name}", complaints)
        return complaints

    async def close(self, user: User, view: View) -> Delivery | None:
        """Close a modal; the app is notified if the view asked for that."""
        self.views.close(view)
        if not view.body.get("notify_on_close"):
            return None
        body = self._envelope("view_closed", user, in_view=True)
        body |= {"view": view.body, "is_cleared": False}
        return await self.deliveries.send_request(
            "interactive", view.body.get("callback_id", ""), body
        )


def _forget_old(kept: dict[str, Any], seconds: float) -> None:
    """Drop what is too old to be used, oldest first."""
    now = time.monotonic()
    for key in list(kept):
        if now - kept[key].born <= seconds:
            break
        del kept[key]
