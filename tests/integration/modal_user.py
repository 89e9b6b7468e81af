"""Somebody who opens, clicks in and submits modals, through the playground's control interface."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bot.locale import Language, say
from memory import Person
from tests.integration.app import App

LOCALES: dict[Language, str] = {"en": "en-US", "ja": "ja-JP"}


class ModalUser:
    """A new person in the workspace, and their modals."""

    def __init__(self, app: App, language: Language = "en", **person: Any) -> None:
        self.app, self.language = app, language
        user, self.team = app.slack.person(locale=LOCALES[language], **person)
        self.person = Person(app.slack.team_id, user)

    async def control(self, path: str, body: Any = None) -> Any:
        """Make a control call while the app answers."""
        return await asyncio.to_thread(self.app.slack.control, path, body)

    async def modal(self, key: str, **values: Any) -> dict[str, Any]:
        """Wait until the modal on top shows a sentence."""
        text = json.dumps(say(self.language, key, **values), ensure_ascii=False)[1:-1]
        async with asyncio.timeout(15):
            while True:
                views = (await self.control(f"views?as={self.person.user_id}"))["views"]
                if views and text in json.dumps(views[-1], ensure_ascii=False):
                    return dict(views[-1])
                await asyncio.sleep(0.02)

    async def click(self, view: dict[str, Any], action: str) -> None:
        """Click in a view."""
        [(block, element)] = [
            (one["block_id"], element)
            for one in view["blocks"]
            for element in [one.get("accessory"), *one.get("elements", [])]
            if element and element.get("action_id") == action
        ]
        named = {"action_id": action, "block_id": block, "value": element["value"]}
        body = {"user": self.person.user_id, "view_id": view["id"], **named}
        assert (await self.control("actions", body))["ok"]

    async def submit(self, view: dict[str, Any], **values: Any) -> None:
        """Submit a view."""
        body = {"view_id": view["id"], "user": self.person.user_id, "values": values}
        assert (await self.control("views/submit", body))["ok"]
