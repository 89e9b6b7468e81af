"""Model servers that run on this machine, for a hint: `kioku up` names them and uses none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import aiohttp
from pydantic import BaseModel, ValidationError

from bot.config import STAND_IN_MODEL

USUAL_PORTS: Final = (11434, 1234, 8080)
"""The ports of Ollama, LM Studio, and llama.cpp's server."""
_SECONDS = 0.5
_MOST_BYTES = 1_000_000


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


async def local_model_servers(ports: Iterable[int] = USUAL_PORTS) -> list[str]:
    """Return the address of each server that lists its models; takes half a second at most.

    Only ``GET /v1/models`` is sent. The stand-in of another `kioku up` does not count.
    """
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        servers = await asyncio.gather(*[_server_at(session, port) for port in ports])
    return [address for address in servers if address is not None]


async def _server_at(session: aiohttp.ClientSession, port: int) -> str | None:
    """Return the address of the server at a port of this machine, if it lists models."""
    address = f"http://127.0.0.1:{port}/v1"
    try:
        async with session.get(f"{address}/models", allow_redirects=False) as answer:
            listed = _Models.model_validate_json(await answer.content.read(_MOST_BYTES))
    except (aiohttp.ClientError, TimeoutError, ValidationError):
        return None
    names = [model.id for model in listed.data]
    if answer.status != 200 or not names or STAND_IN_MODEL in names:
        return None
    return address
