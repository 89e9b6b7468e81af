"""Drives a playground through its control API, as people at their keyboards would."""

from __future__ import annotations

from typing import Any

import aiohttp

Json = dict[str, Any]


class Driver:
    """The control API of one running playground."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def get(self, path: str, **query: str) -> Json:
        """GET, expecting 200."""
        async with self.session.get(
            f"{self.url}/_playground/{path}", params=query
        ) as response:
            body: Json = await response.json()
            assert response.status == 200, body
            return body

    async def post(self, path: str, **body: Any) -> Json:
        """POST, expecting 200."""
        status, answer = await self.try_post(path, **body)
        assert status == 200, answer
        return answer

    async def try_post(self, path: str, **body: Any) -> tuple[int, Json]:
        """POST, whatever the status."""
        async with self.session.post(
            f"{self.url}/_playground/{path}", json=body
        ) as response:
            answer: Json = await response.json()
            return response.status, answer

    async def state(self) -> Json:
        """The state."""
        return await self.get("state")

    async def user(self, name: str = "Aya") -> str:
        """The id of a person by name."""
        users = (await self.state())["users"]
        return str(next(user["id"] for user in users if user["name"] == name))

    async def channel(self, name: str = "general") -> str:
        """The id of a channel by name."""
        channels = (await self.state())["channels"]
        return str(next(entry["id"] for entry in channels if entry["name"] == name))

    async def say(
        self, text: str, *, name: str = "Aya", channel: str = "dm", **more: Any
    ) -> Json:
        """Somebody writes."""
        user = await self.user(name)
        return await self.post(
            "messages", user=user, channel=channel, text=text, **more
        )

    async def messages(self, channel: str = "dm", name: str = "Aya") -> list[Json]:
        """A conversation as somebody sees it."""
        found = await self.get(
            f"channels/{channel}/messages", user=await self.user(name)
        )
        messages: list[Json] = found["messages"]
        return messages

    async def thread(self, ts: str) -> Json:
        """What the app set on a thread of Aya's DM."""
        found = await self.get("channels/dm/messages", user=await self.user())
        return dict(next(one for one in found["threads"] if one["ts"] == ts))

    async def calls(self, method: str | None = None) -> list[Json]:
        """The recorded Web API calls."""
        found: list[Json] = (await self.get("calls"))["calls"]
        return [call for call in found if method in (None, call["method"])]

    async def deliveries(self, name: str | None = None) -> list[Json]:
        """The recorded deliveries."""
        found: list[Json] = (await self.get("deliveries"))["deliveries"]
        return [entry for entry in found if name in (None, entry["name"])]

    async def events(self, name: str) -> list[Json]:
        """The events of this type that were sent to the app."""
        return [entry["body"]["event"] for entry in await self.deliveries(name)]

    async def settled(self) -> list[Json]:
        """The deliveries, once none is on its way any more."""
        assert await self.post("settle", seconds=50) == {"settled": True}
        return await self.deliveries()
