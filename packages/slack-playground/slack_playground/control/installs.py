"""The part of the control API for workspaces and for installing the app in them."""

from typing import Literal

from slack_playground.installing import consent, refuse, uninstall, workspace_summary
from slack_playground.records import Json
from slack_playground.slack import BOT_TOKEN, Slack


async def decide(
    slack: Slack,
    query: Json,
    allow: bool = False,
    team: str = "",
    user: str = "",
    declined: list[str] | None = None,
) -> Json:
    """Allow or refuse an installation as a person of `team`; return where they go to."""
    if not allow:
        return {"redirect": refuse(slack, query)}
    return {"redirect": consent(slack.workspaces.of(team), user, query, declined or [])}


async def add(slack: Slack, name: str, like: str | None = None) -> Json:
    """Add a workspace without the app; `like` names one whose ids it gets."""
    workspaces = slack.workspaces
    added = workspaces.add(name, like=None if like is None else workspaces.of(like))
    workspaces.updates.publish({"changed": "state"})
    return workspace_summary(added)


async def remove(
    slack: Slack, events: list[Literal["tokens_revoked", "app_uninstalled"]] | None = None
) -> Json:
    """Uninstall the app: its tokens stop working and it gets the events.

    `events` names which of the two events are sent, in their order.
    """
    revoked = [token.value for token in slack.installation.active]
    uninstall(slack, events)
    return {"revoked": revoked}


async def install(slack: Slack, declined: list[str] | None = None) -> Json:
    """Install the app without OAuth, without the optional scopes in `declined`."""
    refused = frozenset(declined or ())
    if needed := sorted(refused - slack.manifest.optional_scopes):
        raise ValueError(f"{needed[0]} is not an optional scope of the manifest.")
    scopes = slack.manifest.scopes - refused
    token = BOT_TOKEN
    if slack is slack.workspaces.first:
        slack.installation.restore(scopes, token)
    else:
        token = slack.installation.install(scopes, seconds=None)["access_token"]
    slack.workspaces.updates.publish({"changed": "state"})
    return {"token": token}


POSTS = {"authorization": decide, "workspaces": add, "install": install, "uninstall": remove}
