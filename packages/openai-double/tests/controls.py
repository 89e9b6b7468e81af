"""The ``/_model/`` routes of one server, as a test uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True)
class Controls:
    """The ``/_model/`` routes of one server."""

    url: str
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        async with self.session.post(
            f"{self.url}/_model/{path}", json=body
        ) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer

    async def refused(self, path: str, body: Any) -> str:
        async with self.session.post(
            f"{self.url}/_model/{path}", json=body
        ) as response:
            assert response.status == 400
            return str((await response.json())["error"])

    async def get(self, path: str) -> dict[str, Any]:
        async with self.session.get(f"{self.url}/_model/{path}") as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def delete(self, path: str) -> None:
        async with self.session.delete(f"{self.url}/_model/{path}") as response:
            assert response.status == 200

    async def journal(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.get("journal"))["entries"]
        return entries
