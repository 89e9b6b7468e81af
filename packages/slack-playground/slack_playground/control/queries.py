"""The part of the control API that reads: people, messages, views, calls, deliveries."""

from dataclasses import asdict

from aiohttp import web

from slack_playground.installing import workspace_summary
from slack_playground.records import Channel, Json, Message
from slack_playground.slack import Slack


def state(slack: Slack, _request: web.Request) -> Json:
    """Everyone and every conversation, the ids of team, app and bot, open connections."""
    workspace = slack.workspace
    bot = workspace.identity.bot_user_id
    return {
        **asdict(workspace.identity),
        "app_name": slack.manifest.name,
        **slack.workspaces.links,
        "stand_in_model": slack.workspaces.with_model,
        "installed": slack.installation.installed,
        "workspaces": [workspace_summary(one) for one in slack.workspaces.all],
        "delivery": slack.deliveries.mode,
        "connections": slack.socket_mode.connections,
        "deliveries_waiting": slack.deliveries.waiting,
        "calls": slack.calls.count,
        "commands": [vars(command) for command in slack.manifest.commands.values()],
        "suggested_prompts": [vars(one) for one in slack.manifest.suggested_prompts],
        "description": slack.manifest.description,
        "is_agent": slack.manifest.agent is not None,
        "home_tab": slack.manifest.home_tab,
        "messages_tab": slack.manifest.messages_tab,
        "interactivity": slack.manifest.interactivity,
        "context_events": "app_context_changed" in slack.manifest.events,
        "stop_button": "agent_session_stopped" in slack.manifest.events,
        "shortcuts": [vars(shortcut) for shortcut in slack.manifest.shortcuts.values()],
        "users": [{**vars(user), "is_app": user.id == bot} for user in workspace.users.values()],
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
                "latest": _latest(slack, channel),
            }
            for channel in workspace.channels.values()
        ],
    }


def _latest(slack: Slack, channel: Channel) -> Json | None:
    """The ts and author of a conversation's newest message that everybody in it sees."""
    message = slack.workspace.latest(channel.id)
    if message is None:
        return None
    return {"ts": message.ts, "user": message.body.get("user", "")}


def _as(slack: Slack, request: web.Request) -> str:
    user = request.query.get("as", "")
    return slack.workspace.user(user).id


def messages(slack: Slack, request: web.Request) -> Json:
    """A conversation as one person sees it: replies and their ephemerals in order of time."""
    user = _as(slack, request)
    name = request.match_info["id"]
    channel = slack.workspace.open_dm(user) if name == "dm" else slack.workspace.channel(name)
    if channel.is_private and user not in channel.members:
        raise PermissionError(f"{user} is not in {channel.id}.")
    everyone = slack.workspace.history(channel.id)
    mine = slack.workspace.ephemerals.get(channel.id, {}).values()
    shown = (one for one in mine if one.only_for == user and not one.unseen)
    visible = [*everyone, *shown]
    visible.sort(key=lambda message: message.ts)
    return {
        "channel": channel.id,
        "messages": [_shown(slack, message, user) for message in visible],
        "threads": [vars(thread) for thread in slack.workspace.threads_in(channel.id)],
    }


def _shown(slack: Slack, message: Message, user: str) -> Json:
    slack.posting.settle(message, slack.settings.stream_seconds)
    grows = message.stream == "live" and message.stream_for not in ("", user)
    body = message.stream_opened if grows else message.body
    body = {**body, **slack.workspace.thread_facts(message)}
    if message.metadata is not None:
        body["metadata"] = message.metadata
    if message.stream:
        body |= {"streaming": message.stream == "live", "stream_state": message.stream}
    return body


def home(slack: Slack, request: web.Request) -> Json:
    """A person's Home tab, null if none was published."""
    view = slack.workspace.homes.get(_as(slack, request))
    return {"view": None if view is None else view.body}


def views(slack: Slack, request: web.Request) -> Json:
    """A person's stack of modals, the one on top last."""
    stack = slack.workspace.open_views(_as(slack, request))
    return {"views": [view.body for view in stack]}


def calls(slack: Slack, request: web.Request) -> Json:
    """Every Web API call after number `since`, or only those of one `method` or `team`."""
    since = _since(request)
    method, team = request.query.get("method"), request.query.get("team")
    found = slack.calls.since(since)
    return {
        "calls": [
            vars(call)
            for call in found
            if method in (None, call.method) and team in (None, call.team_id)
        ],
        "last": slack.calls.count,
    }


def deliveries(slack: Slack, request: web.Request) -> Json:
    """Everything sent to the app after number `since`, and how it was answered."""
    since = _since(request)
    team = request.query.get("team")
    found = [one for one in slack.deliveries.record.since(since) if team in (None, one.team_id)]
    return {
        "deliveries": [vars(delivery) for delivery in found],
        "last": slack.deliveries.record.count,
        "waiting": slack.deliveries.waiting,
    }


def violations(slack: Slack, request: web.Request) -> Json:
    """Violations of Slack's guidance after number `since`, one sentence each."""
    since = _since(request)
    kept = slack.violations
    return {"violations": [vars(one) for one in kept.since(since)], "last": kept.count}


def failures(slack: Slack, request: web.Request) -> Json:
    """Failed calls after failure number `since` that no configured fault caused."""
    since = _since(request)
    failures = [
        {
            "number": number,
            "method": call.method,
            "error": call.outcome,
            "messages": (call.result or {}).get("response_metadata", {}).get("messages", []),
        }
        for number, call in enumerate(slack.calls.failures.since(since), since + 1)
    ]
    return {"failures": failures, "last": slack.calls.failures.count}


def faults(slack: Slack, _request: web.Request) -> Json:
    """The pending faults."""
    return {"faults": [fault.model_dump() for fault in slack.faults.waiting]}


def settings(slack: Slack, _request: web.Request) -> Json:
    """The settings."""
    return slack.settings.model_dump()


def _since(request: web.Request) -> int:
    number = request.query.get("since", "0")
    if not number.isdecimal():
        raise ValueError("since must be a number.")
    return int(number)


GETS = {
    "state": state,
    "channels/{id}/messages": messages,
    "home": home,
    "views": views,
    "calls": calls,
    "deliveries": deliveries,
    "violations": violations,
    "failures": failures,
    "faults": faults,
    "settings": settings,
}
