"""The part of the control API that reads: people, messages, views, calls, deliveries."""

from dataclasses import asdict
from typing import Any

from slack_playground import posting
from slack_playground.journal import Journal
from slack_playground.records import Channel, Json, Message, User, without_nulls
from slack_playground.slack import Slack

_FROM_MANIFEST = {"description", "home_tab", "messages_tab"}


def state(slack: Slack) -> Json:
    """Everyone and every conversation, the ids of team, app and bot, open connections."""
    workspace = slack.workspace
    manifest = slack.manifest
    agent = None
    if manifest.agent is not None:
        agent = manifest.agent.model_dump()
    commands = [vars(command) for command in manifest.commands.values()]
    shortcuts = [vars(shortcut) for shortcut in manifest.shortcuts.values()]
    users = [_person(slack, user) for user in workspace.users.values()]
    channels = [_conversation(slack, one) for one in workspace.channels.values()]
    return {
        **asdict(workspace.identity),
        **slack.links,
        **manifest.model_dump(include=_FROM_MANIFEST),
        "app_name": manifest.name,
        "agent": agent,
        "commands": commands,
        "shortcuts": shortcuts,
        "stop_button": "agent_session_stopped" in manifest.events,
        "stand_in_model": slack.with_model,
        "installed": slack.installation.installed,
        "delivery": slack.deliveries.mode,
        "connections": slack.socket_mode.connections,
        "users": users,
        "channels": channels,
    }


def _person(slack: Slack, user: User) -> Json:
    is_app = user.id == slack.identity.bot_user_id
    return {**vars(user), "is_app": is_app}


def _conversation(slack: Slack, channel: Channel) -> Json:
    return {
        **vars(channel),
        "is_private": channel.is_private,
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "has_app": slack.identity.bot_user_id in channel.members,
    }


def channel_messages(slack: Slack, user: User, id: str) -> Json:  # noqa: A002 - as in the path
    """A conversation as one person sees it: with replies and their ephemerals, in time order."""
    workspace = slack.workspace
    channel = workspace.channel_of(user.id, id)
    if channel.is_private and user.id not in channel.members:
        raise PermissionError(f"{user.id} is not in {channel.id}.")
    history = workspace.history(channel.id, user.id)
    messages = [_shown(slack, message, user.id) for message in history]
    threads = [vars(thread) for thread in workspace.threads_in(channel.id)]
    return {"channel": channel.id, "messages": messages, "threads": threads}


def _shown(slack: Slack, message: Message, user: str) -> Json:
    posting.expire_stream(slack, message)
    body = message.body
    if message.stream == "live" and message.stream_for not in ("", user):
        body = message.stream_opened
    facts = slack.workspace.thread_facts(message)
    body = {**body, **facts}
    if message.metadata is not None:
        body["metadata"] = message.metadata
    if message.stream:
        body["streaming"] = message.stream == "live"
        body["stream_state"] = message.stream
    return body


def home(slack: Slack, user: User) -> Json:
    """A person's Home tab; null if none was published."""
    view = slack.workspace.home(user.id)
    return {"view": None if view is None else view.body}


def views(slack: Slack, user: User) -> Json:
    """A person's stack of modals, the top one last."""
    return {"views": [view.body for view in slack.workspace.open_views(user.id)]}


def _entries(name: str, journal: Journal[Any], since: int, **only: str | None) -> Json:
    """The entries after number `since` whose fields equal those in `only`; None matches any."""
    wanted = without_nulls(only)
    entries: list[Json] = []
    for entry in journal.since(since):
        fields = vars(entry)
        if wanted.items() <= fields.items():
            entries.append(fields)
    return {name: entries, "last": journal.count}


def calls(slack: Slack, since: int = 0, method: str | None = None) -> Json:
    """Every Web API call after number `since`, or only those of one `method`."""
    return _entries("calls", slack.calls, since, method=method)


def deliveries(slack: Slack, since: int = 0) -> Json:
    """Everything sent to the app after number `since`, and how it was answered."""
    found = _entries("deliveries", slack.deliveries.journal, since)
    return {**found, "waiting": len(slack.deliveries.pending)}


def violations(slack: Slack, since: int = 0) -> Json:
    """Violations of Slack's guidance after number `since`, one sentence each."""
    return _entries("violations", slack.violations, since)


def failures(slack: Slack, since: int = 0) -> Json:
    """Failed calls after failure number `since` that no configured fault caused."""
    return _entries("failures", slack.failures, since)
