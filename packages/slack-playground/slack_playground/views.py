"""Views: a person's stack of modals, and their Home tab."""

import secrets
import time
from dataclasses import dataclass

from slack_playground.blocks import with_ids
from slack_playground.form_values import state_of
from slack_playground.records import Json, View, new_id
from slack_playground.updates import Updates
from slack_playground.workspace import Workspace

STACK = 3


@dataclass(kw_only=True)
class Views:
    """Opens, replaces and closes views."""

    workspace: Workspace
    updates: Updates

    def _body(self, content: Json, view_id: str, root: str, previous: str) -> Json:
        """The view object Slack returns for what the app sent."""
        identity = self.workspace.identity
        content = {**content, "blocks": with_ids(content["blocks"])}
        return {
            "id": view_id,
            "team_id": identity.team_id,
            "callback_id": "",
            "external_id": "",
            "private_metadata": "",
            "clear_on_close": False,
            "notify_on_close": False,
            **content,
            "state": {"values": state_of(content["blocks"], {})},
            "hash": f"{int(time.time())}.{secrets.token_hex(4)}",
            "root_view_id": root,
            "previous_view_id": previous or None,
            "app_id": identity.app_id,
            "app_installed_team_id": identity.team_id,
            "bot_id": identity.bot_id,
        }

    def open(self, user: str, content: Json, *, on: View | None = None) -> View:
        """Open a modal, on top of another one if given; or publish a Home tab."""
        view_id = new_id("V")
        root = on.root if on is not None else view_id
        previous = on.id if on is not None else ""
        body = self._body(content, view_id, root, previous)
        view = View(id=view_id, user=user, body=body, root=root, previous=previous)
        self.workspace.add_view(view)
        self.updates.publish({"changed": "views", "user": user})
        return view

    def replace(self, view: View, content: Json) -> None:
        """Give an open view new content; its id stays."""
        view.body = self._body(content, view.id, view.root, view.previous)
        self.updates.publish({"changed": "views", "user": view.user})

    def close(self, *views: View) -> None:
        """Close some modals of one person."""
        for view in views:
            view.closed = True
        if views:
            self.updates.publish({"changed": "views", "user": views[0].user})

    def close_all(self, user: str) -> None:
        """Close a person's whole stack of modals."""
        self.close(*self.workspace.open_views(user))
