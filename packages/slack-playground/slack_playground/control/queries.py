"""The part of the control API that reads: people, messages, views, calls, deliveries."""

from collections.abc import Callable
from dataclasses import asdict

from aiohttp import web

from slack_playground.installing import workspace_summary
from slack_playground.records import Channel, Json, Message
from slack_playground.slack import Slack
from slack_playground.typed_json import checked


class Queries:
    """Handlers that read the playground's state."""

    def __init__(self, slack: Slack, *, with_model: bool) -> None:
        self._slack = slack
        self._with_model = with_model
        self.gets: dict[str, Callable[[web.Request], Json]] = {
            "state": self.state,
            "channels/{id}/messages": self.messages,
            "home": self.home,
            "views": self.views,
            "calls": self.calls,
            "deliveries": self.deliveries,
            "violations": self.violations,
            "failures": self.failures,
            "faults": self.faults,
            "settings": self.settings,
        }

    def state(self, _request: web.Request) -> Json:
        """Everyone and every conversation, the ids of team, app and bot, open connections."""
        slack, workspace = self._slack, self._slack.workspace
        bot = workspace.identity.bot_user_id
        return {
            **asdict(workspace.identity),
            "app_name": slack.manifest.name,
            "native_name": slack.workspaces.native_name,
            "stand_in_model": self._with_model,
            "create_app_url": slack.workspaces.create_app_url,
            "setup_command": slack.workspaces.setup_command,
            "install_url": slack.workspaces.install_url,
            "installed": slack.installation.installed,
            "workspaces": [workspace_summary(one) for one in slack.workspaces.all],
            "delivery": slack.deliveries.mode,
            "connections": slack.socket_mode.connections,
            "deliveries_waiting": slack.deliveries.waiting,
            "calls": slack.calls.count,
            "commands": [vars(command) for command in slack.manifest.commands.values()],
            "suggested_prompts": list(slack.manifest.suggested_prompts),
            "description": slack.manifest.description,
            "is_agent": slack.manifest.is_agent,
            "home_tab": slack.manifest.home_tab,
            "messages_tab": slack.manifest.messages_tab,
            "interactivity": slack.manifest.interactivity,
            "context_events": "app_context_changed" in slack.manifest.events,
            "stop_button": "agent_session_stopped" in slack.manifest.events,
            "shortcuts": [vars(shortcut) for shortcut in slack.manifest.shortcuts.values()],
            "users": [
                {**vars(user), "is_app": user.id == bot} for user in workspace.users.values()
            ],
            "channels": [
                {
                    "id": channel.id,
                    "name": channel.name,
                    "kind": channel.kind,
                    "is_private": channel.is_private,
                    "is_im": channel.kind == "im",
                    "is_mpim": channel.kind == "mpim",
                    "is_shared": channel.shared,
                    "is_archived": channel.archived,
                    "has_app": bot in channel.members,
                    "members": channel.members,
                    "latest": self._latest(channel),
                }
                for channel in workspace.channels.values()
            ],
        }

    def _latest(self, channel: Channel) -> Json | None:
        """The ts and author of a conversation's newest message that everybody in it sees."""
        message = self._slack.workspace.latest(channel.id)
        if message is None:
            return None
        return {"ts": message.ts, "user": message.body.get("user", "")}

    def _as(self, request: web.Request) -> str:
        user = request.query.get("as", "")
        return self._slack.workspace.user(user).id

    def messages(self, request: web.Request) -> Json:
        """A conversation as one person sees it: replies and their ephemerals in order of time.

        With `only`, a list of ts separated by commas, just these messages and threads.
        """
        user = self._as(request)
        slack = self._slack
        name = request.match_info["id"]
        channel = slack.workspace.open_dm(user) if name == "dm" else slack.workspace.channel(name)
        if channel.is_private and user not in channel.members:
            raise PermissionError(f"{user} is not in {channel.id}.")
        everyone = slack.workspace.history(channel.id)
        mine = slack.workspace.ephemerals.get(channel.id, {}).values()
        shown = (one for one in mine if one.only_for == user and not one.unseen)
        visible = [*everyone, *shown]
        threads = list(slack.workspace.threads_in(channel.id))
        if "only" in request.query:
            only = set(request.query["only"].split(","))
            visible = [message for message in visible if message.ts in only]
            only |= {message.thread_ts for message in visible}
            threads = [thread for thread in threads if thread.ts in only]
        visible.sort(key=lambda message: message.ts)
        return {
            "channel": channel.id,
            "messages": [self._shown(message, user) for message in visible],
            "threads": [vars(thread) for thread in threads],
        }

    def _shown(self, message: Message, user: str) -> Json:
        self._slack.posting.settle(message, self._slack.settings.stream_seconds)
        grows = message.stream == "live" and message.stream_for not in ("", user)
        body = message.stream_opened if grows else message.body
        body = {**body, **self._slack.workspace.thread_facts(message)}
        if message.metadata is not None:
            body["metadata"] = message.metadata
        if message.stream:
            body |= {"streaming": message.stream == "live", "stream_state": message.stream}
        return body

    def home(self, request: web.Request) -> Json:
        """A person's Home tab, null if none was published."""
        view = self._slack.workspace.homes.get(self._as(request))
        return {"view": None if view is None else view.body}

    def views(self, request: web.Request) -> Json:
        """A person's stack of modals, the one on top last."""
        stack = self._slack.workspace.open_views(self._as(request))
        return {"views": [view.body for view in stack]}

    def calls(self, request: web.Request) -> Json:
        """Every Web API call after number `since`, or only those of one `method` or `team`."""
        since = _since(request)
        method, team = request.query.get("method"), request.query.get("team")
        found = self._slack.calls.since(since)
        return {
            "calls": [
                vars(call)
                for call in found
                if method in (None, call.method) and team in (None, call.team_id)
            ],
            "last": self._slack.calls.count,
        }

    def deliveries(self, request: web.Request) -> Json:
        """Everything sent to the app after number `since`, and how it was answered."""
        since = _since(request)
        team = request.query.get("team")
        found = [
            d
            for d in self._slack.deliveries.record
            if d.number > since and team in (None, d.team_id)
        ]
        return {
            "deliveries": [vars(delivery) for delivery in found],
            "last": self._slack.deliveries.count,
            "waiting": self._slack.deliveries.waiting,
        }

    def violations(self, request: web.Request) -> Json:
        """Violations of Slack's guidance after number `since`, one sentence each."""
        since = _since(request)
        kept = self._slack.violations
        return {"violations": [vars(one) for one in kept.since(since)], "last": kept.count}

    def failures(self, request: web.Request) -> Json:
        """Failed calls after failure number `since` that no configured fault caused."""
        since = _since(request)
        calls = self._slack.calls
        failures = [
            {
                "number": number,
                "method": call.method,
                "error": call.outcome,
                "messages": (call.result or {}).get("response_metadata", {}).get("messages", []),
            }
            for number, call in enumerate(calls.failures(since), since + 1)
        ]
        return {"failures": failures, "last": calls.failed}

    def faults(self, _request: web.Request) -> Json:
        """The pending faults."""
        return {"faults": [vars(fault) for fault in self._slack.faults.waiting]}

    def settings(self, _request: web.Request) -> Json:
        """The settings."""
        deliveries = self._slack.deliveries
        return {
            **vars(self._slack.settings),
            "retry_delays": list(deliveries.retry_delays),
            "ack_seconds": deliveries.patience,
        }


def _since(request: web.Request) -> int:
    number: int = checked("since", request.query.get("since", "0"), int)
    return number
